"""A figure with its 95% interval, and how intervals are made: means over seeds, shares of draws."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from .checks import Tensor, as_tensor, check_number
from .signature import checked


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95% confidence interval [low, high].

    Normal for Monte Carlo means, Student's t over seeds; low and high are None of a single seed.
    """

    value: float
    low: float | None
    high: float | None

    def within(self, least: float, most: float) -> Estimate:
        """The interval cut to [least, most], where the quantity is known to lie.

        A share is never 101%.
        """
        least, most = (
            value if isinstance(value, float) and math.isinf(value) else check_number(name, value)
            for name, value in (("least", least), ("most", most))
        )
        if self.low is None or self.high is None:
            return self
        return Estimate(self.value, max(self.low, least), min(self.high, most))

    def __str__(self) -> str:
        bounds = "" if self.low is None else f" [{self.low:.3g}, {self.high:.3g}]"
        return f"{self.value:.3g}{bounds}"


@checked
def interval(values: Sequence[float] | Tensor) -> Estimate:
    """The mean of `values`, one per seed, with its 95% Student t interval.

    Returns an `Estimate`: .value, .low and .high. A single value says nothing of the spread:
    then low and high are None, which no sum or comparison takes for a number. ValueError on
    none, or NaN.

    >>> from sdl_theory import interval
    >>> print(interval([0.7, 0.8, 0.9]))  # three seeds
    0.8 [0.552, 1.05]
    >>> print(interval([0.7, 0.8, 0.9]).within(0, 1))  # a share
    0.8 [0.552, 1]
    """
    from scipy.special import stdtrit

    values = as_tensor("values", values).detach().double().reshape(-1)
    count = len(values)
    if not count or not torch.isfinite(values).all():
        raise ValueError(f"interval needs at least one value, all finite; got {values.tolist()}")
    mean = values.mean().item()
    if count == 1:
        return Estimate(mean, None, None)
    half = float(stdtrit(count - 1, 0.975)) * values.std().item() / math.sqrt(count)
    return Estimate(mean, mean - half, mean + half)


def wilson(hits: int, draws: int, z: float = 1.959964) -> tuple[float, float]:
    """Wilson's 95% interval for a share."""
    p, spread = hits / draws, z * z / draws
    centre, half = p + spread / 2, z * math.sqrt(p * (1 - p) / draws + spread / (4 * draws))
    low = 0.0 if hits == 0 else max(0.0, (centre - half) / (1 + spread))
    return low, min(1.0, (centre + half) / (1 + spread))
