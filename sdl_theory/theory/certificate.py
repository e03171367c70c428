"""What `certify` says of a point, in fields and in verdicts to read."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import ClassVar

from ..checks import Tensor
from ..tolerances import WALL_TOLERANCE
from .verdict import Verdict


class CertificateError(AssertionError):
    """A certificate's claim does not hold."""


@dataclass(frozen=True)
class Certificate:
    """What (W_E, W_D) is.

    Gradient norms are relative, the worst neuron's: |grad| over what its terms add up to
    without cancelling.

    loss : Lt.
    grad_D, grad_E : relative gradient norms.
    pattern : P.
    neurons : one Verdict a neuron.
    wall_distance : min |z - theta| over features with M_d > 0 (for Top-k also the
        distance to a swap).
    stationary : both norms <= tol.
    verdict, reason : see `certify`.
    first_order : where the verdict is escapable, whether a first step over a wall (i, d) that is
        touched lowers Lt; else None.

    first_order is > 0 where one does, and the row can cross that wall without crossing one that
    costs: the cosine of r_d and w_D^i. It is < 0 where every wall costs: the largest cosine. It is
    0 where first order does not decide (a row with w_D = 0; walls that can be crossed together
    only; under Top-k more than one). A step over a wall costs or gains -2 M_d <r_d, w_D^i> times
    its length under ReLU; JumpReLU jumps, M_d (theta^2 ||w_D^i||^2 - 2 theta <r_d, w_D^i>); Top-k
    swaps two latents.
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
    symbol: ClassVar[str] = "Lt"

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
        counts = Counter(map(str, self.neurons))
        loss = "0" if self.verdict is Verdict.GLOBAL else f"{self.loss:.6g}"
        lines = [
            f"{f'loss {self.symbol}':<17}{loss}",
            f"grad_D = 0       {yes(self.grad_D <= self.tol)}",
            f"grad_E = 0       {yes(self.grad_E <= self.tol)}",
            f"clear of walls   {yes(self.wall_distance > WALL_TOLERANCE)}",
            f"neurons          {', '.join(f'{n} {name}' for name, n in counts.items())}",
            f"verdict          {self.verdict}",
            f"because          {self.reason}",
        ]
        return "\n".join(lines)

    __repr__ = __str__
