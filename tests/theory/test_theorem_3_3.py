"""Theorem 3.3: the ideal point W*, its bounds, and a better point."""

from contextlib import nullcontext

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import problems, randn, unit

from sdl_theory import (
    Constant,
    JumpReLU,
    Problem,
    ReLU,
    SparseFeatures,
    TopK,
    Verdict,
    approximate_loss,
    certify,
    exact_loss,
    feature_matrix,
    gradients,
    hierarchy,
    ideal_loss,
    ideal_weights,
    interference,
    pseudo_inverse_weights,
)


@given(problems(), st.just(0.0) | st.floats(1e-6, 0.95))
def test_bounds_of_W_star_in_order(problem, theta):
    sigma = JumpReLU(theta)
    bounds = ideal_loss(problem, sigma)
    loss = approximate_loss(problem, ideal_weights(problem, problem.n + 2), sigma).item()
    slack = 1e-10 * (1 + problem.scale)
    assert abs(loss - bounds.exact) < slack
    assert bounds.exact <= bounds.by_neurons + slack <= bounds.paper + 2 * slack


def test_shapes_and_the_zero_rows():
    problem = Problem(unit(randn(0, 4, 3)), randn(1, 5, 3))
    weights = ideal_weights(problem, 7)
    assert torch.equal(weights.W_E[:3], problem.W_p.mT)
    assert torch.equal(weights.W_D[:, :3], problem.W_r)
    assert not weights.W_E[3:].any() and not weights.W_D[:, 3:].any()


@pytest.mark.parametrize("sigma", [JumpReLU(0.45), TopK(1)])
def test_zero_loss_when_theta_reaches_mu_or_k_is_one(sigma):
    W = feature_matrix(12, 6, 0.45, generator=torch.Generator().manual_seed(0))
    assert approximate_loss(Problem(W), ideal_weights(Problem(W), 12), sigma).item() < 1e-28


def test_zero_loss_without_positive_interference():
    # cross-polytope: n = 2 n_p, mu = 0
    W = torch.cat([torch.eye(3, dtype=torch.float64), -torch.eye(3, dtype=torch.float64)], 1)
    assert interference(W) == 0
    assert approximate_loss(Problem(W), ideal_weights(Problem(W), 6)).item() == 0


def test_jumprelu_true_loss_is_zero_only_for_lone_features():
    W = feature_matrix(5, 4, 0.4, generator=torch.Generator().manual_seed(0))
    weights, sigma = ideal_weights(Problem(W), 5), JumpReLU(0.4)
    features = SparseFeatures(5, 0.999, Constant(1.0))
    # only pairs contribute
    assert exact_loss(Problem(W), weights, sigma, features) <= 10 * 1e-6 * 5
    small = SparseFeatures(5, 0.999, Constant(0.3))  # dropped: theta < smallest magnitude
    assert exact_loss(Problem(W), weights, sigma, small).item() > 0.09 * 5 * 1e-3 * 0.99


def test_W_star_is_not_stationary_under_interference():
    problem = Problem(feature_matrix(6, 8, 0.6, generator=torch.Generator().manual_seed(3)))
    assert problem.mu > 0 and gradients(problem, ideal_weights(problem, 6)).W_E.norm() > 0.1
    assert certify(problem, ideal_weights(problem, 6)).verdict is Verdict.NOT_STATIONARY


@given(
    problems(
        kinds=("sae", "transcoder", "crosscoder", "orthonormal", "one feature", "zero weights")
    ),
    st.floats(0, 0.9),
)
def test_pseudo_inverse_has_zero_loss_on_every_input(problem, S):
    if torch.linalg.matrix_rank(problem.W_p, rtol=1e-3) < problem.n:
        dependent = torch.linalg.matrix_rank(problem.W_p, rtol=1e-9) < problem.n
        with pytest.raises(ValueError, match="rank") if dependent else nullcontext():
            pseudo_inverse_weights(problem, problem.n)
        return
    weights = pseudo_inverse_weights(problem, problem.n + 1)
    assert certify(problem, weights).verdict is Verdict.GLOBAL
    assert (
        exact_loss(problem, weights, ReLU(), SparseFeatures(problem.n, S, Constant(2.0))).item()
        < 1e-16
    )
    assert torch.equal(weights.W_D[:, : problem.n], problem.W_r)  # the decoder is the truth


def test_the_better_encoder_scores_worse_by_cosine():
    problem = Problem(feature_matrix(10, 10, 0.7, generator=torch.Generator().manual_seed(1)))
    dual = pseudo_inverse_weights(problem, 10).W_E
    cosines = (dual / dual.norm(dim=1, keepdim=True) * problem.W_p.mT).sum(1)
    assert cosines.max() < 1 - 1e-3 and certify(problem, ideal_weights(problem, 10)).loss > 0.1


def test_crosscoder_rows_are_divided_by_the_number_of_blocks():
    problem = Problem(torch.cat([unit(randn(0, 4, 3)), unit(randn(1, 5, 3))]), blocks=[4, 5])
    z = ideal_weights(problem, 3).W_E @ problem.W_p
    assert torch.allclose(z.diagonal(), torch.ones(3, dtype=torch.float64))
    assert problem.mu == pytest.approx((z - 2 * torch.eye(3)).max().item())


def test_bad_input_is_named():
    problem = Problem(unit(randn(0, 4, 6)))
    with pytest.raises(ValueError, match="n_q >= 6"):
        ideal_weights(problem, 5)
    with pytest.raises(ValueError, match="rank 4 < n = 6"):
        pseudo_inverse_weights(problem, 6)
    for sigma in (JumpReLU(1.0), TopK(1), JumpReLU(torch.tensor([0.1, 0.2]))):
        with pytest.raises(ValueError, match="Theorem 3.3"):
            ideal_loss(problem, sigma)
    tree = hierarchy(2, 2, 6, 0.5)
    assert Problem(tree.W_p).mu == pytest.approx(0.25)
