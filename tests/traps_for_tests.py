"""Traps to find ways out of."""

from __future__ import annotations

import torch
from hypothesis import assume

from sdl_theory import Problem, ReLU, Verdict, approximate_loss, gram, partial_minimum, pattern
from tests.strategies import randn, unit

f64 = torch.float64


def world(seed, n, n_p=None, *, positive=True, M=True):
    """Features leaning to one side, so that groups have a positive top eigenvector."""
    W = randn(seed, n_p or n, n)
    W = unit(W.abs() + 0.2 if positive else W)
    return Problem(W, None, randn(seed + 1, n).abs() + 0.3 if M else None)


def a_trap(problem, groups, n_q, sigma=ReLU()):
    answer = partial_minimum(problem, pattern(groups, problem.n, n_q), sigma)
    assert answer.verdict is Verdict.TRAP and answer.loss > 1e-6
    return answer.weights


def some_trap(problem, groups, n_q, sigma=ReLU()):
    """As `a_trap`, of problems that hypothesis draws."""
    answer = partial_minimum(problem, pattern(groups, problem.n, n_q), sigma)
    assume(answer.verdict is Verdict.TRAP and answer.loss > 1e-6)
    return answer.weights


def K_of(problem, group):
    s = problem.M_d[group].sqrt()
    return s[:, None] * gram(problem.W_r)[group][:, group] * s


def loss(problem, weights, sigma=ReLU()):
    return approximate_loss(problem, weights, sigma).item()


def two_pairs(first=0.5):
    G = torch.tensor(
        [[1, 0.6, first, first], [0.6, 1, 0.2, 0.2], [first, 0.2, 1, 0.6], [first, 0.2, 0.6, 1]],
        dtype=f64,
    )
    return Problem(torch.linalg.cholesky(G).mT)
