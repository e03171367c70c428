"""Encoder rows by one projection each: of largest margin for a group, or dead on every feature."""

from __future__ import annotations

import numpy as np

from ..tolerances import WALL_TOLERANCE, rounding
from .separation import Separation, separate

# features off F up to which it is asked, one by one, whether their wall is forced
FORCED_LIMIT = 64


def lifted_separation(
    on: np.ndarray, strictly_off: np.ndarray, off: np.ndarray, theta: float
) -> Separation:
    """on . w > c, strictly_off . w < c, off . w <= c, by one projection.

    c = 0, or for theta > 0 some c >= 0: the lifted coordinate -w[-1].
    """
    if theta > 0:
        lift = lambda rows: np.c_[rows, np.ones(len(rows))]
        level = np.eye(1, on.shape[1] + 1, on.shape[1])  # w[-1] <= 0
        on, strictly_off, off = lift(on), lift(strictly_off), np.r_[lift(off), level]
    return separate(np.r_[on, -strictly_off], -off)


def shows(w: np.ndarray, W: np.ndarray, F: np.ndarray, theta: float) -> bool:
    """Does this row fire for F and nothing else, read as `activation_pattern` reads it?"""
    slack = rounding(len(w)) * np.linalg.norm(w)
    return bool(np.array_equal(w @ W > theta + slack, F))


def encoder_row(
    W: np.ndarray,
    F: np.ndarray,
    theta: float,
    basis: np.ndarray | None = None,
    lossy: np.ndarray | None = None,
) -> np.ndarray | None:
    """The encoder row of largest margin that fires for F and nothing else; None if there is none.

    z > theta on F; z < theta off F where that can be had, else z <= theta. Unit norm for theta = 0;
    for theta > 0 scaled so that theta lies midway. Where z = 0 is forced off F (two opposite
    features, theta = 0) it is kept at 0, to rounding, and the strictness asked of all the others.

    W : (n_p, n).
    F : bool (n,).
    basis : (n_p, k), orthonormal: look for the row in its span only.
    lossy : bool (n,): if z < theta cannot be had on all of off, ask it of these.
    """
    V = W.T if basis is None else W.T @ basis
    off = ~F
    attempts = [off] if lossy is None else [off, off & lossy]
    for demanded in (*attempts, None):
        if demanded is None:
            demanded = _not_forced(V, F, theta)
        found = lifted_separation(V[F], V[demanded], V[off & ~demanded], theta)
        if found.w is not None:
            g = found.w[:-1] if theta > 0 else found.w
            row = _rescale(W, F, g if basis is None else basis @ g, theta)
            for w in (row, _onto(W[:, off & ~demanded], row)):
                if shows(w, W, F, theta):
                    return w
    return None


def _not_forced(V: np.ndarray, F: np.ndarray, theta: float) -> np.ndarray:
    """The features off F whose z can be strictly below theta.

    Each by itself and so all at once: the others' z = 0 is forced.
    """
    off, free = np.flatnonzero(~F), np.zeros(len(F), dtype=bool)
    if theta > 0 or len(off) > FORCED_LIMIT:
        return free
    for d in off:
        free[d] = separate(np.r_[V[F], -V[d : d + 1]], -V[np.setdiff1d(off, d)]).w is not None
    return free


def _onto(walls: np.ndarray, row: np.ndarray) -> np.ndarray:
    """The row with z = 0, to rounding, on those walls that it all but touches."""
    touching = walls[:, np.abs(row @ walls) <= WALL_TOLERANCE * np.linalg.norm(row)]
    if not touching.size:
        return row
    return row - np.linalg.lstsq(touching.T, row @ touching, rcond=1e-12)[0]


def _rescale(W: np.ndarray, F: np.ndarray, row: np.ndarray, theta: float) -> np.ndarray:
    if theta == 0:
        return row / np.linalg.norm(row)
    z = row @ W
    on, off = z[F].min(), z[~F].max(initial=-np.inf)
    # the level that becomes theta lies above 0, off and below on
    return row * (theta / max((on + off) / 2, on / 2))


def dead_row(W: np.ndarray, theta: float, lossy: np.ndarray | None = None) -> np.ndarray:
    """A row that fires for nothing: strictly dead (z < theta) if any row is; else zero.

    On all features, or else on the `lossy` ones. Gordan: under ReLU a row dead on all features
    exists iff 0 is not in the convex hull of the w_p^d. For theta > 0 the zero row is one.
    """
    if theta > 0:
        return np.zeros(len(W))
    nothing = np.zeros(W.shape[1], dtype=bool)
    for demanded in (~nothing,) if lossy is None else (~nothing, lossy):
        if not demanded.any():
            continue
        found = separate(-W.T[demanded], -W.T[~demanded])
        if found.w is not None and shows(found.w, W, nothing, theta):
            return found.w
    return np.zeros(len(W))
