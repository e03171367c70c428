"""One neuron on one group: the eigen-problem behind Theorem 3.7, corrected, walls aside.

With s = sqrt(M_d), A = W_r[:, F] diag(s) and y = s * z, the group's loss is ||A - w_D y^T||_F^2: a best rank-one approximation in which y is
confined to the row space of B = W_p[:, F] diag(s). Its stationary points are eigenvectors, its only local minima the top ones, and the row fires
for all of F exactly when y > 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from .patterns import check_group, to_numpy
from .problem import Problem, Tensor, check_problem
from .separation import separate
from .signature import checked
from .verdict import EIGEN_TOLERANCE, POSITIVE_TOLERANCE, ZERO_LOSS, Verdict


@dataclass(frozen=True)
class GroupMinimum:
    """The eigen-problem of one group, walls aside. `y` (|F|,) > 0 of unit norm over `features` (those of the group with M_d > 0)."""

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


@dataclass(frozen=True)
class Spectrum:
    """A group's arrays: s, A = W_r diag(s), B = W_p diag(s), and the eigenvectors V u of K in the row space of B, top first."""

    features: np.ndarray
    s: np.ndarray
    A: np.ndarray
    B: np.ndarray
    values: np.ndarray
    vectors: np.ndarray

    def clusters(self):
        """Runs of equal eigenvalues as slices, top first."""
        start, gap = 0, EIGEN_TOLERANCE * max(abs(self.values).max(initial=0.0), 1e-300)
        for i in range(1, len(self.values) + 1):
            if i == len(self.values) or self.values[i - 1] - self.values[i] > gap:
                yield slice(start, i)
                start = i

    def loss(self, y: np.ndarray) -> float:
        """||A - w_D y^T||_F^2 with the best w_D: tr K - lambda, without the cancellation."""
        if not len(y):
            return 0.0
        loss = float(np.square(self.A - np.outer(self.A @ y, y) / (y @ y)).sum())
        return 0.0 if loss <= ZERO_LOSS * float(np.square(self.A).sum()) else loss


def spectrum(problem: Problem, group: Sequence[int]) -> Spectrum:
    """The eigen-system of V^T K V of one group, features with M_d = 0 dropped."""
    F = np.asarray(group, dtype=int)
    index = torch.as_tensor(F, device=problem.W_p.device)
    M, W_p, W_r = (to_numpy(t) for t in (problem.M_d[index], problem.W_p[:, index], problem.W_r[:, index]))
    F, W_p, W_r, s = F[M > 0], W_p[:, M > 0], W_r[:, M > 0], np.sqrt(M[M > 0])
    A, B = W_r * s, W_p * s
    if not len(F):
        return Spectrum(F, s, A, B, np.zeros(0), np.zeros((0, 0)))
    _, sizes, V = np.linalg.svd(W_p, full_matrices=False)     # the row space of B is that of W_p, times s: judge rank where columns are unit
    V = V[sizes > 1e-9 * sizes[0]]
    K = A.T @ A
    if len(V) == len(F):
        values, vectors = np.linalg.eigh(K)
    else:
        V = np.linalg.qr(V.T * s[:, None])[0]
        values, vectors = np.linalg.eigh(V.T @ K @ V)
        vectors = V @ vectors
    return Spectrum(F, s, A, B, values[::-1].copy(), vectors[:, ::-1].copy())


def positive_vector(vectors: np.ndarray) -> np.ndarray | None:
    """A strictly positive vector in the span of the orthonormal columns, of unit norm, or None."""
    if vectors.shape[1] == 1:
        y = vectors[:, 0] * np.sign(vectors[np.abs(vectors[:, 0]).argmax(), 0])
    else:
        found = separate(vectors, np.zeros((0, vectors.shape[1])))
        if found.w is None:
            return None
        y = vectors @ found.w
    return y / np.linalg.norm(y) if y.min() > POSITIVE_TOLERANCE * y.max() else None


