"""Theorem 3.7, corrected: which polysemantic patterns are partial minima, which of those are traps.

Inside the region of a partition the groups decouple. Each group's eigen-problem (`groups`) says
where its neuron may sit; a projection (`encoder_rows`) finds the encoder row that sits there and
fires for nobody else, or shows there is none; `certify` judges the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..activations import Activation, BatchTopK, ReLU, TopK, check_sigma
from ..checks import Tensor, as_matrix
from ..problem import Problem, check_problem
from ..signature import checked
from ..weights import Weights
from .certify import certify
from .encoder_rows import dead_row
from .group_row import Row, group_row, lossy_features
from .groups import GroupMinimum
from .patterns import check_pattern, row_theta
from .verdict import Verdict


@checked
def printed_recipe(problem: Problem, P: Tensor, W_E: Tensor) -> Weights:
    """Theorem 3.7 as printed (3.6 in v6): **not** a partial minimum in general.

    This encoder, and the least-squares decoder for the pattern P. P is imposed, whatever W_E's own
    pattern: z is masked by P. Its proof replaces the vector w_p^d by the scalar <w_E, w_p^d>
    between eq. 64 and 65 and so shows <w_E, grad_E> = 0, not grad_E = 0.

    P : bool (n_q, n).
    W_E : (n_q, n_p), any encoder that shows P.
    """
    P = check_pattern(P, problem.n).to(problem.W_p.device)
    W_E = as_matrix("W_E", W_E, "(n_q, n_p)").to(problem.W_p)
    if W_E.shape != (len(P), problem.n_p):
        raise ValueError(
            f"W_E must have shape (n_q, n_p) = ({len(P)}, {problem.n_p}) to go with P; "
            f"got {tuple(W_E.shape)}"
        )
    root = problem.M_d.sqrt()
    Z = P * (W_E @ problem.W_p) * root
    W_D = torch.linalg.lstsq(
        Z.double().mT.cpu(), (problem.W_r * root).double().mT.cpu(), driver="gelsd"
    ).solution.mT
    return Weights(W_E, W_D.to(problem.W_p))


@dataclass(frozen=True)
class PartialMinimum:
    """Theorem 3.7's answer for one pattern.

    weights : None unless `exists`.
    groups : one GroupMinimum per non-empty row of P.
    """

    exists: bool
    weights: Weights | None
    loss: float
    verdict: Verdict
    groups: list[GroupMinimum]
    reason: str


@checked
def partial_minimum(problem: Problem, P: Tensor, sigma: Activation = ReLU()) -> PartialMinimum:
    """Theorem 3.7 (3.6 in v6), corrected, arXiv:2512.05534: the partial minimum that shows P.

    Or why there is none. A partial minimum has both gradients zero inside Omega_P. Every group
    needs a positive eigenvector (`group_minimum`) that some encoder row reaches without firing
    elsewhere. Rows are built with the largest margin, unused rows strictly dead where that is
    possible. Weights are returned only if they pass `certify`.

    P : bool (n_q, n), each feature in exactly one row (ValueError otherwise).
    sigma : ReLU or JumpReLU; TopK is answered through the ReLU conditions, which suffice for it,
        and is `undecided` where they fail. BatchTopK: ValueError.

    `verdict`:

    * trap: every group at a simple top eigenvalue, and every feature of a group with nonzero loss
      strictly below theta on all other rows.
    * degenerate: a repeated top: a flat family of minima.
    * saddle: some group not top, and free to move.
    * escapable: top, but a wall or an unused row can be reached.
    * undecided: not top, but held by walls.
    * global: loss 0.
    * none: there is no such point.

    >>> import torch
    >>> from sdl_theory import Problem, partial_minimum, pattern
    >>> W_p = torch.tensor([[1.0, 0.6], [0.0, 0.8]], dtype=torch.float64)  # cosine .6
    >>> together = partial_minimum(Problem(W_p), pattern([[0, 1]], n=2, n_q=2))
    >>> together.verdict.value, round(together.loss, 6)  # one neuron for both, the other unused
    ('trap', 0.4)
    >>> heavier = Problem(torch.eye(2, dtype=torch.float64), M_d=torch.tensor([1.0, 2.0]))
    >>> partial_minimum(heavier, pattern([[0, 1]], n=2, n_q=2)).exists
    False
    """
    P = _check_partition(problem, P, sigma)
    theta = [max(row_theta(sigma, i, len(P)), 0.0) for i in range(len(P))]
    groups = {i: row.nonzero()[:, 0].tolist() for i, row in enumerate(P) if row.any()}
    rows = {i: group_row(problem, group, theta[i]) for i, group in groups.items()}
    if all(row.w is not None for row in rows.values()):
        lossy = lossy_features(list(rows.values()), problem.n)
        # a row that touches a wall is asked again, with only the lossy features held off it
        for i, row in rows.items():
            if (row.walls & lossy).any():
                rows[i] = group_row(problem, groups[i], theta[i], lossy)
    refused = _refused(rows, sigma)
    if refused is not None:
        return refused
    weights = _assembled(problem, rows, theta)
    certificate = certify(problem, weights, sigma)
    if not certificate.stationary or not torch.equal(certificate.pattern.cpu(), P):
        return nowhere(
            f"rounding in {problem.W_p.dtype} defeats the construction "
            f"(relative gradients {certificate.grad_D:.1e}, {certificate.grad_E:.1e}); try float64",
            groups=[row.minimum for row in rows.values()],
        )
    return PartialMinimum(
        exists=True,
        weights=weights,
        loss=certificate.loss,
        verdict=certificate.verdict,
        groups=[row.minimum for row in rows.values()],
        reason=certificate.reason,
    )


def nowhere(
    reason: str, groups: list[GroupMinimum], verdict: Verdict = Verdict.NONE
) -> PartialMinimum:
    """The answer where there is no partial minimum."""
    return PartialMinimum(
        False, None, loss=float("nan"), verdict=verdict, groups=groups, reason=reason
    )


def _check_partition(problem: Problem, P: Tensor, sigma: Activation) -> Tensor:
    check_problem(problem)
    check_sigma(sigma)
    P = check_pattern(P, problem.n)
    if isinstance(sigma, BatchTopK):
        raise ValueError(
            "Theorem 3.7: BatchTopK couples the columns of a batch; "
            "use TopK(k), ReLU() or JumpReLU(theta)"
        )
    counts = P.sum(0)
    if (counts != 1).any():
        d = int((counts != 1).nonzero()[0])
        fix = f"Add [{d}] to a group, or as a group of its own"
        if counts[d]:
            fix = "For overlapping patterns use alternating_convex_search"
        raise ValueError(
            f"Theorem 3.7 needs P to be a partition, each feature in exactly one row; "
            f"feature {d} is in {int(counts[d])}. {fix}"
        )
    return P


def _refused(rows: dict[int, Row], sigma: Activation) -> PartialMinimum | None:
    """Why these rows make no partial minimum, if they make none."""
    groups = [row.minimum for row in rows.values()]
    missing = [row.minimum for row in rows.values() if row.w is None]
    verdict = Verdict.NONE
    reason = f"group {missing[0].group}: {missing[0].reason}" if missing else ""
    if isinstance(sigma, TopK):
        if sigma.theta < 0 and sigma.k != 1:
            reason = "plain Top-k fires k rows for every feature: a partition needs k = 1"
        if missing:
            verdict = Verdict.UNDECIDED
            reason += "; Top-k's own conditions couple the rows and may still allow it"
    return nowhere(reason, groups, verdict) if reason else None


def _assembled(problem: Problem, rows: dict[int, Row], theta: Sequence[float]) -> Weights:
    """The rows together, as weights.

    Unused ones strictly dead where that is possible, else zero, as above a threshold.
    """
    W_E, W_D = np.zeros((len(theta), problem.n_p)), np.zeros((problem.n_r, len(theta)))
    for i, row in rows.items():
        W_E[i], W_D[:, i] = row.w, row.w_D
    lossy = lossy_features(list(rows.values()), problem.n)
    unused = [i for i in range(len(theta)) if i not in rows and theta[i] == 0]
    if unused and lossy.any():
        W_E[unused] = dead_row(problem.W_p_array, 0.0, lossy)
    return Weights(torch.from_numpy(W_E).to(problem.W_p), torch.from_numpy(W_D).to(problem.W_p))
