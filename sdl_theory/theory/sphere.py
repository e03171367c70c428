"""All stationary points of u^T A u - 2 b^T u on the unit sphere: a trust-region subproblem.

(A - nu I) u = b, ||u|| = 1. In the eigenbasis of A the length of u is the secular function

    phi(nu) = sum_k ||b_k||^2 / (alpha_k - nu)^2,   b_k the part of b in the eigenspace of alpha_k

with a pole at each alpha_k where b_k != 0, convex between two poles: at most two roots of phi = 1
there, and one beyond each end. Where b_k = 0, nu = alpha_k may serve too (the hard case): what the
others leave of the length goes into that eigenspace, in any direction. More, Sorensen 1983;
Martinez 1994: at most one local maximizer is not global.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..tolerances import EIGEN_TOLERANCE
from .spectrum import equal_runs

# phi = 1 within this where two roots meet: they are one
MEET = 1e-13
# a root lies no nearer to its pole, of the interval, for a b that is not VOID
NEAREST = 1e-120
# halvings of the logarithm of a distance from a pole: 276 / 2^60 is its rounding
HALVINGS = 60


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
    pull = np.stack([pole.weight * pole.directions[:, 0] for pole in active]).T
    found = []
    for nu, gaps in _roots(active):
        u = pull @ (1 / gaps)
        found.append(Solution(nu, u / np.linalg.norm(u)))
    for pole in poles:
        if pole.weight > 0:
            continue
        u = pull @ (1 / np.array([other.alpha - pole.alpha for other in active]))
        left = 1 - float(u @ u)
        if left > -MEET:
            length = math.sqrt(max(left, 0.0))
            found.append(Solution(pole.alpha, u, pole.directions, length))
    return found


def tangent_curvature(alpha: np.ndarray, nu: float, u: np.ndarray) -> float:
    """Largest eigenvalue of A - nu I on the tangent space of u, -nu (orthogonal to A) included."""
    if len(alpha) < 2:
        return -nu
    Q = np.linalg.qr(np.column_stack([u, np.eye(len(u))]))[0][:, 1 : len(u)]
    return max(float(np.linalg.eigvalsh(Q.T @ ((alpha - nu)[:, None] * Q))[-1]), -nu)


def _poles(alpha: np.ndarray, b: np.ndarray) -> list[Pole]:
    poles: list[Pole] = []
    size = float(np.linalg.norm(b))
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

    def gaps(distance, rows):
        return offset[rows] - (side[rows] * distance)[:, None]

    def excess(distance, rows):
        ratio = weight / gaps(distance, rows)
        return np.einsum("ik,ik->i", ratio, ratio) - 1

    def slope(distance, rows):
        gap = gaps(distance, rows)
        ratio = weight / gap
        return side[rows] * np.einsum("ik,ik->i", ratio, ratio / gap)

    every = np.arange(len(reach))
    near = reach * NEAREST
    # where phi is least; `reach` if it falls all the way, as it does beyond the ends
    lowest = _crossing(slope, every, near, reach)
    at_lowest, at_end = excess(lowest, every), excess(reach, every)
    at_lowest[[0, -1]], at_end[[0, -1]] = -1.0, -1.0  # phi(reach) <= 1, but for rounding
    out: list[tuple[float, np.ndarray]] = []
    for function, low, high, there in (
        (lambda *at: -excess(*at), near, lowest, at_lowest <= MEET),
        (excess, lowest, reach, (at_lowest < -MEET) & (at_end >= 0) & (lowest < reach)),
    ):
        rows = np.flatnonzero(there)
        distance = _crossing(function, rows, low[rows], high[rows])
        nu = alpha[pole[rows]] + side[rows] * distance
        out += zip(nu.tolist(), gaps(distance, rows))
    return out


def _crossing(rising, rows: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Where the functions of these rows, which rise through zero once, do so in [low, high].

    An end, if they do not. By bisection of the logarithm: nothing is assumed of their shape.
    """
    low, high = np.log(low), np.log(high)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        above = rising(np.exp(middle), rows) > 0
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return np.exp(high)
