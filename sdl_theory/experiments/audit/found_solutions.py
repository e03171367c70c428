"""Our findings on solutions: Theorems 3.1 and 3.3 at the benchmark's setting, section 5.1's metric.

What the theorems say there, and what the metric makes of points of loss zero. The number says which
place of the paper it is about.
"""

from __future__ import annotations

import math

import torch

from ...activations import ReLU
from ...measure.matching import best_matches, gt_recovery
from ...problem import Problem
from ...theory.global_minimum import ideal_loss, ideal_weights, pseudo_inverse_weights
from ...theory.loss import approximate_loss, squared_errors
from ...truth.features import feature_matrix
from ...truth.sampling import SparseFeatures
from ...weights import Weights
from .claims import ZERO, Claim, Seen, register, seeded, show

SOLUTIONS: list[Claim] = []
finding = register(SOLUTIONS, ours=True)


@finding(
    "3.1",
    "3.1",
    "at the benchmark's setting the bound says nothing (v6 states it for 1-S <= 1/n)",
    problem="n=1000, S=.99",
    call="SparseFeatures(1000, .99).count_probabilities()",
)
def _vacuous():
    p = SparseFeatures(1000, 0.99).count_probabilities()
    q, n = 0.01, 1000
    return Seen(
        f"1-S = {n * q:.0f}/n, n^2(1-S)^2 = {(n * q) ** 2:.0f} > 1, "
        f"P(one active) = {show(p[1], 3)}",
        n * q > 1 and n * n * q * q > 1 and p[1] < 1e-3,
    )


@finding(
    "3.3",
    "3.3",
    "at the benchmark's setting W* is hardly better than zero weights",
    problem="n=1000, n_p=768, mu <= .1, ReLU, M_d equal",
    call="ideal_loss",
)
def _ideal_at_benchmark():
    problem = Problem(feature_matrix(1000, 768, 0.1, generator=seeded(0)))
    bounds, zero = ideal_loss(problem), problem.M_d.sum().item()
    return Seen(
        f"Lt(W*) = {bounds.exact / zero:.3f} of the zero model's loss; "
        f"the theorem's bound is {bounds.paper / zero:.0f} times it",
        0.9 < bounds.exact / zero < 1 < bounds.paper / zero,
    )


@finding(
    "3.3",
    "3.3",
    "independent directions: the dual basis as encoder has loss 0 on every input, W* has not",
    problem="n=6, n_p=8, mu > 0, ReLU, 500 samples of S = .5",
    call="pseudo_inverse_weights",
)
def _dual():
    problem = Problem(feature_matrix(6, 8, 0.6, generator=seeded(3)))
    x = SparseFeatures(6, 0.5).sample(500, seeded(0))
    dual, star = (
        squared_errors(problem, weights(problem, 6), ReLU(), x).max().item()
        for weights in (pseudo_inverse_weights, ideal_weights)
    )
    return Seen(
        f"largest squared error {show(dual)}, at W* {show(star, 3)}", dual < ZERO and star > 0.1
    )


@finding(
    "section 5.1",
    "",
    "the recovery metric has a scale that the loss has not",
    problem="n=6, n_p=8, the dual basis as encoder: (t W_E, W_D/t), t = .9 and 1",
    call="best_matches(W_E, W_p, cosine=False)",
)
def _literal_metric():
    problem, found, losses = Problem(feature_matrix(6, 8, 0.6, generator=seeded(3))), [], []
    for t in (0.9, 1.0):
        weights = pseudo_inverse_weights(problem, 6)
        scaled = Weights(t * weights.W_E, weights.W_D / t)
        losses.append(approximate_loss(problem, scaled).item())
        found.append(gt_recovery(best_matches(scaled.W_E, problem.W_p, cosine=False), 0.95))
    return Seen(
        f"loss {show(losses[0])}, {show(losses[1])}; found at .95: {found[0]:.0%}, {found[1]:.0%}",
        max(losses) < ZERO and found == [0, 1],
    )


@finding(
    "section 5.1",
    "",
    "... and gives the ideal point of a crosscoder with unit blocks (our convention) 1/sqrt(m)",
    problem="2 blocks, n=6, n_p=16, W_E = W_p^T/2; truth: stacked columns, normalized",
    call="ideal_weights(Problem(W, blocks=[8, 8]), 6)",
)
def _crosscoder():
    blocks = [feature_matrix(6, 8, 0.6, generator=seeded(seed)) for seed in (3, 4)]
    problem = Problem(torch.cat(blocks), blocks=[8, 8])
    score = best_matches(ideal_weights(problem, 6).W_E, problem.W_p, cosine=False)
    return Seen(
        f"inner products {show(score.min())} to {show(score.max())}",
        (score - math.sqrt(0.5)).abs().max() < ZERO,
    )
