"""A way out of a trap that needs no spare neuron (ours): up to a wall, and over it."""

from __future__ import annotations

import numpy as np
import torch

from ..activations import Activation, ReLU
from ..problem import Problem
from ..signature import checked
from ..weights import Weights
from .paths import Path
from .patterns import to_numpy
from .ways_out import Way, checked_point, dual_basis


@checked
@torch.no_grad()
def wall_path(problem: Problem, weights: Weights, sigma: Activation = ReLU()) -> Way:
    """Beyond arXiv:2512.05534: out of a trap of Theorem 3.7 without a spare neuron or a barrier.

    A trap is a true local minimum of Lt, yet with independent directions every z_jd of a silent
    pair may be moved alone, and up to z_jd = 0 nothing changes. Beyond it Lt falls if <r_d, w_D^j>
    > 0, by M_d <r_d, w_D^j>^2 / ||w_D^j||^2 at best, which is the gain here. Stationarity gives
    sum_{d in F} M_d z_d <r_d, w_D^j> = 0 for every group F, so unless w_D^j is orthogonal to all of
    a group's residuals some d has it. The pair of the largest gain is taken.

    `.bound` = `.most` = that gain, which is exact. ValueError under Top-k or a threshold > 0, where
    W_p has dependent columns (there walls may shut a trap), and where no silent pair pulls.

    >>> import torch
    >>> from sdl_theory import Problem, partial_minimum, pattern, wall_path
    >>> G = torch.tensor(
    ...     [[1, 0.6, 0.5, 0.5], [0.6, 1, 0.2, 0.2], [0.5, 0.2, 1, 0.6], [0.5, 0.2, 0.6, 1]],
    ...     dtype=torch.float64,
    ... )
    >>> problem = Problem(torch.linalg.cholesky(G).mT)
    >>> trap = partial_minimum(problem, pattern([[0, 1], [2, 3]], n=4, n_q=2))
    >>> trap.verdict.value, round(trap.loss, 3)
    ('trap', 0.8)
    >>> way = wall_path(problem, trap.weights)
    >>> way.path.check(), round(trap.loss - way.gain, 3), way.features
    (Path(3 points), 0.772, [0])
    """
    point = checked_point("wall_path", problem, weights, sigma)
    dual = dual_basis("wall_path", problem, sigma)
    M, D = to_numpy(problem.M_d), to_numpy(weights.W_D)
    sizes = np.linalg.norm(D, axis=0)
    pulls = D.T @ to_numpy(point.residual)  # <r_d, w_D^j>, (n_q, n)
    open_ones = (pulls > 0) & ~point.P.cpu().numpy() & (sizes > 0)[:, None]
    divisor = np.where(sizes > 0, sizes, 1.0)[:, None] ** 2
    gains = np.where(open_ones, M * pulls**2 / divisor, 0.0)
    j, d = np.unravel_index(int(gains.argmax()), gains.shape)
    gain = float(gains[j, d])
    if gain <= 1e-20 * problem.scale:
        raise ValueError(
            "wall_path: no silent pair pulls: every <r_d, w_D^j> with z_jd <= 0 is <= 0, "
            "so a first step over any wall costs"
        )
    wanted, z = pulls[j, d] / sizes[j] ** 2, float(point.z[j, d])
    points = [weights]
    for rise in (-z, wanted - z):
        W_E = weights.W_E.clone()
        W_E[j] += torch.as_tensor(rise * dual[d]).to(W_E)
        points.append(Weights(W_E, weights.W_D))
    return Way(
        neurons=[int(j)],
        features=[int(d)],
        weights=points[-1],
        gain=gain,
        bound=gain,
        most=gain,
        path=Path(problem, sigma, points),
    )
