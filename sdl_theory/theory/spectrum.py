"""A group's eigen-system: the arrays and eigenspaces that the theorems on one neuron read.

With s = sqrt(M_d), A = W_r[:, F] diag(s) and y = s * z, the group's loss is ||A - w_D y^T||_F^2: a
best rank-one approximation in which y is confined to the row space of B = W_p[:, F] diag(s).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from ..problem import Problem
from ..tolerances import (
    EIGEN_TOLERANCE,
    NO_MOVE,
    POSITIVE_TOLERANCE,
    RANK_TOLERANCE,
    SUBSPACE,
    TOUCHING,
    ZERO_RESIDUAL,
    tolerance,
)
from .patterns import to_numpy
from .separation import separate


@dataclass(frozen=True)
class Spectrum:
    """A group's arrays, and the eigenvectors V u of K in the row space of B, top first.

    s = sqrt(M_d), A = W_r diag(s), B = W_p diag(s).
    """

    features: np.ndarray
    s: np.ndarray
    A: np.ndarray
    B: np.ndarray
    values: np.ndarray
    vectors: np.ndarray
    independent: bool = True  # V = I: the w_p^d are linearly independent
    closest: float = EIGEN_TOLERANCE  # eigenvalues this close, of tr K, are equal

    @cached_property
    def total(self) -> float:
        """tr K = sum_d M_d ||w_r^d||^2.

        What eigenvalues are compared with, for the top one may be 0.
        """
        return float(np.square(self.A).sum())

    @cached_property
    def clusters(self) -> list[slice]:
        """Runs of equal eigenvalues, top first."""
        return equal_runs(self.values, self.closest * self.total)

    @property
    def simple(self) -> bool:
        """Is the top eigenvalue simple?"""
        return self.clusters[0].stop == 1

    def is_top(self, y: np.ndarray) -> bool:
        """Does this y of unit norm lie in the top eigenspace?

        It is stationary but for rounding, and so in one eigenspace: the one with more of it
        than all others.
        """
        return bool(np.square(self.vectors[:, self.clusters[0]].T @ y).sum() > 0.5)

    def positive(self, cluster: slice) -> np.ndarray | None:
        """A y > 0 of unit norm in this eigenspace, or None."""
        y = positive_vector(self.vectors[:, cluster], self.s)
        if y is None or cluster.stop - cluster.start > 1 or not self.independent:
            return y
        return self._sharpened(y, float(self.values[cluster].mean()))

    def _sharpened(self, y: np.ndarray, eigenvalue: float) -> np.ndarray | None:
        """Small components of y anew, from their own row of K y = lambda y.

        eigh knows them to an epsilon of the *largest* only.
        """
        K, small = self.A.T @ self.A, y < 1e-4 * y.max()
        if not small.any():
            return y
        weight = eigenvalue - np.diag(K)
        sure = small & (np.abs(weight) > 0.1 * np.maximum(eigenvalue, np.diag(K)))
        y = np.where(sure, (K @ y - np.diag(K) * y) / np.where(sure, weight, 1.0), y)
        z = y / self.s
        return y / np.linalg.norm(y) if z.min() > POSITIVE_TOLERANCE * z.max() else None

    def exact(self, y: np.ndarray, cluster: slice) -> np.ndarray:
        """This y, which an encoder row has but for rounding, in the eigenspace.

        So a decoder column may be read from it where eigenvalues differ much.
        """
        E = self.vectors[:, cluster]
        if cluster.stop - cluster.start == 1:
            positive = self.positive(cluster)
            assert positive is not None  # a row was sought for it
            E = positive[:, None]
        return E @ (E.T @ y)

    def off(self, y: np.ndarray) -> float:
        """How far, in z and of its largest, this y of unit norm is from its eigenspace.

        Small M_d hide it from a gradient's norm.
        """
        part = lambda cluster: np.square(self.vectors[:, cluster].T @ y).sum()
        nearest = max(self.clusters, key=part)
        E = self.vectors[:, nearest]
        if nearest.stop - nearest.start == 1 and (positive := self.positive(nearest)) is not None:
            E = positive[:, None]
        z = np.abs(y / self.s)
        return float((np.abs(y - E @ (E.T @ y)) / self.s).max() / z.max())

    def loss(self, y: np.ndarray) -> float:
        """||A - w_D y^T||_F^2 with the best w_D: tr K - lambda, without the cancellation.

        0 if every feature is reconstructed.
        """
        if not len(y):
            return 0.0
        w_D = self.A @ y / (y @ y)
        left = self.A - np.outer(w_D, y)
        terms = np.linalg.norm(self.A, axis=0) + np.linalg.norm(w_D) * np.abs(y)
        missed = np.linalg.norm(left, axis=0) > ZERO_RESIDUAL * terms
        return float(np.square(left).sum()) if missed.any() else 0.0


def spectrum(problem: Problem, group: Sequence[int]) -> Spectrum:
    """The eigen-system of V^T K V of one group, features with M_d = 0 dropped."""
    F = np.asarray(group, dtype=int)
    index = torch.as_tensor(F, device=problem.W_p.device)
    M, W_p, W_r = (
        to_numpy(t) for t in (problem.M_d[index], problem.W_p[:, index], problem.W_r[:, index])
    )
    F, W_p, W_r, s = F[M > 0], W_p[:, M > 0], W_r[:, M > 0], np.sqrt(M[M > 0])
    A, B = W_r * s, W_p * s
    if not len(F):
        return Spectrum(F, s, A, B, values=np.zeros(0), vectors=np.zeros((0, 0)))
    # the row space of B is that of W_p, times s: judge rank where columns are unit
    _, sizes, V = np.linalg.svd(W_p, full_matrices=False)
    V = V[sizes > RANK_TOLERANCE * sizes[0]]
    K = A.T @ A
    independent = len(V) == len(F)
    if independent:
        values, vectors = np.linalg.eigh(K)
    else:
        V = np.linalg.qr(V.T * s[:, None])[0]
        values, vectors = np.linalg.eigh(V.T @ K @ V)
        vectors = V @ vectors
    closest = tolerance(EIGEN_TOLERANCE, torch.finfo(problem.W_p.dtype).eps, 10)
    return Spectrum(
        features=F,
        s=s,
        A=A,
        B=B,
        values=values[::-1].copy(),
        vectors=vectors[:, ::-1].copy(),
        independent=independent,
        closest=closest,
    )


def equal_runs(values: np.ndarray, closest: float) -> list[slice]:
    """Runs of values, largest first, whose neighbours differ by `closest` at most."""
    apart = np.flatnonzero(-np.diff(values) > closest) + 1
    edges = [0, *apart.tolist(), len(values)]
    return [slice(*pair) for pair in zip(edges, edges[1:])] if len(values) else []


def positive_vector(vectors: np.ndarray, s: np.ndarray) -> np.ndarray | None:
    """A y > 0 of unit norm in the span of the orthonormal columns, or None.

    Positive as z = y / s is.
    """
    if vectors.shape[1] == 1:
        y = vectors[:, 0] * np.sign(vectors[np.abs(vectors[:, 0]).argmax(), 0])
    else:
        sizes = np.linalg.norm(vectors, axis=1)
        if sizes.min() <= TOUCHING:  # the eigenspace leaves this feature out
            return None
        found = separate(vectors / sizes[:, None], np.zeros((0, vectors.shape[1])))
        if found.w is None:
            return None
        y = vectors @ found.w
    z = y / s
    return y / np.linalg.norm(y) if z.min() > POSITIVE_TOLERANCE * z.max() else None


def way_down_is_free(system: Spectrum, W: np.ndarray, touching: np.ndarray) -> bool:
    """Can a row below the top eigenvalue move towards it without firing for a feature it touches?

    What moves is its y, towards the top eigenvector, one way or the other. On a wall a
    saddle of the region may be a local minimum all the same: the shortest move of the row is
    tried, both ways.
    """
    if not touching.any():
        return True
    move = np.linalg.lstsq(system.B.T, system.vectors[:, 0], rcond=1e-10)[0] @ W[:, touching]
    none = NO_MOVE * np.abs(move).max()
    return bool((move <= none).all() or (move >= -none).all())


def admissible_rows(system: Spectrum, cluster: slice) -> np.ndarray:
    """Orthonormal basis of {w : B^T w lies in this eigenspace}, shape (n_p, k).

    Asked of z = W_p^T w, whose columns are of unit norm whatever M_d.
    """
    y = system.positive(cluster) if cluster.stop - cluster.start == 1 else None
    vectors = system.vectors[:, cluster] if y is None else y[:, None]
    E = np.linalg.qr(vectors / system.s[:, None])[0]
    W_p = system.B / system.s
    U, sizes, _ = np.linalg.svd(W_p - (W_p @ E) @ E.T, full_matrices=True)  # w^T of this is 0
    return U[:, int((sizes > SUBSPACE * np.linalg.norm(W_p, 2)).sum()) :]
