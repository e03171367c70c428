"""Rank correlation with an interval: Spearman's, and how it varies over resampled cases."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...checks import check_count
from ...estimate import Estimate


def rank_correlation(
    x: Sequence[float], y: Sequence[float], *, draws: int = 2000, seed: int = 0
) -> Estimate:
    """Spearman's correlation of pairs (x_i, y_i), with a 95% bootstrap interval over the pairs.

    Ties get their mean rank. Resamples in which one side is constant have no correlation and are
    left out. ValueError for fewer than 3 pairs, a number that is not finite, a constant side.

    >>> from sdl_theory.experiments.real.ranks import rank_correlation
    >>> rank_correlation([1, 2, 3, 4], [10, 100, 1000, 10000]).value
    1.0
    """
    pairs = np.array([x, y], dtype=np.float64)
    if pairs.ndim != 2 or pairs.shape[1] < 3 or not np.isfinite(pairs).all():
        raise ValueError(
            f"x and y must be as many finite numbers, 3 at least; got shape {pairs.shape}"
        )
    if (np.ptp(pairs, axis=1) == 0).any():
        raise ValueError("one side is constant: there are no ranks to compare")
    count = pairs.shape[1]
    index = np.random.default_rng(seed).integers(count, size=(check_count("draws", draws), count))
    drawn = spearman(pairs[0, index], pairs[1, index])
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    return Estimate(float(spearman(pairs[:1], pairs[1:])[0]), float(low), float(high))


def spearman(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Of rows (m, count) against rows, one by one; NaN where a side is constant."""
    from scipy.stats import rankdata

    a, b = (rankdata(side, axis=1) for side in (x, y))
    a, b = a - a.mean(1, keepdims=True), b - b.mean(1, keepdims=True)
    size = np.sqrt((a**2).sum(1) * (b**2).sum(1))
    with np.errstate(invalid="ignore"):
        return np.where(size > 0, (a * b).sum(1) / size, np.nan)
