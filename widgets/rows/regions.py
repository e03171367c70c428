"""Theorem 3.2 as rows: the regions of one encoder row in the plane, and slices of the loss."""

from __future__ import annotations

import math

import numpy as np
import torch

from sdl_theory import Problem, Weights, activation_pattern, approximate_loss, hessian

from ..kinds import Regions
from .common import table

BEARINGS = (-70.0, 15.0, 80.0)  # the three features, degrees from the vertical, clockwise
SIDE = np.linspace(-2, 2, 17)
STEPS = np.linspace(-1.5, 1.5, 31)


def plane_problem() -> Problem:
    """Three features in the plane, weights (1, 1, 1)."""
    radians = torch.deg2rad(torch.tensor(BEARINGS, dtype=torch.float64))
    return Problem(torch.stack([radians.sin(), radians.cos()]))


def sectors(problem: Problem) -> list[tuple[float, float, list[int]]]:
    """The six regions of one ReLU row w in the plane: from where to where, and what it fires for.

    Bearings are in degrees, clockwise from the vertical. The walls are the lines <w, w_p^d> = 0, at
    right angles to the features.
    """
    walls = sorted((bearing + side) % 360 for bearing in BEARINGS for side in (90, 270))
    out = []
    for start, end in zip(walls, [*walls[1:], walls[0] + 360]):
        middle = math.radians((start + end) / 2)
        row = torch.tensor([[math.sin(middle), math.cos(middle)]], dtype=torch.float64)
        fired = activation_pattern(problem, Weights(row, torch.zeros(2, 1, dtype=torch.float64)))[0]
        out.append((start, end, fired.nonzero()[:, 0].tolist()))
    return out


def point(
    region: int, a: float, b: float
) -> tuple[Problem, Weights, tuple[float, float, list[int]]]:
    """The problem, the weights at scales a and b, and the region that the encoder row is in.

    W_E = a (unit row in the middle of the region), W_D = b (unit column, the best direction there,
    or up where it fires for nothing).
    """
    problem = plane_problem()
    here = sectors(problem)[region]
    middle = math.radians((here[0] + here[1]) / 2)
    row = torch.tensor([[math.sin(middle), math.cos(middle)]], dtype=torch.float64)
    column = (torch.relu(row @ problem.W_p) @ problem.W_r.mT).mT
    column = (
        column / column.norm()
        if column.any()
        else torch.tensor([[0.0], [1.0]], dtype=torch.float64)
    )
    return problem, Weights(a * row, b * column), here


def losses(problem: Problem, E: np.ndarray, D: np.ndarray) -> np.ndarray:
    """Lt of one ReLU neuron at k points: encoder rows E (k, 2), decoder columns D (k, 2)."""
    z = np.maximum(E @ problem.W_p.numpy(), 0.0)
    missed = problem.W_r.numpy() - D[:, :, None] * z[:, None, :]
    return (missed**2 * problem.M_d.numpy()).sum((1, 2))


def region_rows(region: int, a: float, b: float) -> tuple[dict[str, np.ndarray], dict]:
    """The disc with its sectors, the landscape over the two weights (a, b), and slices of Lt.

    The slices go along W_E, along W_D, and along both where it bends down most.
    """
    problem, weights, here = point(region, a, b)
    unit = point(region, 1.0, 1.0)[1]
    row, column = unit.W_E.numpy(), unit.W_D.mT.numpy()
    turn = math.pi if a < 0 else 0.0  # a negative scale puts the row into the opposite region
    start, end = (math.radians(bearing) + turn for bearing in here[:2])
    rows = [{"kind": Regions.SECTOR, "x": start, "x2": end}] if a else []
    rows += [
        {"kind": Regions.FEATURE, "x": x, "y": y, "value": d}
        for d, (x, y) in enumerate(problem.W_p.mT.tolist())
    ]
    rows.append({"kind": Regions.ROW, "x": weights.W_E[0, 0].item(), "y": weights.W_E[0, 1].item()})
    A, B = (grid.ravel()[:, None] for grid in np.meshgrid(SIDE, SIDE))
    rows += [
        {"kind": Regions.HEAT, "x": x[0], "y": y[0], "value": v}
        for x, y, v in zip(A, B, losses(problem, A * row, B * column))
    ]
    loss = approximate_loss(problem, weights).item()
    rows.append({"kind": Regions.HERE, "x": a, "y": b, "value": loss})
    least = {
        block: torch.linalg.eigvalsh(hessian(problem, weights, block=block))[0].item()
        for block in "DE"
    }
    # rows and columns: w_D's two entries, then w_E's
    values, vectors = torch.linalg.eigh(hessian(problem, weights))
    least["joint"], bends = values[0].item(), vectors[:, 0].numpy()
    bends = bends * np.sign(bends[2:] @ row[0] or 1)
    here_E, here_D, t = weights.W_E.numpy(), weights.W_D.mT.numpy(), STEPS[:, None]
    for kind, dE, dD in (
        (Regions.SLICE_E, row, 0 * column),
        (Regions.SLICE_D, 0 * row, column),
        (Regions.SLICE_BOTH, bends[2:], bends[:2]),
    ):
        rows += [
            {"kind": kind, "x": step, "y": v, "value": kind}
            for step, v in zip(STEPS, losses(problem, here_E + t * dE, here_D + t * dD))
        ]
    return table(rows), {
        "fired": activation_pattern(problem, weights)[0].nonzero()[:, 0].tolist(),
        "least": least,
        "loss": loss,
    }
