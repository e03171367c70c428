"""All stationary points of u^T A u - 2 b^T u on the unit sphere: a trust-region subproblem.

(A - nu I) u = b, ||u|| = 1. In the eigenbasis of A the length of u is the secular function

    phi(nu) = sum_k ||b_k||^2 / (alpha_k - nu)^2,   b_k the part of b in the eigenspace of alpha_k

with a pole at each alpha_k where b_k != 0, convex between two poles: at most two roots of phi = 1
there, and one beyond each end. Where b_k = 0, nu = alpha_k may serve too (the hard case): what the
others leave of the length goes into that eigenspace, in any direction. More, Sorensen 1983;
Martinez 1994: at most one local maximizer is not global.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..tolerances import EIGEN_TOLERANCE
from .spectrum import equal_runs

# phi = 1 within this where two roots meet: they are one
MEET = 1e-13
# a root lies no nearer to its pole, of the interval: in float64 ||b_k|| > 1e-13 ||b||
NEAREST = 1e-40
# halvings of the logarithm of a distance from a pole: 92 / 2^64 is below its rounding
HALVINGS = 64


@dataclass(frozen=True)
class Pole:
    """One eigenspace.

    alpha : its eigenvalue.
    weight : ||b_k||.
    directions : (r, p) orthonormal, the first along b_k if weight > 0.
    """

    alpha: float
    weight: float
    directions: np.ndarray


@dataclass(frozen=True)
class Solution:
    """One stationary point, or with `free` many: u + length * (any unit vector in its columns)."""

    nu: float
    u: np.ndarray
    free: np.ndarray | None = None
    length: float = 0.0


def stationary_on_sphere(alpha: np.ndarray, b: np.ndarray) -> list[Solution]:
    """Every solution, in the eigenbasis of A, for its eigenvalues alpha (r,) > 0, largest first.

    b (r,) in the same basis, not zero.
    """
    poles = _poles(alpha, b)
    active = [pole for pole in poles if pole.weight > 0]
    found = [Solution(nu, _at(active, gaps)) for nu, gaps in _roots(active)]
    for pole in poles:
        if pole.weight > 0:
            continue
        gaps = np.array([other.alpha - pole.alpha for other in active])
        u = np.zeros(len(alpha))
        for other, gap in zip(active, gaps):
            u += other.weight / gap * other.directions[:, 0]
        left = 1 - u @ u
        if left > -MEET:
            length = float(np.sqrt(max(left, 0.0)))
            found.append(Solution(pole.alpha, u, pole.directions, length))
    return found


def tangent_curvature(alpha: np.ndarray, nu: float, u: np.ndarray) -> float:
    """Largest eigenvalue of A - nu I on the tangent space of u, -nu (orthogonal to A) included."""
    if len(alpha) < 2:
        return -nu
    Q = np.linalg.qr(np.column_stack([u, np.eye(len(u))]))[0][:, 1 : len(u)]
    return max(float(np.linalg.eigvalsh(Q.T @ ((alpha - nu)[:, None] * Q))[-1]), -nu)


def _poles(alpha: np.ndarray, b: np.ndarray) -> list[Pole]:
    poles, size = [], float(np.linalg.norm(b))
    for run in equal_runs(alpha, EIGEN_TOLERANCE * alpha[0]):
        E = np.eye(len(alpha))[:, run]
        part = b[run]
        weight = float(np.linalg.norm(part))
        if weight <= EIGEN_TOLERANCE * size:
            weight = 0.0
        else:
            E = E @ np.linalg.qr(np.column_stack([part, np.eye(len(part))]))[0]
            E[:, 0] *= np.sign(E[run, 0] @ part)
        poles.append(Pole(float(alpha[run].mean()), weight, E))
    return poles


def _at(active: list[Pole], gaps: np.ndarray) -> np.ndarray:
    """u of unit norm, from the distances alpha_k - nu."""
    u = np.stack([pole.directions[:, 0] * pole.weight for pole in active]).T @ (1 / gaps)
    return u / np.linalg.norm(u)


def _roots(active: list[Pole]) -> list[tuple[float, np.ndarray]]:
    """Every nu with phi(nu) = 1, and its distances alpha_k - nu, right to a rounding of themselves.

    Each is sought by its distance from the nearest pole: to the left and to the right of every
    pole, up to half of the way to the next.
    """
    alpha = np.array([pole.alpha for pole in active])  # largest first
    weight = np.array([pole.weight for pole in active])
    size = np.linalg.norm(weight)
    half = -np.diff(alpha) / 2
    # distance on each side up to which a root may lie; beyond the ends ||u|| < 1 from ||b|| on
    reach = np.concatenate([[size], half, half, [size]])
    pole = np.concatenate([np.arange(len(alpha)), np.arange(len(alpha))])
    side = np.repeat([1.0, -1.0], len(alpha))  # nu = alpha_pole + side * distance
    offset = alpha[None, :] - alpha[pole][:, None]

    def gaps(distance):
        return offset - (side * distance)[:, None]

    excess = lambda distance: (np.square(weight / gaps(distance)).sum(1)) - 1
    slope = lambda distance: side * (np.square(weight) / gaps(distance) ** 3).sum(1)
    near = reach * NEAREST
    lowest = _crossing(slope, near, reach)  # where phi is least; `reach` if it falls all the way
    at_lowest, at_end = excess(lowest), excess(reach)
    falling = _crossing(lambda d: -excess(d), near, lowest)
    rising = _crossing(excess, lowest, reach)
    # beyond the ends phi(reach) <= 1 but for rounding
    ends = np.zeros(len(reach), dtype=bool)
    ends[[0, -1]] = True
    out = []
    for distance, there in (
        (falling, ends | (at_lowest <= MEET)),
        (rising, ~ends & (at_lowest < -MEET) & (at_end >= 0) & (lowest < reach)),
    ):
        all_gaps = gaps(distance)
        nu = alpha[pole] + side * distance
        out += [(float(nu[i]), all_gaps[i]) for i in np.flatnonzero(there)]
    return out


def _crossing(rising, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Where functions that rise through zero once do so in [low, high]: an end, if they do not.

    By bisection of the logarithm: nothing is assumed of their shape.
    """
    low, high = np.log(low), np.log(high)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        above = rising(np.exp(middle)) > 0
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return np.exp(high)
