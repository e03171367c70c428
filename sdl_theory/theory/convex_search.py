"""Beyond arXiv:2512.05534: alternating convex search inside one region, of any pattern."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..activations import Activation, BatchTopK, ReLU, TopK
from ..checks import Tensor, check_bytes, check_count
from ..problem import Problem
from ..signature import checked
from ..tolerances import SEARCH_WALL
from ..weights import Weights
from .convex_halves import Halves
from .loss import approximate_loss
from .patterns import activation_pattern, check_pattern, row_theta, to_numpy
from .realize import realize
from .realize_topk import topk_conditions


@dataclass(frozen=True)
class SearchResult:
    """Where alternating convex search ended.

    losses : losses[0] is the start; they never rise.
    interior : no wall within 1e-6 of the rows' size.
    """

    weights: Weights
    losses: list[float]
    converged: bool
    interior: bool


@checked
def alternating_convex_search(
    problem: Problem,
    P: Tensor,
    sigma: Activation = ReLU(),
    *,
    max_steps: int = 200,
    tol: float = 1e-12,
    generator: torch.Generator | None = None,
) -> SearchResult:
    """Beyond arXiv:2512.05534: minimize Lt over the closed region of P, a convex problem at a time.

    Theorem 3.2's two in turn: W_D by least squares, exactly; W_E by a convex quadratic program over
    { z >= theta on P, z <= theta off P } (Clarabel), with a vanishing proximal term; columns of W_D
    kept at unit norm where theta = 0. Monotone. Overlapping patterns welcome: no global certificate
    is claimed. The end may lie on a wall, where grad_E need not vanish: `.interior` says so.

    tol : the relative decrease at which it stops.

    ValueError if P is not realizable.

    >>> import torch
    >>> from sdl_theory import Problem, alternating_convex_search, pattern
    >>> problem = Problem(torch.tensor([[1.0, 0.6], [0.0, 0.8]], dtype=torch.float64))
    >>> together = pattern([[0, 1]], n=2, n_q=1)  # one neuron for both features
    >>> found = alternating_convex_search(problem, together)
    >>> round(found.losses[-1], 4), found.interior  # `partial_minimum` says the same
    (0.4, True)
    """
    if isinstance(sigma, BatchTopK):
        raise ValueError(
            "alternating_convex_search: BatchTopK couples the columns of a batch; "
            "use TopK(k) or JumpReLU(theta)"
        )
    if not tol >= 0:
        raise ValueError(f"tol must be a number >= 0; got {tol}")
    _check_fits(len(check_pattern(P, problem.n)), problem.n_p, problem.n)
    start = realize(problem, P, sigma)
    if not start.feasible:
        raise ValueError(f"alternating_convex_search needs a realizable pattern P; {start.reason}")
    mask = check_pattern(P, problem.n).numpy()
    halves = Halves(problem, mask, *_region(problem, mask, sigma))
    E = to_numpy(start.W_E)
    if generator is not None:
        target = torch.randn(E.shape, generator=generator, dtype=torch.float64).numpy()
        E = (E + halves.nearest(target, E)) / 2
    E, D, losses, converged = _descend(halves, E, check_count("max_steps", max_steps), tol)
    size = max(np.linalg.norm(E, axis=1).max(), 1e-300)
    interior = bool(halves.slack(E) > SEARCH_WALL * size)
    weights, losses[-1] = _as_weights(
        problem, sigma, halves, E=E, D=D, start=to_numpy(start.W_E), loss=losses[-1]
    )
    # stepping off a wall may cost more than the last steps gained
    while len(losses) > 1 and losses[-1] > losses[-2]:
        del losses[-2]
    return SearchResult(weights, losses, converged, interior)


def _descend(
    halves: Halves, E: np.ndarray, max_steps: int, tol: float
) -> tuple[np.ndarray, np.ndarray, list[float], bool]:
    """Encoder and decoder at the end, the losses on the way, and whether they had settled."""
    D = halves.best_decoder(E)
    losses = [halves.loss(E, D)]
    for _ in range(max_steps):
        if halves.cone:
            size = np.linalg.norm(D, axis=0)
            size[size == 0] = 1.0
            D, E = D / size, E * size[:, None]
        new_E = halves.best_encoder(D, E)
        new_D = halves.best_decoder(new_E)
        loss = halves.loss(new_E, new_D)
        if not loss < losses[-1]:
            settled = loss <= losses[-1] * (1 + 1e-7) + 1e-12 * halves.scale
            return E, D, losses, settled
        decrease = losses[-1] - loss
        E, D = new_E, new_D
        losses.append(loss)
        if decrease <= tol * losses[0]:
            return E, D, losses, True
    return E, D, losses, False


def _as_weights(
    problem: Problem,
    sigma: Activation,
    halves: Halves,
    *,
    E: np.ndarray,
    D: np.ndarray,
    start: np.ndarray,
    loss: float,
) -> tuple[Weights, float]:
    """The end of a search as weights, with their own loss.

    On a wall where the loss jumps (z = theta is not active; a tie) they are moved towards the
    start, by so little that they show P.
    """
    if halves.cone and start.any():
        start = start * (np.linalg.norm(E) / np.linalg.norm(start))
    for share in (0.0, *(10.0**power for power in range(-13, 0, 2)), 0.5):
        mixed = (1 - share) * E + share * start
        decoder = halves.best_decoder(mixed) if share else D
        weights = Weights(*(torch.from_numpy(W).to(problem.W_p) for W in (mixed, decoder)))
        own = approximate_loss(problem, weights, sigma).item()
        if own <= loss * (1 + 1e-9) + 1e-12 * halves.scale:
            break
        if share and _shows(problem, weights, sigma, halves.P):
            break
    return weights, own


def _shows(problem: Problem, weights: Weights, sigma: Activation, P: np.ndarray) -> bool:
    return np.array_equal(activation_pattern(problem, weights, sigma).cpu().numpy(), P)


def _region(problem: Problem, P: np.ndarray, sigma: Activation) -> tuple[np.ndarray, np.ndarray]:
    """The closed region as G vec(W_E) >= h."""
    W, n_q = problem.W_p_array, len(P)
    if isinstance(sigma, TopK):
        rows = np.concatenate(topk_conditions(W, P, sigma)[:2])
        if sigma.theta > 0:
            return rows[:, :-1], rows[:, -1] * sigma.theta
        return rows, np.zeros(len(rows))
    sign = np.where(P, 1.0, -1.0)
    G = np.einsum("id,pd,ij->idjp", sign, W, np.eye(n_q)).reshape(P.size, -1)
    theta = np.array([row_theta(sigma, i, n_q) for i in range(n_q)])
    return G, (sign * theta[:, None]).ravel()


def _check_fits(n_q: int, n_p: int, n: int) -> None:
    """What counts are its dense Hessian and region, in n_q n_p variables."""
    size = n_q * n_p
    check_bytes(
        f"alternating_convex_search with n_q = {n_q}, n_p = {n_p}, n = {n} "
        f"is a dense quadratic program in n_q n_p = {size} variables, which",
        8 * (6 * size**2 + 3 * n_q * n * size),
        "Use fewer neurons, dimensions or features",
    )
