"""Ways out of a trap (ours): the sign row, the best split of a group, and over a wall."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..activations import Activation, ReLU, check_sigma
from ..problem import Problem
from ..signature import checked
from ..tolerances import NO_MOVE, RANK_TOLERANCE
from ..weights import Weights, check_match
from .clone import lay_out, refuse_top_k, spare_neuron
from .paths import Path
from .patterns import row_theta, to_numpy
from .point import Point

LEAST_CODE = 1e-6  # under a threshold, codes below this of the largest are let go


@dataclass(frozen=True, eq=False)
class Way:
    """A way down from a point, and what it gains.

    neurons : those that move, the new or moved one first.
    gain : by how much Lt falls along `path`.
    bound : what the gain is at least, by theory; most : what no such move can exceed.
    features : the single features (or the part of the group) that the first neuron takes.
    """

    neurons: list[int]
    features: list[int]
    weights: Weights
    gain: float
    bound: float
    most: float
    path: Path


@checked
@torch.no_grad()
def sign_row(problem: Problem, weights: Weights, sigma: Activation = ReLU()) -> Way:
    r"""Beyond arXiv:2512.05534: a spare neuron that gains at least half of what any could.

    All others frozen, a neuron of codes u = s relu(W_p^T v) and best column gains
    ||R~ u||^2 / ||u||^2, with R~ = R diag(s), s_d = sqrt(M_d). With V the row space of W_p diag(s),

    .. math:: \Lambda_V / 2 \le \sup_v \frac{\|\tilde R u\|^2}{\|u\|^2}, \qquad
              \Lambda_V = \lambda_{\max}(V^\top \tilde R^\top \tilde R V),

    and the better of both signs of the top eigenvector reaches the half. `.bound` is that half,
    `.most` the top eigenvalue of R~^T R~, which no neuron exceeds. Under a threshold the row is
    long, so that only codes below 1e-6 of the largest are lost.

    The path: the spare's column to zero, its row there, its column up: Lt is flat, flat, and falls.
    ValueError without a spare neuron, under Top-k, and where the loss is zero.

    >>> import torch
    >>> from sdl_theory import Problem, partial_minimum, pattern, sign_row
    >>> problem = Problem(torch.tensor([[1.0, 0.6], [0.0, 0.8]], dtype=torch.float64))
    >>> trap = partial_minimum(problem, pattern([[0, 1]], n=2, n_q=2))  # loss .4
    >>> way = sign_row(problem, trap.weights)
    >>> way.path.check(), round(way.gain, 6), round(way.bound, 6)
    (Path(4 points), 0.2, 0.2)
    """
    point = checked_point("sign_row", problem, weights, sigma)
    thetas = [row_theta(sigma, i, weights.n_q) for i in range(weights.n_q)]
    spare = spare_neuron("sign_row", point, min(thetas), thetas)
    s, left = np.sqrt(to_numpy(problem.M_d)), to_numpy(point.residual)
    left = left * s
    live = s > 0
    U, sizes, V = np.linalg.svd(problem.W_p_array[:, live], full_matrices=False)
    rank = int((sizes > RANK_TOLERANCE * sizes[0]).sum())
    Q, R = np.linalg.qr(V[:rank].T * s[live, None])
    _, pulls, directions = np.linalg.svd(left[:, live] @ Q)
    if pulls[0] ** 2 <= NO_MOVE * problem.scale:
        raise ValueError("sign_row: nothing is left to gain, the residual is zero")
    w = U[:, :rank] @ (np.linalg.solve(R, directions[0]) / sizes[:rank])
    best = max((_reached(problem, left, sign * w, thetas[spare]) for sign in (1, -1)), key=_gain)
    gain, row, column, on = best
    stations = lay_out(weights, spare, torch.as_tensor(row).to(problem.W_p))
    W_D = stations[-1].W_D.clone()
    W_D[:, spare] = torch.as_tensor(column).to(W_D)
    end = Weights(stations[-1].W_E, W_D)
    return Way(
        neurons=[spare],
        features=np.flatnonzero(on).tolist(),
        weights=end,
        gain=gain,
        bound=float(pulls[0] ** 2) / 2,
        most=float(np.linalg.norm(left, 2) ** 2),
        path=Path(problem, sigma, [*stations, end]),
    )


def _gain(reached: tuple) -> float:
    return reached[0]


def _reached(problem: Problem, left: np.ndarray, w: np.ndarray, theta: float):
    """What this row gains with its best column; the row, the column, and what it fires for."""
    s, z = np.sqrt(to_numpy(problem.M_d)), w @ problem.W_p_array
    scale = 1.0
    if theta > 0:
        scale = theta / (LEAST_CODE * max(z.max(), 1e-300))
    z, w = z * scale, w * scale
    on = z > max(theta, 1e-12 * np.abs(z).max())
    u = s * z * on
    if not u.any():
        return 0.0, w, np.zeros(len(left)), on
    column = left @ u / (u @ u)
    return float(np.square(left @ u).sum() / (u @ u)), w, column, on


@checked
@torch.no_grad()
def best_split(problem: Problem, weights: Weights, neuron: int, sigma: Activation = ReLU()) -> Way:
    r"""Beyond arXiv:2512.05534: part of a neuron's group to a spare one, the best by thresholds.

    With y = s z on the group, part p of y (of share alpha = ||p||^2 / ||y||^2) handed over with its
    codes, and both columns fitted anew, Lt falls by ||A p||^2 / ||p||^2 + ||A q||^2 / ||q||^2 -
    ||A y||^2 / ||y||^2, q = y - p, A = W_r diag(s): at an eigenvector p^T K' p / (alpha (1 -
    alpha)), K' = K - lambda_1 y y^T. The parts are those where v_2 / y, v_2 the residual's top
    vector, exceeds a threshold: the best of all parts in 98% of our cases, not in all.

    `.bound` = loss of the group / (|F| - 1), which some single child always gains (the sweep tries
    single children too); `.most` = the top eigenvalue of K', lambda_2 at a trap.

    The path: lay the spare row out; hand the codes over (row i down, column j up: no output
    changes); fit the columns. ValueError without a spare neuron, under Top-k or a threshold > 0,
    where W_p has dependent columns, and where the group overlaps with another.

    >>> import torch
    >>> from sdl_theory import Problem, best_split, partial_minimum, pattern
    >>> problem = Problem(torch.tensor([[1.0, 0.6], [0.0, 0.8]], dtype=torch.float64))
    >>> trap = partial_minimum(problem, pattern([[0, 1]], n=2, n_q=2))  # loss .4
    >>> way = best_split(problem, trap.weights, neuron=0)
    >>> way.path.check(), round(way.gain, 6), way.features
    (Path(6 points), 0.4, [0])
    """
    point = checked_point("best_split", problem, weights, sigma)
    dual, group = dual_basis("best_split", problem, sigma), _lone_group(point, neuron)
    spare = spare_neuron("best_split", point, 0.0, [0.0] * weights.n_q)
    s, z = np.sqrt(to_numpy(problem.M_d))[group], to_numpy(point.z[neuron])
    A, y = to_numpy(problem.W_r)[:, group] * s, s * z[group]
    left = A - np.outer(A @ y, y) / (y @ y)
    _, pulls, directions = np.linalg.svd(left)
    order = np.argsort(directions[0] / y)
    parts = [order[:k] for k in range(1, len(y))] + [np.array([d]) for d in range(len(y))]
    gains = [_split_gain(A, y, part) for part in parts]
    part = parts[int(np.argmax(gains))]
    taken, kept = group[part], np.delete(group, part)
    new = _row_with(dual, z, taken, problem.n)
    stations = lay_out(weights, spare, torch.as_tensor(new).to(problem.W_p))
    down = np.zeros(problem.n)
    down[taken] = z[taken]
    W_E, W_D = stations[-1].W_E.clone(), weights.W_D.clone()
    W_E[neuron] -= torch.as_tensor(down @ dual).to(W_E)
    W_D[:, spare] = W_D[:, neuron]
    handed = Weights(W_E, W_D)
    W_E, W_D = W_E.clone(), W_D.clone()
    W_E[neuron] -= torch.as_tensor(down @ dual).to(W_E) / 2  # well below the wall
    apart = Weights(W_E, W_D)
    for one, of in ((neuron, kept), (spare, taken)):
        own = np.isin(group, of)
        fitted = A[:, own] @ y[own] / (y[own] @ y[own])
        W_D[:, one] = torch.as_tensor(fitted).to(W_D)
    end = Weights(W_E, W_D)
    return Way(
        neurons=[spare, neuron],
        features=sorted(taken.tolist()),
        weights=end,
        gain=point.loss - Point(problem, end, sigma).loss,
        bound=float(np.square(left).sum()) / (len(group) - 1),
        most=float(pulls[0] ** 2),
        path=Path(problem, sigma, [*stations, handed, apart, end]),
    )


def _split_gain(A: np.ndarray, y: np.ndarray, part: np.ndarray) -> float:
    p = np.zeros_like(y)
    p[part] = y[part]
    of = lambda v: np.square(A @ v).sum() / (v @ v)
    return float(of(p) + of(y - p) - of(y))


def _lone_group(point: Point, neuron: int) -> np.ndarray:
    """The features of a neuron that shares none, at least two."""
    if not 0 <= neuron < len(point.P):
        raise ValueError(f"neuron must be in [0, n_q = {len(point.P)}); got {neuron}")
    counted = point.P & (point.problem.M_d > 0)
    group = counted[neuron].nonzero()[:, 0].cpu().numpy()
    if len(group) < 2 or (counted[:, group].sum(0) > 1).any():
        raise ValueError(
            f"best_split: neuron {neuron} must fire for two features or more that fire nothing "
            f"else; it fires for {group.tolist()}"
        )
    return group


def _row_with(dual: np.ndarray, z: np.ndarray, on: np.ndarray, n: int) -> np.ndarray:
    """The row of these codes on `on`, and as far below zero elsewhere."""
    wanted = np.full(n, -z[on].min())
    wanted[on] = z[on]
    return wanted @ dual


def dual_basis(name: str, problem: Problem, sigma: Activation) -> np.ndarray:
    """W_p^+, where directions are independent and there is no threshold."""
    if not sigma.homogeneous:
        raise ValueError(f"{name} needs theta = 0: crossing a threshold the loss jumps")
    sizes = np.linalg.svd(problem.W_p_array, compute_uv=False)
    if problem.n > problem.n_p or sizes[-1] <= RANK_TOLERANCE * sizes[0]:
        raise ValueError(
            f"{name} needs independent columns of W_p, to move one code and no other; "
            f"n = {problem.n}, n_p = {problem.n_p}. With dependent ones walls may shut the trap"
        )
    return np.linalg.pinv(problem.W_p_array)


def checked_point(name: str, problem: Problem, weights: Weights, sigma: Activation) -> Point:
    """The point, or a ValueError where these do not go together, or under Top-k."""
    check_match(problem, weights)
    check_sigma(sigma)
    refuse_top_k(name, sigma)
    return Point(problem, weights, sigma)
