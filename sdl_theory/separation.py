"""One projection decides: an encoder row of largest margin, or the weights that forbid it.

A row fires for F and not elsewhere iff the convex hull of F's directions stays clear of the cone of the others. The shortest vector between the
two *is* the row of largest margin; if it has length zero, the weights that make it zero are Farkas' certificate. Non-negative least squares
(Lawson & Hanson, through scipy) finds both, to rounding; a linear program would stop at its tolerance, and takes 70 times as long at n_p = 768, n = 1000.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MARGIN_TOLERANCE = 1e-10      # hulls closer than this (unit vectors) count as touching


@dataclass(frozen=True)
class Separation:
    """Either w with <w, strict> > 0 and <w, weak> >= 0 (unit norm, largest margin), or multipliers a, b that forbid it."""

    w: np.ndarray | None
    margin: float
    a: np.ndarray
    b: np.ndarray


def separate(strict: np.ndarray, weak: np.ndarray) -> Separation:
    r"""Motzkin's alternative for the rows of `strict` (p, k) and `weak` (q, k), by one non-negative least-squares problem.

    Either some w has strict w > 0 and weak w >= 0, or some a >= 0, sum a = 1, b >= 0 have strict^T a + weak^T b = 0.
    Minimizing ||strict^T a + weak^T b||^2 + (sum a - 1)^2 over a, b >= 0 gives the shortest vector from 0 to conv(strict) +
    cone(weak): that vector is w, its length the margin min <w/||w||, strict>. RuntimeError if the solver gives up.
    """
    from scipy.optimize import nnls

    k, p = strict.shape[1], len(strict)
    if p == 0:
        raise ValueError("separate needs at least one strict condition; without any, w = 0 will do")
    A = np.zeros((k + 1, p + len(weak)))
    A[:k, :p], A[:k, p:], A[k, :p] = strict.T, weak.T, 1.0
    try:
        solution, _ = nnls(A, np.r_[np.zeros(k), 1.0], maxiter=30 * A.shape[1] + 100)
    except RuntimeError as error:
        raise RuntimeError(f"separate: non-negative least squares gave up on {A.shape[1]} rows in R^{k} ({error})") from error
    total = solution[:p].sum()
    a, b = solution[:p] / total, solution[p:] / total
    w = strict.T @ a + weak.T @ b
    length = np.linalg.norm(w)
    if length <= MARGIN_TOLERANCE * max(1.0, np.linalg.norm(strict, axis=1).max()):
        return Separation(None, 0.0, a, b)
    w = w / length
    return Separation(w, float((strict @ w).min()), a, b)


def lifted_separation(on: np.ndarray, strictly_off: np.ndarray, off: np.ndarray, theta: float) -> Separation:
    """on . w > c, strictly_off . w < c, off . w <= c, with c = 0, or for theta > 0 some c >= 0: c is the lifted coordinate -w[-1]."""
    if theta > 0:
        lift = lambda rows: np.c_[rows, np.ones(len(rows))]
        on, strictly_off, off = lift(on), lift(strictly_off), np.r_[lift(off), np.eye(1, on.shape[1] + 1, on.shape[1])]
    return separate(np.r_[on, -strictly_off], -off)


def encoder_row(W: np.ndarray, F: np.ndarray, theta: float, basis: np.ndarray | None = None, lossy: np.ndarray | None = None) -> np.ndarray | None:
    """The encoder row of largest margin with z > theta on F, z < theta off F where that can be had, else z <= theta; None if neither can.

    W (n_p, n), F bool (n,). `basis` (n_p, k), orthonormal: look for the row in its span only. `lossy`, bool (n,): if z < theta cannot be had on
    all of off, ask it of these. Unit norm for theta = 0; for theta > 0 scaled so that theta lies midway.
    """
    V = W.T if basis is None else W.T @ basis
    off = ~F
    attempts = [off] if lossy is None else [off, off & lossy]
    for demanded in (*attempts, np.zeros_like(off)):
        found = lifted_separation(V[F], V[demanded], V[off & ~demanded], theta)
        if found.w is not None:
            g = found.w[:-1] if theta > 0 else found.w
            row = _off_the_walls(W, F, _rescale(W, F, g if basis is None else basis @ g, theta), theta)
            if row is not None:
                return row
    return None


def _rescale(W: np.ndarray, F: np.ndarray, row: np.ndarray, theta: float) -> np.ndarray:
    if theta == 0:
        return row / np.linalg.norm(row)
    z = row @ W
    on, off = z[F].min(), z[~F].max(initial=-np.inf)
    return row * (theta / max((on + off) / 2, on / 2))      # the level that becomes theta lies above 0, off and below on


def _off_the_walls(W: np.ndarray, F: np.ndarray, row: np.ndarray, theta: float) -> np.ndarray | None:
    """Where a wall z = theta is forced off F, rounding may land on its far side: step back by 1e-13 or project onto it, or give up."""
    def shows(w: np.ndarray) -> bool:
        z = w @ W
        return bool((z[F] > theta).all() and (z[~F] <= theta).all())

    if shows(row) or theta > 0:
        return row if shows(row) else None
    touching = W.T[~F & (row @ W > -1e-14)]
    away = separate(-touching, np.zeros((0, len(W)))).w
    stepped = row if away is None else row + 1e-13 * away
    onto_walls = lambda w: w - np.linalg.pinv(touching, rcond=1e-9) @ (touching @ w)
    return next((w for w in (stepped, onto_walls(row), onto_walls(W[:, F].sum(1))) if shows(w)), None)


def dead_row(W: np.ndarray, theta: float, lossy: np.ndarray | None = None) -> np.ndarray:
    """A row that fires for nothing, strictly dead (z < theta) on all features, or else on the `lossy` ones, if any row is; else zero.

    Gordan: under ReLU a row dead on all features exists iff 0 is not in the convex hull of the w_p^d. For theta > 0 the zero row is one.
    """
    if theta > 0:
        return np.zeros(len(W))
    everything = np.ones(W.shape[1], dtype=bool)
    for demanded in (everything,) if lossy is None else (everything, lossy):
        if not demanded.any():
            continue
        found = separate(-W.T[demanded], -W.T[~demanded])
        if found.w is not None and ((found.w @ W) <= 0).all():
            return found.w
    return np.zeros(len(W))
