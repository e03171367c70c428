"""The verdict of a stationary point, its reason in words, and the names of its neurons."""

from __future__ import annotations

import numpy as np
import torch

from ..tolerances import OFF
from .patterns import to_numpy
from .point import Point
from .spectrum import spectrum
from .verdict import Shared, Verdict, verdict_of
from .walls import Walls


def judge(point: Point, walls: Walls, tol: float) -> tuple[Verdict, str, float | None]:
    """Verdict, reason and `first_order` of a stationary point, by the rule of `verdict_of`."""
    if not point.lossy.any():
        return Verdict.GLOBAL, "the loss is zero", None
    overlaps = int((point.fired.sum(0) * (point.problem.M_d > 0) > 1).sum())
    if overlaps:
        reason = (
            f"{overlaps} features fire several neurons; the Hessian or the search can tell more"
        )
        return Verdict.UNDECIDED, reason, None
    shared, systems, values = [], {}, {}
    for row in (point.fired.sum(1) > 1).nonzero()[:, 0].tolist():
        features = point.fired[row].nonzero()[:, 0].tolist()
        system = spectrum(point.problem, features)
        if len(system.features) < 2:
            continue
        i = int(point.firing[row])
        y = to_numpy(point.Z[row, system.features]) * system.s
        y = y / np.linalg.norm(y)
        if (off := system.off(y)) > max(OFF, tol * 1e4):
            reason = (
                f"neuron {i}: M_d differ so much that gradients say nothing of its small ones; its "
                f"z is {off:.1g} of its largest away from every eigenvector"
            )
            return Verdict.UNDECIDED, reason, None
        systems[i], values[i] = system, float(np.square(system.A @ y).sum())
        is_lossy = bool(point.lossy[features].any())
        shared.append(Shared(i, system.is_top(y), system.simple, is_lossy))
    verdict, at = verdict_of(
        shared, falls=lambda i: not walls.blocks(i, systems[i]), leaks=walls.leak
    )
    if verdict is Verdict.ESCAPABLE:
        return verdict, *walls.way_over()
    if at is None:
        reason = (
            "every group has a simple top eigenvalue, and lossy features are strictly below theta "
            "on every other row"
        )
        return verdict, reason, None
    because = {
        Verdict.SADDLE: f"its eigenvalue {values[at]:.6g} is not the group's top one, "
        f"{systems[at].values[0]:.6g}",
        Verdict.UNDECIDED: "its eigenvalue is not the top one, but it lies on walls z = theta that "
        "block the way down",
        Verdict.DEGENERATE: "the group's top eigenvalue repeats, so the minimum is one of a flat "
        "family",
    }
    return verdict, f"neuron {at}: {because[verdict]}", None


def name_neurons(point: Point, walls: Walls) -> list[Verdict]:
    """One verdict a neuron: of how many features it fires for, or how dead it is."""
    sizes = torch.zeros(len(point.P), dtype=torch.long, device=point.P.device)
    sizes[point.firing] = point.fired.sum(1)
    names = torch.where(sizes > 1, 1, 0)
    names = torch.where(sizes == 0, 2 + walls.touching.long(), names)
    kinds = (
        Verdict.MONOSEMANTIC,
        Verdict.POLYSEMANTIC,
        Verdict.STRICTLY_DEAD,
        Verdict.ESCAPABLE_DEAD,
    )
    return [kinds[k] for k in names.tolist()]
