"""Theorem 3.7 as printed: its recipe leaves grad_E, and its statement is false."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import randn, unit

from sdl_theory import (
    Problem,
    Verdict,
    Weights,
    activation_pattern,
    certify,
    gradients,
    group_minimum,
    partial_minimum,
    pattern,
    printed_recipe,
    realize,
)
from sdl_theory.theory.counterexamples import from_gram, outside_constraint, three_features


def test_printed_recipe_leaves_grad_E():
    problem = Problem(torch.eye(2, dtype=torch.float64), M_d=torch.tensor([1.0, 2.0]))
    g = gradients(
        problem,
        printed_recipe(problem, pattern([[0, 1]], 2, 1), torch.ones(1, 2, dtype=torch.float64)),
    )
    assert g.W_D.norm() < 1e-14
    assert g.W_E.norm().item() == pytest.approx(4 * math.sqrt(2) / 9, rel=1e-12)


@given(st.integers(0, 10**6))
def test_printed_recipe_on_generic_problems(seed):
    """grad_D = 0 and <w_E, grad_E> = 0, all that the printed proof shows; grad_E itself is not."""
    problem = Problem(unit(randn(seed, 8, 6)), M_d=randn(seed + 1, 6).abs() + 0.2)
    P = pattern([[0, 1], [2, 3], [4, 5]], 6, 3)
    W_E = realize(problem, P).W_E
    W_E = W_E + 0.02 * randn(seed + 2, *W_E.shape)
    if torch.equal(activation_pattern(problem, Weights(W_E, randn(0, 8, 3))), P):
        weights = printed_recipe(problem, P, W_E)
        g = gradients(problem, weights)
        assert g.W_D.norm() < 1e-10 and (weights.W_E * g.W_E).sum(1).abs().max() < 1e-10
        assert g.W_E.norm() > 1e-4 and certify(problem, weights).verdict is Verdict.NOT_STATIONARY


def test_example_3_5_passes_for_its_own_reasons():
    """Orthonormal W_r and equal M_d: every realizing encoder is stationary.

    Either hypothesis dropped, it is not.
    """
    P, W_E = pattern([[0, 1, 2]], 3, 1), torch.tensor([[1.0, 2.0, 3.0]], dtype=torch.float64)
    eye = torch.eye(3, dtype=torch.float64)
    assert gradients(Problem(eye), printed_recipe(Problem(eye), P, W_E)).W_E.norm() < 1e-14
    for problem in (
        Problem(eye, M_d=torch.tensor([1.0, 1.0, 2.0])),
        Problem(eye, unit(randn(0, 3, 3))),
    ):
        assert gradients(problem, printed_recipe(problem, P, W_E)).W_E.norm() > 0.1


def test_sharp_counterexample():
    problem = Problem(torch.eye(2, dtype=torch.float64), M_d=torch.tensor([1.0, 2.0]))
    answer = partial_minimum(problem, pattern([[0, 1]], 2, 2))
    assert not answer.exists
    assert answer.verdict is Verdict.NONE
    assert answer.weights is None
    assert "eigenvector" in answer.reason
    # brute force over every realizing direction
    angles = torch.linspace(0.01, math.pi / 2 - 0.01, 400, dtype=torch.float64)
    norms = [
        gradients(
            problem,
            printed_recipe(problem, pattern([[0, 1]], 2, 1), torch.stack([a.cos(), a.sin()])[None]),
        )
        .W_E.norm()
        .item()
        for a in angles
    ]
    assert min(norms) > 1e-5


@pytest.mark.parametrize(
    "M_d, verdict, loss",
    [
        ((1, 1, 1), Verdict.TRAP, 1.390129),
        ((1, 3, 1), Verdict.NONE, None),
        ((0.3, 1, 1), Verdict.SADDLE, 1.332534),
    ],
)
def test_three_features_three_worlds(M_d, verdict, loss):
    answer = partial_minimum(three_features(M_d), pattern([[0, 1, 2]], 3, 3))
    assert answer.verdict is verdict
    assert loss is None or answer.loss == pytest.approx(loss, abs=1e-6)


def test_none_is_robust():
    g = torch.Generator().manual_seed(0)
    G = torch.tensor([[1, 0.6, 0.3], [0.6, 1, -0.2], [0.3, -0.2, 1]], dtype=torch.float64)
    none = 0
    for _ in range(500):
        noise = 0.03 * (2 * torch.rand(3, 3, generator=g, dtype=torch.float64) - 1)
        noise = torch.triu(noise, 1) + torch.triu(noise, 1).mT
        M = torch.tensor([1.0, 3.0, 1.0], dtype=torch.float64) * (
            1 + 0.1 * (2 * torch.rand(3, generator=g, dtype=torch.float64) - 1)
        )
        none += not group_minimum(Problem(from_gram(G + noise), M_d=M), [0, 1, 2]).exists
    assert none >= 495


def test_outside_constraint():
    problem, P = outside_constraint(), pattern([[0, 1], [2]], 3, 3)
    assert realize(problem, P).check().feasible and group_minimum(problem, [0, 1]).exists
    answer = partial_minimum(problem, P)
    assert not answer.exists and "without firing for other features" in answer.reason
    w = torch.linalg.pinv(problem.W_p[:, :2].mT) @ torch.ones(2, dtype=torch.float64)
    assert (w @ problem.W_p[:, 2] / 1.0).item() == pytest.approx(1 / math.sqrt(3))
