"""The codes that rows write and charts read: what a row of numbers is in its picture.

`kind` says which layer of a picture a row belongs to, `value` what colours it. Neither torch nor
altair is needed to know them.
"""

from __future__ import annotations

from enum import IntEnum


class Layer(IntEnum):
    """Layers that several pictures have.

    In the first one CURVE is the approximate loss, TRUE the true one, DATA the samples.
    """

    CURVE, REGION, POINT, ARROW, BAR, DATA, TRUE = range(7)


class Arrow(IntEnum):
    """The arrows of a disc: two features, an encoder row, a decoder column, a dead encoder row."""

    W_1, W_2, ROW, COLUMN, DEAD = range(5)


class Code(IntEnum):
    """The verdicts, by the names they have in `sdl_theory.Verdict`."""

    TRAP, SADDLE, NONE, DEGENERATE, ESCAPABLE, GLOBAL = range(6)


class Sign(IntEnum):
    """What an eigenvector is: of mixed signs, positive with the top eigenvalue, or with another."""

    MIXED, TOP, LOWER = range(3)


class Exact(IntEnum):
    """The loss at a pair's positive eigenvector, and at the other; beside Layer's POINT and BAR."""

    POSITIVE, MIXED = 0, 1


class Disc(IntEnum):
    """The two discs of a machine; beside Layer's CURVE, REGION and POINT."""

    INPUTS, TARGETS = 3, 5


class Solution(IntEnum):
    """Three solutions, a disc each. NOTE more: the figures beneath."""

    IDEAL, DUAL, MIRRORED = range(3)


NOTE = 10


class Linear(IntEnum):
    """How little features can interfere, and how a feature reads. INSTEAD: of random directions."""

    BOUND, RANDOM, ASKED, REACHED, SILENT, ACTIVE, SIZE, INSTEAD = range(8)


class Gap(IntEnum):
    """The gap between the two losses, its bounds, the chosen sparsity, and how many are active."""

    GAP, PAPER, TIGHT, HERE, SHARE, CEILING = range(6)


class Regions(IntEnum):
    """The regions of one encoder row, the loss over both scales, and slices of it."""

    SECTOR, FEATURE, ROW, HEAT, HERE, SLICE_E, SLICE_D, SLICE_BOTH = range(8)


class Lattice(IntEnum):
    """Partitions, the chosen one, descents from it."""

    NODE, CHOSEN, DESCENT = range(3)


class Absorbed(IntEnum):
    """What children give on a row of length 1, before and after; where its threshold is; losses.

    BEFORE and AFTER the family's row, OWN the child's. THETA: each row's threshold over its length.
    LEFT: the loss where the threshold alone has silenced children.
    """

    BEFORE, AFTER, OWN, THETA, BOUND, LOSS, CHOSEN, LEFT = range(8)


class Panel(IntEnum):
    """The panels of a race: features found, mean best cosine, anchored minus plain."""

    FOUND, COSINE, DIFFERENCE = range(3)


class Line(IntEnum):
    """The lines of a race, of decoders (D) and encoders (E)."""

    PLAIN_D, ANCHORED_D, PLAIN_E, ANCHORED_E, NULL, PAIRED = range(6)


class Vector(IntEnum):
    """What points somewhere beside a feature.

    Encoder rows and decoder columns as trained, rows of the ideal point and of the dual basis,
    random ones.
    """

    TRAINED, COLUMN, IDEAL, DUAL, RANDOM = range(5)


class Anchored(IntEnum):
    """At true features, or at random directions."""

    TRUE, SHAM = range(2)


class Biases(IntEnum):
    """A ReLU without biases, and with."""

    WITHOUT, WITH = range(2)


class Measure(IntEnum):
    """What is measured of a ReLU: features found, variance explained, rows with a mirror image."""

    FOUND, EXPLAINED, MIRRORED = range(3)


class Remedy(IntEnum):
    """What is done about dead latents, in the order of `experiments.language.setting.ARMS`."""

    NOTHING, SAMPLES, RESIDUALS, AUXK = range(4)


class Run(IntEnum):
    """A run's loss, its dead latents, and when they were resampled."""

    LOSS, DEAD, WHEN = range(3)


class Sleep(IntEnum):
    """A latent wins places, wins none though its z is above 0 somewhere, or is nowhere above 0."""

    AWAKE, ASLEEP, DEAD = range(3)


class Real(IntEnum):
    """Class means of real embeddings: how many pairs have a cosine, and what rows score."""

    BAR, SCORE = range(2)


class Out(IntEnum):
    """A way out of a trap: the loss along it, where one is, codes, the ends of its segments."""

    LOSS, HERE, CODE, STOP = range(4)


class Sparsity(IntEnum):
    """Two features on one neuron: the diagram's areas and the point, the loss, the descents.

    AREA's value is a verdict's code. HERE is the point in the diagram, THERE beside the loss; LIMIT
    is Lt.
    """

    AREA, LAW, HERE, LOSS, LIMIT, BOTH, THERE, DESCENT = range(8)


class Fate(IntEnum):
    """What a neuron ends as: on both features, on one, or on none."""

    MERGED, ALONE, SILENT = range(3)


class Together(IntEnum):
    """Features that are active together: entries of G and of C, z, and the link's every value."""

    COSINE, MOMENT, CODE, LINK, HERE = range(5)
