"""Theorem 3.1: the approximate loss, the true loss, and how far apart they are."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from ..activations import Activation, BatchTopK, ReLU, check_sigma, read
from ..checks import Tensor, check_count
from ..estimate import Estimate
from ..problem import Problem
from ..signature import checked
from ..tolerances import rounding
from ..truth.sampling import Constant, SparseFeatures
from ..weights import Weights, check_match

EXACT_LIMIT = 20  # 2^20 supports
CHUNK = 1 << 14


@checked
def approximate_loss(problem: Problem, weights: Weights, sigma: Activation = ReLU()) -> Tensor:
    r"""Theorem 3.1, arXiv:2512.05534: the approximate loss, a scalar, differentiable in the
    weights.

    .. math:: \tilde L = \sum_d M_d \| w_r^d - W_D \sigma(W_E w_p^d) \|^2
    """
    check_match(problem, weights)
    check_sigma(sigma)
    z, slack = read(problem, weights)
    residual = problem.W_r - weights.W_D @ sigma(z, 0, slack)
    return (problem.M_d * residual.square().sum(0)).sum()


def squared_errors(problem: Problem, weights: Weights, sigma: Activation, x: Tensor) -> Tensor:
    """||W_r x - W_D sigma(W_E W_p x)||^2 of each row of x (batch, n); shape (batch,). Latents level
    but for rounding are level: Top-k takes the first.
    """
    x_p = problem.W_p @ x.mT
    slack = (
        rounding(problem.n_p + problem.n, x_p.dtype)
        * weights.W_E.detach().norm(dim=1, keepdim=True)
        * x.abs().sum(1)
    )
    return (problem.W_r @ x.mT - weights.W_D @ sigma(weights.W_E @ x_p, 0, slack)).square().sum(0)


@checked
def exact_loss(
    problem: Problem, weights: Weights, sigma: Activation, features: SparseFeatures
) -> Tensor:
    r"""The true loss :math:`L = E\|x_r - W_D\sigma(W_E x_p)\|^2` of Theorem 3.1, by enumeration of
    all 2^n supports.

    Returns a scalar tensor. Needs constant magnitudes and n <= 20 (else ValueError: use
    `sampled_loss`). Exact to rounding. The law of x comes from `features` alone; `problem.M_d` is
    not read.
    """
    _check_features(problem, weights, sigma, features)
    if not isinstance(features.magnitudes, Constant):
        raise ValueError(
            f"exact_loss enumerates supports, so magnitudes must be Constant(v); got "
            f"{features.magnitudes}. Use sampled_loss"
        )
    if isinstance(sigma, BatchTopK):
        raise ValueError(
            "exact_loss: BatchTopK couples the samples of a batch, so L is not an expectation over "
            "single samples"
        )
    total = problem.W_p.new_zeros(())
    for x, counts in _supports(features, problem.W_p):
        total = (
            total
            + (
                features_probability(features, counts, problem.W_p)
                * squared_errors(problem, weights, sigma, x)
            ).sum()
        )
    return total


def _supports(features: SparseFeatures, like: Tensor):
    """All 2^n rows x of constant magnitude, in chunks, each with its number of active features."""
    n = features.n
    if n > EXACT_LIMIT:
        raise ValueError(
            f"enumeration of all 2^n supports is limited to n <= {EXACT_LIMIT}; got n = {n}. Use "
            f"sampled_loss"
        )
    bits = torch.arange(n, device=like.device)
    for start in range(0, 1 << n, CHUNK):
        codes = torch.arange(start, min(start + CHUNK, 1 << n), device=like.device)
        support = (codes[:, None] >> bits) & 1
        yield support.to(like.dtype) * features.magnitudes.v, support.sum(1)


def features_probability(features: SparseFeatures, counts: Tensor, like: Tensor) -> Tensor:
    """P(a given support) = (1-S)^k S^(n-k) for supports of k = counts features."""
    k = counts.double()
    return ((1 - features.S) ** k * features.S ** (features.n - k)).to(like.dtype)


@checked
def sampled_loss(
    problem: Problem,
    weights: Weights,
    sigma: Activation,
    features: SparseFeatures,
    samples: int,
    generator: torch.Generator | None = None,
) -> Estimate:
    """The true loss of Theorem 3.1 by stratified sampling, any magnitudes, any n: an `Estimate`
    with .value, .low, .high (95%).

    L = P(1 active) E[err | 1 active] + P(>= 2 active) E[err | >= 2 active]; with none active a
    bias-free model errs by 0. Half of `samples` goes to each stratum, so the interval stays honest
    at S = .9999, where plain sampling sees only zeros.
    """
    _check_features(problem, weights, sigma, features)
    samples = check_count("samples (two a stratum at least)", samples, 4)
    if isinstance(sigma, BatchTopK):
        raise ValueError(
            "sampled_loss: BatchTopK couples the samples of a batch; use its inference form "
            "JumpReLU(threshold)"
        )
    p = features.count_probabilities()
    value = variance = 0.0
    for counts in ([1], list(range(2, features.n + 1))):
        share = p[counts].sum().item()
        if share == 0:
            continue
        errors = _stratum_errors(
            problem, weights, sigma, features, counts, max(2, samples // 2), generator
        )
        value += share * errors.mean().item()
        variance += share**2 * errors.var().item() / len(errors)
    half = 1.959964 * math.sqrt(variance)
    return Estimate(value, max(0.0, value - half), value + half)


def _stratum_errors(problem, weights, sigma, features, counts, samples, generator) -> Tensor:
    p = features.count_probabilities()[counts]
    device = generator.device if generator else "cpu"
    out, batch = [], max(1, min(samples, (1 << 22) // features.n))
    for start in range(0, samples, batch):
        size = min(batch, samples - start)
        drawn = torch.multinomial(p.to(device), size, replacement=True, generator=generator)
        x = features.sample_given_count(torch.tensor(counts, device=device)[drawn], generator)
        out.append(squared_errors(problem, weights, sigma, x.to(problem.W_p)).double())
    return torch.cat(out)


@dataclass(frozen=True)
class GapBound:
    """Theorem 3.1's bound on L - Lt at one point.

    paper : n^2 C (1-S)^2.  tight : C n(n-1)/2 (1-S)^2.  sharp : C P(two or more active).
    C : the largest squared error (or, `estimated`, E[error | >= 2 active] for unbounded
        magnitudes).
    applies : the theorem's hypotheses hold and 1-S <= 1/n, so that the bound says something;
        `reason` says why or why not.
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
    r"""Theorem 3.1 with its missing hypothesis: :math:`0 \le L - \tilde L \le C\,P(\ge 2\
    \text{active}) \le C \tfrac{n(n-1)}{2}(1-S)^2`.

    Needs independent features and sigma(tz) = t sigma(z) (ReLU, Top-k), or magnitudes all 1;
    JumpReLU with theta > 0 is neither. C is exact (all supports) for constant magnitudes and n <=
    20, a norm bound for other bounded magnitudes, infinite for unbounded ones unless `generator` is
    given: then C is the sampled E[error | >= 2 active], and the bound an estimate.

    Returns a `GapBound`: .paper >= .tight >= .sharp, .C, .applies and .reason. Build the problem
    with M_d = features.M_d.
    """
    _check_features(problem, weights, sigma, features)
    samples = check_count("samples", samples, 2)
    n, q = features.n, 1 - features.S
    p = features.count_probabilities()
    estimated = math.isinf(features.magnitudes.range[1]) and generator is not None and n > 1
    if estimated:
        C = (
            _stratum_errors(
                problem, weights, sigma, features, list(range(2, n + 1)), samples, generator
            )
            .mean()
            .item()
        )
    else:
        C = _largest_error(problem, weights, sigma, features)
    reason = _why_not(problem, sigma, features, C)
    applies = not reason
    reason = (
        reason
        or f"independent features, homogeneous sigma or unit magnitudes, 1-S = {q:.3g} <= 1/n = "
        f"{1 / n:.3g}"
    )
    pairs = n * (n - 1) / 2
    rare = p[2:].sum().item()
    return GapBound(
        *((factor * C if factor else 0.0) for factor in (n * n * q * q, pairs * q * q, rare)),
        C,
        applies,
        reason,
        estimated,
    )


