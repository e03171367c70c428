"""One slider, S: what the data look like, and how near the true loss is to the approximate one."""

from __future__ import annotations

import math

import numpy as np
import torch

from sdl_theory import Problem, SparseFeatures, Uniform

from ..kinds import Layer
from .common import pair_problem, table

LOW, HIGH = 0.5, 1.5  # magnitudes of an active feature
DOTS, ANGLES = 130, np.linspace(-math.pi, math.pi, 81)


def two_landscapes(problem: Problem, S: float, angles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shares of E||x_r||^2 that one ReLU neuron leaves, under L and under Lt.

    angles : of its row, from the vertical; under each loss it has its own best decoder.

    Two features, magnitudes uniform on [.5, 1.5]. One active: exact, as ReLU is homogeneous. Both:
    24 x 24 Gauss-Legendre nodes.
    """
    W, q = problem.W_p.numpy(), 1 - S
    z = np.stack([np.sin(angles), np.cos(angles)], 1) @ W
    nodes, weights = np.polynomial.legendre.leggauss(24)
    a, b = (
        grid.ravel() for grid in np.meshgrid(*2 * [(LOW + HIGH) / 2 + (HIGH - LOW) / 2 * nodes])
    )
    both, p = np.stack([a, b]), np.outer(weights, weights).ravel() / 4
    second = (HIGH**3 - LOW**3) / 3 / (HIGH - LOW)
    fired, fired_both = np.maximum(z, 0), np.maximum(z @ both, 0)
    single = S * q * second  # E[x_d^2 1{only d active}]
    left = lambda energy, square, cross: (
        1
        - np.divide((cross**2).sum(1), square, out=np.zeros_like(square), where=square > 1e-15)
        / energy
    )
    alone = (2 * single, single * (fired**2).sum(1), single * fired @ W.T)
    together = (
        q * q * ((W @ both) ** 2).sum(0) @ p,
        q * q * fired_both**2 @ p,
        q * q * (fired_both * p) @ (W @ both).T,
    )
    true = left(*(x + y for x, y in zip(alone, together)))
    # the common factor S q E[x^2] drops out of Lt's share
    return true, left(2.0, (fired**2).sum(1), fired @ W.T)


def start_rows(S: float) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Two features at cosine .6: samples x_p of sparsity S, the two landscapes, and the trap.

    The samples are not empty ones; the trap is the approximate loss's.
    """
    problem = pair_problem(0.6)
    p = SparseFeatures(2, S, Uniform(LOW, HIGH)).count_probabilities().tolist()
    # the same draws at every S: dots move, they do not flicker
    noise = torch.Generator().manual_seed(0)
    chance = torch.rand(DOTS, 2, generator=noise)
    size = LOW + (HIGH - LOW) * torch.rand(DOTS, 2, generator=noise)
    # of the samples that are not empty
    both, first = chance[:, 0] < p[2] / (p[1] + p[2]), chance[:, 1] < 0.5
    x = torch.stack([size[:, 0] * (both | first), size[:, 1] * (both | ~first)], 1)
    dots = x.double() @ problem.W_p.mT
    rows = [
        {"kind": Layer.DATA, "x": dot[0], "y": dot[1], "value": int((row > 0).sum())}
        for dot, row in zip(dots.tolist(), x)
    ]
    true, approximate = two_landscapes(problem, S, ANGLES)
    rows += [
        {"kind": kind, "x": math.degrees(angle), "y": share}
        for kind, shares in ((Layer.CURVE, approximate), (Layer.TRUE, true))
        for angle, share in zip(ANGLES, shares)
    ]
    rows.append({"kind": Layer.POINT, "x": 0.0, "y": approximate.min()})
    rows += [
        {"kind": Layer.ARROW, "x": w[0], "y": w[1], "value": d}
        for d, w in enumerate(problem.W_p.mT.tolist())
    ]
    return table(rows), {
        "none": p[0],
        "one": p[1],
        "both": p[2],
        "apart": float(np.abs(true - approximate).max()),
    }
