"""Theorem 3.1 as rows: the gap between the two losses, its bounds, how many features are active."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch

from sdl_theory import (
    Constant,
    JumpReLU,
    Problem,
    SparseFeatures,
    Weights,
    approximate_loss,
    exact_loss,
    loss_gap_bound,
)

from ..kinds import Gap
from .common import table

MAGNITUDE = 0.8  # of every active feature: not 1, or JumpReLU would be excused


@lru_cache(maxsize=64)
def _losses(n: int, theta: float, S: float) -> tuple[float, float, float]:
    """L, Lt and the largest squared error C of one fixed random model.

    n features in about 3n/4 dimensions.
    """
    g = torch.Generator().manual_seed(n)
    draw = lambda *shape: torch.randn(*shape, generator=g, dtype=torch.float64)
    n_p = max(2, round(0.75 * n))
    W, features, sigma = draw(n_p, n), SparseFeatures(n, S, Constant(MAGNITUDE)), JumpReLU(theta)
    problem = Problem(W / W.norm(dim=0), M_d=features.M_d)
    weights = Weights(draw(n + 2, n_p), draw(n_p, n + 2) / 2)
    exact = exact_loss(problem, weights, sigma, features).item()
    approximate = approximate_loss(problem, weights, sigma).item()
    return exact, approximate, loss_gap_bound(problem, weights, sigma, features).C


def gap_rows(
    n: int, log_rate: float, theta: float
) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Theorem 3.1's gap |L - Lt| and its bounds over 1 - S, with the point at 1 - S = 10^log_rate.

    And how many features are active there.
    """
    rows = []
    for exponent in np.linspace(-5, -0.1, 15):
        q = 10.0**exponent
        exact, approximate, C = _losses(n, theta, 1 - q)
        for kind, y in (
            (Gap.GAP, abs(exact - approximate)),
            (Gap.PAPER, n * n * C * q * q),
            (Gap.TIGHT, C * n * (n - 1) / 2 * q * q),
            (Gap.CEILING, C),
        ):
            rows.append({"kind": kind, "x": q, "y": max(y, 1e-14), "value": kind})
    q = 10.0**log_rate
    exact, approximate, C = _losses(n, theta, 1 - q)
    rows.append({"kind": Gap.HERE, "x": q, "y": max(abs(exact - approximate), 1e-14)})
    p = SparseFeatures(n, 1 - q).count_probabilities()
    shares = [p[0].item(), p[1].item(), p[2:].sum().item()]
    rows += [{"kind": Gap.SHARE, "x": k, "y": share} for k, share in enumerate(shares)]
    return table(rows), {
        "L": exact,
        "Lt": approximate,
        "C": C,
        "tight": C * n * (n - 1) / 2 * q * q,
        "one": shares[1],
        "more": shares[2],
    }
