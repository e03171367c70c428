"""Theorem 3.1's two losses: the approximate one, of lone features, and the true one."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch

from ..activations import Activation, BatchTopK, ReLU, check_sigma
from ..checks import Tensor, check_count
from ..estimate import Estimate
from ..problem import Problem
from ..signature import checked
from ..tolerances import rounding
from ..truth.sampling import Constant, SparseFeatures
from ..weights import Weights, check_match, preactivations

EXACT_LIMIT = 20  # 2^20 supports
CHUNK = 1 << 14


@checked
def approximate_loss(problem: Problem, weights: Weights, sigma: Activation = ReLU()) -> Tensor:
    r"""Theorem 3.1, arXiv:2512.05534: the approximate loss, differentiable in the weights.

    .. math:: \tilde L = \sum_d M_d \| w_r^d - W_D \sigma(W_E w_p^d) \|^2

    Returns a scalar tensor. One neuron for two orthogonal features gives each half of itself and
    half of the other:

    >>> import torch
    >>> from sdl_theory import Problem, Weights, approximate_loss
    >>> problem = Problem(torch.eye(2, dtype=torch.float64))
    >>> W_E = torch.ones(1, 2, dtype=torch.float64)
    >>> approximate_loss(problem, Weights(W_E, W_E.mT / 2))
    tensor(1., dtype=torch.float64)
    """
    check_match(problem, weights)
    check_sigma(sigma)
    z, slack = preactivations(problem, weights)
    residual = problem.W_r - weights.W_D @ sigma(z, 0, slack)
    return (problem.M_d * residual.square().sum(0)).sum()


def squared_errors(problem: Problem, weights: Weights, sigma: Activation, x: Tensor) -> Tensor:
    """||W_r x - W_D sigma(W_E W_p x)||^2 of each row of x (batch, n); shape (batch,).

    Latents level but for rounding are level: Top-k takes the first.
    """
    x_p = problem.W_p @ x.mT
    row_norms = weights.W_E.detach().norm(dim=1, keepdim=True)
    slack = rounding(problem.n_p + problem.n, x_p.dtype) * row_norms * x.abs().sum(1)
    return (problem.W_r @ x.mT - weights.W_D @ sigma(weights.W_E @ x_p, 0, slack)).square().sum(0)


@checked
def exact_loss(
    problem: Problem, weights: Weights, sigma: Activation, features: SparseFeatures
) -> Tensor:
    r"""The true loss of Theorem 3.1, by enumeration of all 2^n supports.

    .. math:: L = E\|x_r - W_D\sigma(W_E x_p)\|^2

    Returns a scalar tensor, exact to rounding. Needs constant magnitudes and n <= 20 (else
    ValueError: use `sampled_loss`). The law of x comes from `features` alone; `problem.M_d`
    is not read.

    Two features at cosine .6, both active in one sample of a hundred, which Lt leaves out:

    >>> import torch
    >>> from sdl_theory import Constant, Problem, ReLU, SparseFeatures
    >>> from sdl_theory import approximate_loss, exact_loss, ideal_weights
    >>> features = SparseFeatures(n=2, S=0.9, magnitudes=Constant(1.0))
    >>> W_p = torch.tensor([[1, 0.6], [0, 0.8]], dtype=torch.float64)
    >>> problem = Problem(W_p, M_d=features.M_d)
    >>> weights = ideal_weights(problem, n_q=2)
    >>> approximate_loss(problem, weights).item()
    0.0648
    >>> exact_loss(problem, weights, ReLU(), features).item()
    0.0763
    """
    check_features(problem, weights, sigma, features)
    if not isinstance(features.magnitudes, Constant):
        raise ValueError(
            f"exact_loss enumerates supports, so magnitudes must be Constant(v); "
            f"got {features.magnitudes}. Use sampled_loss"
        )
    if isinstance(sigma, BatchTopK):
        raise ValueError(
            "exact_loss: BatchTopK couples the samples of a batch, "
            "so L is not an expectation over single samples"
        )
    total = problem.W_p.new_zeros(())
    for x, counts in supports(features.n, features.magnitudes.v, problem.W_p):
        share = _probability(features, counts, problem.W_p)
        total = total + (share * squared_errors(problem, weights, sigma, x)).sum()
    return total


def supports(n: int, v: float, like: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """All 2^n rows x of magnitude v, in chunks, each with its number of active features."""
    if n > EXACT_LIMIT:
        raise ValueError(
            f"enumeration of all 2^n supports is limited to n <= {EXACT_LIMIT}; got n = {n}. "
            f"Use sampled_loss"
        )
    bits = torch.arange(n, device=like.device)
    for start in range(0, 1 << n, CHUNK):
        codes = torch.arange(start, min(start + CHUNK, 1 << n), device=like.device)
        support = (codes[:, None] >> bits) & 1
        yield support.to(like.dtype) * v, support.sum(1)


def _probability(features: SparseFeatures, counts: Tensor, like: Tensor) -> Tensor:
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
    """The true loss of Theorem 3.1 by stratified sampling, any magnitudes, any n.

        L = P(1 active) E[err | 1 active] + P(>= 2 active) E[err | >= 2 active]

    With none active a bias-free model errs by 0. Half of `samples` goes to each stratum, so the
    interval stays honest at S = .9999, where plain sampling sees only zeros. Returns an `Estimate`
    with .value, .low, .high (95%).
    """
    check_features(problem, weights, sigma, features)
    samples = check_count("samples (two a stratum at least)", samples, 4)
    if isinstance(sigma, BatchTopK):
        raise ValueError(
            "sampled_loss: BatchTopK couples the samples of a batch; "
            "use its inference form JumpReLU(threshold)"
        )
    p = features.count_probabilities()
    value = variance = 0.0
    each = max(2, samples // 2)
    for counts in ([1], list(range(2, features.n + 1))):
        share = p[counts].sum().item()
        if share == 0:
            continue
        errors = stratum_errors(
            problem, weights, sigma, features, counts=counts, samples=each, generator=generator
        )
        value += share * errors.mean().item()
        variance += share**2 * errors.var().item() / len(errors)
    half = 1.959964 * math.sqrt(variance)
    return Estimate(value, max(0.0, value - half), value + half)


def stratum_errors(
    problem: Problem,
    weights: Weights,
    sigma: Activation,
    features: SparseFeatures,
    *,
    counts: list[int],
    samples: int,
    generator: torch.Generator | None,
) -> Tensor:
    """Squared errors of `samples` draws of x, float64.

    counts : given that the number of active features is one of these.
    """
    p = features.count_probabilities()[counts]
    device = generator.device if generator else "cpu"
    out, batch = [], max(1, min(samples, (1 << 22) // features.n))
    for start in range(0, samples, batch):
        size = min(batch, samples - start)
        drawn = torch.multinomial(p.to(device), size, replacement=True, generator=generator)
        x = features.sample_given_count(torch.tensor(counts, device=device)[drawn], generator)
        out.append(squared_errors(problem, weights, sigma, x.to(problem.W_p)).double())
    return torch.cat(out)


def check_features(
    problem: Problem, weights: Weights, sigma: Activation, features: SparseFeatures
) -> None:
    """Raise a ValueError unless problem, weights, sigma and features go together."""
    check_match(problem, weights)
    check_sigma(sigma)
    if features.n != problem.n:
        raise ValueError(f"features.n = {features.n} but the problem has n = {problem.n} features")
