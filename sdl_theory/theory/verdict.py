"""One vocabulary of verdicts, used by every certificate."""

from __future__ import annotations

from enum import Enum


class Verdict(str, Enum):
    """What a point, a group or a neuron is. See the glossary in README."""

    # a true local minimum of Lt: every group's y has a simple top eigenvalue; all of a lossy group
    # strictly below theta elsewhere
    TRAP = "trap"
    DEGENERATE = "degenerate"  # the top eigenvalue repeats: a flat family of minima
    SADDLE = "saddle"  # some group's eigenvalue is not the top one
    # groups are top, but a wall or an unused row can be reached: that descent leaves there is not
    # promised
    ESCAPABLE = "escapable"
    NONE = "none"  # no interior partial minimum shows this pattern
    GLOBAL = "global"  # loss 0
    NOT_STATIONARY = "not_stationary"  # a gradient is not zero
    # overlapping groups, or a saddle held by walls: search or Hessian can tell
    UNDECIDED = "undecided"
    MONOSEMANTIC = "monosemantic"  # a neuron that fires for one feature
    POLYSEMANTIC = "polysemantic"  # a neuron that fires for several
    # fires for none, z < theta on every feature with nonzero residual
    STRICTLY_DEAD = "strictly_dead"
    # fires for none, but sits on a wall of a feature with nonzero residual
    ESCAPABLE_DEAD = "escapable_dead"

    def __str__(self) -> str:
        return self.value


def verdict_of(groups, falls, leak) -> tuple[Verdict, object]:
    """THE rule (Theorem 3.7, corrected), and what decided it: from groups that fire for several
    features, each (name, is_top, is_simple, is_lossy).

    falls(name) : can a group below its top eigenvalue move towards the top one? Asked of those
        alone.  leak() : a wall that a feature of nonzero
    loss, or an unused row, touches, or None; asked last, for it costs most.
    """
    below = [name for name, is_top, _, is_lossy in groups if is_lossy and not is_top]
    for name in below:
        if falls(name):
            return Verdict.SADDLE, name
    if below:
        return Verdict.UNDECIDED, below[-1]
    if (where := leak()) is not None:
        return Verdict.ESCAPABLE, where
    for name, _, is_simple, is_lossy in groups:
        if is_lossy and not is_simple:
            return Verdict.DEGENERATE, name
    return Verdict.TRAP, None
