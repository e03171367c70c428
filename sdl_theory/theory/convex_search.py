"""Beyond arXiv:2512.05534: alternating convex search inside one region, and every partition of few
features at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..activations import Activation, BatchTopK, ReLU, TopK
from ..checks import Tensor, check_count, check_search
from ..problem import Problem
from ..signature import checked
from ..tolerances import SEARCH_WALL
from ..weights import Weights
from .loss import approximate_loss
from .patterns import activation_pattern, check_pattern, row_theta, to_numpy
from .realize import realize, topk_conditions

PROXIMAL = 1e-9  # keeps the encoder's flat directions from running away; it moves no fixed point


@dataclass(frozen=True)
class SearchResult:
    """Where alternating convex search ended. `losses[0]` is the start; they never rise. interior :
    no wall within 1e-6 of the rows' size.
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
    r"""Beyond arXiv:2512.05534: minimize Lt over the closed region of P by Theorem 3.2's two convex
    problems in turn.

    W_D by least squares, exactly; W_E by a convex quadratic program over { z >= theta on P, z <=
    theta off P } (Clarabel), with a vanishing proximal term; columns of W_D kept at unit norm where
    theta = 0. Monotone. Overlapping patterns welcome: no global certificate is claimed. The end may
    lie on a wall, where grad_E need not vanish: `.interior` says so. `tol` is the relative decrease
    at which it stops. ValueError if P is not realizable.
    """
    if isinstance(sigma, BatchTopK):
        raise ValueError(
            "alternating_convex_search: BatchTopK couples the columns of a batch; use TopK(k) or "
            "JumpReLU(theta)"
        )
    if not tol >= 0:
        raise ValueError(f"tol must be a number >= 0; got {tol}")
    check_search(len(check_pattern(P, problem.n)), problem.n_p, problem.n)
    start = realize(problem, P, sigma)
    if not start.feasible:
        raise ValueError(f"alternating_convex_search needs a realizable pattern P; {start.reason}")
    mask = check_pattern(P, problem.n).numpy()
    region = _region(problem, mask, sigma)
    cone = not np.any(region[1])
    data = tuple(to_numpy(t) for t in (problem.W_p, problem.W_r, problem.M_d))
    E = to_numpy(start.W_E)
    if generator is not None:
        target = torch.randn(E.shape, generator=generator, dtype=torch.float64).numpy()
        E = (E + _quadratic_program(np.eye(E.size), -target.ravel(), region, E)) / 2
    D, losses, converged = _best_decoder(data, mask, E), [], False
    losses.append(_masked_loss(data, mask, E, D))
    for _ in range(check_count("max_steps", max_steps)):
        if cone:
            size = np.linalg.norm(D, axis=0)
            size[size == 0] = 1.0
            D, E = D / size, E * size[:, None]
        H, c = _encoder_quadratic(data, mask, D)
        new_E = _quadratic_program(H, c, region, E)
        new_D = _best_decoder(data, mask, new_E)
        loss = _masked_loss(data, mask, new_E, new_D)
        if not loss < losses[-1]:
            converged = loss <= losses[-1] * (1 + 1e-7) + 1e-12 * problem.scale
            break
        decrease = losses[-1] - loss
        E, D = new_E, new_D
        losses.append(loss)
        if decrease <= tol * losses[0]:
            converged = True
            break
    G, h = region
    slack = (G @ E.ravel() - h).min(initial=np.inf)
    interior = bool(slack > SEARCH_WALL * max(np.linalg.norm(E, axis=1).max(), 1e-300))
    weights, losses[-1] = _as_weights(
        problem, mask, sigma, data, E, D, to_numpy(start.W_E), losses[-1]
    )
    # stepping off a wall may cost more than the last steps gained
    while len(losses) > 1 and losses[-1] > losses[-2]:
        del losses[-2]
    return SearchResult(weights, losses, converged, interior)


def _as_weights(
    problem: Problem, P: np.ndarray, sigma: Activation, data, E, D, start, loss: float
) -> tuple[Weights, float]:
    """The end of a search as weights, with their own loss: on a wall where the loss jumps (z =
    theta is not active; a tie), so little towards the start that they show P."""
    cone = not np.any(_region(problem, P, sigma)[1])
    start = start * (np.linalg.norm(E) / np.linalg.norm(start)) if cone and start.any() else start
    for share in (0.0, *(10.0**power for power in range(-13, 0, 2)), 0.5):
        mixed = (1 - share) * E + share * start
        weights = Weights(
            *(
                torch.from_numpy(part).to(problem.W_p)
                for part in (mixed, _best_decoder(data, P, mixed) if share else D)
            )
        )
        own = approximate_loss(problem, weights, sigma).item()
        if (
            own <= loss * (1 + 1e-9) + 1e-12 * problem.scale
            or share
            and np.array_equal(activation_pattern(problem, weights, sigma).cpu().numpy(), P)
        ):
            break
    return weights, own


def _region(problem: Problem, P: np.ndarray, sigma: Activation) -> tuple[np.ndarray, np.ndarray]:
    """The closed region as G vec(W_E) >= h."""
    W, n_q = to_numpy(problem.W_p), len(P)
    if isinstance(sigma, TopK):
        rows = np.concatenate(topk_conditions(W, P, sigma)[:2])
        return (
            (rows[:, :-1], rows[:, -1] * sigma.theta)
            if sigma.theta > 0
            else (rows, np.zeros(len(rows)))
        )
    sign = np.where(P, 1.0, -1.0)
    G = np.einsum("id,pd,ij->idjp", sign, W, np.eye(n_q)).reshape(P.size, -1)
    theta = np.array([row_theta(sigma, i, n_q) for i in range(n_q)])
    return G, (sign * theta[:, None]).ravel()


def _best_decoder(data, P, E) -> np.ndarray:
    W_p, W_r, M = data
    Z = P * (E @ W_p) * np.sqrt(M)
    return np.linalg.lstsq(Z.T, (W_r * np.sqrt(M)).T, rcond=1e-12)[0].T


def _masked_loss(data, P, E, D) -> float:
    W_p, W_r, M = data
    return float((M * np.square(W_r - D @ (P * (E @ W_p))).sum(0)).sum())


def _encoder_quadratic(data, P, D) -> tuple[np.ndarray, np.ndarray]:
    """Lt as x^T H x / 2 + c^T x + const in x = vec(W_E)."""
    W_p, W_r, M = data
    H = 2 * np.einsum("d,id,jd,ij,pd,qd->ipjq", M, P, P, D.T @ D, W_p, W_p, optimize=True)
    c = -2 * (P * (D.T @ (W_r * M))) @ W_p.T
    return H.reshape(c.size, c.size), c.ravel()


def _quadratic_program(H: np.ndarray, c: np.ndarray, region, previous: np.ndarray) -> np.ndarray:
    """argmin x^T H x / 2 + c^T x over G x >= h, pulled towards `previous` by a vanishing amount."""
    import clarabel
    from scipy import sparse

    G, h = region
    x = previous.ravel()
    weight = PROXIMAL * max(np.abs(np.diag(H)).max(), 1e-12)
    settings = clarabel.DefaultSettings()
    settings.verbose, settings.max_iter = False, 200
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = 1e-11
    solver = clarabel.DefaultSolver(
        sparse.triu(sparse.csc_matrix(H + weight * np.eye(len(H)))).tocsc(),
        c - weight * x,
        sparse.csc_matrix(-G),
        -h,
        [clarabel.NonnegativeConeT(len(h))],
        settings,
    )
    solution = np.asarray(solver.solve().x)
    if not np.isfinite(solution).all():
        return previous
    return solution.reshape(previous.shape)
