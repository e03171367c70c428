"""The bench's features x_d >= 0: independent, zero with probability S, else drawn from a law."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch

from ..checks import Tensor, check_count, check_number, refuse
from ..signature import checked
from .magnitudes import Constant as Constant  # the laws are had from here, too
from .magnitudes import Magnitudes, ShiftedExponential
from .magnitudes import Uniform as Uniform
from .moments import Moments, independent


@dataclass(frozen=True)
class SparseFeatures:
    """n independent features, zero with probability S, and a magnitude law for the active ones.

    S : the sparsity P(x_d = 0), in [0, 1).
    magnitudes : ShiftedExponential(c_min=0, beta=1), the default; Uniform(a, b); or Constant(v),
        which `exact_loss` needs.

    `.sample(batch, generator)` draws x, shape (batch, n). `.M_d`, shape (n,), is the closed form
    (1-S) S^(n-1) E[x_d^2 | active].

    >>> from sdl_theory import SparseFeatures
    >>> features = SparseFeatures(n=10, S=0.9)
    >>> features.sample(3).shape
    torch.Size([3, 10])
    >>> features.count_probabilities()[:3]  # none active, one, two
    tensor([0.3487, 0.3874, 0.1937], dtype=torch.float64)
    >>> round(features.M_d[0].item(), 4)  # 0.1 * 0.9^9 * 2
    0.0775
    """

    n: int
    S: float
    magnitudes: Magnitudes = field(default_factory=ShiftedExponential)

    def __post_init__(self):
        object.__setattr__(self, "n", check_count("n", self.n))
        object.__setattr__(self, "S", check_number("S = P(x_d = 0)", self.S))
        if not isinstance(self.magnitudes, Magnitudes):
            raise ValueError(
                f"magnitudes must be ShiftedExponential, Uniform or Constant; "
                f"got {self.magnitudes!r}. A number v is Constant(v)"
            )
        if not 0 <= self.S < 1:
            raise ValueError(f"S = P(x_d = 0) must lie in [0, 1); got {self.S}")

    @property
    def M_d(self) -> Tensor:
        alone = (1 - self.S) * self.S ** (self.n - 1)
        return torch.full((self.n,), alone * self.magnitudes.second_moment, dtype=torch.float64)

    @checked
    def moments(self, one_at_a_time: bool = False) -> Moments:
        """C = E[x x^T] and m = E[x], closed form, with p = 1 - S and m_1 = E[x_d | active].

            C_dd = p E[x_d^2 | active],  C_ij = p^2 m_1^2,  m_d = p m_1

        kappa = C_ij / C_dd is the cosine of two activations, p m_1^2 / E[x_d^2 | active].

        one_at_a_time : count samples with one active feature alone, as Lt does (Theorem 3.1 of
            arXiv:2512.05534): C = diag(M_d), m_d = E[x_d 1{only d is active}].

        >>> from sdl_theory import Constant, SparseFeatures
        >>> SparseFeatures(2, 0.9, Constant(1.0)).moments().C
        tensor([[0.1000, 0.0100],
                [0.0100, 0.1000]], dtype=torch.float64)
        """
        if not one_at_a_time:
            return independent(1 - self.S, self.n, self.magnitudes)
        alone = (1 - self.S) * self.S ** (self.n - 1)
        return Moments.exclusive([alone] * self.n, self.magnitudes)

    @checked
    def sample(
        self,
        batch: int,
        generator: torch.Generator | None = None,
        *,
        dtype: torch.dtype = torch.float64,
    ) -> Tensor:
        """x, shape (batch, n), on the generator's device."""
        shape = (check_count("batch", batch), self.n)
        device = generator.device if generator else "cpu"
        active = torch.rand(shape, generator=generator, dtype=dtype, device=device) >= self.S
        values = self.magnitudes.draw(shape, generator, dtype=dtype, device=device)
        return torch.where(active, values, 0.0)

    @checked
    def sample_given_count(
        self,
        counts: Tensor,
        generator: torch.Generator | None = None,
        *,
        dtype: torch.dtype = torch.float64,
    ) -> Tensor:
        """x with exactly counts[b] >= 1 active features in row b.

        Supports are uniform, since features are exchangeable.
        """
        if (
            counts.ndim != 1
            or not counts.numel()
            or not ((counts >= 1) & (counts <= self.n) & (counts == counts.round())).all()
        ):
            refuse("counts", f"whole numbers in [1, n = {self.n}], shape (batch,)", counts)
        counts, shape = counts.long(), (len(counts), self.n)
        device = generator.device if generator else "cpu"
        keys = torch.rand(shape, generator=generator, dtype=dtype, device=device)
        cut = keys.sort(dim=1).values.gather(1, (counts.to(keys.device) - 1)[:, None])
        values = self.magnitudes.draw(shape, generator, dtype=dtype, device=device)
        return torch.where(keys <= cut, values, 0.0)

    def count_probabilities(self) -> Tensor:
        """P(exactly k features active) for k = 0..n, binomial(n, 1-S), in float64."""
        k = torch.arange(self.n + 1, dtype=torch.float64)
        if self.S == 0:
            return (k == self.n).double()
        n = torch.tensor(float(self.n), dtype=torch.float64)
        log_choose = torch.lgamma(n + 1) - torch.lgamma(k + 1) - torch.lgamma(n - k + 1)
        return torch.exp(log_choose + k * math.log1p(-self.S) + (n - k) * math.log(self.S))
