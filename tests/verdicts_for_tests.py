"""What an explorer says, found again in nothing but its picture's columns.

`DISAGREE[name](columns, headline, words)` yields each claim of the words that the picture does not
bear out; columns are float arrays by name, as the picture has them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

import numpy as np

from sdl_theory.experiments.paper.thresholds import TAUS, shares
from sdl_theory.experiments.real.runs import UNTRAINED
from tests.columns_for_tests import Columns, near, of, said
from tests.stationary_for_tests import (
    absorption,
    dead,
    exact,
    lattice,
    region,
    solution,
    three,
    turning,
)
from tests.verdicts_15_for_tests import sparsity, together, ways
from widgets.explorers.thresholds import stored_curves
from widgets.kinds import Gap, Layer, Line, Linear, Panel, Real, Sleep

SETS = (Line.PLAIN_D, Line.ANCHORED_D)


def start(columns: Columns, headline: str, words: str) -> Iterator[str]:
    """How far the two curves are apart."""
    (true,), (approximate,) = of(columns, Layer.TRUE, "y"), of(columns, Layer.CURVE, "y")
    apart = abs(true - approximate).max()
    if abs(apart - said("by at most #%", words)[0] / 100) > 6e-4:
        yield f"the curves are {apart} apart"
    edges = {"near": (0, 0.05), "roughly alike": (0.05, 0.2), "far apart": (0.2, 1)}[headline]
    if not edges[0] - 1e-4 <= apart <= edges[1] + 1e-4:
        yield f"{headline} at {apart}"


def threshold(columns: Columns, headline: str, words: str) -> Iterator[str]:
    """Which anchored marks lie ahead of plain ones, and that they are the runs' at this tau."""
    runs, at = stored_curves(), TAUS.index(float(headline.removeprefix("tau = ")))
    names = list(dict.fromkeys(run["method"] for run in runs))
    gains = {}
    for place, name in enumerate(names):
        rows = columns["y"] == place
        x = dict(zip(columns["value"][rows], columns["x"][rows]))
        gains[name] = x[1] - x[0]
        own = {run["arm"]: shares(run)[at].value for run in runs if run["method"] == name}
        if not near(x[1], own["anchored"], 1e-4):
            yield f"{name} is drawn at {x[1]}, its runs have {own['anchored']}"
    for which, sign in (("Anchored runs lead for ", 1), ("plain ones for ", -1)):
        told = words.split(which)[1].split(";")[0].rstrip(".")
        ahead = [name for name in names if sign * gains[name] > 0.005]
        if told != (", ".join(ahead) or "none"):
            yield f"{which}{ahead}"


def linear(columns: Columns, headline: str, words: str) -> Iterator[str]:
    """Asked, reached and impossible, by where the marks lie; and how readouts overlap."""
    sizes, bounds = of(columns, Linear.BOUND, "x", "y")
    (n, asked), (reached,) = of(columns, Linear.ASKED, "x", "y"), of(columns, Linear.REACHED, "y")
    bound = bounds[sizes == n[0]][0]
    if (len(reached) == 0) != (headline == "impossible"):
        yield "what is impossible is drawn, or what is possible is not"
    if headline == "impossible" and asked[0] >= max(bound, 0) + 1e-5:
        yield f"said impossible, asked {asked[0]} above the bound {bound}"
    if headline in ("reached", "not reached"):
        if (reached[0] <= asked[0] + 1e-4) != (headline == "reached"):
            yield f"said {headline}, asked {asked[0]} and drawn {reached[0]}"
        if reached[0] < bound - 1e-4:
            yield "below the bound"
    if headline == "reached":
        random = of(columns, Linear.RANDOM, "y")[0][0]
        for number, pattern in ((random, "interfere by #"), (reached[0], "these by #")):
            if not near(said(pattern, words)[0], number):
                yield f"{pattern} is drawn {number}"
    overlap = said("reads higher than an active one in #%", words)
    if overlap and len(reached):
        (low, silent), (start_, active) = (
            of(columns, kind, "x", "y") for kind in (Linear.SILENT, Linear.ACTIVE)
        )
        above = sum(s * active[start_ < at - 1e-6].sum() for at, s in zip(low, silent))
        same = sum(s * active[abs(start_ - at) < 1e-6].sum() for at, s in zip(low, silent))
        if not 100 * above - 0.1 <= overlap[0] <= 100 * (above + same) + 0.1:
            yield f"the bars overlap in {above} to {above + same}"


