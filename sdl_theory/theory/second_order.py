"""Overlapping patterns (ours): the least curvature of Lt off its symmetries decides.

A row alone with its features has a closed form (`spectrum`); rows that share features have none,
but inside their region Lt is a polynomial, and its second derivatives say what the point is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from ..activations import Activation, ReLU, check_sigma
from ..problem import Problem
from ..signature import checked
from ..tolerances import FLAT, STATIONARY, tolerance
from ..weights import Weights, check_match
from .certificate import CertificateError
from .curvature import Curvature, curvature
from .loss import approximate_loss
from .point import Point
from .verdict import Shared, Verdict, verdict_of
from .walls import Walls


@dataclass(frozen=True, eq=False)
class SecondOrder:
    """What `second_order` found.

    curvature : None where it was not asked, or not found; else the least second derivative of Lt
        along any move off the symmetries, per unit of
        sum_i sum_d M_d (||w_D^i||^2 dz_id^2 + ||dw_D^i||^2 z_id^2): no rescaling changes it. For
        one neuron on a group it is 2 (1 - sqrt(lambda_2 / lambda_1)) at the top eigenvector.
    direction : the move that has it, as Weights; zero elsewhere.
    neurons : those that move.
    """

    problem: Problem
    weights: Weights
    sigma: Activation
    curvature: float | None
    direction: Weights | None
    neurons: list[int]
    verdict: Verdict
    reason: str

    def check(self) -> SecondOrder:
        """Return self if Lt's second derivative along `direction` is `curvature`, by autograd."""
        if self.direction is None or self.curvature is None:
            return self
        step = torch.zeros((), dtype=self.problem.W_p.dtype, requires_grad=True)
        moved = Weights(
            self.weights.W_E + step * self.direction.W_E,
            self.weights.W_D + step * self.direction.W_D,
        )
        loss = approximate_loss(self.problem, moved, self.sigma)
        slope = torch.autograd.grad(loss, step, create_graph=True)[0]
        found = torch.autograd.grad(slope, step)[0].item()
        eps = torch.finfo(step.dtype).eps
        if not abs(found - self.curvature) <= tolerance(FLAT, eps) * max(1.0, abs(found)):
            raise CertificateError(
                f"the second derivative of Lt along direction is {found:.6g}, "
                f"not curvature = {self.curvature:.6g}"
            )
        return self


@checked
def second_order(problem: Problem, weights: Weights, sigma: Activation = ReLU()) -> SecondOrder:
    """Beyond arXiv:2512.05534: what a stationary point is where neurons share features.

    Theorem 3.7's groups decouple and have a closed form; overlapping ones have not. Rows that share
    features make a component, and components decouple. Inside the region each is judged by the
    least eigenvalue of its Hessian off the moves that change nothing: (t w_E, w_D / t), and a
    change of basis among rows that fire for the same features. Dense when small; Lanczos' method
    on Hessian-vector products (scipy's eigsh) when large.

    `verdict` (of Lt):

    * saddle: some component with nonzero loss curves down, and no wall is in the way.
    * trap: every one curves up, and lossy features are strictly below theta on all other rows: a
      local minimum, since only the symmetries are flat.
    * escapable: likewise, but a wall is touched; global: loss 0; not_stationary.
    * undecided: curvature 0 within 1e-8, or not found; or walls block the way down.

    More firing neurons than features is a saddle wherever a neuron whose code the others can
    make up has a residual to pull on (sum_d M_d r_d w_p^dT over its features is not 0).

    >>> import torch
    >>> from sdl_theory import Problem, Weights, second_order
    >>> problem = Problem(torch.tensor([[1.0, 0.6], [0.0, 0.8]], dtype=torch.float64))
    >>> mean = problem.W_p.mean(1)  # a trap: one neuron, z = 1 on both features
    >>> twice = Weights(torch.stack([mean, mean]) / 0.8, torch.stack([mean, mean], 1) / 2)
    >>> found = second_order(problem, twice)  # the same function by two neurons
    >>> print(found.verdict, found.neurons, round(found.check().curvature, 3))
    saddle [0, 1] -2.0
    """
    check_match(problem, weights)
    check_sigma(sigma)
    point = Point(problem, weights, sigma)
    tol = tolerance(STATIONARY, torch.finfo(problem.W_p.dtype).eps)
    norms, least = point.relative_norms(tol), None
    if max(norms) > tol:
        name = "grad_D" if norms[0] > tol else "grad_E"
        verdict, reason = Verdict.NOT_STATIONARY, f"{name} is not zero; `polish` descends to where"
    elif not point.lossy.any():
        verdict, reason = Verdict.GLOBAL, "the loss is zero"
    else:
        verdict, least, reason, _ = weigh(point, Walls(point))
    return SecondOrder(
        problem=problem,
        weights=weights,
        sigma=sigma,
        curvature=None if least is None or math.isnan(least.value) else least.value,
        direction=None if least is None else as_weights(point, least),
        neurons=[] if least is None else least.neurons,
        verdict=verdict,
        reason=reason,
    )


