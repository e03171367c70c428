"""One neuron on one group in the metric of second moments: the true loss as a rank-one problem.

While the neuron fires on every sample, z.x > 0, the true loss of its group is quadratic in what it
does: with C = E[x x^T] and z = W_p^T w_E,

    L = E||W_r x - w_D (z.x)||^2 = tr(G C) - 2 w_D^T W_r C z + ||w_D||^2 z^T C z,   G = W_r^T W_r

so it is a best rank-one approximation of W_r in the metric of C. Ours, not the paper's, whose
Theorem 3.7 (arXiv:2512.05534) is about the case C = diag(M_d).
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
    POSITIVE_TOLERANCE,
    RANK_TOLERANCE,
    SILENT,
    ZERO_RESIDUAL,
    tolerance,
)
from ..truth.moments import Moments
from .patterns import to_numpy
from .spectrum import equal_runs, positive_vector

# eigenvalues of a correlation matrix below this, of its largest, are zero: always active together
TOGETHER = 1e-12


@dataclass(frozen=True)
class Metric:
    """A group's arrays. Features with C_dd = 0 are dropped: they are never active.

    X : (n, q), columns a C-orthonormal basis of the z that a row can have: z = X c, X^T C X = I.
    null : (n, k), columns span the z with z^T C z = 0 that a row can have: no sample sees them.
    H : (n_r, q) = W_r C X.
    factor : C = factor factor^T.
    """

    features: np.ndarray
    W_r: np.ndarray
    C: np.ndarray
    m: np.ndarray | None
    factor: np.ndarray
    X: np.ndarray
    null: np.ndarray
    independent: bool  # every z can be had
    closest: float  # eigenvalues this close, of the total, are equal

    @cached_property
    def H(self) -> np.ndarray:
        return self.W_r @ (self.C @ self.X)

    @cached_property
    def root(self) -> np.ndarray:
        """sqrt(C_dd): the scale of each feature."""
        return np.sqrt(np.diag(self.C))

    @cached_property
    def total(self) -> float:
        """tr(G C) = E||W_r x||^2: the loss of no neuron."""
        return float(np.square(self.W_r @ self.factor).sum())

    def loss(self, w_D: np.ndarray, z: np.ndarray) -> float:
        """tr((W_r - w_D z^T) C (W_r - w_D z^T)^T): 0 if every sample is reconstructed."""
        left = np.linalg.norm((self.W_r - np.outer(w_D, z)) @ self.factor, axis=0)
        sizes = np.linalg.norm(self.W_r, axis=0) + np.linalg.norm(w_D) * np.abs(z)
        missed = left > ZERO_RESIDUAL * (sizes @ np.abs(self.factor))
        return float(np.square(left).sum()) if missed.any() else 0.0

    def firing(self, Z: np.ndarray) -> np.ndarray | None:
        """A z > 0 in the span of these columns and of what no sample sees, or None.

        Of unit norm as root * z.
        """
        columns = np.column_stack([Z, self.null]) * self.root[:, None]
        if columns.shape[1] > 1:
            columns = np.linalg.qr(columns)[0]
        y = positive_vector(columns, self.root)
        return None if y is None else y / self.root


def metric(problem: Problem, group: Sequence[int], moments: Moments) -> Metric:
    """The arrays of one group, features that are never active dropped."""
    F = np.asarray(group, dtype=int)
    C = moments.C.numpy()[np.ix_(F, F)]
    alive = np.diag(C) > 0
    F, C = F[alive], C[np.ix_(alive, alive)]
    index = torch.as_tensor(F, device=problem.W_p.device)
    W_p, W_r = (to_numpy(W[:, index]) for W in (problem.W_p, problem.W_r))
    root = np.sqrt(np.diag(C))
    # everything is judged where features are of one size: C of unit diagonal, W_p of unit columns
    unit = C / np.outer(root, root)
    np.fill_diagonal(unit, 1.0)
    V, independent = _row_space(W_p, root)
    sizes, E = np.linalg.eigh(V.T @ unit @ V)
    seen = sizes > TOGETHER * sizes[-1:]
    basis = V @ E / root[:, None]
    whole, factor = np.linalg.eigh(unit)
    return Metric(
        features=F,
        W_r=W_r,
        C=C,
        m=None if moments.m is None else moments.m.numpy()[F],
        factor=root[:, None] * factor * np.sqrt(np.where(whole > TOGETHER * whole[-1:], whole, 0)),
        X=basis[:, seen] / np.sqrt(sizes[seen]),
        null=basis[:, ~seen],
        independent=independent and bool(seen.all()),
        closest=tolerance(EIGEN_TOLERANCE, torch.finfo(problem.W_p.dtype).eps, 10),
    )


def _row_space(W_p: np.ndarray, root: np.ndarray) -> tuple[np.ndarray, bool]:
    """Orthonormal basis of {root * z : z a row's}, and whether that is everything."""
    if not W_p.size:
        return np.zeros((0, 0)), True
    _, sizes, V = np.linalg.svd(W_p, full_matrices=False)
    V = V[sizes > RANK_TOLERANCE * sizes[0]]
    if len(V) == W_p.shape[1]:
        return np.eye(len(V)), True
    return np.linalg.qr(V.T * root[:, None])[0], False


@dataclass(frozen=True)
class Point:
    """A stationary point that fires for the whole group.

    u : (n_r,), the direction of w_D, or zeros.
    a : (n,) > 0, the activations ||w_D|| z.
    eigenvalue : lambda, or nu with a penalty.
    curvature : largest eigenvalue of A - nu I on u's tangent space; below 0 the point is a strict
        local minimum.
    rank : of the eigenvalue: 0 is the top.
    """

    u: np.ndarray
    a: np.ndarray
    eigenvalue: float
    curvature: float
    loss: float
    rank: int = 0
    multiplicity: int = 1


def eigen_point(system: Metric) -> Point | None:
    """The stationary point with z > 0 without a penalty: C G C z = lambda C z.

    None if no eigenvector is positive. At most one distinct eigenvalue has one: those of two are
    C-orthogonal, and z^T C z' > 0 for positive ones.
    """
    values, vectors = np.linalg.eigh(system.H.T @ system.H)
    values, vectors = values[::-1], vectors[:, ::-1]
    for rank, cluster in enumerate(equal_runs(values, system.closest * system.total)):
        z = system.firing(system.X @ vectors[:, cluster])
        if z is None:
            continue
        multiplicity, eigenvalue = cluster.stop - cluster.start, float(values[cluster].mean())
        z = _sharpened(system, z, eigenvalue, multiplicity)
        pull = system.W_r @ (system.C @ z)
        w_D = pull / (z @ system.C @ z)
        terms = np.linalg.norm(system.W_r * system.root) * np.linalg.norm(system.root * z)
        silent = np.linalg.norm(pull) <= SILENT * terms  # rounding noise has no direction
        size = 1.0 if silent else float(np.linalg.norm(w_D))
        others = np.delete(values, np.r_[cluster])
        highest = float(others.max(initial=0.0))
        return Point(
            u=np.zeros_like(w_D) if silent else w_D / size,
            a=z * size,
            eigenvalue=eigenvalue,
            curvature=0.0 if multiplicity > 1 and rank == 0 else highest - eigenvalue,
            loss=system.loss(np.zeros_like(w_D) if silent else w_D, z),
            rank=rank,
            multiplicity=multiplicity,
        )
    return None


def _sharpened(system: Metric, z: np.ndarray, eigenvalue: float, multiplicity: int) -> np.ndarray:
    """z anew from G C z = lambda z, which knows small components to an epsilon of themselves."""
    if multiplicity > 1 or not system.independent or eigenvalue < 1e-3 * system.total:
        return z
    anew = system.W_r.T @ (system.W_r @ (system.C @ z)) / eigenvalue
    return anew if anew.min() > POSITIVE_TOLERANCE * anew.max() else z
