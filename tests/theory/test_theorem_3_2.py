"""Theorem 3.2: convex in each block inside a region; closed forms against autograd."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import points, randn, unit

from sdl_theory import (
    BatchTopK,
    JumpReLU,
    Problem,
    ReLU,
    TopK,
    Weights,
    activation_pattern,
    approximate_loss,
    gradients,
    hessian,
)

SIGMAS = [ReLU(), JumpReLU(0.3), TopK(1), TopK(2), TopK(1, -math.inf), BatchTopK(1)]


@given(points(), st.sampled_from(SIGMAS))
def test_gradients_equal_autograd(point, sigma):
    problem, weights = point
    free = Weights(weights.W_E.clone().requires_grad_(), weights.W_D.clone().requires_grad_())
    approximate_loss(problem, free, sigma).backward()
    closed = gradients(problem, weights, sigma)
    assert closed.W_E.shape == weights.W_E.shape and closed.W_D.shape == weights.W_D.shape
    scale = 1 + problem.scale + weights.W_E.norm() * weights.W_D.norm()
    assert (closed.W_E - free.W_E.grad).abs().max() < 1e-10 * scale
    assert (closed.W_D - free.W_D.grad).abs().max() < 1e-10 * scale


@given(points(), st.sampled_from([ReLU(), JumpReLU(0.3), TopK(1)]))
def test_hessians_equal_autograd_and_blocks_are_psd(point, sigma):
    problem, weights = point
    loss = lambda W_D, W_E: approximate_loss(problem, Weights(W_E, W_D), sigma)
    (DD, DE), (_, EE) = torch.autograd.functional.hessian(loss, (weights.W_D, weights.W_E))
    d, e = weights.W_D.numel(), weights.W_E.numel()
    H = hessian(problem, weights, sigma)
    for got, want in (
        (hessian(problem, weights, sigma, "D"), DD.reshape(d, d)),
        (hessian(problem, weights, sigma, "E"), EE.reshape(e, e)),
        (H[:d, d:], DE.reshape(d, e)),
        (H[d:, :d], DE.reshape(d, e).mT),
        (H[:d, :d], DD.reshape(d, d)),
        (H[d:, d:], EE.reshape(e, e)),
    ):
        assert (got - want).abs().max() < 1e-9 * (1 + want.abs().max())
    for block in "DE":
        values = torch.linalg.eigvalsh(hessian(problem, weights, sigma, block))
        assert values.min() > -1e-10 * (1 + values.abs().max())


@given(points(kinds=("sae", "transcoder", "superposed")), st.floats(0, 1))
def test_convex_along_each_block_of_one_region(point, t):
    """Midpoint inequality between two encoders of one region, and between any two decoders."""
    problem, weights = point
    other = Weights(
        weights.W_E + 0.05 * randn(9, *weights.W_E.shape),
        weights.W_D + randn(8, *weights.W_D.shape),
    )
    loss = lambda W_E, W_D: approximate_loss(problem, Weights(W_E, W_D)).item()
    mix = lambda a, b: (1 - t) * a + t * b
    slack = 1e-9 * (1 + loss(other.W_E, other.W_D))
    assert (
        loss(weights.W_E, mix(weights.W_D, other.W_D))
        <= mix(loss(weights.W_E, weights.W_D), loss(weights.W_E, other.W_D)) + slack
    )
    if torch.equal(
        activation_pattern(problem, weights),
        activation_pattern(problem, Weights(other.W_E, weights.W_D)),
    ):
        assert (
            loss(mix(weights.W_E, other.W_E), weights.W_D)
            <= mix(loss(weights.W_E, weights.W_D), loss(other.W_E, weights.W_D)) + slack
        )


def test_dropped_hypotheses_not_jointly_convex_and_not_convex_across_regions():
    problem = Problem(torch.ones(1, 1, dtype=torch.float64))
    H = hessian(
        problem,
        Weights(
            torch.full((1, 1), 0.5, dtype=torch.float64),
            torch.full((1, 1), 0.5, dtype=torch.float64),
        ),
    )
    # (1 - w_D w_E)^2 is not convex in the pair
    assert abs(torch.linalg.eigvalsh(H).min() + 0.5) < 1e-12
    one = lambda a: torch.full((1, 1), a, dtype=torch.float64)
    loss = lambda e: approximate_loss(problem, Weights(one(e), one(1.0)), JumpReLU(0.5)).item()
    assert loss(0.5) > (loss(0.1) + loss(0.9)) / 2  # JumpReLU, across its wall


def test_active_is_strict_and_topk_breaks_ties_by_index():
    z = torch.tensor([[0.0, 1.0], [2.0, 1.0], [2.0, -1.0]], dtype=torch.float64)
    assert ReLU().active(z).tolist() == [[False, True], [True, True], [True, False]]
    assert JumpReLU(2.0).active(z).sum() == 0
    assert TopK(1).active(z).tolist() == [[False, True], [True, False], [False, False]]
    # theta = 0 keeps Top-k behind a ReLU
    assert TopK(3).active(z).tolist() == [[False, True], [True, True], [True, False]]
    assert TopK(3, -math.inf).active(z).all()
    assert BatchTopK(1).active(z).tolist() == [[False, False], [True, False], [True, False]]
    assert torch.equal(TopK(1).active(z.mT, dim=-1), TopK(1).active(z).mT)
    assert torch.equal(BatchTopK(1)(z.mT, dim=-1), BatchTopK(1)(z).mT)
    theta = torch.tensor([0.5, 1.5, 0.1], dtype=torch.float64)
    assert JumpReLU(theta).active(z).tolist() == [[False, True], [True, False], [True, False]]


@given(st.integers(0, 10**6), st.sampled_from(SIGMAS))
def test_wall_distance_is_where_the_pattern_first_changes(seed, sigma):
    z = randn(seed, 3, 4)
    here, distance = sigma.active(z), sigma.wall_distance(z).item()
    assert distance >= 0
    for trial in range(20):
        # entries move towards each other by less than the distance
        nudge = randn(seed + trial, 3, 4).sign() * 0.49 * distance
        assert torch.equal(sigma.active(z + nudge), here)


def test_wall_distance_sees_latents_that_wait():
    assert BatchTopK(1).wall_distance(
        torch.tensor([[2.0, -0.1], [-0.2, -0.5]])
    ).item() == pytest.approx(0.1)
    assert TopK(5, -math.inf).wall_distance(randn(0, 3, 4)) == math.inf


def test_bad_input_is_named():
    problem = Problem(torch.eye(2, dtype=torch.float64))
    weights = Weights(torch.eye(2, dtype=torch.float64), torch.eye(2, dtype=torch.float64))
    with pytest.raises(ValueError, match="block must be"):
        hessian(problem, weights, block="F")
    big = Problem(unit(randn(0, 60, 60)))
    with pytest.raises(ValueError, match="limit is 4096"):
        hessian(big, Weights(randn(0, 60, 60), randn(1, 60, 60)))
    for theta in (-1.0, math.nan, math.inf, torch.tensor([[0.1]])):
        with pytest.raises(ValueError, match="theta must be"):
            JumpReLU(theta)
    with pytest.raises(ValueError, match="too small"):
        JumpReLU(1e-200)
    for k in (0, -1, 1.5):
        with pytest.raises(ValueError, match="k must be"):
            TopK(k)
    with pytest.raises(ValueError, match="n_q = 2"):
        approximate_loss(problem, weights, JumpReLU(torch.tensor([0.1, 0.2, 0.3])))
