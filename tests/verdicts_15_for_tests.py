"""What the explorers of lessons 15 and 16 say, found again in their pictures."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

import numpy as np

from tests.columns_for_tests import NUMBER, Columns, near, of, said, verdict_of
from widgets.kinds import Fate, Out, Sparsity, Together
from widgets.rows.ways import WAYS

WHY = {
    "a local minimum of the true loss": "trap",
    "stationary, but a way leads down": "saddle",
    "on the border: a flat valley": "degenerate",
    "nothing fires for both": "none",
}
JUST = 2e-5  # of what a picture keeps, in a number of size 1


def sparsity(columns: Columns, headline: str, words: str) -> Iterator[str]:
    """A valley is a trap, a hilltop a saddle; the law from the diagram; who ends where."""
    (S, rho, code) = (float(one[0]) for one in of(columns, Sparsity.HERE, "x", "y", "value"))
    kappa, shared = 1 - S, math.sqrt((1 + rho) / 2)
    seen = _bend(columns)
    if not headline == seen == verdict_of(code):
        yield f"said {headline}, drawn {verdict_of(code)}, the curve has {seen}"
    if [verdict for why, verdict in WHY.items() if f": {why}." in words] != [headline]:
        yield f"another reason than {headline}'s"
    at, low, high, area = of(columns, Sparsity.AREA, "x", "y", "x2", "value")
    for verdict in {*area}:
        one = area == verdict
        edges = [np.interp(S, at[one], edge[one]) for edge in (low, high)]
        if edges[0] + 0.01 < rho < edges[1] - 0.01 and verdict_of(verdict) != headline:
            yield f"said {headline}, drawn among {verdict_of(verdict)}"
    # where a neuron begins to fire for both shrink = (1 + kappa) sqrt((1 + rho) / 2)
    first = (at == at.min()) & (low == -1)
    shrink = (2 - at.min()) * math.sqrt((1 + high[first].min()) / 2)
    laws = {
        "rho + kappa = # + # ": (rho, kappa),
        "(l1 / 2) sqrt((1 + rho) / 2) = # ": (shrink * shared,),
        "rho + kappa = #:": (rho + kappa,),
        "l1 / 2 = # is not below (1 + kappa) sqrt((1 + rho) / 2) = #:": (
            shrink,
            (1 + kappa) * shared,
        ),
    }
    for pattern, true in laws.items():
        if any(abs(a - b) > 0.0051 for a, b in zip(said(pattern, words), true)):
            yield f"{pattern} is {true} in the diagram"
    sign = re.search(rf" ([<=>]) (?:0|rho \+ kappa = {NUMBER}):", words)
    apart = shrink * shared - rho - kappa
    if sign and sign[1] != (_sign(-apart) if " 0:" in sign[0] else _sign(apart)):
        yield f"said {sign[0]}, drawn {apart} apart"
    yield from _ends(columns, rho, shrink, words)


def _sign(number: float) -> str:
    return "=" if abs(number) < JUST else "<" if number < 0 else ">"


def _bend(columns: Columns) -> str:
    """What the curve is where the neuron is said to stand: or at the bisector, without a point.

    As near as it bends by more than what a picture keeps of a number.
    """
    x, loss = of(columns, Sparsity.LOSS, "x", "y")
    place, height = of(columns, Sparsity.THERE, "x", "y")
    middle = abs(x - (place[0] if len(place) else 0)).argmin()
    if not len(place):  # nothing is gained there by a neuron that fires for both
        return "none" if loss[middle] > 1 - JUST else "a slope"
    if abs(height[0] - loss[middle]) > JUST:
        return "a point off its curve"
    (reach,) = of(columns, Sparsity.BOTH, "x2")
    for step in range(1, 1 + int(reach[0] // (x[1] - x[0]))):
        left, right = loss[middle - step] - height[0], loss[middle + step] - height[0]
        if max(abs(left), abs(right)) > JUST:
            seen = "trap" if max(left, right) > 0 else "saddle"
            return seen if left * right > 0 else "a slope"
    return "degenerate"


def _ends(columns: Columns, rho: float, shrink: float, words: str) -> Iterator[str]:
    """How many descents end on both features: by their colours, and by their last angles."""
    angle, step, fate = of(columns, Sparsity.DESCENT, "x", "y", "value")
    last = step == step.max()
    angle, fate = np.radians(angle[last]), fate[last]
    kinds = {one: int((fate == one).sum()) for one in Fate}
    for pattern, kind in (
        ("Of 7 descents # end on both", Fate.MERGED),
        (" on both features, # on one", Fate.ALONE),
        (" on one, # on none", Fate.SILENT),
    ):
        left_out = kind is Fate.SILENT and not kinds[kind]
        if said(pattern, words) != ([] if left_out else [kinds[kind]]):
            yield f"{kinds[kind]} are drawn to end as {kind.name}"
    half = math.acos(rho) / 2
    z = np.cos(np.stack([angle - half, angle + half]))
    share = z.min(0) / z.max(0)
    fires = z.max(0) > 0
    for kind, wrong in (
        (Fate.MERGED, ~fires | (share < 0.045)),
        (Fate.ALONE, ~fires | (share > 0.055)),
        (Fate.SILENT, fires & (shrink < JUST)),  # a penalty alone can silence what fires
    ):
        if (wrong & (fate == kind)).any():
            yield f"coloured as {kind.name}, with codes {z}"


def together(columns: Columns, headline: str, words: str) -> Iterator[str]:
    """The verdict from the drawn G and C alone: whose eigenvector has one sign."""
    n = int(of(columns, Together.CODE, "x")[0].max())
    entries = lambda kind: of(columns, kind, "value")[0].reshape(n, n).astype(float)
    G, C = entries(Together.COSINE), entries(Together.MOMENT)
    z, code = of(columns, Together.CODE, "y", "value")
    (link,), (mark,) = of(columns, Together.HERE, "x", "value")
    seen, left = _eigen(G, C, z.astype(float))
    if not headline == seen == verdict_of(code[0]) == verdict_of(mark):
        yield f"said {headline}, drawn {verdict_of(mark)}, G and C have {seen}"
    if headline != "none":
        told = [float(part) for part in re.search(r"z = \((.*?)\)", words)[1].split(",")]
        if any(abs(a - b) > 0.0051 for a, b in zip(told, z, strict=True)):
            yield f"said z = {told}, drawn {z}"
        if abs(said("loss #.", words + ".")[0] - left) > 6e-4:
            yield f"G and C leave a loss of {left}"
    if (silent := C[1, 1] < JUST) != ("never active" in words):
        yield f"said {words}, silent {silent}"
    p, both = C[0, 0], C[0, 1]
    told = said("both active in #% of the samples (independent ones: #%)", words)
    if any(abs(a / 100 - b) > 6e-4 for a, b in zip(told, (both, p * C[1, 1]), strict=True)):
        yield f"said {told}, drawn {both} and {p * C[1, 1]}"
    child = words.startswith("P(child")
    if abs(link - (both / p if child else (both - p * p) / (p - p * p))) > 1e-3:
        yield f"the mark stands at {link}"
    if abs(said("P(child | parent) = #" if child else "r = #", words)[0] - link) > 0.0051:
        yield f"the mark stands at {link}"


def _eigen(G: np.ndarray, C: np.ndarray, z: np.ndarray) -> tuple[str, float]:
    """What the drawn codes are to C G C z = lambda C z, and the loss that they leave.

    Of features that are ever active: a stationary point has z > 0, and is a trap if its lambda is
    the only largest. Without one, no eigenvector may have one sign.
    """
    on = np.diag(C) > JUST
    G, C, z = G[np.ix_(on, on)], C[np.ix_(on, on)], z[on]
    values, vectors = np.linalg.eigh(C)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    eigen, v = np.linalg.eigh(root @ G @ root)
    here = (z @ C @ G @ C @ z) / (z @ C @ z)
    left = np.trace(G @ C) - here
    if not (z > JUST).all():
        both = np.linalg.pinv(root, rcond=1e-3) @ v
        return ("a positive one" if (both * both[:1] > JUST).all(0).any() else "none"), left
    if abs(C @ G @ C @ z - here * C @ z).max() > 1e-3 * here:
        return "no stationary point", left
    if left < 1e-4 * np.trace(G @ C):
        return "global", left
    if here < eigen[-1] - 1e-4 * eigen[-1]:
        return "saddle", left
    return ("degenerate" if eigen[-1] - eigen[-2] < 1e-4 * eigen[-1] else "trap"), left


def ways(columns: Columns, headline: str, words: str) -> Iterator[str]:
    """Where the mark stands, on which part of which way; and the loss never rises."""
    (x,), (loss,) = of(columns, Out.HERE, "x", "y")
    at, losses, after = of(columns, Out.LOSS, "x", "y", "value")
    order = np.lexsort([after, at])  # the place where the two lines meet is there twice
    at, losses, after = at[order], losses[order], after[order]
    if abs(np.interp(x, at, losses) - loss) > 1e-3:
        yield f"the mark at {loss} lies off its curve"
    if (np.diff(losses) > JUST).any():
        yield "the loss rises"
    (stops,) = of(columns, Out.STOP, "x")
    (names,) = (one for one in WAYS.values() if len(one) == len(stops) - 1)
    part = "plain descent" if x >= 1 else names[np.searchsorted(stops, x + 1e-6) - 1]
    if headline != part:
        yield f"said {headline}, the mark is where {part}"
    told = said("Lt is #, at the trap it was #.", words)
    if any(abs(a - b) > 6e-4 for a, b in zip(told, (loss, losses[0]), strict=True)):
        yield f"said {told}, drawn {loss} and {losses[0]}"
    told = said("gains #; plain descent from its end comes to #.", words)
    if bool(told) != (x >= 1):
        yield "an end that is not reached, or none where there is one"
    if told:
        end = losses[after == 0][-1]
        if not (near(told[0], losses[0] - end, 6e-4) and near(told[1], losses[-1], 6e-4)):
            yield f"said {told}, drawn {losses[0]} to {end} to {losses[-1]}"
