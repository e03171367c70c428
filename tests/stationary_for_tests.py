"""Explorers of stationary points: what their words say, found again in their pictures."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

import numpy as np

from tests.columns_for_tests import NUMBER, Columns, near, of, said, verdict_of
from widgets.kinds import NOTE, Absorbed, Arrow, Exact, Lattice, Layer, Regions, Sign, Solution
from widgets.rows.lattice import PARTITIONS, label, places


def turning(columns: Columns, headline: str, words: str) -> Iterator[str]:
    """A pair, or a machine: a valley is a trap, a hilltop a saddle, a slope no stationary point."""
    (x, loss), (reach,) = of(columns, Layer.CURVE, "x", "y"), of(columns, Layer.REGION, "x2")
    inside, (y, code) = loss[abs(x) < reach[0]], of(columns, Layer.POINT, "y", "value")
    slack = 1e-4 * max(1.0, loss.max())
    if not len(y):
        steps = np.diff(inside)
        if headline != "none" or not ((steps >= -slack).all() or (steps <= slack).all()):
            yield "no point is drawn, though the loss turns where the neuron fires for both"
        return
    flat = np.ptp(inside) < slack
    valley, hilltop = y[0] <= inside.min() + slack, y[0] >= inside.max() - slack
    seen = "degenerate" if flat else "trap" if valley else "saddle" if hilltop else "neither"
    if not headline == seen == verdict_of(code[0]):
        yield f"said {headline}, drawn {verdict_of(code[0])}, the curve has {seen}"
    if not any(near(number, y[0]) for number in said("Loss #.", words + ".")[:1]):
        yield f"the loss is drawn at {y[0]}"


def three(columns: Columns, headline: str, words: str) -> Iterator[str]:
    """Three features: the top eigenvector's signs, and where the triangle is lowest."""
    components, values, signs = of(columns, Layer.BAR, "y", "x2", "value")
    positive = [rank for rank in range(3) if (components[3 * rank : 3 * rank + 3] > 0).all()]
    top = abs(values[0] - values[3]) > 1e-5
    seen = "none" if not positive else "saddle" if positive[0] else "trap" if top else "degenerate"
    if seen != headline:
        yield f"said {headline}, the eigenvectors have {seen}"
    drawn = [Sign.TOP if rank == 0 else Sign.LOWER if rank in positive else 0 for rank in positive]
    if any(signs[3 * rank] != sign for rank, sign in zip(positive, drawn)):
        yield "a positive eigenvector is coloured as a mixed one"
    x, y, left = of(columns, Layer.CURVE, "x", "y", "value")
    at, height, code = of(columns, Layer.POINT, "x", "y", "value")
    if (len(at) == 1) != (headline != "none") or (len(at) and verdict_of(code[0]) != headline):
        yield "the point is not drawn as it is said"
    if headline == "trap":
        lowest = left.argmin()
        if math.hypot(x[lowest] - at[0], y[lowest] - height[0]) > 0.08:
            yield "the triangle is lowest elsewhere"


def exact(columns: Columns, headline: str, words: str) -> Iterator[str]:
    """On which branch the point lies: the lower one is a trap's."""
    (x, y), (tops,) = of(columns, Layer.POINT, "x", "y"), of(columns, Exact.POSITIVE, "x")
    if (len(x) == 0) != (headline == "none"):
        yield "a point where there is none, or none where there is one"
    if len(x):
        positive, mixed = (
            np.interp(x[0], tops, of(columns, kind, "y")[0])
            for kind in (Exact.POSITIVE, Exact.MIXED)
        )
        seen = "trap" if positive < mixed else "saddle"
        if x[0] and headline != seen:
            yield f"said {headline}, the curves have {seen}"
        if abs(y[0] - positive) > 1e-3 * max(1.0, y[0]) and x[0]:
            yield "the point lies off its curve"
        if abs(said("about #;", words)[0] - y[0]) > 1e-4 * max(1.0, y[0]):
            yield f"the point lies at {y[0]}"
        if (of(columns, Layer.BAR, "y")[0] <= 0).any():
            yield "a component that is not positive"


def solution(columns: Columns, headline: str, words: str) -> Iterator[str]:
    """The loss of each drawn solution, computed from its arrows alone."""
    theta, told = said("theta = #;", words)[0], re.findall(rf"loss ({NUMBER})", words)
    zero = 0
    for panel, number in zip(Solution, told):
        x, y, which = of(columns, panel, "x", "y", "value")
        arrows = {kind: np.stack([x, y])[:, which == kind] for kind in Arrow}
        W = np.concatenate([arrows[Arrow.W_1], arrows[Arrow.W_2]], 1)
        z = arrows[Arrow.ROW].T @ W
        fired = np.where(z > theta, z, 0.0)
        loss = float(((W - arrows[Arrow.COLUMN] @ fired) ** 2).sum())
        (note,) = of(columns, NOTE + panel, "x")
        zero += note[0] < 1e-9
        at_the_edge = (abs(z - theta) < 1e-3).any()  # where the last byte of a number decides
        if not (near(float(number), note[0]) and (at_the_edge or near(loss, note[0]))):
            yield f"{panel.name}: said {number}, noted {note[0]}, the arrows have {loss}"
    if headline != f"{zero} of 3 at zero loss":
        yield f"said {headline}, noted {zero}"


