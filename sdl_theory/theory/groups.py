"""One neuron on one group: the eigen-problem behind Theorem 3.7, corrected, walls aside.

A stationary point of a group's loss (see `spectrum`) is an eigenvector, its only local minima are
the top ones, and the row fires for all of F exactly when y > 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ..checks import Tensor
from ..problem import Problem, check_problem
from ..signature import checked
from .patterns import check_group
from .spectrum import Spectrum, spectrum
from .verdict import Shared, Verdict, verdict_of


@dataclass(frozen=True)
class GroupMinimum:
    """The eigen-problem of one group, walls aside.

    features : those of the group with M_d > 0, F.
    y : (|F|,) > 0 of unit norm. y > 0 is judged by z = y / s: every z_d > 1e-9 of the largest.
    multiplicity : of the eigenvalue; eigenvalues are equal within 1e-13 tr K.
    """

    group: list[int]
    features: list[int]
    exists: bool
    y: Tensor | None
    eigenvalue: float
    is_top: bool
    multiplicity: int
    loss: float
    verdict: Verdict
    reason: str


@checked
def group_minimum(problem: Problem, group: Sequence[int]) -> GroupMinimum:
    r"""Theorem 3.7 (corrected), arXiv:2512.05534: can one neuron sit still on all of `group`?

    And is that a trap? Encoder walls are not asked.

    .. math:: V^\top K V u = \lambda u, \quad y = V u > 0, \quad
              K = \mathrm{diag}(s) W_r^\top W_r\, \mathrm{diag}(s), \quad s_d = \sqrt{M_d}

    V an orthonormal basis of the row space of W_p[:, F] diag(s). Then

        z_d = y_d / s_d,   w_D = W_r diag(s) y / ||y||^2,   loss = tr K - lambda.

    Repeated eigenvalues (equal within 1e-13 tr K) are clustered and their whole eigenspace is
    searched. At most one distinct eigenvalue has a positive vector.

    `verdict`: trap (simple top), degenerate (repeated top), saddle (not top), global (loss 0) or
    none. A verdict of `trap` here means that the eigenvector allows it; whether a row reaches it
    without firing for others, ask `partial_minimum`.

    >>> import torch
    >>> from sdl_theory import Problem, group_minimum
    >>> W_p = torch.tensor([[1.0, 0.6], [0.0, 0.8]], dtype=torch.float64)
    >>> minimum = group_minimum(Problem(W_p), [0, 1])  # K = [[1, .6], [.6, 1]]
    >>> minimum.verdict, round(minimum.eigenvalue, 6), round(minimum.loss, 6)
    (<Verdict.TRAP: 'trap'>, 1.6, 0.4)
    >>> group_minimum(Problem(W_p, M_d=torch.tensor([1.0, 0.0])), [0, 1]).verdict.value
    'global'
    """
    check_problem(problem)
    group = check_group(group, problem.n)
    if not group:
        raise ValueError("group must hold at least one feature")
    return solve_group(group, spectrum(problem, group))


def solve_group(group: list[int], system: Spectrum) -> GroupMinimum:
    """`group_minimum`, given the group's eigen-system."""
    features = system.features.tolist()
    if not features:
        return GroupMinimum(
            group=group,
            features=[],
            exists=True,
            y=torch.zeros(0, dtype=torch.float64),
            eigenvalue=0.0,
            is_top=True,
            multiplicity=1,
            loss=0.0,
            verdict=Verdict.GLOBAL,
            reason="every M_d of the group is 0",
        )
    for rank, cluster in enumerate(system.clusters):
        y = system.positive(cluster)
        if y is not None:
            loss, multiplicity = system.loss(y), cluster.stop - cluster.start
            which = "top eigenvalue"
            if rank > 0:
                which = f"eigenvalue number {rank + 1} of the group, not the top one"
            repeats = f", which repeats {multiplicity} times" if multiplicity > 1 else ""
            return GroupMinimum(
                group=group,
                features=features,
                exists=True,
                y=torch.from_numpy(y),
                eigenvalue=float(system.values[cluster].mean()),
                is_top=rank == 0,
                multiplicity=multiplicity,
                loss=loss,
                verdict=_alone(loss, is_top=rank == 0, is_simple=multiplicity == 1),
                reason=f"a positive eigenvector with the {which}{repeats}",
            )
    return GroupMinimum(
        group=group,
        features=features,
        exists=False,
        y=None,
        eigenvalue=float("nan"),
        is_top=False,
        multiplicity=0,
        loss=float("nan"),
        verdict=Verdict.NONE,
        reason="no eigenvector of V^T K V is positive "
        "(every z_d = y_d / s_d above 1e-9 of the largest), "
        "so no interior stationary point fires for the whole group",
    )


def _alone(loss: float, is_top: bool, is_simple: bool) -> Verdict:
    """The verdict of a group without walls: free to fall, and nothing leaks."""
    if loss == 0:
        return Verdict.GLOBAL
    neuron = Shared(0, is_top, is_simple, is_lossy=True)
    return verdict_of([neuron], falls=lambda _: True, leaks=lambda: False)[0]
