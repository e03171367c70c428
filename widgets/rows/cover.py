"""README's picture as rows: the exact loss on the straight way from a trap to the solution."""

from __future__ import annotations

import numpy as np
import torch

from sdl_theory import (
    PartialMinimum,
    Weights,
    approximate_loss,
    partial_minimum,
    pattern,
    pseudo_inverse_weights,
)

from ..kinds import Layer
from .common import pair_problem, table

RHO, STEPS = 0.6, np.linspace(-0.4, 1.23, 82)


def cover_rows() -> tuple[dict[str, np.ndarray], PartialMinimum]:
    """Lt of two neurons on two features along (1 - t) trap + t solution; features and rows there.

    x : t; 0 is one neuron on both features, the other unused, 1 is the dual basis, of loss 0. Both
        ends with the norms of their rows and columns equal, which changes no loss.
    """
    problem = pair_problem(RHO)
    trap = partial_minimum(problem, pattern([[0, 1]], n=2, n_q=2))
    ends = [_balanced(one) for one in (trap.weights, pseudo_inverse_weights(problem, n_q=2))]
    at = lambda t: Weights(
        *((1 - t) * a + t * b for a, b in zip(*([one.W_E, one.W_D] for one in ends)))
    )
    loss = lambda t: approximate_loss(problem, at(t)).item()
    rows = [{"kind": Layer.CURVE, "x": t, "y": loss(t)} for t in STEPS]
    rows += [{"kind": Layer.POINT, "x": t, "y": loss(t), "value": t} for t in (0, 1)]
    rows += [
        {"kind": kind, "x": x, "y": y, "value": end}
        for end, one in enumerate(ends)
        for kind, arrows in (
            (Layer.DATA, problem.W_p.mT),
            (Layer.ARROW, torch.nn.functional.normalize(one.W_E)),
        )
        for x, y in arrows.tolist()
    ]
    return table(rows), trap


def _balanced(weights: Weights) -> Weights:
    """The same function, rows and columns of equal norms; a row of no column has norm 1."""
    rows, columns = weights.W_E.norm(dim=1), weights.W_D.norm(dim=0)
    scale = torch.where(columns > 0, (columns / rows).sqrt(), 1 / rows)
    back = torch.where(columns > 0, 1 / scale, 1.0)
    return Weights(weights.W_E * scale[:, None], weights.W_D * back)