def region(columns: Columns, headline: str, words: str) -> Iterator[str]:
    """For which features the drawn row fires, and how the loss bends along both weights."""
    (x, y), (u, v) = of(columns, Regions.FEATURE, "x", "y"), of(columns, Regions.ROW, "x", "y")
    z = x * u[0] + y * v[0]
    fired = [d + 1 for d in range(3) if z[d] > 1e-6]
    size = math.hypot(u[0], v[0])
    seen = "on every wall" if size < 1e-6 else "biconvex" if fired else "flat"
    if seen != headline:
        yield f"said {headline}, drawn {seen}"
    if headline == "biconvex":
        told = re.search(r"fires for (.*?)\.", words)[1]
        numbers = [1, 2, 3] if "all three" in told else [int(d) for d in re.findall(r"\d", told)]
        if numbers != fired:
            yield f"said to fire for {numbers}, drawn for {fired}"
        if size > 0.35:  # far enough from all walls for a small step
            steps, along = of(columns, Regions.SLICE_BOTH, "x", "y")
            at = abs(steps).argmin()
            bend = (along[at - 1] - 2 * along[at] + along[at + 1]) / (steps[1] - steps[0]) ** 2
            if ("not convex" in words) != (bend < 0) and abs(bend) > 0.1:
                yield f"{words}: the slice bends by {bend}"
    (loss,) = of(columns, Regions.HERE, "value")
    if not near(said("Lt = #", words)[0], loss[0]):
        yield f"drawn at a loss of {loss[0]}"


def absorption(columns: Columns, headline: str, words: str) -> Iterator[str]:
    """Who left, from both patterns; what it helped, from the ladder."""
    after = of(columns, Absorbed.AFTER, "x", "y", "value")
    loss, code = of(columns, Absorbed.CHOSEN, "y", "value")
    if (len(after[0]) == 0) != (headline in ("no parent", "not realizable")):
        yield "a pattern after, where nobody left"
    if len(loss) and headline.startswith("absorbed"):
        if headline != f"absorbed, a {verdict_of(code[0])}":
            yield f"said {headline}, drawn {verdict_of(code[0])}"
        step, ladder = of(columns, Absorbed.LOSS, "x", "y")
        told = said("falls from # to #.", words)
        if not (
            near(told[0], ladder[step == 0][0]) and near(told[1], loss[0]) and told[1] < told[0]
        ):
            yield f"said {told}, drawn {ladder} and {loss}"
        first = ladder[step == 1]
        if "this is not" in words and len(first) and loss[0] < first[0] - 1e-3:
            yield "a child that helps more than the first one of the ladder"
        child, _, fires = after
        (taken,) = of(columns, Absorbed.OWN, "x")[0][of(columns, Absorbed.OWN, "value")[0] == 1]
        if list(child[fires == 0]) != [taken]:
            yield "not one child goes from the first neuron to its own"
    before, fires = of(columns, Absorbed.BEFORE, "y", "value")
    (silent,), (left,) = of(columns, Absorbed.LEFT, "x", "y") if len(before) else ([0], [0.0])
    theta = [y for y, kind in zip(*of(columns, Absorbed.THETA, "y", "value")) if kind == 0]
    if len(before) and ((fires == 0).sum() != silent or (before > theta[0]).sum() != fires.sum()):
        yield f"{silent} silenced, drawn {before} against {theta}"
    if "silences" in words and not near(said("leaves a loss of #.", words)[0], left):
        yield f"the threshold alone is drawn to leave {left}"


def dead(columns: Columns, headline: str, words: str) -> Iterator[str]:
    """How many descents end low; a row that is drawn with a length is strictly dead."""
    seed, step, y = of(columns, Layer.CURVE, "value", "x", "y")
    fell = int((y[step == step.max()] < 0.3).sum())
    if said("# of 6 descents wake", words) != [fell]:
        yield f"{fell} descents are drawn to fall"
    x, y, which = of(columns, Layer.ARROW, "x", "y", "value")
    length = math.hypot(x[which == Arrow.DEAD][0], y[which == Arrow.DEAD][0])
    if length > 1e-6 and ("on the wall" in words or headline != "strictly dead"):
        yield f"a row of length {length} is said to be on the wall"
    if (headline == "strictly dead") == ("on the wall" in words):
        yield "strictly dead on the wall"


def lattice(columns: Columns, headline: str, words: str) -> Iterator[str]:
    """The chosen node: which one, its colour, its loss, and how many descents leave it."""
    x, y, losses = of(columns, Lattice.NODE, "x", "y", "x2")
    at, level, code = of(columns, Lattice.CHOSEN, "x", "y", "value")
    place = (float(at[0]), int(level[0]))
    if headline != f"{label(PARTITIONS[places().index(place)])}: {verdict_of(code[0])}":
        yield f"said {headline}, drawn {place} as {verdict_of(code[0])}"
    (noted,) = losses[(x == at[0]) & (y == level[0])]
    step, drawn = of(columns, Lattice.DESCENT, "x", "y")
    if (len(step) == 0) != headline.endswith(": none"):
        yield "descents from nowhere, or none from somewhere"
    if len(step):
        left = int((drawn[step == step.max()] < noted - 1e-2).sum())
        told = re.search(r"(All|\d) (?:of )?6 descents (stay|leave)", words)
        if told.groups() != (("All", "stay") if left == 0 else (str(left), "leave")):
            yield f"{left} descents are drawn to leave"
        if not near(said("loss #.", words)[0], noted):
            yield f"drawn at a loss of {noted}"
