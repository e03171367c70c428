"""Theorem 3.7, corrected: which polysemantic patterns are partial minima, and which of those are
traps.

Inside the region of a partition the groups decouple. Each group's eigen-problem (`groups`) says
where its neuron may sit; a projection (`separation`) finds the encoder row that sits there without
firing for anybody else, or shows there is none; `certify` judges the whole.
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
from .group_row import Row, dual_basis, group_row, lossy_features
from .groups import GroupMinimum
from .patterns import check_pattern, row_theta, to_numpy
from .separation import dead_row
from .verdict import Verdict


@checked
def printed_recipe(problem: Problem, P: Tensor, W_E: Tensor) -> Weights:
    """Theorem 3.7 as printed (3.6 in v6): this encoder, and the least-squares decoder for the
    pattern P. **Not** a partial minimum in general.

    P is imposed, whatever W_E's own pattern: z is masked by P.

    Its proof replaces the vector w_p^d by the scalar <w_E, w_p^d> between eq. 64 and 65 and so
    shows <w_E, grad_E> = 0, not grad_E = 0.
    P : bool (n_q, n). W_E : (n_q, n_p), any encoder that shows P.
    """
    P = check_pattern(P, problem.n).to(problem.W_p.device)
    W_E = as_matrix("W_E", W_E, "(n_q, n_p)").to(problem.W_p)
    if W_E.shape != (len(P), problem.n_p):
        raise ValueError(
            f"W_E must have shape (n_q, n_p) = ({len(P)}, {problem.n_p}) to go with P; got "
            f"{tuple(W_E.shape)}"
        )
    root = problem.M_d.sqrt()
    Z = P * (W_E @ problem.W_p) * root
    W_D = torch.linalg.lstsq(
        Z.double().mT.cpu(), (problem.W_r * root).double().mT.cpu(), driver="gelsd"
    ).solution.mT
    return Weights(W_E, W_D.to(problem.W_p))


@dataclass(frozen=True)
class PartialMinimum:
    """Theorem 3.7's answer for one pattern. `weights` is None unless `exists`; `groups` holds one
    GroupMinimum per non-empty row of P.
    """

    exists: bool
    weights: Weights | None
    loss: float
    verdict: Verdict
    groups: list[GroupMinimum]
    reason: str


@checked
def partial_minimum(problem: Problem, P: Tensor, sigma: Activation = ReLU()) -> PartialMinimum:
    """Theorem 3.7 (3.6 in v6), corrected, arXiv:2512.05534: the interior partial minimum that shows
    the partition P, or why there is none.

    A partial minimum has both gradients zero inside Omega_P. Every group needs a positive
    eigenvector (`group_minimum`) that some encoder row reaches without firing elsewhere. Rows are
    built with the largest margin, unused rows strictly dead where that is possible.

    `verdict`: trap (every group at a simple top eigenvalue, and every feature of a group with
    nonzero loss strictly below theta on all other rows), degenerate (a repeated top: a flat family
    of minima), saddle (some group not top, and free to move), escapable (top, but a wall or an
    unused row can be reached), undecided (not top, but held by walls), global (loss 0), none.
    Weights are returned only if they pass `certify`.

    P : bool (n_q, n), each feature in exactly one row (ValueError otherwise). sigma: ReLU or
        JumpReLU; TopK is answered through the ReLU
    conditions, which suffice for it, and is `undecided` where they fail. BatchTopK: ValueError.
    """
    groups, n_q, theta = _check_partition(problem, P, sigma)
    W = to_numpy(problem.W_p)
    dual = dual_basis(W)
    rows = {i: group_row(problem, group, theta[i], W=W, dual=dual) for i, group in groups.items()}
    if all(row.w is not None for row in rows.values()):
        lossy = lossy_features(rows, problem.n)
        # a row that touches a wall is asked again, with only the lossy features held off it
        for i, row in rows.items():
            if (row.walls & lossy).any():
                rows[i] = group_row(problem, groups[i], theta[i], lossy, W)
    return assemble(problem, rows, n_q, theta, sigma, W)


def _check_partition(
    problem: Problem, P: Tensor, sigma: Activation
) -> tuple[dict[int, list[int]], int, list[float]]:
    check_problem(problem)
    check_sigma(sigma)
    P = check_pattern(P, problem.n)
    if isinstance(sigma, BatchTopK):
        raise ValueError(
            "Theorem 3.7: BatchTopK couples the columns of a batch; use TopK(k), ReLU() or "
            "JumpReLU(theta)"
        )
    counts = P.sum(0)
    if (counts != 1).any():
        d = int((counts != 1).nonzero()[0])
        fix = (
            "For overlapping patterns use alternating_convex_search"
            if counts[d]
            else f"Add [{d}] to a group, or as a group of its own"
        )
        raise ValueError(
            f"Theorem 3.7 needs P to be a partition, each feature in exactly one row; feature {d} "
            f"is in {int(counts[d])}. {fix}"
        )
    theta = [max(row_theta(sigma, i, len(P)), 0.0) for i in range(len(P))]
    return {i: row.nonzero()[:, 0].tolist() for i, row in enumerate(P) if row.any()}, len(P), theta


def assemble(
    problem: Problem,
    rows: dict[int, Row],
    n_q: int,
    theta: Sequence[float],
    sigma: Activation,
    W: np.ndarray,
) -> PartialMinimum:
    """Put rows together, add unused ones, and let the verifier decide."""
    groups = [row.minimum for row in rows.values()]
    plain_topk = isinstance(sigma, TopK) and sigma.theta < 0 and sigma.k != 1
    missing = [row.minimum for row in rows.values() if row.w is None]
    if missing or plain_topk:
        reason = (
            "plain Top-k fires k rows for every feature: a partition needs k = 1"
            if plain_topk
            else f"group {missing[0].group}: {missing[0].reason}"
        )
        verdict = Verdict.NONE
        if missing and isinstance(sigma, TopK):
            verdict, reason = (
                Verdict.UNDECIDED,
                reason + "; Top-k's own conditions couple the rows and may still allow it",
            )
        return PartialMinimum(False, None, float("nan"), verdict, groups, reason)
    lossy = lossy_features(rows, problem.n)
    W_E, W_D = np.zeros((n_q, problem.n_p)), np.zeros((problem.n_r, n_q))
    dead = {}
    for i in range(n_q):
        if i in rows:
            W_E[i], W_D[:, i] = rows[i].w, rows[i].w_D
        else:
            key = theta[i] > 0
            W_E[i] = (
                dead[key]
                if key in dead
                else dead.setdefault(
                    key, dead_row(W, theta[i], lossy) if lossy.any() else np.zeros(problem.n_p)
                )
            )
    weights = Weights(torch.from_numpy(W_E).to(problem.W_p), torch.from_numpy(W_D).to(problem.W_p))
    certificate = certify(problem, weights, sigma)
    intended = np.zeros((n_q, problem.n), dtype=bool)
    for i, row in rows.items():
        intended[i, row.minimum.group] = True
    if not certificate.stationary or not np.array_equal(
        certificate.pattern.cpu().numpy(), intended
    ):
        return PartialMinimum(
            False,
            None,
            float("nan"),
            Verdict.NONE,
            groups,
            f"rounding in {problem.W_p.dtype} defeats the construction (relative gradients "
            f"{certificate.grad_D:.1e}, {certificate.grad_E:.1e}); try float64",
        )
    return PartialMinimum(
        True, weights, certificate.loss, certificate.verdict, groups, certificate.reason
    )
