"""The one verifier: constructors build, `certify` says what a point is, from its data alone."""

from __future__ import annotations

import numpy as np
import torch

from ..activations import Activation, ReLU, check_sigma
from ..problem import Problem
from ..readers import between
from ..signature import checked
from ..tolerances import OFF, STATIONARY, tolerance
from ..weights import Weights, check_match
from .certificate import Certificate
from .curvature import curvature
from .patterns import to_numpy
from .point import Point
from .second_order import as_shared, components, flat_reason, reason_of
from .spectrum import Spectrum, spectrum
from .verdict import Shared, Verdict, verdict_of
from .walls import Walls


@checked(tol=between(0, 1))
@torch.no_grad()
def certify(
    problem: Problem, weights: Weights, sigma: Activation = ReLU(), tol: float = STATIONARY
) -> Certificate:
    r"""The verifier for Theorems 3.3 to 3.10, arXiv:2512.05534: what a point is, in one verdict.

    With its loss, both gradients, pattern and walls. Relative gradient norms, neuron by neuron, so
    that rescaling (w_E, w_D) -> (t w_E, w_D / t) changes nothing:

    .. math:: \frac{\|\sum_d M_d R_d z_{id}\|}
                   {\sqrt{\sum_{d \in F_i} M_d c_d^2}\sqrt{\sum_d M_d z_{id}^2}}, \quad
              \frac{\|\sum_{d \in F_i} M_d \langle w_D^i, R_d\rangle w_p^d\|}
                   {\|w_D^i\| \sqrt{\sum_{d \in F_i} M_d c_d^2}
                    \sqrt{\sum_{d \in F_i} M_d \|w_p^d\|^2}}

    with c_d^2 = ||w_r^d||^2 + ||W_D z_d||^2. Only rows that fire enter the gradients' products.

    tol : in (0, 1), raised to 1000 machine epsilons for float32 and below; it says what counts as
        stationary and nothing else.

    The verdict; traps are facts about Lt:

    * not_stationary: a gradient is not zero.
    * global: every feature with M_d > 0 is reconstructed to 1e-10 of its terms.
    * undecided: walls block a saddle's way down, or M_d differ so much that gradients say nothing
      of the small ones, or neurons that share features are flat to second order beyond the moves
      that change no output (or too many for their least curvature to be found).
    * saddle: a group's y is not in the top eigenspace; or neurons that share features, which have
      no closed form, curve down: `second_order`.
    * escapable: tops, but a feature of a group with nonzero loss, or one that nothing fires for, is
      on a wall z = theta of some other row; under Top-k, level with the lowest selected latent:
      `first_order` says whether the first step over it goes down.
    * degenerate: a top eigenvalue repeats.
    * trap: a true local minimum of Lt; neurons that share features curve up.

    >>> import torch
    >>> from sdl_theory import Problem, Weights, certify
    >>> problem = Problem(torch.tensor([[1.0, 0.6], [0.0, 0.8]], dtype=torch.float64))
    >>> mean = problem.W_p.mean(1)  # one neuron: z = 1 on both features, whose mean it writes
    >>> certify(problem, Weights(mean[None] / mean.norm() ** 2, mean[:, None])).check()
    loss Lt          0.4
    grad_D = 0       yes
    grad_E = 0       yes
    clear of walls   yes
    neurons          1 polysemantic
    verdict          trap
    because          every group has a simple top eigenvalue, and lossy features are
                     strictly below theta on every other row
    """
    check_match(problem, weights)
    check_sigma(sigma)
    tol = max(tol, tolerance(STATIONARY, torch.finfo(problem.W_p.dtype).eps))
    point = Point(problem, weights, sigma)
    walls = Walls(point)
    grad_D, grad_E = point.relative_norms(tol)
    stationary = grad_D <= tol and grad_E <= tol
    if stationary:
        verdict, reason, first_order = _judge(point, walls, tol)
    else:
        reason = f"{'grad_D' if grad_D > tol else 'grad_E'} is not zero"
        verdict, first_order = Verdict.NOT_STATIONARY, None
    return Certificate(
        loss=point.loss,
        grad_D=grad_D,
        grad_E=grad_E,
        pattern=point.P,
        neurons=name_neurons(point, walls),
        wall_distance=point.wall_distance,
        stationary=stationary,
        verdict=verdict,
        reason=reason,
        tol=tol,
        scale=problem.scale,
        first_order=first_order,
    )


