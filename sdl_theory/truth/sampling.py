"""The bench's features x_d >= 0: independent, zero with probability S, else drawn from a law."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch

from ..checks import Tensor, check_count, check_number, refuse
from ..signature import check_fields, checked


@dataclass(frozen=True)
class ShiftedExponential:
    """x_d = c_min + Exp(scale beta) when active, unbounded: c = c_min.

    E[x_d^2 | active] = c^2 + 2 c beta + 2 beta^2.
    """

    c_min: float = 0.0
    beta: float = 1.0

    def __post_init__(self):
        check_fields(self)
        if not (0 <= self.c_min < math.inf and 0 < self.beta < math.inf):
            raise ValueError(
                f"ShiftedExponential needs c_min >= 0 and beta > 0, finite; "
                f"got c_min={self.c_min}, beta={self.beta}"
            )

    @property
    def second_moment(self) -> float:
        return self.c_min**2 + 2 * self.c_min * self.beta + 2 * self.beta**2

    @property
    def range(self) -> tuple[float, float]:
        return self.c_min, math.inf

    def draw(self, shape, generator=None, **like) -> Tensor:
        uniform = torch.rand(shape, generator=generator, **like)
        return self.c_min - self.beta * torch.log1p(-uniform)


@dataclass(frozen=True)
class Uniform:
    """x_d uniform on [a, b] when active: E[x_d^2 | active] = (a^2 + a b + b^2) / 3."""

    a: float
    b: float

    def __post_init__(self):
        check_fields(self)
        if not (0 <= self.a <= self.b < math.inf and self.b > 0):
            raise ValueError(
                f"Uniform(a, b) needs 0 <= a <= b, b > 0, finite; got a={self.a}, b={self.b}"
            )

    @property
    def second_moment(self) -> float:
        return (self.a**2 + self.a * self.b + self.b**2) / 3

    @property
    def range(self) -> tuple[float, float]:
        return self.a, self.b

    def draw(self, shape, generator=None, **like) -> Tensor:
        return self.a + (self.b - self.a) * torch.rand(shape, generator=generator, **like)


@dataclass(frozen=True)
class Constant:
    """x_d = v when active: E[x_d^2 | active] = v^2."""

    v: float

    def __post_init__(self):
        check_fields(self)
        if not 0 < self.v < math.inf:
            raise ValueError(f"Constant(v) needs a finite v > 0; got {self.v}")

    @property
    def second_moment(self) -> float:
        return self.v**2

    @property
    def range(self) -> tuple[float, float]:
        return self.v, self.v

    def draw(self, shape, generator=None, **like) -> Tensor:
        return torch.full(tuple(shape), float(self.v), **like)


Magnitudes = ShiftedExponential | Uniform | Constant


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
