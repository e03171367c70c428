"""What the verdicts of Table 1 at demo size depend on: each of our choices moved once; and which
recipe comes nearest to the printed figures.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ...estimate import Estimate, interval
from ...table import Table
from .choices import CHOICES, MOVES, UNMOVED
from .compare import FOUND, FULL, MIP, verdict
from .lines import Line
from .trials import Trials

NAMES = [UNMOVED.name, *MOVES]


@dataclass(frozen=True)
class Moved:
    """A line of Table 1 with one choice moved: ours by the paper's metric of section 5.1 and
    appendix B, M_GT (found) and M_IP (mip), plain, and anchored minus plain with 95% Student t
    intervals over the seeds.

    same : both verdicts are those of the unmoved recipe; None in its own row.
    null_mip : random rows of the learned norms, plain.
    """

    method: str
    move: str
    found: Estimate
    mip: Estimate
    null_mip: float
    found_gain: Estimate
    found_verdict: str
    mip_gain: Estimate
    mip_verdict: str
    same: bool | None


def sensitivity(trials: Trials, method: str) -> Table[Moved]:
    """Every move of a method whose runs are there, the unmoved recipe first."""
    table: Table[Moved] = Table()
    for name in NAMES:
        if (method, name, "anchored") in trials.runs and plain_run(trials, method, name):
            table.append(_moved(trials, method, name, table[0] if table else None))
    return table


def plain_run(trials: Trials, method: str, name: str) -> dict | None:
    """The plain run of a move: of one that changes anchors alone, the unmoved one."""
    if name in MOVES and MOVES[name].anchored_only:
        name = UNMOVED.name
    return trials.runs.get((method, name, "plain"))


def _moved(trials: Trials, method: str, name: str, unmoved: Moved | None) -> Moved:
    line, run = trials.lines[method], plain_run(trials, method, name)
    assert run is not None
    plain, anchored = run["figures"], trials.runs[method, name, "anchored"]["figures"]
    gain = lambda figure: interval([b - a for a, b in zip(plain[figure], anchored[figure])])
    gains = {figure: gain(figure) for figure in (FOUND, MIP)}
    verdicts = {
        figure: _verdict(line, figure, gains[figure], plain[figure]) for figure in (FOUND, MIP)
    }
    before = unmoved and (unmoved.found_verdict, unmoved.mip_verdict)
    return Moved(
        method=method,
        move=name,
        found=interval(plain[FOUND]).within(0, 1),
        mip=interval(plain[MIP]).within(0, math.inf),
        null_mip=interval(plain["encoder_raw_null_mip"]).value,
        found_gain=gains[FOUND],
        found_verdict=verdicts[FOUND],
        mip_gain=gains[MIP],
        mip_verdict=verdicts[MIP],
        same=None if before is None else before == (verdicts[FOUND], verdicts[MIP]),
    )


def _verdict(line: Line, figure: str, gain: Estimate, plain: list[float]) -> str:
    """As in `compare`."""
    place = 0 if figure == FOUND else 1
    printed = line.anchored[place] - line.plain[place]
    if figure == FOUND and printed > 0 and min(plain) == 1:
        return FULL
    return verdict(printed, gain)


@dataclass(frozen=True)
class Near:
    """A recipe, and how far our plain figures lie from the printed ones, M_GT and M_IP.

    distance : the larger of the two differences, of M_GT and of M_IP.
    gives : both printed figures lie within our 95% intervals.
    """

    method: str
    move: str
    printed: str
    found: Estimate
    mip: Estimate
    null_mip: float
    distance: float
    gives: bool


def nearest(trials: Trials, method: str) -> Table[Near]:
    """The recipes of a method, from the one whose plain figures lie nearest to Table 1's on."""
    printed = trials.lines[method].plain
    rows = []
    for name in NAMES:
        run = trials.runs.get((method, name, "plain"))
        if run is None:
            continue
        found, mip = (interval(run["figures"][figure]) for figure in (FOUND, MIP))
        pairs = tuple(zip(printed, (found, mip)))
        rows.append(
            Near(
                method=method,
                move=name,
                printed=f"{printed[0]:.1%}, {printed[1]:.3f}",
                found=found.within(0, 1),
                mip=mip,
                null_mip=interval(run["figures"]["encoder_raw_null_mip"]).value,
                distance=max(abs(ours.value - theirs) for theirs, ours in pairs),
                gives=all(_holds(ours, theirs) for theirs, ours in pairs),
            )
        )
    return Table(sorted(rows, key=lambda row: row.distance))


def _holds(ours: Estimate, value: float) -> bool:
    return ours.low is not None and ours.high is not None and ours.low <= value <= ours.high


@dataclass(frozen=True)
class Summary:
    """One method over all its recipes.

    recipes : the unmoved one, and the moves whose runs are there.
    least, most : plain M_GT, with the move that gives it.
    nearest : see `Near`; given_by : the recipes that give both printed figures.
    found_verdict : of the unmoved recipe, by M_GT; turned_by : the moves that change it.
    mip_verdict, mip_turned_by : likewise by M_IP.
    """

    method: str
    recipes: int
    least: str
    most: str
    printed: str
    nearest: str
    given_by: str
    found_verdict: str
    turned_by: str
    mip_verdict: str
    mip_turned_by: str


def summary(trials: Trials) -> Table[Summary]:
    """A line a method that has more than its unmoved runs."""
    table: Table[Summary] = Table()
    for method in trials.lines:
        rows = sensitivity(trials, method)
        if len(rows) < 2:
            continue
        every, by_found = nearest(trials, method), sorted(rows, key=lambda row: row.found.value)
        near = every[0]
        said = lambda row: f"{row.found.value:.1%} ({row.move})"
        turned = lambda name, rows=rows: (
            ", ".join(row.move for row in rows if getattr(row, name) != getattr(rows[0], name))
            or "none"
        )
        table.append(
            Summary(
                method=method,
                recipes=len(rows),
                least=said(by_found[0]),
                most=said(by_found[-1]),
                printed=near.printed,
                nearest=f"{near.found.value:.1%}, {near.mip.value:.3f} ({near.move})",
                given_by=", ".join(row.move for row in every if row.gives) or "none",
                found_verdict=rows[0].found_verdict,
                turned_by=turned("found_verdict"),
                mip_verdict=rows[0].mip_verdict,
                mip_turned_by=turned("mip_verdict"),
            )
        )
    return table


@dataclass(frozen=True)
class Open:
    """Something that the paper's section 5.1 and Tables 1 and 3 to 7 leave open, our choice, why,
    and how it is moved."""

    left_open: str
    ours: str
    why: str
    moves: str


def choices() -> Table[Open]:
    """All of `CHOICES`, as a table."""
    rows = ((one, ", ".join(move.name for move in one.moves) or "-") for one in CHOICES)
    return Table(Open(left_open=one.open, ours=one.ours, why=one.why, moves=to) for one, to in rows)
