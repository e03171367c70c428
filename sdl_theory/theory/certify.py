"""The one verifier. Constructors build; `certify` says what a point is, from the problem and the
weights alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from ..activations import Activation, ReLU, check_sigma, read
from ..checks import Tensor
from ..problem import Problem
from ..readers import between
from ..signature import checked
from ..tolerances import OFF, STATIONARY, WALL_TOLERANCE, ZERO_RESIDUAL, tolerance
from ..weights import Weights, check_match
from .groups import spectrum, way_down_is_free
from .patterns import to_numpy
from .separation import separate
from .verdict import Verdict, verdict_of

MOST_WALLS = 64  # walls that are tried, one by one, for a way over them


class CertificateError(AssertionError):
    """A certificate's claim does not hold."""


@dataclass(frozen=True)
class Certificate:
    """What (W_E, W_D) is. Gradient norms are relative, the worst neuron's: |grad| over what its
    terms add up to without cancelling.

    loss : Lt.  grad_D, grad_E : relative gradient norms.  pattern : P.  neurons : one Verdict a
        neuron.  wall_distance : min |z - theta|
    over features with M_d > 0 (for Top-k also the distance to a swap).  stationary : both norms <=
    tol.  verdict, reason : see `certify`.
    first_order : where the verdict is escapable, whether a first step over a wall (i, d) that is
        touched lowers Lt: > 0, the cosine of r_d and w_D^i
    where one does, and the row can cross that wall without crossing one that costs; < 0, the
    largest cosine, where every wall costs; 0, first order does not decide (a row with w_D = 0;
    walls that can be crossed together only; under Top-k more than one). None elsewhere. A step over
    a wall costs or gains -2 M_d <r_d, w_D^i> times its length under ReLU; JumpReLU jumps, M_d
    (theta^2 ||w_D^i||^2 - 2 theta <r_d, w_D^i>); Top-k swaps two latents.
    """

    loss: float
    grad_D: float
    grad_E: float
    pattern: Tensor
    neurons: list[Verdict]
    wall_distance: float
    stationary: bool
    verdict: Verdict
    reason: str
    tol: float
    scale: float
    first_order: float | None = None

    def check(self) -> Certificate:
        """Return self if the point is stationary; else CertificateError, naming the gradient."""
        for name, value in (("grad_D", self.grad_D), ("grad_E", self.grad_E)):
            if not value <= self.tol:
                raise CertificateError(
                    f"{name} is not zero: relative norm {value:.3e} > tol {self.tol:.1e}"
                )
        return self

    def __str__(self) -> str:
        yes = lambda truth: "yes" if truth else "no"
        counts = {}
        for neuron in self.neurons:
            counts[str(neuron)] = counts.get(str(neuron), 0) + 1
        lines = [
            f"loss Lt          {'0' if self.verdict is Verdict.GLOBAL else f'{self.loss:.6g}'}",
            f"grad_D = 0       {yes(self.grad_D <= self.tol)}",
            f"grad_E = 0       {yes(self.grad_E <= self.tol)}",
            f"clear of walls   {yes(self.wall_distance > WALL_TOLERANCE)}",
            f"neurons          {', '.join(f'{n} {name}' for name, n in counts.items())}",
            f"verdict          {self.verdict}",
            f"because          {self.reason}",
        ]
        return "\n".join(lines)

    __repr__ = __str__