def gap(columns: Columns, headline: str, words: str) -> Iterator[str]:
    """The gap and its bound at the chosen sparsity; from the shares, whether they are many."""
    (q, y), (share,) = of(columns, Gap.HERE, "x", "y"), of(columns, Gap.SHARE, "y")
    rate, drawn = float(q[0]), float(y[0])
    crowded = math.log(share[0]) / math.log1p(-rate) * rate > 1 if share[0] > 0 else True
    if headline == "vacuous" and not crowded:
        yield "said vacuous, n(1 - S) is below 1"
    if headline == "holds":
        x, tight = of(columns, Gap.TIGHT, "x", "y")
        bound = math.exp(np.interp(math.log(rate), np.log(x), np.log(tight)))
        told = said("0 <= L - Lt = # <= #.", words)
        if crowded or drawn > bound * 1.01:
            yield f"said to hold, {drawn} above {bound}"
        if not (near(told[0], drawn, 1e-14) and near(told[1], bound, 1e-14)):
            yield f"said {told}, drawn {drawn} and {bound}"
    if headline == "no theorem":
        told = abs(said("L - Lt = # ", words)[0])
        if not near(told, drawn, 2e-14):
            yield f"said {told}, drawn {drawn}"


def mean(columns: Columns, headline: str, words: str) -> Iterator[str]:
    """Scores by their lines, the median by the bars."""
    score, line, value = of(columns, Real.SCORE, "x", "y", "value")
    best = dict(zip([list(UNTRAINED)[int(y)] for y in line[value == 0]], score[value == 0]))
    patterns = {
        "the mean alone": "scores # on average",
        "anchors alone": "six class means #,",
        "relabelled alone": "shuffled labels #,",
    }
    for name, pattern in patterns.items():
        if not near(said(pattern, words)[0], best[name]):
            yield f"{name} is drawn at {best[name]}"
    if not near(said("the mean alone: #", headline)[0], best["the mean alone"]):
        yield headline
    x, high, share = of(columns, Real.BAR, "x", "high", "y")
    middle = np.cumsum(share).searchsorted(0.5)
    median = said("above #;", words)[0]
    if not x[middle] - 0.06 <= median <= high[middle] + 0.06:
        yield f"the bars have their median in {x[middle]} to {high[middle]}"


def sleep(columns: Columns, headline: str, words: str) -> Iterator[str]:
    """Dots by their colours."""
    kinds = [int((columns["value"] == kind).sum()) for kind in Sleep]
    asleep, dead_ = kinds[Sleep.ASLEEP], kinds[Sleep.DEAD]
    silent, everyone = asleep + dead_, sum(kinds)
    if said("in the mean, # of #", words) != [silent, everyone]:
        yield f"{silent} of {everyone} are drawn silent"
    if said("any row: # are asleep", words) != [asleep] or said(", # are strictly", words) != [
        dead_
    ]:
        yield f"{asleep} are drawn asleep, {dead_} dead"
    if headline != (f"{silent / everyone:.0%} silent" if silent else "all awake"):
        yield headline


def training(columns: Columns, headline: str, words: str) -> Iterator[str]:
    """Both ends of the curves, the difference and its interval."""
    x, found, line = of(columns, Panel.FOUND, "x", "y", "value")
    ends = [found[(line == one) & (x == x[line == one].max())][0] for one in SETS]
    told = [int(part) for part in re.findall(r"(\d+)%(?: of the|\s*with:)", words)]
    if any(abs(one - 100 * drawn) > 0.51 for one, drawn in zip(told, ends, strict=True)):
        yield f"said {told}, drawn {ends}"
    x, gain, low, high = of(columns, Panel.DIFFERENCE, "x", "y", "low", "high")
    last = [100 * float(one[x == x.max()][0]) for one in (gain, low, high)]
    points = [float(n) for n in re.findall(r"[+-]\d+", words)[:3]]
    if any(abs(one - other) > 1.01 for one, other in zip(points, last)):
        yield f"said {points}, drawn {last}"
    whole = [float(n) for n in re.findall(r"[+-]\d+", words)[3:6]]
    ahead, behind = whole[1] >= 0, whole[2] <= 0  # in whole points
    wanted = {"anchored ahead": ahead, "anchored behind": behind}
    if headline in wanted and not wanted[headline]:
        yield f"said {headline}, with {whole}"


DISAGREE = dict(
    pair=turning,
    machine=turning,
    three=three,
    start=start,
    threshold=threshold,
    exact=exact,
    linear=linear,
    gap=gap,
    solution=solution,
    region=region,
    absorption=absorption,
    dead=dead,
    lattice=lattice,
    mean=mean,
    sleep=sleep,
    training=training,
    sparsity=sparsity,
    together=together,
    ways=ways,
)
