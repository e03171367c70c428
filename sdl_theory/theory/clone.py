"""A way out of a trap through a spare neuron (ours): clone a neuron, and let the two part."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..activations import Activation, BatchTopK, ReLU, TopK, check_sigma
from ..problem import Problem
from ..signature import checked
from ..tolerances import RANK_TOLERANCE
from ..weights import Weights, check_match
from .paths import Path
from .patterns import row_theta, to_numpy
from .point import Point


@checked
def split(weights: Weights, neuron: int, spare: int, sigma: Activation = ReLU()) -> Weights:
    """Beyond arXiv:2512.05534: the same function by two neurons: a row twice, each column a half.

    On every input, at every sparsity, for ReLU and JumpReLU. The spare's own row and column are
    lost: it has to be one that fires for nothing. At a trap the clone is a strict saddle: see
    `escape`.

    ValueError under Top-k, where the clone takes a second place, and where the two have different
    thresholds.

    >>> import torch
    >>> from sdl_theory import Weights, split
    >>> two = split(Weights([[1.0, 2.0], [-1.0, -1.0]], [[4.0, 0.0]]), neuron=0, spare=1)
    >>> two.W_E.tolist(), two.W_D.tolist()
    ([[1.0, 2.0], [1.0, 2.0]], [[2.0, 2.0]])
    """
    check_sigma(sigma)
    refuse_top_k("split", sigma)
    for name, one in (("neuron", neuron), ("spare", spare)):
        if not 0 <= one < weights.n_q:
            raise ValueError(f"{name} must be in [0, n_q = {weights.n_q}); got {one}")
    if neuron == spare:
        raise ValueError(f"neuron and spare must differ; both are {neuron}")
    thetas = [row_theta(sigma, one, weights.n_q) for one in (neuron, spare)]
    if thetas[0] != thetas[1]:
        raise ValueError(
            f"split: neuron {neuron} has theta = {thetas[0]:g} and spare {spare} {thetas[1]:g}; "
            f"a clone fires with its neuron only if they are equal"
        )
    W_E, W_D = weights.W_E.clone(), weights.W_D.clone()
    W_E[spare] = W_E[neuron]
    W_D[:, neuron] = W_D[:, spare] = W_D[:, neuron] / 2
    return Weights(W_E, W_D)


def refuse_top_k(name: str, sigma: Activation) -> None:
    """A ValueError under Top-k, where a neuron more takes another's place."""
    if isinstance(sigma, (TopK, BatchTopK)):
        raise ValueError(
            f"{name}: under Top-k a neuron that fires takes a place from another, so the function "
            f"does not stay the same; use ReLU() or JumpReLU(theta)"
        )


@dataclass(frozen=True, eq=False)
class Escape:
    """What `escape` found.

    neuron, spare : which is cloned, onto which.
    weights : cloned and nudged, Lt below the start's.
    curvature : d^2 Lt / d eps^2 = -8 sigma_1 at the clone, along +-eps (v, u) on the two.
    eps : how far `weights` went: Lt falls by exactly 4 sigma_1 eps^2 - 4 q eps^4.
    bound : the least Lt that these two can reach on what the neuron fires for, the others as they
        are: for a group tr K - lambda_1 - lambda_2, and the other groups' loss.
    direction : (v, u), unit vectors: the top singular pair of sum_{F_i} M_d r_d w_p^dT.
    path : from the given weights to these.
    """

    neuron: int
    spare: int
    weights: Weights
    curvature: float
    eps: float
    bound: float
    direction: tuple[torch.Tensor, torch.Tensor]
    path: Path


