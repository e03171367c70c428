"""From a trained model, which sits at no stationary point of Lt, down to one (ours)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from ..activations import Activation, BatchTopK, ReLU, check_sigma
from ..checks import Tensor, check_count
from ..problem import Problem
from ..signature import checked
from ..tolerances import RANK_TOLERANCE, SEARCH_WALL, STATIONARY, tolerance
from ..weights import Weights, check_match
from .patterns import to_numpy
from .point import Point
from .region import Region

INNER = 300  # products of the Hessian for one step
TURNS, CLEARED = 20, 1e-3  # how often rows are turned off new features; how far, of their length
PATIENCE = 3  # turns after which fewer codes must be wrong
ROWS = 500  # that are turned at once
SHORTEST = 2.0**-40  # a step this share of Newton's leads nowhere: a wall is there


@dataclass(frozen=True, eq=False)
class Polished:
    """Where `polish` ended, and how far from the start.

    losses : Lt after each step, never rising beyond rounding; losses[0] is the start's.
    moved_E, moved_D : ||change|| / ||start||, Frobenius.
    flips : entries of the activation pattern that changed, features with M_d > 0.
    stationary : both relative gradients are below `certify`'s tolerance.
    reason : how it ended: stationary; at a wall that it cannot cross without a rise; or out of
        steps.
    """

    weights: Weights
    losses: list[float]
    moved_E: float
    moved_D: float
    flips: int
    stationary: bool
    reason: str

    def __repr__(self) -> str:
        return (
            f"Polished(Lt {self.losses[0]:.6g} -> {self.losses[-1]:.6g} in "
            f"{len(self.losses) - 1} steps, {self.flips} flips, {self.reason})"
        )


@checked
@torch.no_grad()
def polish(
    problem: Problem, weights: Weights, sigma: Activation = ReLU(), *, steps: int = 200
) -> Polished:
    """Beyond arXiv:2512.05534: descend Lt from these weights to a stationary point.

    Newton's steps by conjugate gradients inside the region, a way of negative curvature where one
    is found; each step is shortened until Lt itself, walls and all, has fallen. Crossing a wall is
    allowed where Lt falls; where a kink or a jump stops every step the end is on a wall, and no
    stationary point: `.reason` says so. A descent, not a projection: the end is the one that this
    descent finds first.

    ValueError for BatchTopK, whose columns are coupled.

    >>> import torch
    >>> from sdl_theory import Problem, Weights, certify, polish
    >>> problem = Problem(torch.tensor([[1.0, 0.6], [0.0, 0.8]], dtype=torch.float64))
    >>> rough = Weights([[0.9, 0.7]], [[0.8], [0.3]])  # one neuron for both, badly placed
    >>> print(certify(problem, rough).verdict)
    not_stationary
    >>> end = polish(problem, rough)
    >>> end.stationary, round(end.losses[-1], 6), print(certify(problem, end.weights).verdict)
    trap
    (True, 0.4, None)
    """
    check_match(problem, weights)
    check_sigma(sigma)
    if isinstance(sigma, BatchTopK):
        raise ValueError(
            "polish: BatchTopK couples the columns of a batch; use TopK(k) or JumpReLU(theta)"
        )
    steps = check_count("steps", steps)
    return descend(lambda moved: Point(problem, moved, sigma), weights, steps)


def descend(
    at: Callable[[Weights], Point],
    weights: Weights,
    steps: int,
    *,
    reach: float = np.inf,
    left: Callable[[Weights], bool] = lambda _: False,
) -> Polished:
    """`polish`, of whatever points `at` makes of weights.

    reach : how far one step may move a row, of its length.
    left : ends the descent where it says so.
    """
    start = point = at(weights)
    tol = tolerance(STATIONARY, torch.finfo(weights.W_E.dtype).eps)
    losses, reason = [point.loss], f"not stationary after {steps} steps"
    for _ in range(steps):
        norm = max(point.relative_norms(tol))
        if norm <= tol / 10:
            break
        found = _step(at, point, norm, tol, reach=reach)
        if found is None:
            reason = "at a wall: no step lowers Lt, and a gradient is not zero"
            break
        point = found
        losses.append(point.loss)
        if left(point.weights):
            reason = "left"
            break
    stationary = max(point.relative_norms(tol)) <= tol
    counted = start.problem.M_d > 0
    return Polished(
        weights=point.weights,
        losses=losses,
        moved_E=_share(point.weights.W_E, weights.W_E),
        moved_D=_share(point.weights.W_D, weights.W_D),
        flips=int((point.P ^ start.P)[:, counted].sum()),
        stationary=stationary,
        reason="stationary" if stationary else reason,
    )


def _share(moved: Tensor, start: Tensor) -> float:
    return ((moved - start).norm() / start.norm().clamp(min=1e-300)).item()


def _step(
    at: Callable[[Weights], Point], point: Point, norm: float, tol: float, *, reach: float
) -> Point | None:
    """The next point, lower; or None where no step lowers the loss."""
    region = Region(point, np.arange(len(point.firing)))
    g, loss = region.gradient, point.loss
    noise = 64 * torch.finfo(point.z.dtype).eps * max(loss, point.problem.scale)
    newton = conjugate_gradients(region.product, -g, rtol=min(0.1, norm))
    for way in (newton, -g):
        move, slope = region.lifted(way), float(g @ way)
        rows = to_numpy(point.weights.W_E)[to_numpy(point.firing).astype(int)]
        far = np.linalg.norm(move[0], axis=1) / np.linalg.norm(rows, axis=1)
        share = min(1.0, reach / max(far.max(initial=0.0), 1e-300))
        while share > SHORTEST and slope < 0:
            there = moved(point, move, share)
            for end in (there, turned_off(point, there)):
                if end is None:
                    continue
                new = at(end)
                gain = loss - new.loss
                if gain > max(-1e-4 * share * slope, noise):
                    return new
                settling = share == 1 and abs(gain) <= noise and torch.equal(new.P, point.P)
                if settling and max(new.relative_norms(tol)) < norm / 2:
                    return new
            share /= 2
    return None


def moved(point: Point, move: tuple[np.ndarray, np.ndarray], share: float) -> Weights:
    """A point's weights, its firing rows moved by so much of this move of w_E and w_D."""
    W_E, W_D = point.weights.W_E.clone(), point.weights.W_D.clone()
    W_E[point.firing] += share * torch.as_tensor(move[0]).to(W_E)
    W_D[:, point.firing] += share * torch.as_tensor(move[1]).to(W_D)
    return Weights(W_E, W_D)


