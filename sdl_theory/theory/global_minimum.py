"""Theorems 3.3 and 3.4: the ideal point W*, a better one, and zero loss that recovers nothing."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..activations import Activation, ReLU
from ..checks import Tensor, check_count
from ..problem import Problem
from ..signature import checked
from ..tolerances import RANK_TOLERANCE
from ..weights import Weights


def _embed(problem: Problem, n_q: int, rows: Tensor, columns: Tensor, *, why: str) -> Weights:
    """[rows; 0] and [columns, 0], padded to n_q latents."""
    n_q = check_count("n_q", n_q)
    if n_q < len(rows):
        raise ValueError(f"{why} needs n_q >= {len(rows)}; got n_q = {n_q}")
    W_E, W_D = problem.W_p.new_zeros(n_q, problem.n_p), problem.W_p.new_zeros(problem.n_r, n_q)
    W_E[: len(rows)], W_D[:, : columns.shape[1]] = rows.to(W_E), columns.to(W_D)
    return Weights(W_E, W_D)


@checked
def ideal_weights(problem: Problem, n_q: int) -> Weights:
    r"""Theorem 3.3, arXiv:2512.05534: the ideal point W*, which recovers every feature.

    .. math:: W_D^* = [W_r, 0], \qquad W_E^* = [W_p^\top; 0]

    Near-zero loss (see `ideal_loss`); *not* a stationary point under ReLU when W_r = W_p and
    mu > 0. For a crosscoder of m blocks each row is w_p^d / m, so that <w_E^d, w_p^d> = 1: with the
    rows w_p^d themselves the reconstruction would be m times too large. (Unit columns per block are
    our convention; with unit stacked columns, as Assumption 2.1 reads, nothing is divided.)
    ValueError if n_q < n.

    Two features at cosine .6: each neuron fires for the other feature too, at .6.

    >>> import torch
    >>> from sdl_theory import Problem, approximate_loss, certify, ideal_weights
    >>> problem = Problem(torch.tensor([[1, 0.6], [0, 0.8]], dtype=torch.float64))
    >>> weights = ideal_weights(problem, n_q=2)
    >>> approximate_loss(problem, weights)  # twice .6^2
    tensor(0.7200, dtype=torch.float64)
    >>> print(certify(problem, weights).verdict)
    not_stationary
    """
    rows = problem.W_p.mT / len(problem.blocks)
    why = "W* = [W_r, 0], [W_p^T; 0] (Theorem 3.3)"
    return _embed(problem, n_q, rows, problem.W_r, why=why)


@dataclass(frozen=True)
class IdealLoss:
    """Lt(W*) and the bounds of Theorem 3.3: exact <= by_neurons <= paper."""

    exact: float
    by_neurons: float
    paper: float


@checked
def ideal_loss(problem: Problem, sigma: Activation = ReLU()) -> IdealLoss:
    r"""Theorem 3.3: the loss of W* in closed form, for (Jump)ReLU with 0 <= theta < 1.

    .. math:: \sum_d M_d \Big\| \sum_{k \ne d,\ \langle w_p^k, w_p^d\rangle > \theta}
                  \langle w_p^k, w_p^d\rangle w_r^k \Big\|^2
              \le \max_k \|w_r^k\|^2 \mu^2 \sum_d M_d (K_d - 1)^2
              \le \max_k \|w_r^k\|^2\, n^2 \mu^2 \sum_d M_d ,

    K_d the number of neurons that fire for d, its own included. Zero when mu <= theta. ValueError
    for another theta or sigma.
    """
    thetas = torch.as_tensor(sigma.theta, dtype=torch.float64)
    theta = thetas.max().item()
    if not 0 <= theta < 1 or hasattr(sigma, "k") or thetas.ndim:
        raise ValueError(
            f"Theorem 3.3's bound is for (Jump)ReLU with one theta in [0, 1); got {sigma}"
        )
    cosines = (problem.W_p.mT @ problem.W_p) / len(problem.blocks)
    cosines.fill_diagonal_(0)
    firing = torch.where(cosines > theta, cosines, torch.zeros_like(cosines))
    M, largest = problem.M_d, problem.W_r.square().sum(0).max()
    exact = (M * (problem.W_r @ firing).square().sum(0)).sum().item()
    mu2 = firing.max() ** 2
    by_neurons = (largest * mu2 * (M * (firing > 0).sum(0) ** 2).sum()).item()
    paper = 0.0
    if problem.n > 1:
        paper = (largest * problem.n**2 * max(problem.mu, 0.0) ** 2 * M.sum()).item()
    return IdealLoss(exact, by_neurons, paper)


@checked
def pseudo_inverse_weights(problem: Problem, n_q: int) -> Weights:
    """Beyond Theorem 3.3 of arXiv:2512.05534: zero loss on **every** input at every S.

        W_E = [W_p^+; 0],   W_D = [W_r, 0]

    Needs rank(W_p) = n (ValueError otherwise). Z = W_E W_p = I, so sigma changes nothing under
    ReLU. The decoder is the truth; the encoder rows are the dual basis, not w_p^d: a recovery
    metric on W_E punishes this better solution, one on W_D does not.
    """
    rank = matrix_rank(problem.W_p)
    if rank < problem.n:
        raise ValueError(
            f"W_E = W_p^+ needs rank(W_p) = n; here rank {rank} < n = {problem.n}, "
            f"so no encoder separates all features linearly"
        )
    rows = torch.linalg.pinv(problem.W_p.double())
    return _embed(problem, n_q, rows, problem.W_r, why="[W_p^+; 0], [W_r, 0]")


def matrix_rank(A: Tensor) -> int:
    """Numerical rank in float64, singular values below 1e-9 of the largest counted as zero."""
    return int(torch.linalg.matrix_rank(A.double(), rtol=RANK_TOLERANCE))


@checked
def mirrored_weights(problem: Problem, n_q: int, A: Tensor | None = None) -> Weights:
    r"""Theorem 3.4, arXiv:2512.05534: zero loss that recovers nothing, for ReLU.

    .. math:: W_E = [A; -A; 0], \qquad W_D = [T A^{-1}, -T A^{-1}, 0], \qquad T = W_r W_p^+

    A : any invertible matrix (n_p, n_p); default I.

    relu(Ax) - relu(-Ax) = Ax, so when W_r W_p^+ W_p = W_r (always, for an SAE) the *true* loss is 0
    on **every** input at every S. Otherwise the family leaves sum_d M_d ||w_r^d - T w_p^d||^2. It
    fires n_p latents a sample: a Top-k with k < n_p excludes it. ValueError if n_q < 2 n_p or A is
    singular or of the wrong shape.
    """
    n_p = problem.n_p
    A = torch.eye(n_p, dtype=torch.float64) if A is None else torch.as_tensor(A).double().cpu()
    if A.shape != (n_p, n_p) or not torch.isfinite(A).all():
        raise ValueError(
            f"A must be a finite matrix of shape (n_p, n_p) = ({n_p}, {n_p}); "
            f"got shape {tuple(A.shape)}"
        )
    rank = matrix_rank(A)
    if rank < n_p:
        raise ValueError(
            f"A must be invertible (Theorem 3.4's family); its rank is {rank} < n_p = {n_p}"
        )
    if problem.W_r is problem.W_p:
        T = torch.eye(n_p, dtype=torch.float64)
    else:
        inverse = torch.linalg.pinv(problem.W_p.double().cpu(), rtol=RANK_TOLERANCE)
        T = problem.W_r.double().cpu() @ inverse
    back = torch.linalg.solve(A, T, left=False)
    rows, columns = torch.cat([A, -A]), torch.cat([back, -back], 1)
    return _embed(problem, n_q, rows, columns, why="the mirrored pair [A; -A] (Theorem 3.4)")
