"""Theorem 3.2's two convex problems inside one closed region: the best decoder, the best encoder.

By least squares, and by a quadratic program.
"""

from __future__ import annotations

from functools import cached_property, partial

import numpy as np

from ..problem import Problem
from .biconvexity import encoder_hessian
from .patterns import to_numpy

PROXIMAL = 1e-9  # keeps the encoder's flat directions from running away; it moves no fixed point


class Halves:
    """Both halves of a problem under the pattern P, whose closed region is G vec(W_E) >= h.

    E and D are W_E and W_D, as arrays.
    """

    def __init__(self, problem: Problem, P: np.ndarray, G: np.ndarray, h: np.ndarray):
        self.W_p, self.W_r, self.M = problem.W_p_array, to_numpy(problem.W_r), to_numpy(problem.M_d)
        self.scale, self.P, self.G, self.h = problem.scale, P, G, h

    @cached_property
    def cone(self) -> bool:
        """May rows be scaled? As theta = 0 allows."""
        return not np.any(self.h)

    def loss(self, E: np.ndarray, D: np.ndarray) -> float:
        """Lt with P imposed."""
        residual = self.W_r - D @ (self.P * (E @ self.W_p))
        return float((self.M * np.square(residual).sum(0)).sum())

    def slack(self, E: np.ndarray) -> float:
        """How far E is from the nearest of its region's walls."""
        return (self.G @ E.ravel() - self.h).min(initial=np.inf)

    def best_decoder(self, E: np.ndarray) -> np.ndarray:
        """By least squares, weighted by M_d."""
        Z = self.P * (E @ self.W_p) * np.sqrt(self.M)
        return np.linalg.lstsq(Z.T, (self.W_r * np.sqrt(self.M)).T, rcond=1e-12)[0].T

    def best_encoder(self, D: np.ndarray, previous: np.ndarray) -> np.ndarray:
        """By the quadratic program: Lt is x^T H x / 2 + c^T x + const in x = vec(W_E)."""
        einsum = partial(np.einsum, optimize=True)
        H = encoder_hessian(self.M, self.P, D, self.W_p, einsum=einsum)
        c = -2 * (self.P * (D.T @ (self.W_r * self.M))) @ self.W_p.T
        return self._quadratic_program(H.reshape(c.size, c.size), c.ravel(), previous)

    def nearest(self, target: np.ndarray, previous: np.ndarray) -> np.ndarray:
        """The encoder of the region that is nearest to a target."""
        return self._quadratic_program(np.eye(target.size), -target.ravel(), previous)

    def _quadratic_program(self, H: np.ndarray, c: np.ndarray, previous: np.ndarray) -> np.ndarray:
        """argmin x^T H x / 2 + c^T x over G x >= h.

        Pulled towards `previous` by a vanishing amount.
        """
        import clarabel
        from scipy import sparse

        x = previous.ravel()
        weight = PROXIMAL * max(np.abs(np.diag(H)).max(), 1e-12)
        settings = clarabel.DefaultSettings()
        settings.verbose, settings.max_iter = False, 200
        settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = 1e-11
        solver = clarabel.DefaultSolver(
            sparse.triu(sparse.csc_matrix(H + weight * np.eye(len(H)))).tocsc(),
            c - weight * x,
            sparse.csc_matrix(-self.G),
            -self.h,
            [clarabel.NonnegativeConeT(len(self.h))],
            settings,
        )
        solution = np.asarray(solver.solve().x)
        if not np.isfinite(solution).all():
            return previous
        return solution.reshape(previous.shape)