@checked(tol=between(0, 1))
@torch.no_grad()
def certify(
    problem: Problem, weights: Weights, sigma: Activation = ReLU(), tol: float = STATIONARY
) -> Certificate:
    r"""The verifier for Theorems 3.3 to 3.10, arXiv:2512.05534: loss, both gradients, pattern,
    walls, and a verdict.

    Relative gradient norms, neuron by neuron, so that rescaling (w_E, w_D) -> (t w_E, w_D / t)
    changes nothing:

    .. math:: \frac{\|\sum_d M_d R_d z_{id}\|}{\sqrt{\sum_{d \in F_i} M_d c_d^2}\sqrt{\sum_d M_d
    z_{id}^2}}, \quad
              \frac{\|\sum_{d \in F_i} M_d \langle w_D^i, R_d\rangle w_p^d\|}{\|w_D^i\|
              \sqrt{\sum_{d \in F_i} M_d c_d^2} \sqrt{\sum_{d \in F_i} M_d \|w_p^d\|^2}}

    with c_d^2 = ||w_r^d||^2 + ||W_D z_d||^2. `tol`, in (0, 1), is raised to 1000 machine epsilons
    for float32 and below; it says what counts as stationary and nothing else.

    Verdict: not_stationary, global (every feature with M_d > 0 is reconstructed to 1e-10 of its
    terms), undecided (some feature fires several neurons, or walls block a saddle's way down: only
    the search and the Hessian can tell), saddle (a group's y is not in the top eigenspace),
    escapable (tops, but a feature of a group with nonzero loss, or one that nothing fires for, is
    on a wall z = theta of some other row; under Top-k, level with the lowest selected latent:
    `first_order` says whether the first step over it goes down), degenerate (a top eigenvalue
    repeats), trap: a true local minimum of Lt. Traps are facts about Lt. Only rows that fire enter
    the gradients' products.
    """
    check_match(problem, weights)
    check_sigma(sigma)
    if not 0 < tol < 1:
        raise ValueError(
            f"tol is a relative gradient norm, in (0, 1); got {tol}. The default {STATIONARY:g} is "
            f"what theorems are checked to"
        )
    tol = max(tol, tolerance(STATIONARY, torch.finfo(problem.W_p.dtype).eps))
    z, slack = read(problem, weights)
    P = sigma.active(z, 0, slack)
    counted = problem.M_d > 0
    wall = (
        sigma.wall_distance(z if counted.all() else z[:, counted]).item()
        if counted.any()
        else float("inf")
    )
    # rows that fire for nothing have zero gradient: leave them out of every product
    firing = P.any(1).nonzero()[:, 0]
    Z = z[firing] * P[firing]
    R = problem.W_r - weights.W_D[:, firing] @ Z
    loss = (problem.M_d * R.square().sum(0)).sum().item()
    grad_D, grad_E = _relative_norms(problem, weights, Z, P[firing], R, firing, tol)
    stationary = grad_D <= tol and grad_E <= tol
    point = _Point(problem, weights, z, P, Z, R, firing, sigma.barrier(z, slack), sigma, tol)
    first_order = None
    if not stationary:
        verdict, reason = (
            Verdict.NOT_STATIONARY,
            f"{'grad_D' if grad_D > tol else 'grad_E'} is not zero",
        )
    elif not point.lossy.any():
        verdict, reason = Verdict.GLOBAL, "the loss is zero"
    else:
        verdict, reason, first_order = point.verdict()
    return Certificate(
        loss,
        grad_D,
        grad_E,
        P,
        point.neurons(),
        wall,
        stationary,
        verdict,
        reason,
        tol,
        problem.scale,
        first_order,
    )


def _relative_norms(
    problem: Problem, weights: Weights, Z: Tensor, P: Tensor, R: Tensor, firing: Tensor, tol: float
) -> tuple[float, float]:
    if not len(firing):
        return 0.0, 0.0
    M, W_D = problem.M_d, weights.W_D[:, firing]
    RM = R * M
    model = problem.W_r - R
    c2 = M * (problem.W_r.square().sum(0) + model.square().sum(0))
    own = (P.to(c2.dtype) @ c2).sqrt()  # sqrt(sum_{F_i} M_d c_d^2)
    fired = (Z.square() @ M).sqrt()
    size_D = own * fired
    C = P * (W_D.mT @ RM)
    # a w_D below 100 eps of its natural size is zero, and has no direction
    noise = 100 * torch.finfo(M.dtype).eps / tol * own / fired
    size_E = (
        torch.maximum(W_D.norm(dim=0), noise.nan_to_num(0.0))
        * own
        * (P.to(M.dtype) @ (M * problem.W_p.square().sum(0))).sqrt()
    )
    norm_D, norm_E = (RM @ Z.mT).norm(dim=0), (C @ problem.W_p.mT).norm(dim=1)
    if not all(torch.isfinite(t).all() for t in (size_D, size_E, norm_D, norm_E)):
        raise ValueError(
            f"certify: products of these weights overflow {M.dtype}; rescale rows, W_E -> t W_E "
            f"and W_D -> W_D / t, or use float64"
        )
    relative = [
        torch.where(size > 0, norm / size, torch.zeros_like(norm)).max().item()
        for norm, size in ((norm_D, size_D), (norm_E, size_E))
    ]
    return relative[0], relative[1]  # a size of 0: there is no term at all


