"""Theorem 3.7 as rows: the pair, the triangle of three features, real groups beside random ones."""

from __future__ import annotations

import math

import numpy as np
import torch

from sdl_theory import Directions, GroupMinimum, Problem, Verdict, group_minimum, trap_share

from ..kinds import Layer, Sign
from .common import VERDICTS, pair_problem, table


def plane(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors of the plane of two features: towards their bisector, and at right angles to it.

    The latter on feature 2's side.
    """
    W = problem.W_p.numpy()
    u, v = W[:, 0] / np.linalg.norm(W[:, 0]) + W[:, 1] / np.linalg.norm(W[:, 1]), W[:, 1] - W[:, 0]
    v = v / np.linalg.norm(v)
    u = u - v * (v @ u)
    return u / np.linalg.norm(u), v


def pair_landscape(problem: Problem, angles: np.ndarray) -> np.ndarray:
    """Lt of one ReLU neuron whose encoder row turns in the plane of two features.

    angles : radians from their bisector; at each the neuron has its best decoder column.
    """
    u, v = plane(problem)
    M, V = problem.M_d.numpy(), problem.W_r.numpy()
    z = np.maximum(
        (np.sin(angles)[:, None] * v + np.cos(angles)[:, None] * u) @ problem.W_p.numpy(), 0.0
    )
    fired = (z * z * M).sum(1)
    toward = (z * M) @ V.T  # sum_d M_d z_d w_r^d
    explained = np.divide((toward**2).sum(1), fired, out=np.zeros_like(fired), where=fired > 1e-15)
    return (M * (V * V).sum(0)).sum() - explained


def pair_rows(rho: float, m_2: float = 1.0) -> tuple[dict[str, np.ndarray], GroupMinimum]:
    """The pair's landscape over the encoder's angle, and the pair's group minimum.

    With the region where it fires for both, the stationary point, and the arrows.
    """
    problem = pair_problem(rho, m_2)
    minimum, half = group_minimum(problem, [0, 1]), math.acos(rho) / 2
    angles = np.linspace(-math.pi, math.pi, 181)
    rows = [
        {"kind": Layer.CURVE, "x": math.degrees(a), "y": loss}
        for a, loss in zip(angles, pair_landscape(problem, angles))
    ]
    reach = math.degrees(math.pi / 2 - half)
    rows.append({"kind": Layer.REGION, "x": -reach, "x2": reach})
    arrows = [problem.W_p[:, 0], problem.W_p[:, 1]]
    if minimum.exists:
        y = minimum.y
        w = torch.linalg.solve(problem.W_p.mT, y / problem.M_d.sqrt())
        # the pair (w_E, w_D) with w_E of unit norm
        arrows += [w / w.norm(), problem.W_r @ (problem.M_d.sqrt() * y) * w.norm()]
        rows.append(
            {
                "kind": Layer.POINT,
                "x": math.degrees(math.atan2(w[0], w[1])),
                "y": minimum.loss,
                "value": VERDICTS.index(minimum.verdict),
            }
        )
    rows += [
        {"kind": Layer.ARROW, "x": a[0].item(), "y": a[1].item(), "value": which}
        for which, a in enumerate(arrows)
    ]
    return table(rows), minimum


GRID = 20  # 231 points of the triangle: fine enough to see, few enough to drag


def three_worlds(t: float) -> tuple[float, float, float]:
    """M_d along one path: t = 0 gives (.3, 1, 1), t = 1 gives (1, 1, 1), t = 2 gives (1, 3, 1)."""
    return (0.3 + 0.7 * t, 1.0, 1.0) if t <= 1 else (1.0, 1.0 + 2.0 * (t - 1), 1.0)


def triangle(p: np.ndarray) -> np.ndarray:
    """Barycentric weights (k, 3) to the plane: corner d is y pointing at feature d alone."""
    return p @ np.array([[0.0, 0.0], [1.0, 0.0], [0.5, math.sqrt(0.75)]])


def three_rows(problem: Problem) -> tuple[dict[str, np.ndarray], GroupMinimum]:
    """Lt / tr K, the share of loss left, over all positive y of a group of three, as a triangle.

    With its positive eigenvector, if any, the three eigenvectors' components, and M_d.
    """
    minimum = group_minimum(problem, [0, 1, 2])
    A = (problem.W_r * problem.M_d.sqrt()).numpy()
    K = A.T @ A
    steps = [[i, j, GRID - i - j] for i in range(GRID + 1) for j in range(GRID + 1 - i)]
    p = np.array(steps) / GRID
    left = 1 - np.einsum("ki,ij,kj->k", p, K, p) / (p * p).sum(1) / np.trace(K)
    rows = [
        {"kind": Layer.CURVE, "x": x, "y": y, "value": v} for (x, y), v in zip(triangle(p), left)
    ]
    if minimum.exists:
        y = minimum.y.numpy()
        ((x, height),) = triangle((y / y.sum())[None])
        rows.append(
            {"kind": Layer.POINT, "x": x, "y": height, "value": VERDICTS.index(minimum.verdict)}
        )
    rows.append({"kind": Layer.DATA, **dict(zip(("x", "y", "x2"), problem.M_d.tolist()))})
    values, vectors = np.linalg.eigh(K)
    for rank in range(3):
        v = vectors[:, 2 - rank] * np.sign(vectors[:, 2 - rank].sum())
        positive = Sign.TOP if rank == 0 else Sign.LOWER
        sign = positive if (v > 0).all() else Sign.MIXED
        rows += [
            {
                "kind": Layer.BAR,
                "x": 4 * rank + d + 1,
                "y": v[d],
                "x2": values[2 - rank],
                "value": sign,
            }
            for d in range(3)
        ]
    return table(rows), minimum


def share_rows(
    problem: Problem,
    directions: Directions,
    names: list[str],
    sizes: list[int],
    draws: int,
    generator: torch.Generator,
) -> list[dict]:
    """Random groups of each size, and named ones, with the share of each that are traps.

    Of random groups with its interval; of a named one it is 1 for a trap, 0 for none.
    """
    rows = []
    for size in sizes:
        share, low, high = trap_share(problem, size, draws, generator)
        drawn = {"series": "random groups", "name": "", "size": size}
        rows.append(drawn | {"share": share, "low": low, "high": high})
    for name in names:
        group = directions.group(name)
        trap = float(group_minimum(problem, group).verdict is Verdict.TRAP)
        real = {"series": "real siblings", "name": name, "size": len(group)}
        rows.append(real | {"share": trap, "low": trap, "high": trap})
    return rows
