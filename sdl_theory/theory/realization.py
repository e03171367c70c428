"""What `realize` answers: an encoder that shows the pattern, or why none does. Both prove it."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..activations import Activation
from ..checks import Tensor
from ..problem import Problem
from ..signature import checked
from ..weights import Weights
from .patterns import activation_pattern


@dataclass(frozen=True)
class Farkas:
    """Why row `row` cannot fire for F and nowhere else: a mix of F is a mix of the others.

    a, b : weights >= 0, sum a = 1, with sum_F a_d w_p^d = sum_off b_d w_p^d (theta > 0: also
        sum b <= 1).
    """

    row: int
    F: list[int]
    a: Tensor
    off: list[int]
    b: Tensor
    positive_theta: bool
    problem: Problem

    @checked
    def check(self, problem: Problem | None = None, tol: float = 1e-8) -> Farkas:
        """Verify the certificate from the problem's data alone; AssertionError if it does not hold.

        problem : its own, or another.
        """
        W = (problem or self.problem).W_p.double().cpu()
        assert (self.a >= 0).all() and (self.b >= 0).all(), "Farkas weights must be non-negative"
        assert abs(self.a.sum().item() - 1) < tol, "Farkas weights a on F must sum to 1"
        assert (W[:, self.F] @ self.a - W[:, self.off] @ self.b).norm().item() < tol, (
            "sum_F a_d w_p^d must equal sum_off b_d w_p^d"
        )
        assert not self.positive_theta or self.b.sum().item() <= 1 + tol, (
            "with theta > 0 the weights b must sum to at most 1"
        )
        return self


@dataclass(frozen=True)
class Realization:
    """Whether an encoder shows P.

    W_E : an encoder that does, if there is one, with its margin.
    margin : the largest t reached with z >= theta + t on F and, if `two_sided`, z <= theta - t
        off F (else z <= theta); rows of unit norm where theta = 0. Rows that fire for nothing
        do not count.
    certificate, reason : else, why there is none (the former is None for a Top-k count).
    """

    problem: Problem
    P: Tensor
    sigma: Activation
    feasible: bool
    W_E: Tensor | None
    margin: float
    two_sided: bool
    certificate: Farkas | None
    reason: str

    @classmethod
    def refused(
        cls,
        problem: Problem,
        P: Tensor,
        sigma: Activation,
        reason: str,
        certificate: Farkas | None = None,
    ) -> Realization:
        """The answer that no encoder shows P."""
        return cls(
            problem=problem,
            P=P,
            sigma=sigma,
            feasible=False,
            W_E=None,
            margin=0.0,
            two_sided=False,
            certificate=certificate,
            reason=reason,
        )

    @classmethod
    def found(
        cls,
        problem: Problem,
        P: Tensor,
        sigma: Activation,
        W_E: Tensor,
        *,
        margin: float,
        two_sided: bool,
        reason: str,
    ) -> Realization:
        """The answer that this encoder shows P."""
        return cls(
            problem=problem,
            P=P,
            sigma=sigma,
            feasible=True,
            W_E=W_E,
            margin=margin,
            two_sided=two_sided,
            certificate=None,
            reason=reason,
        )

    def check(self) -> Realization:
        """Re-derive the claim from W_E or the certificate; AssertionError if it does not hold."""
        if self.W_E is not None:
            pattern = encoder_pattern(self.problem, self.W_E, self.sigma)
            assert torch.equal(pattern, self.P), (
                f"W_E does not show P: {int((pattern != self.P).sum())} entries differ"
            )
        elif self.certificate is not None:
            self.certificate.check()
        return self


def encoder_pattern(problem: Problem, W_E: Tensor, sigma: Activation) -> Tensor:
    """The activation pattern of an encoder without its decoder, on the CPU."""
    W_D = W_E.new_zeros(problem.n_r, len(W_E))
    return activation_pattern(problem, Weights(W_E, W_D), sigma).cpu()
