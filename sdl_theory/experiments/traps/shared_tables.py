"""What the runs of `shared_neurons` say: shares of traps, beside random groups, over seeds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ...estimate import Estimate, interval, wilson
from ...table import Table

READINGS = ("fires", "owns")


@dataclass(frozen=True)
class Shared:
    """Trained models of one kind, over seeds, with 95% Student t intervals (traps and untrained:
    Wilson's, every neuron a draw).

    reading : a neuron's group is what it fires for alone, or what it answers most.
    neurons : shared ones a model. size : of their groups.
    traps : share of them whose group is a trap of the true loss. random : of random groups of the
        same sizes. more : the difference, seed by seed. verdict : what its interval says.
    untrained : of the groups at the start, before any training. over_start : traps less that, seed
        by seed.
    cosine : of the neuron's column and the one at the group's stationary point.
    loss : L as a share of answering 0. slope : of L at the end, see `shared_neurons`.
    """

    method: str
    n_p: int
    S: float
    reading: str
    neurons: float
    size: float | None
    traps: Estimate | None
    random: Estimate | None
    untrained: Estimate | None
    over_start: Estimate | None
    more: Estimate | None
    verdict: str
    cosine: Estimate | None
    loss: Estimate
    slope: Estimate


def shared(rows: list[dict]) -> Table[Shared]:
    """A line a job and reading."""
    return Table(line for row in rows for line in _lines(row))


def _lines(row: dict) -> Iterator[Shared]:
    for reading in READINGS:
        read = row[reading]
        with_some = [i for i, count in enumerate(read["shared"]) if count]
        traps = [read["traps"][i] / read["shared"][i] for i in with_some]
        random = [read["random"][i] for i in with_some]
        more = _mean([ours - theirs for ours, theirs in zip(traps, random)])
        yield Shared(
            **{name: row[name] for name in ("method", "n_p", "S")},
            reading=reading,
            neurons=sum(read["shared"]) / len(read["shared"]),
            size=_value([read["size"][i] for i in with_some]),
            traps=_share(read["traps"], read["shared"]),
            random=_mean(random, 0, 1),
            untrained=_share(*read["untrained"]),
            over_start=_over_start(read),
            more=more,
            verdict=_verdict(more),
            cosine=_mean([one for one in read["cosine"] if one is not None], -1, 1),
            loss=interval(row["loss"]).within(0, float("inf")),
            slope=interval(row["slope"]).within(0, float("inf")),
        )


def _value(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _mean(values: list[float], least: float = -1, most: float = 1) -> Estimate | None:
    return interval(values).within(least, most) if values else None


def _over_start(read: dict) -> Estimate | None:
    """Over the seeds that have shared neurons at both times."""
    both = zip(read["traps"], read["shared"], *read["untrained"])
    return _mean([a / b - c / d for a, b, c, d in both if b and d])


def _share(hits: list[int], draws: list[int]) -> Estimate | None:
    all_of, trapped = sum(draws), sum(hits)
    return Estimate(trapped / all_of, *wilson(trapped, all_of)) if all_of else None


def _verdict(more: Estimate | None) -> str:
    """More traps than random groups are, fewer, or undecided: on which side of 0 the interval is.

    Of seeds that all agree the interval is a point.
    """
    if more is None or more.low is None or more.high is None:
        return "undecided"
    return "more" if more.low > 0 else "fewer" if more.high < 0 else "undecided"
