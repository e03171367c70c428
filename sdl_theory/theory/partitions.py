"""All partitions of a few features, judged one by one: the whole landscape of isolated groups."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from ..activations import Activation, BatchTopK, ReLU, TopK
from ..checks import check_count
from ..problem import Problem
from ..signature import checked
from .group_row import Row, group_row, lossy_features, on_wall
from .groups import spectrum, way_down_is_free
from .partial_minimum import PartialMinimum, partial_minimum
from .patterns import partitions, pattern, to_numpy
from .separation import dead_row, encoder_row
from .verdict import Verdict, verdict_of

BEST_LIMIT = 10


@dataclass(frozen=True)
class PartitionRow:
    """One partition of the features. realizable : some encoder shows it. loss : of its partial
    minimum, nan without one.
    """

    groups: list[list[int]]
    realizable: bool
    verdict: Verdict
    loss: float


class _Groups:
    """Every group of a small problem, solved once each, by bit mask."""

    def __init__(self, problem: Problem, sigma: Activation):
        if (
            isinstance(sigma, (TopK, BatchTopK))
            or torch.as_tensor(sigma.theta, dtype=torch.float64).ndim
        ):
            raise ValueError(
                "enumeration of partitions is for ReLU() and JumpReLU(theta) with one theta"
            )
        self.problem, self.theta, self.W = problem, float(sigma.theta), to_numpy(problem.W_p)
        self._rows, self._dead, self._realizable, self._free = {}, {}, {}, {}

    def row(self, group: list[int], lossy: np.ndarray | None = None) -> Row:
        key = tuple(group), None if lossy is None else lossy.tobytes()
        if key not in self._rows:
            self._rows[key] = group_row(self.problem, group, self.theta, lossy, self.W)
        return self._rows[key]

    def realizable(self, group: list[int]) -> bool:
        key = tuple(group)
        if key not in self._realizable:
            F = np.isin(np.arange(self.problem.n), group)
            self._realizable[key] = (
                self.row(group).w is not None or encoder_row(self.W, F, self.theta) is not None
            )
        return self._realizable[key]

    def _dead_row_leaks(self, lossy: np.ndarray) -> bool:
        key = lossy.tobytes()
        if key not in self._dead:
            w = dead_row(self.W, self.theta, lossy)
            self._dead[key] = bool(on_wall(w, w @ self.W, self.theta)[lossy].any())
        return self._dead[key]

    def _final(self, row: Row, lossy: np.ndarray) -> Row:
        """The row that `partial_minimum` takes: one that touches a lossy feature's wall is sought
        anew, with only those held off.
        """
        return self.row(row.minimum.group, lossy) if (row.walls & lossy).any() else row

    def _falls(self, row: Row) -> bool:
        if id(row) not in self._free:
            touching = row.walls & (self.problem.M_d > 0).numpy()
            self._free[id(row)] = (
                way_down_is_free(spectrum(self.problem, row.minimum.group), self.W, touching)
                if touching.any()
                else True
            )
        return self._free[id(row)]

    def judge(self, groups: list[list[int]], spare: bool) -> PartitionRow:
        """The verdict of one partition, by `certify`'s rule; `spare`: is there an unused row?"""
        rows = [self.row(group) for group in groups]
        if any(row.w is None for row in rows):
            return PartitionRow(
                groups, all(map(self.realizable, groups)), Verdict.NONE, float("nan")
            )
        lossy = lossy_features(dict(enumerate(rows)), self.problem.n)
        if not lossy.any():
            return PartitionRow(groups, True, Verdict.GLOBAL, 0.0)
        rows = [self._final(row, lossy) for row in rows]
        if any(row.w is None for row in rows):
            return PartitionRow(groups, True, Verdict.NONE, float("nan"))
        shared = [
            (i, row.minimum.is_top, row.minimum.multiplicity == 1, row.minimum.loss > 0)
            for i, row in enumerate(rows)
            if len(row.minimum.features) > 1
        ]
        leaks = lambda: (
            spare and self._dead_row_leaks(lossy) or any((row.walls & lossy).any() for row in rows)
        )
        verdict, _ = verdict_of(shared, lambda i: self._falls(rows[i]), lambda: leaks() or None)
        return PartitionRow(groups, True, verdict, sum(row.minimum.loss for row in rows))


@checked
def survey_partitions(
    problem: Problem, sigma: Activation = ReLU(), n_q: int | None = None
) -> Iterator[PartitionRow]:
    """Theorem 3.7 (corrected) for every partition of n <= 12 features into at most n_q groups
    (default n): realizable? what verdict, what loss?

    Yields `PartitionRow`s: .groups, .realizable, .verdict, .loss. Each of the 2^n - 1 possible
    groups is solved once. (Jump)ReLU with one theta.
    """
    n_q = problem.n if n_q is None else check_count("n_q", n_q)
    solved = _Groups(problem, sigma)
    return (
        solved.judge(groups, len(groups) < n_q)
        for groups in partitions(problem.n)
        if len(groups) <= n_q
    )


@checked
def best_partition(problem: Problem, n_neurons: int, sigma: Activation = ReLU()) -> PartialMinimum:
    """Beyond arXiv:2512.05534: the partial minimum of least loss among all partitions of the
    features onto at most n_neurons neurons, n <= 10.

    Exhaustive. Among equals the one with fewest groups. `.exists` is False if no partition has an
    interior partial minimum.
    """
    n_neurons = check_count("n_neurons", n_neurons)
    if problem.n > BEST_LIMIT:
        raise ValueError(
            f"best_partition enumerates all partitions and stops at n = {BEST_LIMIT} features; got "
            f"n = {problem.n}"
        )
    from tqdm import tqdm

    judged = tqdm(
        survey_partitions(problem, sigma, n_neurons),
        desc=f"partitions of {problem.n}",
        delay=3,
        leave=False,
    )
    found = [row for row in judged if row.verdict is not Verdict.NONE]
    if not found:
        return PartialMinimum(
            False,
            None,
            float("nan"),
            Verdict.NONE,
            [],
            f"no partition onto {n_neurons} neurons has an interior partial minimum",
        )
    least = min(row.loss for row in found)
    best = min(
        (row for row in found if row.loss <= least + 1e-12 * problem.scale),
        key=lambda row: len(row.groups),
    )
    return partial_minimum(problem, pattern(best.groups, problem.n, n_neurons), sigma)
