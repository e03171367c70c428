"""Theorem 3.4: zero loss that recovers nothing."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import problems, randn, unit

from sdl_theory import (
    Constant,
    Problem,
    ReLU,
    SparseFeatures,
    TopK,
    Verdict,
    approximate_loss,
    certify,
    exact_loss,
    feature_matrix,
    mirrored_weights,
)


@given(
    problems(kinds=("sae", "orthonormal", "equal directions", "one feature", "zero weights")),
    st.integers(0, 10**6),
    st.floats(0, 0.99),
)
def test_true_loss_is_zero_at_every_S(problem, seed, S):
    A = randn(seed, problem.n_p, problem.n_p)
    if torch.linalg.cond(A) > 1e4:
        A = torch.linalg.qr(A).Q
    weights = mirrored_weights(problem, 2 * problem.n_p + 1, A)
    assert (
        exact_loss(problem, weights, ReLU(), SparseFeatures(problem.n, S, Constant(1.5))).item()
        < 1e-18
    )
    assert certify(problem, weights).verdict is Verdict.GLOBAL


@given(problems(kinds=("transcoder", "superposed", "crosscoder")))
def test_otherwise_it_leaves_exactly_the_linear_residual(problem):
    T = problem.W_r @ torch.linalg.pinv(problem.W_p)
    left = (problem.M_d * (problem.W_r - T @ problem.W_p).square().sum(0)).sum().item()
    assert approximate_loss(
        problem, mirrored_weights(problem, 2 * problem.n_p)
    ).item() == pytest.approx(left, rel=1e-8, abs=1e-18 + 1e-12 * problem.scale)


def test_a_rotation_recovers_nothing_at_the_bench_size():
    """Below the best cosine of 16,000 random rows. Here at n = 1000, n_p = 768."""
    g = torch.Generator().manual_seed(0)
    problem = Problem(feature_matrix(1000, 768, 0.1, generator=g))
    A = torch.linalg.qr(torch.randn(768, 768, generator=g, dtype=torch.float64)).Q
    weights = mirrored_weights(problem, 2 * 768, A)
    best = (weights.W_E @ problem.W_p).abs().max(0).values
    random_rows = torch.randn(16000, 768, generator=g, dtype=torch.float32)
    null = (
        (random_rows / random_rows.norm(dim=1, keepdim=True) @ problem.W_p.float())
        .abs()
        .max(0)
        .values
    )
    assert approximate_loss(problem, weights).item() < 1e-24
    assert 0.115 < best.mean() < 0.127 and 0.143 < null.mean() < 0.153 and best.max() < 0.9


def test_dropped_hypothesis_topk_excludes_it():
    problem = Problem(feature_matrix(8, 6, 0.7, generator=torch.Generator().manual_seed(0)))
    weights = mirrored_weights(problem, 12, torch.linalg.qr(randn(1, 6, 6)).Q)
    assert approximate_loss(problem, weights, TopK(6)).item() < 1e-24
    assert approximate_loss(problem, weights, TopK(3)).item() > 0.1


def test_bad_input_is_named():
    problem = Problem(unit(randn(0, 3, 4)))
    for A, word in (
        (torch.zeros(3, 3), "invertible"),
        (torch.eye(2), "shape"),
        (torch.full((3, 3), torch.nan), "finite"),
    ):
        with pytest.raises(ValueError, match=word):
            mirrored_weights(problem, 6, A)
    with pytest.raises(ValueError, match="n_q >= 6"):
        mirrored_weights(problem, 5)
