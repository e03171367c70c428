"""One framework, three machines: two features seen by an SAE, a transcoder or a crosscoder."""

from __future__ import annotations

import math

import numpy as np
import torch

from sdl_theory import GroupMinimum, Problem, group_minimum

from ..kinds import Arrow, Disc, Layer
from .common import VERDICTS, pair_problem, table
from .minima import pair_landscape, plane

KINDS = ("SAE", "transcoder", "crosscoder")


def machine(kind: str, mu: float, other: float, m_2: float = 1.0) -> Problem:
    """Two features as a machine sees them.

    mu : their cosine in the input.
    other : their cosine in the target (transcoder) or in the second model (crosscoder); an SAE has
        none.
    """
    first, second = pair_problem(mu, m_2), pair_problem(other, m_2)
    if kind == "SAE":
        return first
    if kind == "transcoder":
        return Problem(first.W_p, second.W_p, first.M_d)
    return Problem(torch.cat([first.W_p, second.W_p]), None, first.M_d, blocks=(2, 2))


def machine_rows(kind: str, mu: float, other: float) -> tuple[dict[str, np.ndarray], GroupMinimum]:
    """Two discs with the neuron at its stationary point, and the loss as the encoder row turns.

    It turns in the plane of the two features.
    """
    problem = machine(kind, mu, other)
    minimum = group_minimum(problem, [0, 1])
    W, V = problem.W_p, problem.W_r
    angles = np.linspace(-math.pi, math.pi, 145)
    rows = [
        {"kind": Layer.CURVE, "x": math.degrees(a), "y": loss}
        for a, loss in zip(angles, pair_landscape(problem, angles))
    ]
    half = math.acos((W[:, 0] @ W[:, 1] / W[:, 0].norm() / W[:, 1].norm()).clamp(-1, 1).item()) / 2
    rows.append(
        {
            "kind": Layer.REGION,
            "x": -math.degrees(math.pi / 2 - half),
            "x2": math.degrees(math.pi / 2 - half),
        }
    )
    left = W[:2]
    right = V[2:] if kind == "crosscoder" else V
    discs = [(Disc.INPUTS, d, left[:, d]) for d in (Arrow.W_1, Arrow.W_2)] + [
        (Disc.TARGETS, d, right[:, d]) for d in (Arrow.W_1, Arrow.W_2)
    ]
    if minimum.exists:
        w = torch.linalg.pinv(W.mT) @ (minimum.y / problem.M_d.sqrt())
        column = V @ (problem.M_d.sqrt() * minimum.y)
        u, v = plane(problem)
        rows.append(
            {
                "kind": Layer.POINT,
                "x": math.degrees(math.atan2(v @ w.numpy(), u @ w.numpy())),
                "y": minimum.loss,
                "value": VERDICTS.index(minimum.verdict),
            }
        )
        unit = lambda vector: vector / vector.norm().clamp(min=1e-12)
        discs.append((Disc.INPUTS, Arrow.ROW, unit(w[:2])))  # directions, not lengths
        if kind == "crosscoder":  # it reads and writes both models
            discs += [
                (Disc.INPUTS, Arrow.COLUMN, unit(column[:2])),
                (Disc.TARGETS, Arrow.ROW, unit(w[2:])),
            ]
        discs.append((Disc.TARGETS, Arrow.COLUMN, unit(column[-2:])))
    rows += [
        {"kind": disc, "x": a[0].item(), "y": a[1].item(), "value": which}
        for disc, which, a in discs
    ]
    return table(rows), minimum
