"""One projection decides: an encoder row of largest margin, or the weights that forbid it.

A row fires for F and not elsewhere iff the convex hull of F's directions stays clear of the cone of
the others. The shortest vector between the two *is* the row of largest margin; if it has length
zero, the weights that make it zero are Farkas' certificate. Non-negative least squares (Lawson &
Hanson, through scipy) finds both; a linear program would stop at its tolerance, and takes 70 times
as long at n_p = 768, n = 1000. It squares distances, so it sees none below 1e-7: there its answer
is refined on its own support, and where that does not do, the question is put again in coordinates
in which the directions are well apart. No linear change of coordinates changes a sign.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..tolerances import CLEAR, TOUCHING, WALL_TOLERANCE, rounding

# features off F up to which it is asked, one by one, whether their wall is forced
FORCED_LIMIT = 64


@dataclass(frozen=True)
class Separation:
    """Either w with <w, strict> > 0 and <w, weak> >= 0 (unit norm, largest margin), or multipliers
    a, b that forbid it.
    """

    w: np.ndarray | None
    margin: float
    a: np.ndarray
    b: np.ndarray


def separate(strict: np.ndarray, weak: np.ndarray) -> Separation:
    r"""Motzkin's alternative for the rows of `strict` (p, k) and `weak` (q, k), of norm 1 or less,
    by non-negative least squares.

    Either some w has strict w > 0 and weak w >= 0 (to rounding: see `rounding`), or some a >= 0,
    sum a = 1, b >= 0 have strict^T a + weak^T b = 0. Minimizing ||strict^T a + weak^T b||^2 + (sum
    a - 1)^2 over a, b >= 0 gives the shortest vector from 0 to conv(strict) + cone(weak): that
    vector is w, its length the margin min <w/||w||, strict>. RuntimeError if the solver gives up.
    """
    if len(strict) == 0:
        raise ValueError("separate needs at least one strict condition; without any, w = 0 will do")
    norms = np.linalg.norm(strict, axis=1)
    if norms.min() <= TOUCHING:  # a direction that is zero here: no w is positive on it
        return Separation(
            None, 0.0, np.eye(1, len(strict), int(norms.argmin()))[0], np.zeros(len(weak))
        )
    # asks nothing; its rounding must not ask either
    if len(weak) and (nothing := np.linalg.norm(weak, axis=1) <= TOUCHING).any():
        weak = np.where(nothing[:, None], 0.0, weak)
    a, b = _shortest(strict, weak)
    w = strict.T @ a + weak.T @ b
    if np.linalg.norm(w) > CLEAR and _separates(w, strict, weak):
        return _row(w, strict, a, b)
    w = _refined_row(strict, weak, a, b)
    if _separates(w, strict, weak):
        return _row(w, strict, a, b)
    a, b, gap = _refined_weights(strict, weak, a, b)
    if gap > TOUCHING:
        spread = _spread_out(strict, weak)
        if spread.w is not None:
            return spread
        if np.linalg.norm(strict.T @ spread.a + weak.T @ spread.b) < gap:
            a, b = spread.a, spread.b
    return Separation(None, 0.0, a, b)


def _shortest(strict: np.ndarray, weak: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The multipliers of the shortest vector in conv(strict) + cone(weak)."""
    from scipy.optimize import nnls

    k, p = strict.shape[1], len(strict)
    A = np.zeros((k + 1, p + len(weak)))
    A[:k, :p], A[:k, p:], A[k, :p] = strict.T, weak.T, 1.0
    try:
        solution, _ = nnls(A, np.r_[np.zeros(k), 1.0], maxiter=30 * A.shape[1] + 100)
    except RuntimeError as error:
        raise RuntimeError(
            f"separate: non-negative least squares gave up on {A.shape[1]} rows in R^{k} ({error})"
        ) from error
    total = solution[:p].sum()
    return solution[:p] / total, solution[p:] / total


def _separates(w: np.ndarray, strict: np.ndarray, weak: np.ndarray) -> bool:
    slack = rounding(len(w)) * np.linalg.norm(w)
    return bool((strict @ w).min() > slack and (weak @ w).min(initial=0.0) >= -slack / 2)


def _row(w: np.ndarray, strict: np.ndarray, a: np.ndarray, b: np.ndarray) -> Separation:
    w = w / np.linalg.norm(w)
    return Separation(w, float((strict @ w).min()), a, b)


