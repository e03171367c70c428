"""A point (W_E, W_D) of a problem, and what is read off it: each reading once, when asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch

from ..activations import Activation
from ..checks import Tensor
from ..problem import Problem
from ..tolerances import ZERO_RESIDUAL, tolerance
from ..weights import Weights, preactivations


@dataclass(frozen=True, eq=False)
class Point:
    """Weights of a problem under sigma.

    P is all of the pattern; `fired`, `Z`, `W_D` are of the rows that fire alone: the others have no
    gradient, and no product sums over them.

    toll : the price (n,) of a unit of ||w_D^i|| z_id, where codes are penalized.
    """

    problem: Problem
    weights: Weights
    sigma: Activation
    toll: Tensor | None = None

    @cached_property
    def _preactivations(self) -> tuple[Tensor, Tensor]:
        return preactivations(self.problem, self.weights)

    @property
    def z(self) -> Tensor:
        """W_E W_p, (n_q, n)."""
        return self._preactivations[0]

    @cached_property
    def P(self) -> Tensor:
        """The pattern, bool (n_q, n)."""
        z, slack = self._preactivations
        return self.sigma.active(z, 0, slack)

    @cached_property
    def barrier(self) -> Tensor:
        """The level that an inactive latent must exceed to fire, broadcastable to z."""
        z, slack = self._preactivations
        return self.sigma.barrier(z, slack)

    @cached_property
    def firing(self) -> Tensor:
        """The rows that fire for anything."""
        return self.P.any(1).nonzero()[:, 0]

    @cached_property
    def fired(self) -> Tensor:
        """Their part of P."""
        return self.P[self.firing]

    @cached_property
    def Z(self) -> Tensor:
        """Their codes sigma(z)."""
        return self.z[self.firing] * self.fired

    @cached_property
    def W_D(self) -> Tensor:
        """Their decoder columns."""
        return self.weights.W_D[:, self.firing]

    @cached_property
    def residual(self) -> Tensor:
        """R = W_r - W_D Z, (n_r, n)."""
        return self.problem.W_r - self.W_D @ self.Z

    @property
    def loss(self) -> float:
        """Lt, and what codes pay."""
        loss = (self.problem.M_d * self.residual.square().sum(0)).sum()
        if self.toll is not None:
            loss = loss + self.W_D.norm(dim=0) @ (self.Z @ self.toll)
        return loss.item()

    @property
    def wall_distance(self) -> float:
        """min |z - theta| over features with M_d > 0; for Top-k also the distance to a swap."""
        counted = self.problem.M_d > 0
        if not counted.any():
            return float("inf")
        z = self.z if counted.all() else self.z[:, counted]
        return self.sigma.wall_distance(z).item()

    @cached_property
    def lossy(self) -> Tensor:
        """Features with M_d > 0 that lose something, by whole groups: bool (n,).

        Those whose group has nonzero loss; those that fire nothing and have w_r^d != 0; all that
        overlapping groups connect; all, where codes are penalized. A whole group counts, not only
        its features of nonzero residual: on a wall, another row can take over a feature that its
        group reconstructs exactly, and set the group free to move along a direction that only this
        feature held up.
        """
        problem, M = self.problem, self.problem.M_d
        if self.toll is not None:
            return M > 0
        terms = problem.W_r.norm(dim=0) + self.W_D.norm(dim=0) @ self.Z.abs()
        zero = tolerance(ZERO_RESIDUAL, torch.finfo(M.dtype).eps) * terms
        missed = (self.residual.norm(dim=0) > zero) & (M > 0)
        P, found = self.fired.to(M.dtype), 0
        while found != (found := int(missed.sum())):  # overlapping groups pass it on
            group_missed = P @ missed.to(M.dtype) > 0
            missed = ((P.mT @ group_missed.to(M.dtype) > 0) | missed) & (M > 0)
        return missed

    def relative_norms(self, tol: float) -> tuple[float, float]:
        """Norms of grad_D and grad_E, the worst neuron's, by the formula in `certify`."""
        if not len(self.firing):
            return 0.0, 0.0
        norm_D, norm_E = self.relative_norms_of_each(tol)
        return norm_D.max().item(), norm_E.max().item()

    def relative_norms_of_each(self, tol: float) -> tuple[Tensor, Tensor]:
        """Norms of grad_D and grad_E of every firing neuron.

        Relative to what their terms add up to without cancelling.
        """
        problem, R, Z, W_D = self.problem, self.residual, self.Z, self.W_D
        M, P = problem.M_d, self.fired
        RM = R * M
        model = problem.W_r - R
        c2 = M * (problem.W_r.square().sum(0) + model.square().sum(0))
        own = (P.to(c2.dtype) @ c2).sqrt()  # sqrt(sum_{F_i} M_d c_d^2)
        fired = (Z.square() @ M).sqrt()
        size_D = own * fired
        C = P * (W_D.mT @ RM)
        # a w_D below 100 eps of its natural size is zero, and has no direction
        noise = 100 * torch.finfo(M.dtype).eps / tol * own / fired
        columns = torch.maximum(W_D.norm(dim=0), noise.nan_to_num(0.0))
        directions = (P.to(M.dtype) @ (M * problem.W_p.square().sum(0))).sqrt()
        size_E = columns * own * directions
        pull = RM @ Z.mT
        if self.toll is not None:
            C, pull = self._taxed(C, pull)
        norm_D, norm_E = pull.norm(dim=0), (C @ problem.W_p.mT).norm(dim=1)
        if not all(torch.isfinite(t).all() for t in (size_D, size_E, norm_D, norm_E)):
            raise ValueError(
                f"certify: products of these weights (or l1) overflow {M.dtype}; "
                f"rescale rows, W_E -> t W_E and W_D -> W_D / t, or use float64"
            )
        return _ratio(norm_D, size_D), _ratio(norm_E, size_E)

    def _taxed(self, C: Tensor, pull: Tensor) -> tuple[Tensor, Tensor]:
        """What is left of both pulls after codes have paid.

        Of a column without length what is left of its pull, shortened: it may start any way.
        """
        assert self.toll is not None
        sizes, tax = self.W_D.norm(dim=0), self.Z @ self.toll / 2
        of_none = pull * (1 - tax / pull.norm(dim=0).clamp(min=1e-300)).clamp(min=0)
        taxed = pull - tax * self.W_D / sizes.clamp(min=1e-300)
        C = C - self.fired * self.toll * sizes[:, None] / 2
        return C, torch.where(sizes > 0, taxed, of_none)


def _ratio(norm: Tensor, size: Tensor) -> Tensor:
    """norm / size; a size of 0: there is no term at all."""
    return torch.where(size > 0, norm / size, torch.zeros_like(norm))
