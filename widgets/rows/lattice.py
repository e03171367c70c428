"""Every way to share four features out among neurons, as a lattice; and descents from one."""

from __future__ import annotations

import math
from collections import Counter
from functools import lru_cache

import numpy as np
import torch

from sdl_theory import (
    JumpReLU,
    PartialMinimum,
    PartitionRow,
    Problem,
    Weights,
    hessian,
    partial_minimum,
    partitions,
    pattern,
    survey_partitions,
)

from ..kinds import Lattice
from .common import VERDICTS, table
from .descent import SEEDS, descend

STEPS = 600
PARTITIONS = sorted(
    partitions(4), key=lambda groups: (len(groups), [len(g) for g in groups], groups)
)
OTHERS = ((0.5, -0.8, 0.33), (-0.2, -0.9, -0.38))


def label(groups: list[list[int]]) -> str:
    """The name of a partition: 12|34 is features 1 and 2 on one neuron, 3 and 4 on another."""
    return "|".join("".join(str(d + 1) for d in group) for group in groups)


def places() -> list[tuple[float, float]]:
    """Where each partition is drawn: its number of neurons upwards, neighbours apart."""
    many = Counter(len(groups) for groups in PARTITIONS)
    seen: Counter = Counter()
    out = []
    for groups in PARTITIONS:
        level = len(groups)
        out.append((seen[level] - (many[level] - 1) / 2, level))
        seen[level] += 1
    return out


def edges() -> list[dict]:
    """Lines from each partition to those in which two of its groups have been merged."""
    where = {
        frozenset(map(frozenset, groups)): place for groups, place in zip(PARTITIONS, places())
    }
    merged = lambda groups, i, j: (
        frozenset(frozenset(g) for k, g in enumerate(groups) if k not in (i, j))
        | {frozenset(groups[i] + groups[j])}
    )
    return [
        {
            "x": where[frozenset(map(frozenset, groups))][0],
            "y": len(groups),
            "u": where[merged(groups, i, j)][0],
            "v": len(groups) - 1,
        }
        for groups in PARTITIONS
        for j in range(len(groups))
        for i in range(j)
    ]


def four_features(rho: float) -> Problem:
    """Features 1 and 2 at cosine rho, 3 and 4 at cosine .496, in three dimensions.

    Superposition, so that some patterns cannot be shown.
    """
    half = math.acos(rho) / 2
    W = torch.tensor(
        [(-math.sin(half), 0, math.cos(half)), (math.sin(half), 0, math.cos(half)), *OTHERS],
        dtype=torch.float64,
    ).mT
    return Problem(W / W.norm(dim=0))


def balanced(problem: Problem, weights: Weights, theta: float) -> Weights:
    """The same point with each neuron's (w_E, w_D) scaled to (t w_E, w_D / t).

    As near to equal norms as its pattern allows. The loss does not change and nor does the verdict,
    but a short row beside a long column makes descent slow.
    """
    z, rows, columns = weights.W_E @ problem.W_p, weights.W_E.norm(dim=1), weights.W_D.norm(dim=0)
    t = torch.where(
        (rows > 0) & (columns > 0), (columns / rows.clamp(min=1e-12)).sqrt(), torch.ones_like(rows)
    )
    fires = z > theta
    low = 1.2 * theta / torch.where(fires, z, torch.inf).amin(dim=1)
    high = (
        0.9 * theta / torch.where(fires, 0.0, z).clamp(min=1e-12).amax(dim=1)
        if theta
        else torch.full_like(t, torch.inf)
    )
    low, high = low.clamp(max=1.0), high.clamp(min=1.0)  # where it stands is always allowed
    t = torch.where(columns > 0, t.clamp(low, high), 1.0)
    return Weights(weights.W_E * t[:, None], weights.W_D / t)


@lru_cache(maxsize=512)
def _survey(rho: float, theta: float) -> dict[str, PartitionRow]:
    return {
        label(row.groups): row for row in survey_partitions(four_features(rho), JumpReLU(theta))
    }


def lattice_rows(
    rho: float, which: int, theta: float
) -> tuple[dict[str, np.ndarray], tuple[PartialMinimum, int]]:
    """All 15 partitions with verdict and loss; six descents from the chosen one's point.

    Also the chosen one, and how many descents left it.
    """
    problem, sigma, verdicts, rows = four_features(rho), JumpReLU(theta), _survey(rho, theta), []
    for k, (groups, (x, y)) in enumerate(zip(PARTITIONS, places())):
        found = verdicts[label(groups)]
        code = VERDICTS.index(found.verdict)
        rows.append(
            {
                "kind": Lattice.NODE,
                "x": x,
                "y": y,
                "x2": -1.0 if math.isnan(found.loss) else found.loss,
                "value": code,
            }
        )
        if k == which:
            rows.append({"kind": Lattice.CHOSEN, "x": x, "y": y, "value": code})
    chosen, left = partial_minimum(problem, pattern(PARTITIONS[which], 4, 5), sigma), 0
    if chosen.exists:
        start = balanced(problem, chosen.weights, theta)
        steepest = torch.linalg.eigvalsh(hessian(problem, start, sigma))[-1].item()
        losses = descend(
            problem,
            start,
            theta=theta,
            nudge=1e-2,
            seeds=SEEDS,
            steps=STEPS,
            rate=min(0.2, 1.5 / steepest),  # from 2 / steepest on, descent diverges
        )
        left = int((losses[:, -1] < chosen.loss - 1e-2).sum())
        rows += [
            {"kind": Lattice.DESCENT, "x": step, "y": losses[seed, step], "value": seed}
            for seed in range(SEEDS)
            for step in range(0, STEPS + 1, 15)
        ]
    return table(rows), (chosen, left)


def verdict_rows(problem: Problem, sigma) -> list[dict]:
    """How many partitions of all features have which verdict, by the number of neurons in use."""
    counts = Counter(
        (len(row.groups), str(row.verdict)) for row in survey_partitions(problem, sigma)
    ).items()
    return [
        {"neurons": neurons, "verdict": verdict, "partitions": number}
        for (neurons, verdict), number in sorted(counts)
    ]