def _judge(point: Point, walls: Walls, tol: float) -> tuple[Verdict, str, float | None]:
    """Verdict, reason and `first_order` of a stationary point, by the rule of `verdict_of`."""
    if not point.lossy.any():
        return Verdict.GLOBAL, "the loss is zero", None
    parts = [rows for rows in components(point) if len(rows) > 1]
    together, known = as_shared(walls, [curvature(point, rows) for rows in parts])
    alone = set(range(len(point.fired))) - {row for rows in parts for row in rows.tolist()}
    groups = _Groups(point, sorted(alone))
    if (hidden := groups.hidden(max(OFF, tol * 1e4))) is not None:
        return Verdict.UNDECIDED, hidden, None
    verdict, at = verdict_of(
        groups.shared + together,
        falls=lambda i: (
            walls.leaves_free(known[i].rows, known[i].E)
            if i in known
            else walls.way_down(i, groups.systems[i])
        ),
        leaks=walls.leak,
    )
    flat = next((part for part in known.values() if part.open), None)
    if flat is not None and verdict not in (Verdict.SADDLE, Verdict.UNDECIDED):
        return Verdict.UNDECIDED, flat_reason(flat), None
    if verdict is Verdict.ESCAPABLE:
        return verdict, *walls.way_over()
    if at is None:
        up = ", every overlap curves up" * bool(parts)
        reason = (
            f"every group has a simple top eigenvalue{up}, "
            f"and lossy features are strictly below theta on every other row"
        )
        return verdict, reason, None
    reason = reason_of(verdict, known[at]) if at in known else groups.reason(verdict, at)
    return verdict, reason, None


class _Groups:
    """The neurons that are alone with several features, each with its eigen-system."""

    def __init__(self, point: Point, rows: list[int]):
        self.systems: dict[int, Spectrum] = {}
        self.values: dict[int, float] = {}
        self.shared: list[Shared] = []
        self._off: dict[int, float] = {}
        sizes = point.fired.sum(1).tolist()
        for row in (one for one in rows if sizes[one] > 1):
            features = point.fired[row].nonzero()[:, 0].tolist()
            if not point.lossy[features].any():
                continue
            system = spectrum(point.problem, features)
            if len(system.features) < 2:
                continue
            i = int(point.firing[row])
            y = to_numpy(point.Z[row, system.features]) * system.s
            y = y / np.linalg.norm(y)
            self._off[i] = system.off(y)
            self.systems[i], self.values[i] = system, float(np.square(system.A @ y).sum())
            self.shared.append(Shared(i, system.is_top(y), system.simple, is_lossy=True))

    def hidden(self, most: float) -> str | None:
        """Why gradients say too little of some neuron, if they do."""
        for i, off in self._off.items():
            if off > most:
                return (
                    f"neuron {i}: M_d differ so much that gradients say nothing of its small ones; "
                    f"its z is {off:.1g} of its largest away from every eigenvector"
                )
        return None

    def reason(self, verdict: Verdict, i: int) -> str:
        """Why neuron i decides for this verdict."""
        because = {
            Verdict.SADDLE: f"its eigenvalue {self.values[i]:.6g} "
            f"is not the group's top one, {self.systems[i].values[0]:.6g}",
            Verdict.UNDECIDED: "its eigenvalue is not the top one, "
            "but it lies on walls z = theta that block the way down",
            Verdict.DEGENERATE: "the group's top eigenvalue repeats, "
            "so the minimum is one of a flat family",
        }
        return f"neuron {i}: {because[verdict]}"


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
