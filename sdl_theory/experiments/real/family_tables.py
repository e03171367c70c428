"""What the runs of `families` say: rank correlations of the ladder's order with training's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...estimate import Estimate, interval
from ...table import Table
from ..paper.compare import NOT, REPRODUCED, UNDECIDED, verdict
from .ranks import rank_correlation, spearman

SHUFFLES = 2000
FOLLOWS = {REPRODUCED: "yes", NOT: "no", UNDECIDED: "undecided"}


@dataclass(frozen=True)
class Followed:
    """A parent and a k, over training's seeds: means with 95% Student t intervals.

    runs : the seeds in which some children stayed longer than others; the rest have no order.
    end : the share of children that the parent's latent still fires for at the end.
    ladder : Spearman's correlation, over the children, of the place on the ladder (0 leaves first)
        with how long a child stays with the parent's latent. The ladder predicts more than 0.
    shuffled : this mean for shuffled ladders; not an interval of it, but where 95% of them lie.
    follows : the verdict: "yes" if all of the interval lies above 0 and above what is shuffled,
        "no" if none of it does.
    cosine : the same of the cosine with the parent in place of the ladder, which needs no theory.
    over_cosine : `ladder` minus `cosine`, seed by seed.
    start : the ladder's correlation with who is with the parent's latent before training.
    over_start : `ladder` minus `start`, over the seeds that have both; what training added.
    own : the ladder's correlation with the best F1 of a latent for the child, at the end; predicted
        to be less than 0.
    together, together_cosine, together_start : as `ladder`, `cosine` and `start`, of how long a
        child stays on average over all seeds; with 95% bootstrap intervals over the children, as
        `absorption.correlations` has them. Less of one seed's luck is in these;
        they were added once the columns above had been seen.
    """

    parent: str
    children: int
    k: int
    runs: int
    end: Estimate
    ladder: Estimate | None
    shuffled: Estimate | None
    follows: str
    cosine: Estimate | None
    over_cosine: Estimate | None
    start: Estimate | None
    over_start: Estimate | None
    own: Estimate | None
    together: Estimate | None
    together_cosine: Estimate | None
    together_start: Estimate | None


def summary(rows: Sequence[dict]) -> Table[Followed]:
    """A line a parent and k that have runs."""
    table: Table[Followed] = Table()
    ladders = {row["parent"]: row for row in rows if row["what"] == "ladder"}
    runs = [row for row in rows if row["what"] == "run"]
    for parent, k in dict.fromkeys((row["parent"], row["k"]) for row in runs):
        these = [row for row in runs if (row["parent"], row["k"]) == (parent, k)]
        table.append(_followed(ladders[parent], these))
    return table


def _followed(predicted: dict, runs: Sequence[dict]) -> Followed:
    stays = np.array([row["stays"] for row in runs], dtype=np.float64)
    start = np.array([[int(one) for one in row["start"]] for row in runs], dtype=np.float64)
    own = np.array([row["own"] for row in runs], dtype=np.float64)
    against = lambda name, those: spearman(np.array([predicted[name]] * len(those)), those)
    ladder, cosine = against("rank", stays), against("cosine", stays)
    before = against("rank", start)
    null = shuffled(predicted["rank"], stays)
    mean = over(ladder)
    return Followed(
        parent=predicted["parent"],
        children=len(predicted["rank"]),
        k=runs[0]["k"],
        runs=int(np.isfinite(ladder).sum()),
        end=interval([row["end"] for row in runs]).within(0, 1),
        ladder=mean,
        shuffled=null,
        follows=follows(mean, null),
        cosine=over(cosine),
        over_cosine=over(ladder - cosine),
        start=over(before),
        over_start=over(ladder - before),
        own=over(against("rank", own)),
        together=pooled(predicted["rank"], stays),
        together_cosine=pooled(predicted["cosine"], stays),
        together_start=pooled(predicted["rank"], start),
    )


def pooled(order: Sequence[float], runs: np.ndarray) -> Estimate | None:
    """Rank correlation with the mean over runs (seeds, children); None where all are alike."""
    mean = runs.mean(0)
    return rank_correlation(order, mean.tolist()) if np.ptp(mean) > 0 else None


def over(values: np.ndarray) -> Estimate | None:
    """Mean and interval over the seeds that have a value; None if none has."""
    finite = values[np.isfinite(values)]
    return interval(finite.tolist()) if len(finite) else None


def follows(ladder: Estimate | None, null: Estimate | None) -> str:
    """Does training go the ladder's way? See `Followed.follows`."""
    if ladder is None or null is None or ladder.low is None or ladder.high is None:
        return FOLLOWS[UNDECIDED]
    bar = max(0.0, null.high or 0.0)
    return FOLLOWS[verdict(1, Estimate(ladder.value - bar, ladder.low - bar, ladder.high - bar))]


def shuffled(rank: Sequence[int], stays: np.ndarray, seed: int = 0) -> Estimate | None:
    """Mean correlations over the runs, the ladder shuffled the same way for all: their mean, and
    where 95% of them lie. None where no run has an order.
    """
    draw = np.random.default_rng(seed)
    ordered = stays[np.ptp(stays, axis=1) > 0]
    if not len(ordered):
        return None
    orders = np.array([draw.permutation(rank) for _ in range(SHUFFLES)])
    means = np.mean([spearman(orders, np.tile(one, (SHUFFLES, 1))) for one in ordered], axis=0)
    low, high = np.quantile(means, [0.025, 0.975])
    return Estimate(float(means.mean()), float(low), float(high))
