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
from .encoder_rows import dead_row, encoder_row
from .group_row import Row, group_row, lossy_features, on_wall
from .partial_minimum import PartialMinimum, nowhere, partial_minimum
from .patterns import partitions, pattern
from .spectrum import spectrum, way_down_is_free
from .verdict import Shared, Verdict, verdict_of

BEST_LIMIT = 10


@dataclass(frozen=True)
class PartitionRow:
    """One partition of the features.

    realizable : some encoder shows it.
    loss : of its partial minimum, nan without one.
    """

    groups: list[list[int]]
    realizable: bool
    verdict: Verdict
    loss: float


class _SolvedGroups:
    """Every group of a small problem, solved once each.

    Partitions are judged by looking theirs up.
    """

    def __init__(self, problem: Problem, sigma: Activation):
        many_thetas = torch.as_tensor(sigma.theta, dtype=torch.float64).ndim
        if isinstance(sigma, (TopK, BatchTopK)) or many_thetas:
            raise ValueError(
                "enumeration of partitions is for ReLU() and JumpReLU(theta) with one theta"
            )
        self.problem, self.theta = problem, float(sigma.theta)
        self._rows: dict[tuple, Row] = {}
        self._dead_row_leaks: dict[bytes, bool] = {}
        self._realizable: dict[tuple, bool] = {}
        self._falls: dict[int, bool] = {}

    def row(self, group: list[int], lossy: np.ndarray | None = None) -> Row:
        key = tuple(group), None if lossy is None else lossy.tobytes()
        if key not in self._rows:
            self._rows[key] = group_row(self.problem, group, self.theta, lossy)
        return self._rows[key]

    def realizable(self, group: list[int]) -> bool:
        key = tuple(group)
        if key not in self._realizable:
            F = np.isin(np.arange(self.problem.n), group)
            self._realizable[key] = (
                self.row(group).w is not None
                or encoder_row(self.problem.W_p_array, F, self.theta) is not None
            )
        return self._realizable[key]

    def dead_row_leaks(self, lossy: np.ndarray) -> bool:
        key = lossy.tobytes()
        if key not in self._dead_row_leaks:
            W = self.problem.W_p_array
            w = dead_row(W, self.theta, lossy)
            self._dead_row_leaks[key] = bool(on_wall(w, w @ W, self.theta)[lossy].any())
        return self._dead_row_leaks[key]

    def falls(self, row: Row) -> bool:
        if id(row) not in self._falls:
            touching = row.walls & (self.problem.M_d > 0).numpy()
            self._falls[id(row)] = not touching.any() or way_down_is_free(
                spectrum(self.problem, row.minimum.group), self.problem.W_p_array, touching
            )
        return self._falls[id(row)]

    def judge(self, groups: list[list[int]], spare: bool) -> PartitionRow:
        """The verdict of one partition, by `certify`'s rule; `spare`: is there an unused row?"""
        rows = [self.row(group) for group in groups]
        if any(row.w is None for row in rows):
            realizable = all(map(self.realizable, groups))
            return PartitionRow(groups, realizable, Verdict.NONE, float("nan"))
        lossy = lossy_features(rows, self.problem.n)
        if not lossy.any():
            return PartitionRow(groups, True, Verdict.GLOBAL, 0.0)
        # as `partial_minimum` does: a row that touches a lossy feature's wall is sought anew, with
        # only the lossy ones held off
        rows = [
            self.row(row.minimum.group, lossy) if (row.walls & lossy).any() else row for row in rows
        ]
        if any(row.w is None for row in rows):
            return PartitionRow(groups, True, Verdict.NONE, float("nan"))
        shared = [
            Shared(i, row.minimum.is_top, row.minimum.multiplicity == 1, row.minimum.loss > 0)
            for i, row in enumerate(rows)
            if len(row.minimum.features) > 1
        ]
        verdict, _ = verdict_of(
            shared,
            falls=lambda i: self.falls(rows[i]),
            leaks=lambda: (
                spare
                and self.dead_row_leaks(lossy)
                or any((row.walls & lossy).any() for row in rows)
            ),
        )
        return PartitionRow(groups, True, verdict, sum(row.minimum.loss for row in rows))


@checked
def survey_partitions(
    problem: Problem, sigma: Activation = ReLU(), n_q: int | None = None
) -> Iterator[PartitionRow]:
    """Theorem 3.7 (corrected) for every partition of n <= 12 features: what verdict, what loss?

    Into at most n_q groups (default n). Yields `PartitionRow`s: .groups, .realizable, .verdict,
    .loss. Each of the 2^n - 1 possible groups is solved once. (Jump)ReLU with one theta.

    >>> import torch
    >>> from sdl_theory import Problem, survey_partitions
    >>> problem = Problem(torch.tensor([[1.0, 0.6], [0.0, 0.8]], dtype=torch.float64))
    >>> for row in survey_partitions(problem):
    ...     print(row.groups, row.verdict, round(row.loss, 6))
    [[0, 1]] trap 0.4
    [[0], [1]] global 0.0
    """
    n_q = problem.n if n_q is None else check_count("n_q", n_q)
    solved = _SolvedGroups(problem, sigma)
    return (
        solved.judge(groups, len(groups) < n_q)
        for groups in partitions(problem.n)
        if len(groups) <= n_q
    )


@checked
def best_partition(problem: Problem, n_neurons: int, sigma: Activation = ReLU()) -> PartialMinimum:
    """Beyond arXiv:2512.05534: the partial minimum of least loss among all partitions, n <= 10.

    Of the features onto at most n_neurons neurons; exhaustive. Among equals the one with fewest
    groups. `.exists` is False if no partition has an interior partial minimum.
    """
    n_neurons = check_count("n_neurons", n_neurons)
    if problem.n > BEST_LIMIT:
        raise ValueError(
            f"best_partition enumerates all partitions and stops at n = {BEST_LIMIT} features; "
            f"got n = {problem.n}"
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
        return nowhere(
            f"no partition onto {n_neurons} neurons has an interior partial minimum", groups=[]
        )
    least = min(row.loss for row in found)
    best = min(
        (row for row in found if row.loss <= least + 1e-12 * problem.scale),
        key=lambda row: len(row.groups),
    )
    return partial_minimum(problem, pattern(best.groups, problem.n, n_neurons), sigma)
