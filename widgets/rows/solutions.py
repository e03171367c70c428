"""Theorems 3.3 and 3.4 as rows: the ideal point, the dual basis, the mirrored pair."""

from __future__ import annotations

import math

import numpy as np
import torch

from sdl_theory import (
    JumpReLU,
    approximate_loss,
    ideal_weights,
    mirrored_weights,
    pseudo_inverse_weights,
)

from ..kinds import NOTE, Arrow, Solution
from .common import pair_problem, table


def solution_rows(
    mu: float, theta: float, angle: float
) -> tuple[dict[str, np.ndarray], list[tuple[float, float, float]]]:
    """Three solutions for two features at cosine mu under JumpReLU(theta).

    Their arrows, loss, and mean best cosine of encoder and decoder.

    angle : degrees by which the mirrored pair [A; -A] is turned.
    """
    problem, turn = pair_problem(mu), math.radians(angle)
    A = torch.tensor(
        [[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]], dtype=torch.float64
    )
    rows, figures = [], []
    solutions = {
        Solution.IDEAL: ideal_weights(problem, 4),
        Solution.DUAL: pseudo_inverse_weights(problem, 4),
        Solution.MIRRORED: mirrored_weights(problem, 4, A),
    }
    for panel, weights in solutions.items():
        loss = approximate_loss(problem, weights, JumpReLU(theta)).item()
        cosines = [
            (V / V.norm(dim=0).clamp(min=1e-12)).mT @ problem.W_p
            for V in (weights.W_E.mT, weights.W_D)
        ]
        best = [c.max(0).values.mean().item() for c in cosines]
        arrows = [(which, problem.W_p[:, which]) for which in (Arrow.W_1, Arrow.W_2)]
        arrows += [(Arrow.ROW, w) for w in weights.W_E if w.any()]
        arrows += [(Arrow.COLUMN, w) for w in weights.W_D.mT if w.any()]
        rows += [
            {"kind": panel, "value": which, "x": w[0].item(), "y": w[1].item()}
            for which, w in arrows
        ]
        rows.append({"kind": NOTE + panel, "x": loss, "y": best[0], "x2": best[1]})
        figures.append((loss, *best))
    return table(rows), figures
