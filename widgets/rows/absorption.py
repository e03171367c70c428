"""Theorem 3.10 as rows: who fires for whom before and after, and the ladder of losses."""

from __future__ import annotations

import numpy as np
import torch

from sdl_theory import (
    Directions,
    JumpReLU,
    Problem,
    absorb,
    group_minimum,
    hierarchy,
    loss_ladder,
    partial_minimum,
    pattern,
)

from ..kinds import Absorbed
from .common import VERDICTS, table

CHILDREN = 4


def family(strength: float) -> Problem:
    """Two parents of four children each, every child at cosine `strength` to its parent.

    The children's weights differ.
    """
    tree = hierarchy(2, CHILDREN, 12, strength, generator=torch.Generator().manual_seed(0))
    return Problem(
        tree.W_p, M_d=torch.tensor([1.0, 0.7, 1.3, 0.5, 1.0, 1.0, 1.0, 1.0], dtype=torch.float64)
    )


def absorption_rows(
    strength: float, child: int, theta: float
) -> tuple[dict[str, np.ndarray], dict]:
    """One parent's neuron, `child` (0 to 3) leaving it.

    The patterns before and after, and the ladder of losses of the whole family.
    """
    problem, sigma = family(strength), JumpReLU(theta)
    groups = [list(range(CHILDREN)), list(range(CHILDREN, 2 * CHILDREN))]
    together = pattern(groups, 2 * CHILDREN, 3)
    parent, answer, after = partial_minimum(problem, together, sigma), None, None
    if parent.exists:
        answer = absorb(problem, parent.weights, sigma, neuron=0, child=child)
        after = partial_minimum(problem, answer.pattern, sigma) if answer.realizable else None
    patterns = [(Absorbed.BEFORE, together)]
    if answer and answer.realizable:
        patterns.append((Absorbed.AFTER, answer.pattern))
    rows = [
        {"kind": kind, "x": d + 1, "y": i + 1, "value": float(P[i, d])}
        for kind, P in patterns
        for i in range(3)
        for d in range(2 * CHILDREN)
    ]
    ladder = loss_ladder(problem, groups[0])
    rows += [
        {"kind": Absorbed.BOUND, "x": step, "y": rung.bound} for step, rung in enumerate(ladder)
    ]
    rows += [
        {"kind": Absorbed.LOSS, "x": step, "y": rung.loss}
        for step, rung in enumerate(ladder)
        if rung.loss is not None
    ]
    other = group_minimum(problem, groups[1])
    if after is not None and after.exists:
        rows.append(
            {
                "kind": Absorbed.CHOSEN,
                "x": 1,
                "y": after.loss - other.loss,
                "value": VERDICTS.index(after.verdict),
            }
        )
    return table(rows), {
        "parent": parent,
        "answer": answer,
        "after": after,
        "other": other.loss,
        "first": ladder[1].absorbed[0],
    }


def ladder_rows(problem: Problem, directions: Directions, name: str) -> list[dict]:
    """The ladder of one named group: who leaves, one by one, and how much loss is left."""
    ladder = loss_ladder(problem, directions.group(name))
    left = lambda step: directions.names[ladder[step].absorbed[-1]] if step else "all together"
    return [
        {"step": step, "loss": rung.bound, "leaver": left(step), "verdict": str(rung.verdict)}
        for step, rung in enumerate(ladder)
    ]
