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

    What the children give on each row, before and after, all rows drawn at length 1, and each row's
    threshold over its length; the ladder of losses of the whole family; and the loss that is left
    where a row of length 1 has merely fallen silent for some children, which nobody took over.
    """
    problem, sigma = family(strength), JumpReLU(theta)
    groups = [list(range(CHILDREN)), list(range(CHILDREN, 2 * CHILDREN))]
    together = pattern(groups, 2 * CHILDREN, 3)
    parent, answer, after = partial_minimum(problem, together, sigma), None, None
    if parent.exists:
        answer = absorb(problem, parent.weights, sigma, neuron=0, child=child)
        after = partial_minimum(problem, answer.pattern, sigma) if answer.realizable else None
    rows, silenced = [], {}
    if parent.exists:
        row = parent.weights.W_E[0]
        rows += _on_row(Absorbed.BEFORE, problem, row / row.norm(), theta)
        silenced = _silenced(problem, row / row.norm(), theta)
        rows.append({"kind": Absorbed.LEFT, "x": len(silenced["silent"]), "y": silenced["loss"]})
    if answer and answer.realizable:
        rows += _on_row(Absorbed.AFTER, problem, answer.weights.W_E[0], theta)
        rows += _on_row(Absorbed.OWN, problem, answer.weights.W_E[2], theta)
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
        **silenced,
    }


def _on_row(kind: Absorbed, problem: Problem, row: torch.Tensor, theta: float) -> list[dict]:
    """What the first family's children give on a row, and its threshold, both over its length."""
    length = row.norm().item()
    z = (row @ problem.W_p)[:CHILDREN] / length
    bars = [
        {"kind": kind, "x": d + 1, "y": one, "value": float(one > theta / length)}
        for d, one in enumerate(z.tolist())
    ]
    return [*bars, {"kind": Absorbed.THETA, "y": theta / length, "value": kind}]


def _silenced(problem: Problem, row: torch.Tensor, theta: float) -> dict:
    """The children that do not pass theta on this row, and the family's loss, best decoder."""
    z, M = (row @ problem.W_p)[:CHILDREN], problem.M_d[:CHILDREN]
    W, z = problem.W_r[:, :CHILDREN], z * (z > theta)
    explained = (W @ (M * z)).square().sum() / (M * z.square()).sum().clamp(min=1e-15)
    loss = (M * W.square().sum(0)).sum() - explained
    return {"silent": (z == 0).nonzero()[:, 0].tolist(), "loss": loss.item()}


def ladder_rows(problem: Problem, directions: Directions, name: str) -> list[dict]:
    """The ladder of one named group: who leaves, one by one, and how much loss is left."""
    ladder = loss_ladder(problem, directions.group(name))
    left = lambda step: directions.names[ladder[step].absorbed[-1]] if step else "all together"
    return [
        {"step": step, "loss": rung.bound, "leaver": left(step), "verdict": str(rung.verdict)}
        for step, rung in enumerate(ladder)
    ]
