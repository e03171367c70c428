"""One neuron on one group with an L1 penalty: a trust-region subproblem in place of eigenvectors.

Objective L + lam sum_i E[z_i] ||w_D^i||: the penalty of unit-norm decoder columns. (With neither,
it is void: z shrinks and w_D grows.) With u = w_D / ||w_D|| and a = ||w_D|| z it is convex in a:

    a = W_r^T u - tau > 0,   tau = (lam / 2) C^-1 m,   objective = tr(G C) - a^T C a

and what is left is u^T A u - 2 b^T u on the sphere, A = W_r C W_r^T, b = (lam / 2) W_r m, whose
local maximizers are the traps. Ours: the approximate loss of Theorem 3.1, arXiv:2512.05534, holds
no penalty.
"""

from __future__ import annotations

import numpy as np

from ..tolerances import EIGEN_TOLERANCE, POSITIVE_TOLERANCE, ZERO_RESIDUAL
from .metric import TOGETHER, Metric, Point
from .sphere import Solution, stationary_on_sphere, tangent_curvature

# a penalty this small, of the loss, moves nothing
VOID = 1e-100

# directions tried in an eigenspace of the hard case, beside those of the features
TRIED = 64


def penalised_points(system: Metric, l1: float) -> list[Point]:
    """Every stationary point with a > 0 of one group, lowest objective first; a trap before all.

    Stationary: (A - nu I) u = b, with nu in (0, alpha_max), for a > 0 gives u.b > 0.
    For l1 > 0 there is no flat minimum: where the curvature is 0, a third or fourth derivative
    leads down. So a point is a trap (rank 0) or a saddle (rank 1), and at most one is a trap. Of a
    hard case in a repeated eigenvalue, a sphere of saddles, one is returned if one is found.
    """
    assert system.m is not None  # checked by group_minimum
    # in the C-orthonormal basis: a = X (H^T u - t)
    mean = system.X.T @ system.m
    if l1 / 2 >= np.linalg.norm(system.H @ mean) / (mean @ mean or 1.0):
        return []  # m.a = u.H mean - (lam / 2) ||mean||^2 > 0 wherever it fires
    t = l1 / 2 * mean
    U, sizes, Y = np.linalg.svd(system.H, full_matrices=False)
    kept = sizes > EIGEN_TOLERANCE * sizes.max(initial=0.0)
    U, sizes, Y = U[:, kept], sizes[kept], Y[kept]
    b, alpha = sizes * (Y @ t), np.square(sizes)
    slopes = system.X @ (Y.T * sizes)  # of a, along the eigenbasis
    points = []
    for solution in stationary_on_sphere(alpha, b):
        if solution.nu <= 0:
            continue
        for v in _directions(solution, slopes):
            u = U @ v
            a = _activations(system, u, c=(sizes * v) @ Y, t=t)
            if a is None:
                continue
            curvature = tangent_curvature(alpha, solution.nu, v)
            point = Point(
                u=u,
                a=a,
                eigenvalue=solution.nu,
                curvature=curvature,
                loss=system.loss(u, a) + l1 * float(system.m @ a),
                rank=int(curvature >= -EIGEN_TOLERANCE * alpha[0]),
            )
            points.append(point)
            if solution.free is not None and solution.free.shape[1] > 1:
                break
    return sorted(points, key=lambda point: (point.rank, point.loss))


def is_void(system: Metric, l1: float) -> bool:
    """Is the penalty none, or too small to be told from none?"""
    if l1 == 0 or system.m is None:
        return True
    pull = float(np.abs(system.W_r @ system.m).max())
    return pull > 0 and l1 < VOID * system.total / pull


def _directions(solution: Solution, slopes: np.ndarray) -> list[np.ndarray]:
    """The u of a solution; in the hard case both, or some of the sphere of them."""
    if solution.free is None or solution.length == 0:
        return [solution.u]
    E = solution.free
    if E.shape[1] == 1:
        tried = np.eye(1)
    else:
        random = np.random.default_rng(0).standard_normal((TRIED, E.shape[1]))
        tried = np.vstack([(slopes @ E).sum(0), slopes @ E, random])
    sizes = np.linalg.norm(tried, axis=1, keepdims=True)
    tried = np.vstack([tried, -tried]) / np.vstack([sizes, sizes]).clip(min=1e-300)
    return [solution.u + solution.length * (E @ one) for one in tried]


def _activations(system: Metric, u: np.ndarray, c: np.ndarray, t: np.ndarray) -> np.ndarray | None:
    """a = X (c - t), c = H^T u, if that can fire for the whole group; else None.

    What no sample sees may be added.
    """
    assert system.m is not None
    # where every a can be had X c is W_r^T u, without C^-1 C
    a = system.W_r.T @ u - system.X @ t if system.independent else system.X @ (c - t)
    if not system.null.size:
        return a if a.min() > POSITIVE_TOLERANCE * np.abs(a).max() else None
    if system.m @ a <= 0:
        return None
    found = system.firing(a[:, None])
    # a multiple of a and something unseen, scaled so that samples see a itself
    return None if found is None else found * (system.m @ a) / (system.m @ found)


def nothing_does_better(system: Metric, point: Point) -> bool:
    """Is this point a dictionary's least objective, whatever its neurons?

    So it is where all samples lie on one ray, or each has one active feature (C diagonal) and
    those all ask for one direction: on a ray a bias-free model is linear, and every feature has
    the shrinkage that is best for it alone.
    """
    spread = np.linalg.norm(system.factor, axis=0)
    if (spread > TOGETHER**0.5 * spread.max()).sum() == 1:
        return True
    off = system.W_r - np.outer(point.u, point.u @ system.W_r)
    parallel = np.linalg.norm(off, axis=0) <= ZERO_RESIDUAL * np.linalg.norm(system.W_r, axis=0)
    alone = not (system.C - np.diag(np.diag(system.C))).any()
    return bool(alone and system.independent and parallel.all())
