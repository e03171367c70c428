"""Theorem 3.1's bound on how far apart the true loss and the approximate one can be.

And when it says anything.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from ..activations import Activation, BatchTopK
from ..checks import check_count
from ..problem import Problem
from ..signature import checked
from ..truth.sampling import Constant, SparseFeatures
from ..weights import Weights
from .loss import EXACT_LIMIT, check_features, squared_errors, stratum_errors, supports


@dataclass(frozen=True)
class GapBound:
    """Theorem 3.1's bound on L - Lt at one point.

    paper : n^2 C (1-S)^2.
    tight : C n(n-1)/2 (1-S)^2.
    sharp : C P(two or more active).
    C : the largest squared error (or, `estimated`, E[error | >= 2 active] for unbounded
        magnitudes).
    applies : the theorem's hypotheses hold and 1-S <= 1/n, so that the bound says something.
    reason : why it applies or does not.
    """

    paper: float
    tight: float
    sharp: float
    C: float
    applies: bool
    reason: str
    estimated: bool = False


@checked
def loss_gap_bound(
    problem: Problem,
    weights: Weights,
    sigma: Activation,
    features: SparseFeatures,
    *,
    samples: int = 20_000,
    generator: torch.Generator | None = None,
) -> GapBound:
    r"""Theorem 3.1 with its missing hypothesis: bounds on the true loss less the approximate one.

    .. math:: 0 \le L - \tilde L \le C\,P(\ge 2\ \text{active})
              \le C \tfrac{n(n-1)}{2}(1-S)^2

    Needs independent features and sigma(tz) = t sigma(z) (ReLU, Top-k), or magnitudes all 1;
    JumpReLU with theta > 0 is neither. C is exact (all supports) for constant magnitudes and
    n <= 20, a norm bound for other bounded magnitudes, infinite for unbounded ones unless
    `generator` is given: then C is the sampled E[error | >= 2 active], and the bound an estimate.

    Returns a `GapBound`: .paper >= .tight >= .sharp, .C, .applies and .reason. Build the problem
    with M_d = features.M_d.

    Three features at cosines .6, 0 and .8; the gap, and the three bounds on it:

    >>> import torch
    >>> from sdl_theory import Constant, Problem, ReLU, SparseFeatures
    >>> from sdl_theory import approximate_loss, exact_loss, ideal_weights, loss_gap_bound
    >>> features = SparseFeatures(n=3, S=0.9, magnitudes=Constant(1.0))
    >>> W_p = torch.tensor([[1, 0.6, 0], [0, 0.8, 1]], dtype=torch.float64)
    >>> problem = Problem(W_p, M_d=features.M_d)
    >>> weights, sigma = ideal_weights(problem, n_q=3), ReLU()
    >>> L, Lt = exact_loss(problem, weights, sigma, features), approximate_loss(problem, weights)
    >>> bound = loss_gap_bound(problem, weights, sigma, features)
    >>> [round(value, 3) for value in (float(L - Lt), bound.sharp, bound.tight, bound.paper)]
    [0.076, 0.161, 0.173, 0.518]
    """
    check_features(problem, weights, sigma, features)
    samples = check_count("samples", samples, 2)
    n, q = features.n, 1 - features.S
    estimated = math.isinf(features.magnitudes.range[1]) and generator is not None and n > 1
    if estimated:
        counts = list(range(2, n + 1))
        errors = stratum_errors(
            problem, weights, sigma, features, counts=counts, samples=samples, generator=generator
        )
        C = errors.mean().item()
    else:
        C = _largest_error(problem, weights, sigma, features)
    why_not = _why_not(problem, sigma, features, C)
    holds = (
        f"independent features, homogeneous sigma or unit magnitudes, "
        f"1-S = {q:.3g} <= 1/n = {1 / n:.3g}"
    )
    times_C = lambda factor: factor * C if factor else 0.0  # C may be infinite
    return GapBound(
        paper=times_C(n * n * q * q),
        tight=times_C(n * (n - 1) / 2 * q * q),
        sharp=times_C(features.count_probabilities()[2:].sum().item()),
        C=C,
        applies=not why_not,
        reason=why_not or holds,
        estimated=estimated,
    )


def _why_not(problem: Problem, sigma: Activation, features: SparseFeatures, C: float) -> str:
    """The hypothesis that fails, in words; "" if none does."""
    if isinstance(sigma, BatchTopK):
        return "Theorem 3.1 is about single samples; BatchTopK couples a batch"
    if not sigma.homogeneous and features.magnitudes != Constant(1.0):
        return (
            "Theorem 3.1 needs sigma(tz) = t sigma(z) or all magnitudes 1; "
            "JumpReLU with theta > 0 is not homogeneous, and L - Lt is O(1-S), of either sign"
        )
    if not torch.allclose(problem.M_d.double().cpu(), features.M_d, rtol=1e-6, atol=0):
        return (
            "the problem's M_d are not those of these features; "
            "build Problem(W_p, W_r, features.M_d)"
        )
    if math.isinf(C):
        return (
            "C, the largest squared error, is infinite for unbounded magnitudes; "
            "pass generator= to estimate E[error | >= 2 active] instead"
        )
    if 1 - features.S > 1 / features.n * (1 + 1e-9):
        return (
            f"1-S = {1 - features.S:.3g} > 1/n = {1 / features.n:.3g}: "
            f"the bound can exceed C itself and says nothing"
        )
    return ""


def _largest_error(
    problem: Problem, weights: Weights, sigma: Activation, features: SparseFeatures
) -> float:
    """The largest squared error of all x that can be drawn.

    Exact where supports can be enumerated, else a bound on it.
    """
    if isinstance(features.magnitudes, Constant) and features.n <= EXACT_LIMIT:
        return max(
            squared_errors(problem, weights, sigma, x).max().item()
            for x, _ in supports(features.n, features.magnitudes.v, problem.W_p)
        )
    # |sigma(z)| <= |z| entrywise, so ||error|| <= (||W_r|| + ||W_D|| ||W_E|| ||W_p||) ||x||
    norm = [
        torch.linalg.matrix_norm(A, 2).item()
        for A in (problem.W_r, weights.W_D, weights.W_E, problem.W_p)
    ]
    longest = features.magnitudes.range[1] * math.sqrt(features.n)
    return ((norm[0] + norm[1] * norm[2] * norm[3]) * longest) ** 2
