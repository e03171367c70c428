"""Paths of weights along which Lt never rises: ways out of a trap, each verified on a fine grid."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..activations import Activation, check_sigma
from ..checks import Tensor, check_count, refuse
from ..problem import Problem
from ..signature import checked
from ..tolerances import tolerance
from ..weights import Weights, check_match
from .certificate import CertificateError
from .loss import approximate_loss


@dataclass(frozen=True, eq=False, repr=False)
class Path:
    """Straight segments between `points`; Lt must not rise on any.

    >>> import torch
    >>> from sdl_theory import Path, Problem, ReLU, Weights
    >>> problem = Problem(torch.eye(1, dtype=torch.float64))
    >>> ends = [Weights([[1.0]], [[start]]) for start in (0.0, 1.0)]
    >>> path = Path(problem, ReLU(), ends)
    >>> path.check().losses(4)
    tensor([1.0000, 0.5625, 0.2500, 0.0625, 0.0000], dtype=torch.float64)
    """

    problem: Problem
    sigma: Activation
    points: list[Weights]

    def __post_init__(self):
        check_sigma(self.sigma)
        if not isinstance(self.points, (list, tuple)) or not self.points:
            refuse("points", "a list of one Weights or more", self.points)
        for one in self.points:
            if not isinstance(one, Weights):
                refuse("points", "a list of Weights", one)
            check_match(self.problem, one)

    @checked
    def at(self, t: float) -> Weights:
        """The weights at t in [0, 1] of the way, every segment as long as the others."""
        if not 0 <= t <= 1:
            raise ValueError(f"t must lie in [0, 1], the start and the end of the path; got {t}")
        last = len(self.points) - 1
        segment = min(int(t * last), max(last - 1, 0))
        share, a, b = t * last - segment, self.points[segment], self.points[min(segment + 1, last)]
        # weighted so that both ends are the points themselves
        between = lambda A, B: (1 - share) * A + share * B
        return Weights(between(a.W_E, b.W_E), between(a.W_D, b.W_D))

    @checked
    @torch.no_grad()
    def losses(self, each: int = 50) -> Tensor:
        """Lt at `each` steps of every segment, the start first."""
        steps = check_count("each", each) * (len(self.points) - 1)
        ts = [step / steps for step in range(steps)] + [1.0] if steps else [0.0]
        return torch.stack(
            [approximate_loss(self.problem, self.at(t), self.sigma) for t in ts]
        ).double()

    def __repr__(self) -> str:
        return f"Path({len(self.points)} points)"

    @checked
    def check(self, each: int = 200) -> Path:
        """Return self if Lt never rises, on that grid; else CertificateError, which says where."""
        losses = self.losses(each)
        eps = torch.finfo(self.problem.W_p.dtype).eps
        rise = losses - losses.cummin(0).values
        if (rise > tolerance(1e-12, eps) * max(self.problem.scale, losses[0].item())).any():
            where = int(rise.argmax())
            raise CertificateError(
                f"Lt rises by {rise[where].item():.3e} on segment {(where - 1) // each} of the path"
            )
        return self
