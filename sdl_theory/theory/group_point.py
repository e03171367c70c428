"""One neuron's stationary point on one group, with its verdict, from the group's arrays.

From an eigen-system, of Lt or of the true loss, or with a penalty from a trust-region subproblem.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from ..checks import Tensor
from ..tolerances import SILENT
from .metric import Metric, Point, eigen_point
from .penalty import is_void, nothing_does_better, penalised_points
from .spectrum import Spectrum
from .verdict import Shared, Verdict, verdict_of


@dataclass(frozen=True)
class GroupMinimum:
    """The eigen-problem of one group, walls aside.

    features : those of the group with M_d > 0, F (with `moments`: with C_dd > 0).
    y : (|F|,) > 0 of unit norm. y > 0 is judged by z = y / s: every z_d > 1e-9 of the largest.
        s = sqrt(M_d), or sqrt(C_dd).
    eigenvalue : lambda; with a penalty nu.
    is_top : it is the largest; with a penalty, the point is a strict minimum.
    multiplicity : of the eigenvalue; eigenvalues are equal within 1e-13 tr K.
    loss : of the group; with a penalty the objective.
    z, w_D : (|F|,) > 0 and (n_r,): z_d w_D is what the neuron gives for x_d = 1. ||w_D|| = 1, so
        that z are the activations ||w_D|| z_d; or w_D = 0, where the eigenvalue is 0.
    curvature : the largest eigenvalue of A - eigenvalue * I across w_D, A = W_r C W_r^T: below 0 a
        strict minimum but for scale, above 0 a saddle; NaN without a point.
    """

    group: list[int]
    features: list[int]
    exists: bool
    y: Tensor | None
    eigenvalue: float
    is_top: bool
    multiplicity: int
    loss: float
    verdict: Verdict
    reason: str
    z: Tensor | None = None
    w_D: Tensor | None = None
    curvature: float = float("nan")


def solve_group(group: list[int], system: Spectrum) -> GroupMinimum:
    """`group_minimum`, given the group's eigen-system."""
    features = system.features.tolist()
    if not features:
        return _never_active(group, len(system.A), "every M_d of the group is 0")
    for rank, cluster in enumerate(system.clusters):
        y = system.positive(cluster)
        if y is not None:
            loss, multiplicity = system.loss(y), cluster.stop - cluster.start
            z, w_D = _scaled(system, y)
            which = "top eigenvalue"
            if rank > 0:
                which = f"eigenvalue number {rank + 1} of the group, not the top one"
            repeats = f", which repeats {multiplicity} times" if multiplicity > 1 else ""
            return GroupMinimum(
                group=group,
                features=features,
                exists=True,
                y=torch.from_numpy(y),
                eigenvalue=float(system.values[cluster].mean()),
                is_top=rank == 0,
                multiplicity=multiplicity,
                loss=loss,
                verdict=_alone(loss, is_top=rank == 0, is_simple=multiplicity == 1),
                reason=f"a positive eigenvector with the {which}{repeats}",
                z=z,
                w_D=w_D,
                curvature=_curvature(system, cluster),
            )
    return _nowhere(
        group,
        features,
        "no eigenvector of V^T K V is positive "
        "(every z_d = y_d / s_d above 1e-9 of the largest), "
        "so no interior stationary point fires for the whole group",
    )


def _never_active(group: list[int], n_r: int, reason: str) -> GroupMinimum:
    return GroupMinimum(
        group=group,
        features=[],
        exists=True,
        y=torch.zeros(0, dtype=torch.float64),
        eigenvalue=0.0,
        is_top=True,
        multiplicity=1,
        loss=0.0,
        verdict=Verdict.GLOBAL,
        reason=reason,
        z=torch.zeros(0, dtype=torch.float64),
        w_D=torch.zeros(n_r, dtype=torch.float64),
        curvature=0.0,
    )


def _nowhere(group: list[int], features: list[int], reason: str) -> GroupMinimum:
    return GroupMinimum(
        group=group,
        features=features,
        exists=False,
        y=None,
        eigenvalue=float("nan"),
        is_top=False,
        multiplicity=0,
        loss=float("nan"),
        verdict=Verdict.NONE,
        reason=reason,
    )


def _curvature(system: Spectrum, cluster: slice) -> float:
    others = float(np.delete(system.values, np.r_[cluster]).max(initial=0.0))
    flat = cluster.start == 0 and cluster.stop > 1
    return 0.0 if flat else others - float(system.values[cluster].mean())


def _scaled(system: Spectrum, y: np.ndarray) -> tuple[Tensor, Tensor]:
    """z and w_D of a stationary y of unit norm."""
    w_D = system.A @ y
    size = float(np.linalg.norm(w_D))
    silent = size <= SILENT * np.linalg.norm(system.A)
    z = y / system.s * (1.0 if silent else size)
    return torch.from_numpy(z), torch.from_numpy(np.zeros_like(w_D) if silent else w_D / size)


def moved(minimum: GroupMinimum, system: Spectrum, y: np.ndarray) -> GroupMinimum:
    """The same, at another y of its eigenspace."""
    z, w_D = _scaled(system, y)
    return replace(minimum, y=torch.from_numpy(y), z=z, w_D=w_D)


def solve_moments(group: list[int], system: Metric, l1: float) -> GroupMinimum:
    """`group_minimum` of the true loss, given the group's arrays."""
    features = system.features.tolist()
    if not features:
        return _never_active(group, len(system.W_r), "every C_dd of the group is 0")
    l1 = 0.0 if is_void(system, l1) else l1
    points = penalised_points(system, l1) if l1 else [eigen_point(system)]
    point = points[0] if points else None
    if point is None:
        what = f"stationary point of the penalised loss (l1 = {l1:g})" if l1 else "eigenvector"
        return _nowhere(group, features, f"no {what} has z > 0: nothing fires for the whole group")
    y = system.root * point.a
    if l1:
        verdict, reason = _penalised(system, point)
    else:
        top, simple = point.rank == 0, point.multiplicity == 1
        verdict = _alone(point.loss, is_top=top, is_simple=simple)
        reason = f"z > 0 belongs to eigenvalue number {point.rank + 1} of C G C z = lambda C z"
        reason += "" if simple else f", which repeats {point.multiplicity} times"
    return GroupMinimum(
        group=group,
        features=features,
        exists=True,
        y=torch.from_numpy(y / np.linalg.norm(y)),
        eigenvalue=point.eigenvalue,
        is_top=point.rank == 0,
        multiplicity=point.multiplicity,
        loss=point.loss,
        verdict=verdict,
        reason=reason,
        z=torch.from_numpy(point.a),
        w_D=torch.from_numpy(point.u),
        curvature=point.curvature,
    )


def _penalised(system: Metric, point: Point) -> tuple[Verdict, str]:
    if nothing_does_better(system, point):
        return Verdict.GLOBAL, "every sample is shrunk as is best for it alone"
    if point.rank == 0:
        return Verdict.TRAP, "A - nu I is negative definite across w_D: a strict local minimum"
    return Verdict.SADDLE, "A - nu I is not negative definite across w_D: a way leads down"


def _alone(loss: float, is_top: bool, is_simple: bool) -> Verdict:
    """The verdict of a group without walls: free to fall, and nothing leaks."""
    if loss == 0:
        return Verdict.GLOBAL
    neuron = Shared(0, is_top, is_simple, is_lossy=True)
    return verdict_of([neuron], falls=lambda _: True, leaks=lambda: False)[0]