def _group_verdict(loss: float, is_top: bool, multiplicity: int) -> Verdict:
    if loss == 0:
        return Verdict.GLOBAL
    if not is_top:
        return Verdict.SADDLE
    return Verdict.TRAP if multiplicity == 1 else Verdict.DEGENERATE


@checked
def group_minimum(problem: Problem, group: Sequence[int]) -> GroupMinimum:
    r"""Theorem 3.7 (corrected), arXiv:2512.05534: can one neuron sit still on all of `group`, and is that a trap? Encoder walls are not asked.

    .. math:: V^\top K V u = \lambda u, \quad y = V u > 0, \quad K = \mathrm{diag}(s) W_r^\top W_r\, \mathrm{diag}(s), \quad s_d = \sqrt{M_d}

    V an orthonormal basis of the row space of W_p[:, F] diag(s). Then z_d = y_d / s_d, w_D = W_r diag(s) y / ||y||^2, loss tr K - lambda.
    A verdict of `trap` here means that the eigenvector allows it; whether a row reaches it without firing for others, ask `partial_minimum`.
    Repeated eigenvalues are clustered (1e-9 relative) and their whole eigenspace is searched. At most one distinct eigenvalue has a
    positive vector. `verdict`: trap (simple top), degenerate (repeated top), saddle (not top), none, or global (loss 0).
    """
    check_problem(problem)
    group = check_group(group, problem.n)
    if not group:
        raise ValueError("group must hold at least one feature")
    return solve_group(group, spectrum(problem, group))


def solve_group(group: list[int], system: Spectrum) -> GroupMinimum:
    features = system.features.tolist()
    if not features:
        return GroupMinimum(group, [], True, torch.zeros(0, dtype=torch.float64), 0.0, True, 1, 0.0, Verdict.GLOBAL, "every M_d of the group is 0")
    for rank, cluster in enumerate(system.clusters()):
        y = positive_vector(system.vectors[:, cluster])
        if y is not None:
            loss, multiplicity = system.loss(y), cluster.stop - cluster.start
            verdict = _group_verdict(loss, rank == 0, multiplicity)
            place = "top eigenvalue" if rank == 0 else f"eigenvalue number {rank + 1} of the group, not the top one"
            return GroupMinimum(group, features, True, torch.from_numpy(y), float(system.values[cluster].mean()), rank == 0, multiplicity, loss, verdict,
                                f"a positive eigenvector with the {place}" + (f", which repeats {multiplicity} times" if multiplicity > 1 else ""))
    return GroupMinimum(group, features, False, None, float("nan"), False, 0, float("nan"), Verdict.NONE,
                        "no eigenvector of V^T K V is positive, so no interior stationary point fires for the whole group")


def way_down_is_free(system: Spectrum, W: np.ndarray, touching: np.ndarray) -> bool:
    """Can a row below the top eigenvalue move its y towards the top eigenvector, one way or the other, without firing for a feature it touches?

    On a wall a saddle of the region may be a local minimum all the same: the shortest move of the row is tried, both ways.
    """
    if not touching.any():
        return True
    move = np.linalg.lstsq(system.B.T, system.vectors[:, 0], rcond=1e-10)[0] @ W[:, touching]
    return bool((move <= 1e-12).all() or (move >= -1e-12).all())


def admissible_rows(system: Spectrum, cluster: slice) -> np.ndarray:
    """Orthonormal basis of {w : B^T w lies in this eigenspace}, shape (n_p, k)."""
    E = system.vectors[:, cluster]
    leaving = system.B @ (np.eye(len(E)) - E @ E.T)       # w^T leaving = 0
    U, sizes, _ = np.linalg.svd(leaving, full_matrices=True)
    rank = int((sizes > 1e-11 * max(np.linalg.norm(system.B, 2), 1e-300)).sum())
    return U[:, rank:]