def turned_off(point: Point, there: Weights) -> Weights | None:
    """These weights, rows that fire for a new feature turned off it where that is free.

    A row is turned by what its own features do not see, so that no code that counts changes. None
    if no row fires for a new feature.
    """
    problem, P = point.problem, point.P
    W_E, counted, held = there.W_E.clone(), problem.M_d > 0, torch.zeros_like(P)
    left: list[int] = []
    for _ in range(TURNS):
        z = W_E @ problem.W_p
        theta = torch.as_tensor(point.sigma.theta, dtype=z.dtype, device=z.device).clamp(min=-1e300)
        level = theta[:, None] if theta.ndim else theta.expand(len(z))[:, None]
        if (k := getattr(point.sigma, "k", None)) is not None:
            lowest = torch.where(P, z, torch.inf).amin(0)
            level = torch.where(P.sum(0) == min(k, len(z)), lowest, level)
        over = z - level.expand_as(z)
        wrong = ~P & counted & (over >= 0)
        if not wrong.any():
            break
        left.append(int(wrong.sum()))
        stuck = len(left) > PATIENCE and left[-1] >= left[-1 - PATIENCE]
        if stuck or wrong.any(1).sum() > ROWS:
            return None  # a shorter step asks less
        held |= wrong  # what was turned off stays where it is
        for j in wrong.any(1).nonzero()[:, 0].tolist():
            new, on = (to_numpy(problem.W_p[:, of]) for of in (held[j], P[j] & counted))
            if on.shape[1]:
                Q = np.linalg.qr(on)[0]
                new = new - Q @ (Q.T @ new)
            if np.linalg.norm(new, axis=0).min() < SEARCH_WALL:
                return None  # its own features see it
            down = (over[j] + CLEARED * W_E[j].norm())[held[j]] * wrong[j][held[j]]
            turn = _shortest(new.T, to_numpy(down))
            W_E[j] -= torch.as_tensor(turn).to(W_E)
    else:
        return None
    return None if torch.equal(W_E, there.W_E) else Weights(W_E, there.W_D)


def _shortest(A: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The least-squares solution of A x = b of least norm: by pivoted QR, a quarter of an SVD."""
    from scipy.linalg import lstsq

    options = dict(cond=RANK_TOLERANCE, lapack_driver="gelsy", check_finite=False)
    return lstsq(A, b, **options)[0]


def conjugate_gradients(product: Callable, b: np.ndarray, rtol: float) -> np.ndarray:
    """x with product(x) = b; at the first way of negative curvature that way, downhill."""
    x, r = np.zeros_like(b), b.copy()
    p, size = r.copy(), float(r @ r)
    target = (rtol**2) * size
    for step in range(INNER):
        if size <= target:
            break
        Hp = product(p)
        bend = float(p @ Hp)
        if bend <= 1e-12 * float(p @ p):
            return x + p * (1.0 if step else 1.0 / max(1.0, np.sqrt(size)))
        share = size / bend
        x, r = x + share * p, r - share * Hp
        size, before = float(r @ r), size
        p = r + (size / before) * p
    return x
