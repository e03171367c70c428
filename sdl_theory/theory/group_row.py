"""One group's encoder row at its stationary point, found by projection, or why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..problem import Problem
from ..tolerances import POSITIVE_TOLERANCE, SILENT, WALL_TOLERANCE
from .encoder_rows import encoder_row
from .group_point import GroupMinimum, moved, solve_group
from .spectrum import Spectrum, admissible_rows, spectrum
from .verdict import Verdict


@dataclass(frozen=True)
class Row:
    """One group's encoder row at its stationary point, or why there is none.

    w, z, w_D : the row, its preactivations on all n features, its decoder column; None
        without a row.
    minimum : the group's eigen-problem, with the reason.
    """

    minimum: GroupMinimum
    w: np.ndarray | None = None
    z: np.ndarray | None = None
    w_D: np.ndarray | None = None
    theta: float = 0.0

    @cached_property
    def walls(self) -> np.ndarray:
        """Features outside the group on this row's wall, bool (n,), by the rule of `certify`."""
        assert self.w is not None and self.z is not None  # asked of rows that there are
        walls = on_wall(self.w, self.z, self.theta)
        walls[self.minimum.group] = False
        return walls


def on_wall(w: np.ndarray, z: np.ndarray, theta: float) -> np.ndarray:
    """Which z are at theta or above, or below it by less than can be told, relative to the row."""
    return z >= theta - WALL_TOLERANCE * max(float(np.linalg.norm(w)), theta, 1e-30)


def group_row(
    problem: Problem, group: Sequence[int], theta: float, lossy: np.ndarray | None = None
) -> Row:
    """The encoder row and decoder column of one group's partial minimum, or why there is none.

    There is none where y, or the row's walls, forbid it. The rows w with B^T w in an eigenspace
    form a linear subspace; the row is sought in it with the largest margin, so y is exact. With the
    problem's `dual_basis` W_p^+ (independent directions) every z can be had, and the row is written
    down: w = z W_p^+.

    lossy : hold off these features, bool (n,), where not all can be: see `encoder_row`.
    """
    system = spectrum(problem, group)
    minimum = solve_group(list(group), system)
    if not minimum.exists:
        return Row(minimum)
    members = np.zeros(problem.n, dtype=bool)
    members[list(group)] = True
    if not len(system.features):  # M_d = 0 throughout: any row that fires for the group will do
        w = encoder_row(problem.W_p_array, members, theta, lossy=lossy)
        if w is None:
            return _unreached(minimum)
        return Row(minimum, w, w @ problem.W_p_array, w_D=np.zeros(problem.n_r), theta=theta)
    if lossy is None and problem.dual_basis is not None:
        w, y = _written_down(problem.dual_basis, minimum, system, members, theta=theta)
    else:
        found = _sought(problem.W_p_array, system, members, theta, lossy=lossy)
        if found is None:
            return _unreached(minimum)
        w, y = found
        minimum = moved(minimum, system, y / np.linalg.norm(y))
    w, w_D = _with_decoder(system, w, y, theta)
    return Row(minimum, w, w @ problem.W_p_array, w_D=w_D, theta=theta)


def _written_down(
    dual: np.ndarray, minimum: GroupMinimum, system: Spectrum, members: np.ndarray, theta: float
) -> tuple[np.ndarray, np.ndarray]:
    """w = z W_p^+ for the z that the eigenvector wants on the group, and its exact y.

    Elsewhere z lies well below theta.
    """
    assert minimum.y is not None
    y = minimum.y.numpy()
    z = np.zeros(len(members))
    z[system.features] = y / system.s
    least = z[system.features].min()
    z[members & (z == 0)] = least  # members with M_d = 0 need only fire
    if theta == 0:
        z[~members] = -least
        w = z @ dual
        w = w / np.linalg.norm(w)
    else:
        w = (z * (2 * theta / least)) @ dual
    return w, y * (system.B.T @ w @ y)


def _sought(
    W: np.ndarray, system: Spectrum, members: np.ndarray, theta: float, lossy: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray] | None:
    """The row of largest margin with B^T w > 0 in one eigenspace, and its exact y.

    None if no eigenspace has one.
    """
    for cluster in system.clusters:
        if system.positive(cluster) is None:
            continue
        basis = admissible_rows(system, cluster)
        w = encoder_row(W, members, theta, basis=basis, lossy=lossy)
        if w is None:
            continue
        y = system.B.T @ w
        z = y / system.s
        if z.min() > POSITIVE_TOLERANCE * z.max():
            return w, system.exact(y, cluster)
    return None


def _unreached(minimum: GroupMinimum) -> Row:
    reason = (
        "the group has a positive eigenvector, "
        "but no encoder row reaches it without firing for other features "
        "(or only on a wall that rounding cannot show)"
    )
    return Row(replace(minimum, exists=False, verdict=Verdict.NONE, reason=reason))


def _with_decoder(
    system: Spectrum, w: np.ndarray, y: np.ndarray, theta: float
) -> tuple[np.ndarray, np.ndarray]:
    """The row and its best decoder column, read from the exact y.

    For theta = 0, where scale is free, the two are of equal norm.
    """
    w_D = system.A @ y / (y @ y)
    if np.linalg.norm(w_D) * np.linalg.norm(y) <= SILENT * np.linalg.norm(system.A):
        w_D = np.zeros_like(w_D)  # eigenvalue 0: rounding noise has no direction
    if theta == 0 and w_D.any():
        t = np.sqrt(np.linalg.norm(w_D) / np.linalg.norm(w))
        w, w_D = w * t, w_D / t
    return w, w_D


def lossy_features(rows: Sequence[Row], n: int) -> np.ndarray:
    """Features of groups with nonzero loss, bool (n,).

    All of such a group, not only its features of nonzero residual (see `Point.lossy`).
    """
    lossy = np.zeros(n, dtype=bool)
    for row in rows:
        if row.minimum.loss > 0:
            lossy[row.minimum.features] = True
    return lossy
