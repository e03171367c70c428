"""The true loss, certified by enumeration (ours): the oracle for all that is said at finite S."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import isnan
from typing import ClassVar

import torch

from ..activations import Activation, BatchTopK
from ..checks import Tensor, check_number
from ..problem import Problem
from ..signature import checked
from ..tolerances import STATIONARY, tolerance
from ..truth.sampling import Constant, SparseFeatures
from ..weights import Weights
from .certificate import Certificate, CertificateError
from .certify import name_neurons
from .loss import check_features, exact_loss, supports
from .mixtures import Mixtures
from .patterns import activation_pattern
from .point import Point
from .polish import descend
from .second_order import as_weights, weigh
from .verdict import Verdict
from .walls import Walls

LIMIT = 12  # 4095 mixtures
NUDGE, NUDGES = 1e-3, 4  # how far, of a row's length, and how often
NUDGED = 15  # steps of each descent
STEP = 1e-3  # of the second differences
FELL = 1e-7  # of the scale: a descent that ends this far below has left


@dataclass(frozen=True, repr=False)
class TrueCertificate(Certificate):
    """What a point is of the true loss L, or of L + l1 sum_i E[z_i] ||w_D^i||.

    As `Certificate`, of mixtures: walls and gradients are those of every support. `pattern` and
    `neurons` are read from single features, but a neuron is dead only if no mixture wakes it.

    loss : L, penalty included.
    curvature : the least of the components' (see `SecondOrder`); None where it was not asked.
    direction : the move that has it.
    differences : one-sided second differences of the enumerated L along +-direction.
    nudged : where the verdict is escapable or undecided, the lowest L that descents from nudges
        found.
    """

    curvature: float | None = None
    direction: Weights | None = None
    differences: tuple[float, float] | None = None
    nudged: float | None = None
    symbol: ClassVar[str] = "L"

    def check(self) -> TrueCertificate:
        """Return self if it is stationary and L, enumerated, bends as `curvature` says.

        Differences are compared where no wall is near.
        """
        super().check()
        if self.differences is not None and self.curvature is not None:
            far = max(abs(one - self.curvature) for one in self.differences)
            if self.wall_distance > 10 * STEP and far > 0.1 * max(1.0, abs(self.curvature)):
                raise CertificateError(
                    f"second differences of L are {self.differences}, "
                    f"not curvature = {self.curvature:.6g}"
                )
        return self


@checked
@torch.no_grad()
def true_certificate(
    problem: Problem,
    weights: Weights,
    sigma: Activation,
    features: SparseFeatures,
    *,
    l1: float = 0.0,
) -> TrueCertificate:
    r"""Beyond arXiv:2512.05534: what a point is of the *true* loss of Theorem 3.1, by enumeration.

    .. math:: L = E\|x_r - W_D\sigma(W_E x_p)\|^2 + \lambda_1 \sum_i E[z_i] \|w_D^i\|

    With constant magnitudes L is a sum over 2^n supports, each of which is a feature of its own to
    `certify`'s machinery: walls that mixtures reach, gradients, least curvature off the moves that
    change nothing. Where that leaves it open (a wall is touched; flat beyond the symmetries),
    descents from nudges have the last word, and `.nudged` the lowest loss they found.

    features : n <= 12, Constant magnitudes; else ValueError. `problem.M_d` is not read.
    l1 : >= 0.

    Several groups and thresholds, for which no closed form is known, included. ValueError for
    BatchTopK.

    Two orthogonal features in one neuron: degenerate of Lt, a trap of L as soon as two can be
    active together:

    >>> import torch
    >>> from sdl_theory import Constant, Problem, ReLU, SparseFeatures, Weights, certify
    >>> from sdl_theory import true_certificate
    >>> problem = Problem(torch.eye(2, dtype=torch.float64))
    >>> both = Weights([[1.0, 1.0]], [[0.5], [0.5]])
    >>> print(certify(problem, both).verdict)
    degenerate
    >>> features = SparseFeatures(n=2, S=0.9, magnitudes=Constant(1.0))
    >>> found = true_certificate(problem, both, ReLU(), features).check()
    >>> print(found.verdict, round(found.loss, 6))
    trap 0.09
    """
    check_features(problem, weights, sigma, features)
    check_enumerable("true_certificate", features, sigma)
    l1 = check_number("l1", l1, at_least=0)
    sizes = problem.W_p.new_full((problem.n,), features.magnitudes.range[0])  # Constant's v
    found = judge(Mixtures(problem, sizes, features.S, sigma), weights, sigma, l1)
    P = activation_pattern(problem, weights, sigma)
    return replace(
        found,
        pattern=P,
        neurons=_named(found.neurons, P),
        differences=_differences(problem, found, weights, sigma, features=features, l1=l1),
    )


def judge(world: Mixtures, weights: Weights, sigma: Activation, l1: float) -> TrueCertificate:
    """The certificate of mixtures, `pattern` and `neurons` of mixtures too."""
    at = lambda moved: Point(world, moved, sigma, l1 * world.means if l1 else None)
    point = at(weights)
    walls, tol = Walls(point), tolerance(STATIONARY, torch.finfo(world.W_p.dtype).eps)
    grad_D, grad_E = point.relative_norms(tol)
    stationary, first_order, least, nudged = max(grad_D, grad_E) <= tol, None, None, None
    if not stationary:
        verdict = Verdict.NOT_STATIONARY
        reason = f"{'grad_D' if grad_D > tol else 'grad_E'} is not zero"
    elif not point.lossy.any() and not world.still:
        verdict, reason = Verdict.GLOBAL, "the loss is zero"
    else:
        verdict, least, reason, first_order = weigh(point, walls)
    if verdict in (Verdict.ESCAPABLE, Verdict.UNDECIDED):
        nudged = min(descend(at, one, NUDGED).losses[-1] for one in _nudges(weights))
        fell = nudged < point.loss - FELL * world.scale
        reason += f"; {'some' if fell else 'none'} of {NUDGES} descents from nudges fell"
        verdict = Verdict.ESCAPABLE if fell else verdict
    return TrueCertificate(
        loss=point.loss + world.still,
        grad_D=grad_D,
        grad_E=grad_E,
        pattern=point.P,
        neurons=name_neurons(point, walls),
        wall_distance=point.wall_distance,
        stationary=stationary,
        verdict=verdict,
        reason=reason,
        tol=tol,
        scale=world.scale,
        first_order=first_order,
        curvature=None if least is None or isnan(least.value) else least.value,
        direction=None if least is None else as_weights(point, least),
        nudged=None if nudged is None else nudged + world.still,
    )


def _nudges(weights: Weights) -> Iterator[Weights]:
    """Weights near these, each row and column moved by NUDGE of its length."""
    generator = torch.Generator().manual_seed(0)
    random = lambda W, dim: (
        torch.randn(W.shape, generator=generator, dtype=torch.float64).to(W)
        * (NUDGE * W.norm(dim=dim, keepdim=True).clamp(min=NUDGE) / W.shape[dim] ** 0.5)
    )
    for _ in range(NUDGES):
        yield Weights(weights.W_E + random(weights.W_E, 1), weights.W_D + random(weights.W_D, 0))


def _named(of_mixtures: list[Verdict], P: Tensor) -> list[Verdict]:
    """Neurons by the single features they fire for; those that mixtures alone wake are shared."""
    dead = (Verdict.STRICTLY_DEAD, Verdict.ESCAPABLE_DEAD)
    one = P.sum(1) == 1
    return [
        name if name in dead else Verdict.MONOSEMANTIC if alone else Verdict.POLYSEMANTIC
        for name, alone in zip(of_mixtures, one.tolist())
    ]


def _differences(
    problem: Problem,
    found: TrueCertificate,
    weights: Weights,
    sigma: Activation,
    *,
    features: SparseFeatures,
    l1: float,
) -> tuple[float, float] | None:
    """2 (L(+-h) - L(0)) / h^2 along `direction`, every L enumerated anew."""
    if found.direction is None:
        return None
    ahead, behind, here = (
        penalized_loss(
            problem,
            Weights(weights.W_E + h * found.direction.W_E, weights.W_D + h * found.direction.W_D),
            sigma,
            features,
            l1=l1,
        )
        for h in (STEP, -STEP, 0.0)
    )
    return 2 * (ahead - here) / STEP**2, 2 * (behind - here) / STEP**2


def penalized_loss(
    problem: Problem, weights: Weights, sigma: Activation, features: SparseFeatures, *, l1: float
) -> float:
    """L + l1 sum_i E[z_i] ||w_D^i||, support by support."""
    loss = exact_loss(problem, weights, sigma, features).item()
    if not l1:
        return loss
    assert isinstance(features.magnitudes, Constant)
    for x, counts in supports(features.n, features.magnitudes.v, problem.W_p):
        k = counts.double()
        share = (1 - features.S) ** k * features.S ** (features.n - k)
        z = sigma(weights.W_E @ (problem.W_p @ x.mT))
        loss += l1 * (weights.W_D.norm(dim=0) @ z @ share.to(z)).item()
    return loss


def check_enumerable(name: str, features: SparseFeatures, sigma: Activation) -> None:
    """Raise a ValueError unless all supports of these features can be enumerated."""
    if features.n > LIMIT:
        raise ValueError(
            f"{name} enumerates all 2^n supports and stops at n = {LIMIT}; got n = {features.n}. "
            f"Use fewer features, or sampled_loss"
        )
    if not isinstance(features.magnitudes, Constant):
        raise ValueError(
            f"{name} enumerates supports, so magnitudes must be Constant(v); "
            f"got {features.magnitudes}"
        )
    if isinstance(sigma, BatchTopK):
        raise ValueError(
            f"{name}: BatchTopK couples the samples of a batch, "
            f"so L is not an expectation over single samples"
        )