def components(point: Point) -> list[np.ndarray]:
    """Firing rows that features of M_d > 0 connect, those that lose something alone.

    Each as positions among the firing rows.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    fired = (point.fired & point.lossy).cpu().numpy()
    k, n = fired.shape
    i, d = fired.nonzero()
    graph = csr_array((np.ones(len(i)), (i, k + d)), (k + n, k + n))
    labels = connected_components(graph, directed=False)[1][:k]
    lossy = fired.any(1)
    if point.toll is not None:  # a column of no length pays for any, at first order
        lossy &= (point.W_D.norm(dim=0) > 0).cpu().numpy()
    return [np.flatnonzero((labels == one) & lossy) for one in np.unique(labels[lossy])]


def as_shared(walls: Walls, parts: list[Curvature]) -> tuple[list[Shared], dict]:
    """The components as `verdict_of` sees groups, by their first neuron; and those themselves."""
    eps = torch.finfo(walls.point.z.dtype).eps
    flat, shared, known = tolerance(FLAT, eps), [], {}
    for part in parts:
        name = int(walls.point.firing[part.rows[0]])
        known[name] = part
        shared.append(Shared(name, not part.value < -flat, part.value > flat, is_lossy=True))
    return shared, known


def weigh(point: Point, walls: Walls) -> tuple[Verdict, Curvature | None, str, float | None]:
    """Verdict of a lossy stationary point, the curvature that says so, reason and `first_order`.

    By second derivatives alone: lone neurons too.
    """
    parts = [curvature(point, rows) for rows in components(point)]
    shared, known = as_shared(walls, parts)
    verdict, at = verdict_of(
        shared, falls=lambda i: walls.leaves_free(known[i].rows, known[i].E), leaks=walls.leak
    )
    least = known[at] if at is not None else min(parts, key=lambda one: one.value, default=None)
    flat = next((part for part in parts if part.open), None)
    if flat is not None and verdict not in (Verdict.SADDLE, Verdict.UNDECIDED):
        return Verdict.UNDECIDED, flat, flat_reason(flat), None
    if verdict is Verdict.ESCAPABLE:
        return verdict, least, *walls.way_over()
    if verdict is Verdict.DEGENERATE:
        return verdict, least, f"{least}: flat, as where a group's top eigenvalue repeats", None
    if at is not None:
        return verdict, least, reason_of(verdict, known[at]), None
    reason = (
        "every component curves up off its symmetries, "
        "and lossy features are strictly below theta on every other row"
    )
    return verdict, least, reason, None


def verdicts_of_neurons(point: Point, tol: float) -> dict[int, Verdict]:
    """What each firing neuron's component is, by second derivatives: several in one share it.

    A component that loses nothing is global; one with a gradient left is not stationary; one that
    touches a wall is escapable, though Lt be a trap elsewhere.
    """
    walls = Walls(point)
    norms = torch.maximum(*point.relative_norms_of_each(tol))
    found = {int(i): Verdict.GLOBAL for i in point.firing}
    for rows in components(point):
        part = None if (norms[torch.as_tensor(rows)] > tol).any() else curvature(point, rows)
        if part is None:
            verdict = Verdict.NOT_STATIONARY
        elif part.open:
            verdict = Verdict.UNDECIDED
        elif part.value < 0:
            free = walls.leaves_free(rows, part.E)
            verdict = Verdict.SADDLE if free else Verdict.UNDECIDED
        elif walls.touched_by(rows):
            verdict = Verdict.ESCAPABLE
        else:
            verdict = Verdict.TRAP if part.value > 0 else Verdict.DEGENERATE
        found |= {int(point.firing[row]): verdict for row in rows}
    return found


def flat_reason(part: Curvature) -> str:
    """Why a component without curvature is undecided."""
    if part.off:
        return f"{part}: M_d differ so much that gradients say nothing of the small ones"
    if part.value != part.value:
        return f"{part}: their least curvature was not found"
    return f"{part}: flat beyond the moves that change no output, where higher orders decide"


def reason_of(verdict: Verdict, part: Curvature) -> str:
    """Why a component is a saddle, or held by walls."""
    where = f"{part}: Lt curves down, by {part.value:.3g}"
    if verdict is Verdict.SADDLE:
        return where
    return f"{where}, but walls z = theta block the way"


def as_weights(point: Point, part: Curvature) -> Weights | None:
    """A component's move as weights of the whole model."""
    if not np.isfinite(part.value):
        return None
    W_E, W_D = torch.zeros_like(point.weights.W_E), torch.zeros_like(point.weights.W_D)
    rows = point.firing[torch.as_tensor(part.rows, device=point.firing.device)]
    W_E[rows] = torch.as_tensor(part.E).to(W_E)
    W_D[:, rows] = torch.as_tensor(part.D).to(W_D)
    return Weights(W_E, W_D)
