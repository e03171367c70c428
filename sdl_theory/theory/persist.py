"""A partial minimum of Lt followed into the true loss, as sparsity falls from 1 (ours)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..activations import Activation, BatchTopK, ReLU
from ..checks import Tensor, check_number
from ..problem import Problem
from ..signature import checked
from ..tolerances import STATIONARY, tolerance
from ..weights import Weights, check_match
from .curvature import hessian_of
from .mixtures import Mixtures
from .patterns import activation_pattern
from .point import Point
from .polish import descend, moved
from .region import Region
from .true_loss import LIMIT, TrueCertificate, judge
from .verdict import Verdict

NEWTON = 30  # steps towards the stationary point next to the last one
DESCENT = 80  # steps of the descent where Newton's method leaves the region
LEAK = 0.05  # a code of another feature this large, of the row's largest, is no grazing of a wall
REACH = 0.1  # how far one of them may move a row, of its length


@dataclass(frozen=True, eq=False)
class Persistence:
    """What a partial minimum of Lt has become at one sparsity.

    S : P(x_d = 0).
    loss : L / ((1-S) S^(n-1)), which tends to Lt as S -> 1.
    verdict : of L.
    same : does every neuron still fire for the same single features as at the start, but for codes
        below 1/20 of its largest? Where not, it has left, and is followed no further.
    slid : Newton's method left the region, and a descent of L led here.
    """

    S: float
    weights: Weights
    loss: float
    verdict: Verdict
    reason: str
    same: bool
    slid: bool


@checked
@torch.no_grad()
def persist(
    problem: Problem,
    weights: Weights,
    sigma: Activation = ReLU(),
    S: Sequence[float] = (0.999, 0.99, 0.97, 0.9, 0.7, 0.5),
) -> list[Persistence]:
    """Beyond arXiv:2512.05534: follow a partial minimum of Theorem 3.7 into the true loss.

    Features are independent, of magnitude sqrt(M_d), so that L / ((1-S) S^(n-1)) tends to Lt as
    S -> 1. At each S, falling, the stationary point of L next to the last one is sought by Newton's
    method inside its region (least squares, for the symmetries make the Hessian singular); where
    that leaves the region, by a descent of L in short steps. It stopped being a minimum where
    `.verdict` is no longer a trap, or where `.same` is False: there the descent has made some
    neuron fire for another feature, and the list ends. Moves that Lt does not see (z at features
    that a row does not fire for) are seen by mixtures, so of several groups many leave at any S.

    S : falling, each in [0, 1). n <= 12. ValueError otherwise, and for BatchTopK.

    Two features at cosine -.2 in one neuron: a saddle of Lt, and a trap from 1 - S > .2 on:

    >>> import torch
    >>> from sdl_theory import Problem, partial_minimum, pattern, persist
    >>> problem = Problem(torch.tensor([[1.0, -0.2], [0.0, 0.96**0.5]], dtype=torch.float64))
    >>> start = partial_minimum(problem, pattern([[0, 1]], n=2, n_q=1))
    >>> print(start.verdict)
    saddle
    >>> [(one.S, str(one.verdict)) for one in persist(problem, start.weights, S=[0.9, 0.81, 0.79])]
    [(0.9, 'saddle'), (0.81, 'saddle'), (0.79, 'trap')]
    """
    check_match(problem, weights)
    S = [check_number("S = P(x_d = 0)", one, at_least=0, below=1) for one in S]
    if any(later >= earlier for earlier, later in zip(S, S[1:])):
        raise ValueError(f"persist: S must fall, as from .999 to .5; got {S}")
    if problem.n > LIMIT:
        raise ValueError(
            f"persist enumerates all 2^n supports and stops at n = {LIMIT}; got n = {problem.n}"
        )
    if isinstance(sigma, BatchTopK):
        raise ValueError("persist: BatchTopK couples the samples of a batch")
    start, found = activation_pattern(problem, weights, sigma), []
    for one in S:
        world = Mixtures(problem, problem.M_d.sqrt(), one, sigma)
        left = lambda moved: _leak(problem, moved, sigma, start) > LEAK
        weights, slid = _follow(world, weights, sigma, left)
        here, same = judge(world, weights, sigma, 0.0), not left(weights)
        alone = (1 - one) * one ** (problem.n - 1)
        found.append(_persistence(here, weights, S=one, alone=alone, same=same, slid=slid))
        if not same:
            break
    return found


def _leak(problem: Problem, weights: Weights, sigma: Activation, start: Tensor) -> float:
    """The largest code that the start's pattern has not or has lost, of its row's largest."""
    z, P = weights.W_E @ problem.W_p, activation_pattern(problem, weights, sigma)
    largest = (z.abs() * (P | start)).amax(1, keepdim=True).clamp(min=1e-300)
    changed = (P ^ start) & (problem.M_d > 0)
    return ((z.abs() / largest) * changed).max().item()


def _persistence(
    here: TrueCertificate, weights: Weights, *, S: float, alone: float, same: bool, slid: bool
) -> Persistence:
    return Persistence(
        S=S,
        weights=weights,
        loss=here.loss / alone if alone else float("inf"),
        verdict=here.verdict if same else Verdict.NONE,
        reason=here.reason if same else "left: L falls until a neuron fires for another feature",
        same=same,
        slid=slid,
    )


def _follow(
    world: Mixtures, weights: Weights, sigma: Activation, left: Callable[[Weights], bool]
) -> tuple[Weights, bool]:
    """The stationary point next to these weights, and whether a descent was needed."""
    at = lambda one: Point(world, one, sigma)
    if (found := _newton(at, weights)) is not None:
        return found, False
    slid = descend(at, weights, DESCENT, reach=REACH, left=left).weights
    found = None if left(slid) else _newton(at, slid)
    return slid if found is None else found, True


def _newton(at: Callable[[Weights], Point], weights: Weights) -> Weights | None:
    """The stationary point that Newton's method reaches inside the region, if it does."""
    tol = tolerance(STATIONARY, torch.finfo(weights.W_E.dtype).eps)
    start = point = at(weights)
    for _ in range(NEWTON):
        if max(point.relative_norms(tol)) <= tol / 10:
            break
        region = Region(point, np.arange(len(point.firing)))
        H, g = hessian_of(region), region.gradient
        values, vectors = np.linalg.eigh(H)
        kept = np.abs(values) > 1e-9 * np.abs(values).max()
        way = -vectors[:, kept] @ ((vectors[:, kept].T @ g) / values[kept])
        point = at(moved(point, region.lifted(way), 1.0))
        if not torch.equal(point.P, start.P):
            return None
    return point.weights if max(point.relative_norms(tol)) <= tol else None