@dataclass(eq=False)
class _Point:
    """Reads the groups of a point off its pattern, for the verdict and the neurons' names. Z, R :
    of the rows that fire alone.
    """

    problem: Problem
    weights: Weights
    z: Tensor
    P: Tensor
    Z: Tensor
    R: Tensor
    firing: Tensor
    barrier: Tensor
    sigma: Activation
    tol: float

    @cached_property
    def fired(self) -> Tensor:
        return self.P[self.firing]  # everything else fires for nothing: never sum over all of P

    @cached_property
    def lossy(self) -> Tensor:
        """Features with M_d > 0 whose group has nonzero loss; features that fire nothing and have
        w_r^d != 0; all of an overlap.

        A whole group counts, not only its features of nonzero residual: on a wall, another row can
        take over a feature that its group reconstructs exactly, and set the group free to move
        along a direction that only this feature held up.
        """
        problem, M = self.problem, self.problem.M_d
        terms = (
            problem.W_r.norm(dim=0) + self.weights.W_D[:, self.firing].norm(dim=0) @ self.Z.abs()
        )
        missed = (
            self.R.norm(dim=0) > tolerance(ZERO_RESIDUAL, torch.finfo(M.dtype).eps) * terms
        ) & (M > 0)
        P = self.fired.to(M.dtype)
        group_missed = P @ missed.to(M.dtype) > 0
        return ((P.mT @ group_missed.to(M.dtype) > 0) | missed) & (M > 0)

    def verdict(self) -> tuple[Verdict, str, float | None]:
        counts = self.fired.sum(0) * (self.problem.M_d > 0)
        if (counts > 1).any():
            return (
                Verdict.UNDECIDED,
                f"{int((counts > 1).sum())} features fire several neurons; the Hessian or the "
                f"search can tell more",
                None,
            )
        groups, systems, values = [], {}, {}
        for row in (self.fired.sum(1) > 1).nonzero()[:, 0].tolist():
            i, features = int(self.firing[row]), self.fired[row].nonzero()[:, 0].tolist()
            system = systems[i] = spectrum(self.problem, features)
            if len(system.features) > 1:
                y = to_numpy(self.Z[row, system.features]) * system.s
                y = y / np.linalg.norm(y)
                values[i] = float(np.square(system.A @ y).sum())
                if (off := system.off(y)) > max(OFF, self.tol * 1e4):
                    return (
                        Verdict.UNDECIDED,
                        f"neuron {i}: M_d differ so much that gradients say nothing of its small "
                        f"ones; its z is {off:.1g} of its largest away from every eigenvector",
                        None,
                    )
                groups.append(
                    (i, system.is_top(y), system.simple, bool(self.lossy[features].any()))
                )
        verdict, at = verdict_of(groups, lambda i: self._falls(i, systems[i]), self._leak)
        if verdict is Verdict.SADDLE:
            return (
                verdict,
                f"neuron {at}: its eigenvalue {values[at]:.6g} is not the group's top one, "
                f"{systems[at].values[0]:.6g}",
                None,
            )
        if verdict is Verdict.UNDECIDED:
            return (
                verdict,
                f"neuron {at}: its eigenvalue is not the top one, but it lies on walls z = theta "
                f"that block the way down",
                None,
            )
        if verdict is Verdict.ESCAPABLE:
            return verdict, *self._over_the_walls(*at)
        if verdict is Verdict.DEGENERATE:
            return (
                verdict,
                f"neuron {at}: the group's top eigenvalue repeats, so the minimum is one of a flat "
                f"family",
                None,
            )
        return (
            verdict,
            "every group has a simple top eigenvalue, and lossy features are strictly below theta "
            "on every other row",
            None,
        )

    def _falls(self, i: int, system) -> bool:
        row = torch.tensor([i], device=self.z.device)
        touching = self._near(row, torch.arange(self.problem.n, device=self.z.device))[0] & (
            self.problem.M_d > 0
        )
        return way_down_is_free(system, to_numpy(self.problem.W_p), touching.cpu().numpy())

    def _over_the_walls(self, i: int, d: int) -> tuple[str, float]:
        """The reason, and `first_order`, over all walls that rows with a decoder column touch."""
        W_D, features = self.weights.W_D, self.lossy.nonzero()[:, 0]
        rows = (self._touching & (W_D.norm(dim=0) > 0)).nonzero()[:, 0]
        near = self._near(rows, features)
        at, of = near.nonzero(as_tuple=True)
        best = 0.0
        if len(at):
            w, r = W_D[:, rows[at]], self.R[:, features[of]]
            cosines = (w * r).sum(0) / (w.norm(dim=0) * r.norm(dim=0)).clamp(
                min=torch.finfo(w.dtype).tiny
            )
            gains, least = (
                self._gains(rows[at], features[of], w, r),
                tolerance(WALL_TOLERANCE, torch.finfo(w.dtype).eps),
            )
            gains = torch.where(gains.abs() <= least * (w.norm(dim=0) * r.norm(dim=0)), 0.0, gains)
            if (gains < 0).all():
                best = -max(-cosines.max().item(), least)
            else:
                best = max(
                    [
                        max(cosines[p].item(), least)
                        for p in (gains > 0).nonzero()[:MOST_WALLS, 0].tolist()
                        if self._free(p, at, features[of], gains)
                    ],
                    default=0.0,
                )
        # elsewhere a jump or a swap decides, not <r_d, w_D> alone
        smooth = not hasattr(self.sigma, "k") and self.sigma.homogeneous
        way = (
            "a first step over a wall lowers Lt" + ": <r_d, w_D> > 0" * smooth
            if best > 0
            else "but no first step over any wall lowers Lt" + ": <r_d, w_D> < 0" * smooth
            if best < 0
            else "first order does not decide whether Lt falls"
        )
        return f"neuron {i} is on a wall of feature {d}, whose group has nonzero loss; {way}", best

    def _gains(self, rows: Tensor, features: Tensor, w: Tensor, r: Tensor) -> Tensor:
        """What crossing each wall gains, up to positive factors."""
        if not hasattr(self.sigma, "k"):
            theta = torch.as_tensor(self.sigma.theta, dtype=w.dtype, device=w.device)
            return (w * r).sum(0) - (theta[rows] if theta.ndim else theta) / 2 * w.square().sum(0)
        on = self.P[:, features]
        z = torch.where(on, self.z[:, features], torch.inf)
        lowest, incumbent = z.min(0)
        swap = r + lowest * (self.weights.W_D[:, incumbent] - w)
        return torch.where(
            on.sum(0) == min(self.sigma.k, len(self.P)),
            r.square().sum(0) - swap.square().sum(0),
            (w * r).sum(0),
        )

    def _free(self, p: int, at: Tensor, features: Tensor, gains: Tensor) -> bool:
        """Can the row of pair p cross its wall without crossing one that costs?"""
        same = at == at[p]
        if hasattr(self.sigma, "k"):
            return int(same.sum()) == 1
        costs = to_numpy(self.problem.W_p[:, features[same & (gains < 0)]]).T
        return separate(to_numpy(self.problem.W_p[:, features[p : p + 1]]).T, -costs).w is not None

    def _near(self, rows: Tensor, features: Tensor) -> Tensor:
        """Off-entries of Z on, or within tolerance of, the wall, for these rows and features."""
        level = self.barrier[rows] if len(self.barrier) > 1 else self.barrier
        level = level[:, features] if level.shape[1] > 1 else level
        return (self.z[rows][:, features] >= level - self._slack(rows, level)) & ~self.P[rows][
            :, features
        ]

    def _slack(self, rows, level: Tensor) -> Tensor:
        size = self.weights.W_E[rows].norm(dim=1, keepdim=True).clamp(min=1e-30)
        return tolerance(WALL_TOLERANCE, torch.finfo(self.z.dtype).eps) * torch.maximum(
            size, level.abs().clamp(max=1e30)
        )

    @cached_property
    def _touching(self) -> Tensor:
        """Rows (bool, n_q) with a lossy feature on their wall. Most rows fire for nothing: one
        maximum a row settles those.
        """
        touching = torch.zeros(len(self.P), dtype=torch.bool, device=self.z.device)
        features = self.lossy.nonzero()[:, 0]
        if not len(features):
            return touching
        z, level = self.z if self.lossy.all() else self.z[:, features], self.barrier
        if level.shape[1] > 1:
            z, level = z - level[:, features], torch.zeros_like(level[:, :1])
        touching = z.amax(1) >= (level - self._slack(slice(None), level))[:, 0]
        touching[self.firing] = self._near(self.firing, features).any(1)
        return touching

    def _leak(self) -> tuple[int, int] | None:
        if not self._touching.any():
            return None
        row, features = self._touching.nonzero()[:1, 0], self.lossy.nonzero()[:, 0]
        return int(row), int(features[self._near(row, features)[0].nonzero()[0, 0]])

    def neurons(self) -> list[Verdict]:
        sizes = torch.zeros(len(self.P), dtype=torch.long, device=self.P.device)
        sizes[self.firing] = self.fired.sum(1)
        names = torch.where(sizes > 1, 1, 0)
        names = torch.where(sizes == 0, 2 + self._touching.long(), names)
        kinds = (
            Verdict.MONOSEMANTIC,
            Verdict.POLYSEMANTIC,
            Verdict.STRICTLY_DEAD,
            Verdict.ESCAPABLE_DEAD,
        )
        return [kinds[k] for k in names.tolist()]
