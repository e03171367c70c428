"""What the runs of `correlated` say: who stays merged, what is absorbed, with 95% intervals."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from scipy.special import stdtrit

from ...estimate import Estimate, wilson
from ...table import Table
from .worlds import MANY, SEEDS


@dataclass(frozen=True)
class Stay:
    """Runs of one job that ended merged, on either side of the law's line; Wilson intervals.

    fixed : what is held; `line` : where the law's line is, in r (together) or rho (implied).
    bracket : `at` less the line where at least half of the seeds begin to end merged, of starts
        that are.
    """

    what: str
    fixed: str
    start: str
    descent: str
    line: float
    runs: int
    where_trap: Estimate | None
    where_not: Estimate | None
    bracket: str | None


def stay(rows: list[dict]) -> Table[Stay]:
    """A line a job of one neuron."""
    table: Table[Stay] = Table()
    for row in rows:
        if row["what"] != "absorption":
            of_both = row["start"] == "merged"
            names = ("S", "rho") if row["what"] == "together" else ("given",)
            table.append(
                Stay(
                    what=row["what"],
                    fixed=", ".join(f"{name} {row[name]:g}" for name in names),
                    start=row["start"],
                    descent=row.get("descent", "exact"),
                    line=row["line"],
                    runs=SEEDS * len(row["at"]),
                    where_trap=share([n for n, trap in zip(row["merged"], row["trap"]) if trap]),
                    where_not=share([n for n, trap in zip(row["merged"], row["trap"]) if not trap]),
                    bracket=bracket(row["at"], row["merged"], row["line"]) if of_both else None,
                )
            )
    return table


def share(counts: list[int], each: int = SEEDS) -> Estimate | None:
    """Of `each` runs a count; None of no counts."""
    hits, draws = sum(counts), each * len(counts)
    return Estimate(hits / draws, *wilson(hits, draws)) if draws else None


def bracket(at: list[float], merged: list[int], line: float) -> str:
    """From the last value at which under half of the seeds ended merged to the next, less the
    line."""
    under = [i for i, count in enumerate(merged) if 2 * count < SEEDS]
    last = under[-1] if under else -1
    ends = ["", *(f"{value - line:+.2f}" for value in at), ""]
    return f"{ends[last + 1]} to {ends[last + 2]}"


RANGES = dict(rare=(0.0, 0.1), middling=(0.1, 0.4), often=(0.4, 1.0))  # of P(child | parent)


@dataclass(frozen=True)
class Absorbed:
    """Shares of runs, over all cosines, with Wilson intervals.

    held : the child has no neuron of its own, over all P(child | parent).
    rare, middling, often : of the children that have one, how many absorbed their parent, by
        P(child | parent): up to .1, to .4, above.
    """

    start: str
    sigma: str
    shrink: float
    children: int
    runs: int
    held: Estimate | None
    rare: Estimate | None
    middling: Estimate | None
    often: Estimate | None


@dataclass(frozen=True)
class Column:
    """The cosine of the child's column with the parent: mean over runs, with a t interval; what
    it is if all of the parent is absorbed, and if nothing is."""

    start: str
    sigma: str
    shrink: float
    children: int
    rho: float
    absorbed: float
    apart: float
    rare: Estimate | None
    middling: Estimate | None
    often: Estimate | None


ARM = ("start", "sigma", "shrink", "children")


def absorption(rows: list[dict]) -> Table[Absorbed]:
    """A line an arm and number of children."""
    table: Table[Absorbed] = Table()
    for arm, own in _grouped(rows, ARM):
        all_of = lambda name, own=own: sum(sum(row[name]) for row in own)
        runs = MANY * sum(len(row["given"]) for row in own)
        held = Estimate(all_of("held") / runs, *wilson(all_of("held"), runs))
        ranges: dict[str, Any] = {name: _absorbed(own, *ends) for name, ends in RANGES.items()}
        table.append(Absorbed(**arm, runs=runs, held=held, **ranges))
    return table


def columns(rows: list[dict]) -> Table[Column]:
    """A line an arm, number of children and cosine."""
    table: Table[Column] = Table()
    for arm, own in _grouped(rows, (*ARM, "rho")):
        ranges: dict[str, Any] = {name: _pooled(own, *ends) for name, ends in RANGES.items()}
        whole = math.sqrt((1 + arm["rho"]) / 2)
        table.append(Column(**arm, absorbed=whole, apart=arm["rho"], **ranges))
    return table


def _grouped(rows: list[dict], names: tuple[str, ...]) -> Iterator[tuple[dict, list[dict]]]:
    """The rows of absorption that share these settings."""
    rows = [row for row in rows if row["what"] == "absorption"]
    for key in dict.fromkeys(tuple(row[name] for name in names) for row in rows):
        arm = dict(zip(names, key))
        yield arm, [row for row in rows if arm.items() <= row.items()]


def _at(row: dict, name: str, above: float, upto: float) -> list:
    return [one for given, one in zip(row["given"], row[name]) if above < given <= upto]


def _absorbed(rows: list[dict], above: float, upto: float) -> Estimate | None:
    hits, apart = (
        sum(sum(_at(row, name, above, upto)) for row in rows) for name in ("absorbed", "apart")
    )
    own = hits + apart
    return Estimate(hits / own, *wilson(hits, own)) if own else None


def _pooled(rows: list[dict], above: float, upto: float) -> Estimate | None:
    """The mean over all runs, from means, mean squares and counts."""
    parts = [one for row in rows for one in _at(row, "cosine", above, upto)]
    count = sum(n for *_, n in parts)
    if not count:
        return None
    mean = sum(one * n for one, _, n in parts) / count
    if count == 1:
        return Estimate(mean, None, None)
    square = sum(one * n for _, one, n in parts) / count
    error = math.sqrt(max(square - mean**2, 0.0) / (count - 1))
    half = float(stdtrit(count - 1, 0.975)) * error
    return Estimate(mean, mean - half, mean + half)
