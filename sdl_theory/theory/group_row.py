"""One group's encoder row at its stationary point, found by projection, or why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch

from ..problem import Problem
from ..tolerances import POSITIVE_TOLERANCE, SILENT, WALL_TOLERANCE
from .encoder_rows import encoder_row
from .groups import GroupMinimum, Spectrum, admissible_rows, solve_group, spectrum
from .patterns import to_numpy
from .verdict import Verdict


@dataclass(frozen=True)
class Row:
    """One group's encoder row at its stationary point, or why there is none. z : preactivations on
    all n features.
    """

    minimum: GroupMinimum
    w: np.ndarray | None
    z: np.ndarray | None
    w_D: np.ndarray | None
    theta: float = 0.0

    @cached_property
    def walls(self) -> np.ndarray:
        """Features outside the group that lie on this row's wall, bool (n,), by the rule of
        `certify`.
        """
        walls = on_wall(self.w, self.z, self.theta)
        walls[self.minimum.group] = False
        return walls


def on_wall(w: np.ndarray, z: np.ndarray, theta: float) -> np.ndarray:
    """Which z are at theta or above, or below it by less than can be told, relative to the row."""
    return z >= theta - WALL_TOLERANCE * max(np.linalg.norm(w), theta, 1e-30)


def group_row(
    problem: Problem,
    group: Sequence[int],
    theta: float,
    lossy: np.ndarray | None = None,
    W: np.ndarray | None = None,
    dual: np.ndarray | None = None,
) -> Row:
    """The encoder row and decoder column of one group's partial minimum, or None where y, or the
    row's walls, forbid it.

    The rows w with B^T w in an eigenspace form a linear subspace; the row is sought in it with the
    largest margin, so y is exact. With `dual` = W_p^+ (independent directions) every z can be had,
    and the row is written down: w = z W_p^+.
    """
    system = spectrum(problem, group)
    minimum = solve_group(list(group), system)
    if not minimum.exists:
        return Row(minimum, None, None, None)
    W = to_numpy(problem.W_p) if W is None else W
    F = ~_outside(group, problem.n)
    if dual is not None and len(system.features):
        z = np.where(F, 0.0, -1.0)
        z[system.features] = minimum.y.numpy() / system.s
        least = z[system.features].min()
        z[F & (z == 0)] = least  # members with M_d = 0 need only fire
        z = np.where(F, z, -least if theta == 0 else 0.0) * (
            1.0 if theta == 0 else 2 * theta / least
        )
        w = z @ dual
        w = w / np.linalg.norm(w) if theta == 0 else w
        return _row(
            minimum, w, W, system, theta, minimum.y.numpy() * (system.B.T @ w @ minimum.y.numpy())
        )
    for cluster in system.clusters:
        if system.positive(cluster) is None:
            continue
        w = encoder_row(W, F, theta, admissible_rows(system, cluster), lossy)
        if w is None:
            continue
        y = system.B.T @ w
        if (y / system.s).min() <= POSITIVE_TOLERANCE * (y / system.s).max():
            continue
        y = system.exact(y, cluster)
        return _row(
            replace(minimum, y=torch.from_numpy(y / np.linalg.norm(y))), w, W, system, theta, y
        )
    if not len(system.features):  # M_d = 0 throughout: any row that fires for the group will do
        w = encoder_row(W, F, theta, None, lossy)
        if w is not None:
            return Row(minimum, w, w @ W, np.zeros(problem.n_r), theta)
    return Row(
        replace(
            minimum,
            exists=False,
            verdict=Verdict.NONE,
            reason="the group has a positive eigenvector, but no encoder row reaches it without "
            "firing for other features "
            "(or only on a wall that rounding cannot show)",
        ),
        None,
        None,
        None,
    )


def _row(
    minimum: GroupMinimum,
    w: np.ndarray,
    W: np.ndarray,
    system: Spectrum,
    theta: float,
    y: np.ndarray,
) -> Row:
    """The row with its best decoder column, read from the exact y; for theta = 0, where scale is
    free, the two of equal norm.
    """
    w_D = system.A @ y / (y @ y)
    if np.linalg.norm(w_D) * np.linalg.norm(y) <= SILENT * np.linalg.norm(system.A):
        w_D = np.zeros_like(w_D)  # eigenvalue 0: rounding noise has no direction
    if theta == 0 and w_D.any():
        t = np.sqrt(np.linalg.norm(w_D) / np.linalg.norm(w))
        w, w_D = w * t, w_D / t
    return Row(minimum, w, w @ W, w_D, theta)


def dual_basis(W: np.ndarray) -> np.ndarray | None:
    """W_p^+ for large well-conditioned problems with independent directions, where it saves a
    projection per row; else None.
    """
    if W.size < 1 << 14 or W.shape[1] > W.shape[0]:
        return None
    from scipy.linalg import solve_triangular

    Q, R = np.linalg.qr(W)
    pivots = np.abs(np.diag(R))
    return solve_triangular(R, Q.T) if pivots.min() > 1e-5 * pivots.max() else None


def _outside(group: Sequence[int], n: int) -> np.ndarray:
    outside = np.ones(n, dtype=bool)
    outside[list(group)] = False
    return outside


def lossy_features(rows: dict[int, Row], n: int) -> np.ndarray:
    """Features of groups with nonzero loss: all of such a group, not only its features of nonzero
    residual (see `certify`).
    """
    lossy = np.zeros(n, dtype=bool)
    for row in rows.values():
        if row.minimum.loss > 0:
            lossy[row.minimum.features] = True
    return lossy