def _refined_row(strict: np.ndarray, weak: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The shortest w with <w, strict> = 1 and <w, weak> = 0 on the support: by itself, not as a
    difference of nearly equal sums.
    """
    on, level = (
        np.r_[strict[a > 0], weak[b > 0]],
        np.r_[np.ones((a > 0).sum()), np.zeros((b > 0).sum())],
    )
    return np.linalg.lstsq(on, level, rcond=1e-15)[0]


def _refined_weights(
    strict: np.ndarray, weak: np.ndarray, a: np.ndarray, b: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """The same support's multipliers to rounding, and the length of what is left of strict^T a +
    weak^T b.
    """
    A, on = np.c_[np.r_[strict, weak], np.r_[np.ones(len(a)), np.zeros(len(b))]].T, np.r_[a, b] > 0
    refined = np.zeros(on.size)
    refined[on] = np.linalg.lstsq(A[:, on], np.eye(1, len(A), len(A) - 1)[0], rcond=1e-15)[0]
    best = min(
        (one for one in (np.r_[a, b], refined) if one.min() >= 0 and one[: len(a)].sum() > 0.5),
        key=lambda one: np.linalg.norm(A[:-1] @ one) / one[: len(a)].sum(),
    )
    best = best / best[: len(a)].sum()
    return best[: len(a)], best[len(a) :], float(np.linalg.norm(A[:-1] @ best))


def _spread_out(strict: np.ndarray, weak: np.ndarray) -> Separation:
    """The same question after the linear map that makes the directions' second moments a unit
    matrix: nearly equal ones are far apart there.
    """
    rows, lengths = np.r_[strict, weak], np.linalg.norm(np.r_[strict, weak], axis=1)
    kept = lengths > TOUCHING  # weak ones that are zero ask nothing
    U, sizes, Vt = np.linalg.svd(rows[kept] / lengths[kept, None], full_matrices=False)
    rank = int((sizes > TOUCHING / 10 * sizes[0]).sum())
    spread, is_strict = U[:, :rank], (np.arange(len(rows)) < len(strict))[kept]
    reach = np.linalg.norm(spread, axis=1)
    spread = spread / reach[:, None]
    a, b = _shortest(spread[is_strict], spread[~is_strict])
    back = lambda u: Vt[:rank].T @ (u / sizes[:rank])
    for u in (
        spread[is_strict].T @ a + spread[~is_strict].T @ b,
        _refined_row(spread[is_strict], spread[~is_strict], a, b),
    ):
        if u.any() and _separates(back(u), strict, weak):
            return _row(back(u), strict, np.zeros(len(strict)), np.zeros(len(weak)))
    weights = np.zeros(len(rows))
    weights[np.flatnonzero(kept)[is_strict]], weights[np.flatnonzero(kept)[~is_strict]] = a, b
    weights[kept] /= reach * lengths[kept]
    total = weights[: len(strict)].sum()
    return Separation(None, 0.0, weights[: len(strict)] / total, weights[len(strict) :] / total)


def lifted_separation(
    on: np.ndarray, strictly_off: np.ndarray, off: np.ndarray, theta: float
) -> Separation:
    """on . w > c, strictly_off . w < c, off . w <= c, with c = 0, or for theta > 0 some c >= 0: c
    is the lifted coordinate -w[-1].
    """
    if theta > 0:
        lift = lambda rows: np.c_[rows, np.ones(len(rows))]
        on, strictly_off, off = (
            lift(on),
            lift(strictly_off),
            np.r_[lift(off), np.eye(1, on.shape[1] + 1, on.shape[1])],
        )
    return separate(np.r_[on, -strictly_off], -off)


def shows(w: np.ndarray, W: np.ndarray, F: np.ndarray, theta: float) -> bool:
    """Does this row fire for F and nothing else, read as `activation_pattern` reads it?"""
    return bool(np.array_equal(w @ W > theta + rounding(len(w)) * np.linalg.norm(w), F))


def encoder_row(
    W: np.ndarray,
    F: np.ndarray,
    theta: float,
    basis: np.ndarray | None = None,
    lossy: np.ndarray | None = None,
) -> np.ndarray | None:
    """The encoder row of largest margin with z > theta on F, z < theta off F where that can be had,
    else z <= theta; None if neither can.

    W (n_p, n), F bool (n,). `basis` (n_p, k), orthonormal: look for the row in its span only.
    `lossy`, bool (n,): if z < theta cannot be had on all of off, ask it of these. Unit norm for
    theta = 0; for theta > 0 scaled so that theta lies midway. Where z = 0 is forced off F (two
    opposite features, theta = 0) it is kept at 0, to rounding, and the strictness asked of all the
    others.
    """
    V, off = W.T if basis is None else W.T @ basis, ~F
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
    """The features off F whose z can be strictly below theta, each by itself and so all at once:
    the others' z = 0 is forced.
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
    return (
        row - np.linalg.lstsq(touching.T, row @ touching, rcond=1e-12)[0] if touching.size else row
    )


def _rescale(W: np.ndarray, F: np.ndarray, row: np.ndarray, theta: float) -> np.ndarray:
    if theta == 0:
        return row / np.linalg.norm(row)
    z = row @ W
    on, off = z[F].min(), z[~F].max(initial=-np.inf)
    # the level that becomes theta lies above 0, off and below on
    return row * (theta / max((on + off) / 2, on / 2))


def dead_row(W: np.ndarray, theta: float, lossy: np.ndarray | None = None) -> np.ndarray:
    """A row that fires for nothing, strictly dead (z < theta) on all features, or else on the
    `lossy` ones, if any row is; else zero.

    Gordan: under ReLU a row dead on all features exists iff 0 is not in the convex hull of the
    w_p^d. For theta > 0 the zero row is one.
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
