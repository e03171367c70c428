"""Laws of a feature's magnitude when it is active: their moments, their range, draws."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from ..checks import Tensor
from ..signature import check_fields


@dataclass(frozen=True)
class ShiftedExponential:
    """x_d = c_min + Exp(scale beta) when active, unbounded: c = c_min.

    E[x_d | active] = c + beta, E[x_d^2 | active] = c^2 + 2 c beta + 2 beta^2.
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
    def mean(self) -> float:
        return self.c_min + self.beta

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
    """x_d uniform on [a, b] when active.

    E[x_d | active] = (a + b) / 2, E[x_d^2 | active] = (a^2 + a b + b^2) / 3.
    """

    a: float
    b: float

    def __post_init__(self):
        check_fields(self)
        if not (0 <= self.a <= self.b < math.inf and self.b > 0):
            raise ValueError(
                f"Uniform(a, b) needs 0 <= a <= b, b > 0, finite; got a={self.a}, b={self.b}"
            )

    @property
    def mean(self) -> float:
        return (self.a + self.b) / 2

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
    def mean(self) -> float:
        return self.v

    @property
    def second_moment(self) -> float:
        return self.v**2

    @property
    def range(self) -> tuple[float, float]:
        return self.v, self.v

    def draw(self, shape, generator=None, **like) -> Tensor:
        return torch.full(tuple(shape), float(self.v), **like)


Magnitudes = ShiftedExponential | Uniform | Constant
