"""Gradient descent from a nudge, many seeds at once, and dead neurons as rows."""

from __future__ import annotations

import numpy as np
import torch

from sdl_theory import JumpReLU, Problem, Weights, certify, partial_minimum, pattern

from ..kinds import Arrow, Layer
from .common import pair_problem, table


def descend(
    problem: Problem,
    weights: Weights,
    theta: float,
    nudge: float,
    seeds: int,
    steps: int,
    rate: float,
) -> np.ndarray:
    """Losses (seeds, steps + 1) of plain gradient descent on Lt from random nudges.

    nudge : their size.

    All seeds go at once, by Theorem 3.2's gradients.
    """
    W_p, W_r, M = (t.numpy() for t in (problem.W_p, problem.W_r, problem.M_d))
    draw = lambda *shape: torch.randn(*shape, generator=noise, dtype=torch.float64).numpy()
    noise = torch.Generator().manual_seed(0)
    E, D = (W.numpy() + nudge * draw(seeds, *W.shape) for W in (weights.W_E, weights.W_D))
    losses = []
    for _ in range(steps + 1):
        z = E @ W_p
        P = z > theta
        Z = P * z
        R = W_r - D @ Z
        RM = R * M
        losses.append((R * RM).sum((1, 2)))
        E, D = E + 2 * rate * (P * (D.mT @ RM)) @ W_p.T, D + 2 * rate * RM @ Z.mT
    return np.stack(losses, 1)


SEEDS, STEPS = 6, 600


def dead_rows(depth: float, log_nudge: float, theta: float) -> tuple[dict[str, np.ndarray], dict]:
    """A pair at cosine .6 on one neuron, beside a dead one `depth` below zero on both features.

    Six descents from nudges of 10^log_nudge.
    """
    problem, sigma = pair_problem(0.6), JumpReLU(theta)
    alone = partial_minimum(problem, pattern([[0, 1]], 2, 1), sigma).weights
    down = torch.tensor([[0.0, -depth / problem.W_p[1, 0].item()]], dtype=torch.float64)
    weights = Weights(
        torch.cat([alone.W_E, down]),
        torch.cat([alone.W_D, torch.zeros(2, 1, dtype=torch.float64)], 1),
    )
    certificate = certify(problem, weights, sigma)
    losses = descend(
        problem,
        weights,
        theta=theta,
        nudge=10.0**log_nudge,
        seeds=SEEDS,
        steps=STEPS,
        rate=0.1,
    )
    rows = [
        {"kind": Layer.CURVE, "x": step, "y": losses[seed, step], "value": seed}
        for seed in range(SEEDS)
        for step in range(0, STEPS + 1, 10)
    ]
    arrows = [
        (Arrow.W_1, problem.W_p[:, 0]),
        (Arrow.W_2, problem.W_p[:, 1]),
        (Arrow.ROW, weights.W_E[0] / weights.W_E[0].norm()),
        (Arrow.DEAD, weights.W_E[1]),
    ]
    rows += [
        {"kind": Layer.ARROW, "x": a[0].item(), "y": a[1].item(), "value": which}
        for which, a in arrows
    ]
    return table(rows), {
        "certificate": certificate,
        "fell": int((losses[:, -1] < 0.3).sum()),
        "margin": theta + depth,
    }