@checked
@torch.no_grad()
def escape(problem: Problem, weights: Weights, sigma: Activation = ReLU()) -> Escape:
    r"""Beyond arXiv:2512.05534: out of a trap of Theorem 3.7 through a spare neuron, downhill only.

    Clone neuron i (`split`: no output changes), then move the two apart along :math:`\pm\epsilon
    (v, u)`, the top singular pair of the pull that the trap balances,

    .. math:: S_i = \sum_{d \in F_i} M_d\, r_d\, w_p^{d\top}, \qquad
              \tilde L(\epsilon) = \tilde L - 4\sigma_1\epsilon^2
                  + 4\epsilon^4 \sum_{d \in F_i} M_d \langle v, w_p^d\rangle^2 ,

    exactly, as long as no wall is crossed. Of all neurons the one of the largest drop is taken, of
    spare ones the first that fires for nothing. Descent from there (`polish`) ends at `.bound`, or
    lower if it crosses walls.

    ValueError without a spare neuron, under Top-k, and where no neuron has a pull or room to move:
    every other way is then `second_order`'s to judge.

    >>> import torch
    >>> from sdl_theory import Problem, escape, partial_minimum, pattern
    >>> problem = Problem(torch.tensor([[1.0, 0.6], [0.0, 0.8]], dtype=torch.float64))
    >>> trap = partial_minimum(problem, pattern([[0, 1]], n=2, n_q=2))
    >>> way = escape(problem, trap.weights)
    >>> way.path.check().losses(1)[[0, -1]].round(decimals=3)  # never a rise
    tensor([0.4000, 0.0000], dtype=torch.float64)
    >>> abs(way.bound) < 1e-12  # tr K - lambda_1 - lambda_2: two neurons for two features
    True
    """
    check_match(problem, weights)
    check_sigma(sigma)
    refuse_top_k("escape", sigma)
    point = Point(problem, weights, sigma)
    best = max(_drops(point), key=lambda one: one[0], default=None)
    if best is None:
        raise ValueError(
            "escape: no neuron has both a residual that pulls on it and room to move before a wall"
        )
    _, i, eps, sigma_1, v, u = best
    thetas = [row_theta(sigma, one, weights.n_q) for one in range(weights.n_q)]
    spare = spare_neuron("escape", point, thetas[i], thetas)
    clone = split(weights, i, spare, sigma)
    W_E, W_D = clone.W_E.clone(), clone.W_D.clone()
    for one, sign in ((i, 1), (spare, -1)):
        W_E[one] += sign * eps * torch.as_tensor(v).to(W_E)
        W_D[:, one] += sign * eps * torch.as_tensor(u).to(W_D)
    end = Weights(W_E, W_D)
    return Escape(
        neuron=i,
        spare=spare,
        weights=end,
        curvature=-8 * sigma_1,
        eps=eps,
        bound=_bound(point, i),
        direction=(torch.as_tensor(v), torch.as_tensor(u)),
        path=Path(problem, sigma, [*lay_out(weights, spare, weights.W_E[i]), clone, end]),
    )


def spare_neuron(name: str, point: Point, theta: float, thetas: list[float]) -> int:
    """The first neuron of this threshold that fires for nothing, or a ValueError."""
    fires = (point.P & (point.problem.M_d > 0)).any(1).tolist()
    for j, (busy, own) in enumerate(zip(fires, thetas)):
        if not busy and own == theta:
            return j
    alike = f" and has theta = {theta:g}" if theta else ""
    raise ValueError(
        f"{name} needs a spare neuron, one that fires for no feature with M_d > 0{alike}; "
        f"all {len(fires)} are busy. Add a row of W_E and a column of W_D, "
        f"or see `wall_path`, which needs none"
    )


def lay_out(weights: Weights, spare: int, row: torch.Tensor) -> list[Weights]:
    """Three points: as given; the spare's column zero; its row this one. No output changes."""
    silent = weights.W_D.clone()
    silent[:, spare] = 0
    moved = weights.W_E.clone()
    moved[spare] = row
    return [weights, Weights(weights.W_E, silent), Weights(moved, silent)]


def _drops(point: Point):
    """For each firing neuron with a pull and room: drop, number, eps, sigma_1, v, u."""
    problem, s2 = point.problem, to_numpy(point.problem.M_d)
    W, R, z = problem.W_p_array, to_numpy(point.residual), to_numpy(point.z)
    for i in point.firing.tolist():
        on = to_numpy(point.P[i]).astype(bool) & (s2 > 0)
        if not (on & to_numpy(point.lossy).astype(bool)).any():
            continue
        U, sizes, V = np.linalg.svd((R[:, on] * s2[on]) @ W[:, on].T)
        v, u, sigma_1 = V[0], U[:, 0], float(sizes[0])
        rises = np.abs(v @ W)
        spread = float(s2[on] @ rises[on] ** 2)
        theta = row_theta(point.sigma, i, len(z))
        seen = (s2 > 0) & (rises > 1e-12)
        room = (np.abs(z[i] - theta)[seen] / rises[seen]).min(initial=np.inf)
        eps = min(np.sqrt(sigma_1 / (2 * spread)), 0.9 * room)
        drop = 4 * sigma_1 * eps**2 - 4 * spread * eps**4
        if drop > 1e-12 * problem.scale:
            yield drop, i, float(eps), sigma_1, v, u


def _bound(point: Point, i: int) -> float:
    """Lt with the neuron's features as well as two neurons can do, the others as they are."""
    problem, s = point.problem, np.sqrt(to_numpy(point.problem.M_d))
    on = to_numpy(point.P[i]).astype(bool) & (s > 0)
    left = to_numpy(point.residual)[:, on] * s[on]
    w_D, z = to_numpy(point.weights.W_D[:, i]), to_numpy(point.z[i])
    wanted = left + np.outer(w_D, z[on] * s[on])
    _, sizes, V = np.linalg.svd(problem.W_p_array[:, on], full_matrices=False)
    V = np.linalg.qr(V[sizes > RANK_TOLERANCE * sizes[0]].T * s[on, None])[0]
    best = np.linalg.svd(wanted @ V, compute_uv=False)[:2]
    return point.loss - float(np.square(left).sum() - np.square(wanted).sum() + best @ best)
