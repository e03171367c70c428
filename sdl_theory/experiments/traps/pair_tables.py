"""What the runs of `pairs` say: shares that end merged, beside the law, with Wilson's intervals."""

from __future__ import annotations

from dataclasses import dataclass

from ...estimate import Estimate, wilson
from ...table import Table
from .worlds import SEEDS

STAYS = ("trap", "global")  # of `pair_law`


@dataclass(frozen=True)
class Alone:
    """Runs that ended merged, by what `pair_law` says of their cosine; 95% Wilson intervals.

    where_trap : share of those whose law says trap; where_not : of the others. at_wall : of these
        others, those with the neuron at the wall of one feature.
    bracket : of merged starts, cosine less the line's, between the last at which under half, and
        the first from which on at least half of the seeds ended merged; the law says 0 lies within.
    """

    start: str
    sigma: str
    descent: str
    shrink: float
    S: float
    line: float
    runs: int
    where_trap: Estimate
    where_not: Estimate
    at_wall: Estimate
    bracket: str | None


@dataclass(frozen=True)
class Overall:
    """The same over all sparsities, and how many runs that is."""

    start: str
    sigma: str
    descent: str
    shrink: float
    runs: int
    where_trap: Estimate
    where_not: Estimate
    at_wall: Estimate


@dataclass(frozen=True)
class Among:
    """The same with others around, all cosines on a side of the line together.

    merged : one neuron fires for both and none for either alone. shared : some neuron fires for
        both.
    """

    start: str
    sigma: str
    shrink: float
    world: str
    n_q: int
    S: float
    runs: int
    merged_where_trap: Estimate
    merged_where_not: Estimate
    shared_where_trap: Estimate
    shared_where_not: Estimate


def alone(rows: list[dict]) -> Table[Alone]:
    """A line a job of one neuron."""
    return Table(
        Alone(
            **{name: row[name] for name in ("start", "sigma", "descent", "shrink", "S", "line")},
            runs=SEEDS * len(row["rho"]),
            where_trap=share([row], "merged", True),
            where_not=share([row], "merged", False),
            at_wall=share([row], "wall", False),
            bracket=bracket(row) if row["start"] == "merged" else None,
        )
        for row in rows
        if row["world"] == "alone"
    )


def overall(rows: list[dict]) -> Table[Overall]:
    """A line for all jobs of one neuron that differ in S alone."""
    table: Table[Overall] = Table()
    names = ("start", "sigma", "descent", "shrink")
    rows = [row for row in rows if row["world"] == "alone"]
    for key in dict.fromkeys(tuple(row[name] for name in names) for row in rows):
        of = dict(zip(names, key))
        own = [row for row in rows if of.items() <= row.items()]
        table.append(
            Overall(
                **of,
                runs=SEEDS * sum(len(row["rho"]) for row in own),
                where_trap=share(own, "merged", True),
                where_not=share(own, "merged", False),
                at_wall=share(own, "wall", False),
            )
        )
    return table


def among(rows: list[dict]) -> Table[Among]:
    """A line a job with others."""
    return Table(
        Among(
            **{name: row[name] for name in ("start", "sigma", "shrink", "world", "n_q", "S")},
            runs=SEEDS * len(row["rho"]),
            merged_where_trap=share([row], "merged", True),
            merged_where_not=share([row], "merged", False),
            shared_where_trap=share([row], "shared", True),
            shared_where_not=share([row], "shared", False),
        )
        for row in rows
        if row["world"] != "alone"
    )


def share(rows: list[dict], ended: str, trap: bool) -> Estimate:
    """Of the runs whose law says trap (or not) those that ended so."""
    counts = [
        count
        for row in rows
        for count, law in zip(row[ended], row["law"])
        if (law in STAYS) is trap
    ]
    hits, draws = sum(counts), SEEDS * len(counts)
    return Estimate(hits / draws, *wilson(hits, draws))


def bracket(row: dict) -> str:
    """Where the seeds begin to end merged, beside the law's line."""
    most = [2 * count >= SEEDS for count in row["merged"]]
    first = len(most) - next((i for i, one in enumerate(reversed(most)) if not one), len(most))
    ends = [f"{rho - row['line']:+.2f}" for rho in row["rho"]]
    return f"{ends[first - 1] if first else ''} to {ends[first] if first < len(ends) else ''}"