def _why_not(problem: Problem, sigma: Activation, features: SparseFeatures, C: float) -> str:
    if isinstance(sigma, BatchTopK):
        return "Theorem 3.1 is about single samples; BatchTopK couples a batch"
    if not sigma.homogeneous and features.magnitudes != Constant(1.0):
        return (
            "Theorem 3.1 needs sigma(tz) = t sigma(z) or all magnitudes 1; JumpReLU with theta > 0 "
            "is not homogeneous, "
            "and L - Lt is O(1-S), of either sign"
        )
    if not torch.allclose(problem.M_d.double().cpu(), features.M_d, rtol=1e-6, atol=0):
        return (
            "the problem's M_d are not those of these features; build Problem(W_p, W_r, "
            "features.M_d)"
        )
    if math.isinf(C):
        return (
            "C, the largest squared error, is infinite for unbounded magnitudes; pass "
            "generator= to estimate E[error | >= 2 active] instead"
        )
    if 1 - features.S > 1 / features.n * (1 + 1e-9):
        return (
            f"1-S = {1 - features.S:.3g} > 1/n = {1 / features.n:.3g}: the bound can exceed C "
            f"itself and says nothing"
        )
    return ""


def _largest_error(
    problem: Problem, weights: Weights, sigma: Activation, features: SparseFeatures
) -> float:
    if isinstance(features.magnitudes, Constant) and features.n <= EXACT_LIMIT:
        return max(
            squared_errors(problem, weights, sigma, x).max().item()
            for x, _ in _supports(features, problem.W_p)
        )
    # |sigma(z)| <= |z| entrywise, so ||error|| <= (||W_r|| + ||W_D|| ||W_E|| ||W_p||) ||x||
    norm = [
        torch.linalg.matrix_norm(A, 2).item()
        for A in (problem.W_r, weights.W_D, weights.W_E, problem.W_p)
    ]
    longest = features.magnitudes.range[1] * math.sqrt(features.n)
    return ((norm[0] + norm[1] * norm[2] * norm[3]) * longest) ** 2


def _check_features(
    problem: Problem, weights: Weights, sigma: Activation, features: SparseFeatures
) -> None:
    check_match(problem, weights)
    check_sigma(sigma)
    if features.n != problem.n:
        raise ValueError(f"features.n = {features.n} but the problem has n = {problem.n} features")
