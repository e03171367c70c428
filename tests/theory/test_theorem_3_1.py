"""Theorem 3.1: L and Lt differ by C P(two or more active), if sigma is homogeneous."""

import math
from itertools import product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import points, randn, unit

from sdl_theory import (
    BatchTopK,
    Constant,
    JumpReLU,
    Problem,
    ReLU,
    ShiftedExponential,
    SparseFeatures,
    TopK,
    Uniform,
    Weights,
    approximate_loss,
    exact_loss,
    feature_matrix,
    ideal_weights,
    loss_gap_bound,
    sampled_loss,
)


def literal_exact_loss(problem, weights, sigma, S, v):
    """A few lines to check by eye: sum over supports of P(support) times the squared error."""
    total = 0.0
    for support in product([0.0, 1.0], repeat=problem.n):
        x, k = v * torch.tensor(support, dtype=torch.float64), int(sum(support))
        left = problem.W_r @ x - weights.W_D @ sigma(weights.W_E @ (problem.W_p @ x))
        total += (1 - S) ** k * S ** (problem.n - k) * left.square().sum().item()
    return total


@given(
    points(),
    st.sampled_from([ReLU(), JumpReLU(0.4), TopK(2), TopK(1, -math.inf)]),
    st.floats(0, 0.99),
    st.floats(0.2, 3),
)
def test_exact_loss_is_the_enumeration(point, sigma, S, v):
    problem, weights = point
    if isinstance(sigma, TopK) and sigma.k > weights.n_q:
        sigma = TopK(1)
    got = exact_loss(problem, weights, sigma, SparseFeatures(problem.n, S, Constant(v))).item()
    assert got == pytest.approx(
        literal_exact_loss(problem, weights, sigma, S, v), rel=1e-10, abs=1e-12
    )


def test_approximate_loss_is_its_formula():
    problem = Problem(unit(randn(0, 4, 6)), randn(1, 5, 6), randn(2, 6).abs())
    weights = Weights(randn(3, 7, 4), randn(4, 5, 7))
    literal = sum(
        problem.M_d[d]
        * (problem.W_r[:, d] - weights.W_D @ torch.relu(weights.W_E @ problem.W_p[:, d]))
        .square()
        .sum()
        for d in range(6)
    )
    assert approximate_loss(problem, weights).item() == pytest.approx(literal.item(), rel=1e-13)


@given(
    points(), st.sampled_from([ReLU(), TopK(1), TopK(2)]), st.floats(0, 0.9999), st.floats(0.2, 3)
)
def test_gap_is_between_zero_and_the_bounds_for_every_S(point, sigma, S, v):
    problem, weights = point
    features = SparseFeatures(problem.n, S, Constant(v))
    problem = Problem(problem.W_p, problem.W_r, features.M_d, problem.blocks)
    gap = (
        exact_loss(problem, weights, sigma, features) - approximate_loss(problem, weights, sigma)
    ).item()
    bound = loss_gap_bound(problem, weights, sigma, features)
    slack = 1e-12 * (1 + bound.C)
    assert (
        -slack <= gap <= bound.sharp + slack <= bound.tight + 2 * slack <= bound.paper + 3 * slack
    )
    assert bound.applies == (1 - S <= 1 / problem.n * (1 + 1e-12))


def test_order_two_with_the_pair_errors_as_its_constant():
    n, values = 8, []
    W = feature_matrix(n, 6, 0.6, generator=torch.Generator().manual_seed(0))
    weights = Weights(randn(1, 10, 6), randn(2, 6, 10))
    pairs = torch.zeros(28, n, dtype=torch.float64).scatter_(
        1, torch.combinations(torch.arange(n)), 1.0
    )
    left = W @ pairs.mT - weights.W_D @ torch.relu(weights.W_E @ W @ pairs.mT)
    errors = left.square().sum().item()
    for S in (0.99, 0.999, 0.9999):
        features = SparseFeatures(n, S, Constant(1.0))
        problem = Problem(W, M_d=features.M_d)
        L, Lt = exact_loss(problem, weights, ReLU(), features), approximate_loss(problem, weights)
        values.append((L - Lt).item() / (1 - S) ** 2 / errors)
    assert abs(values[2] - 1) < 2e-3 and abs(values[0] - 1) > 5 * abs(values[2] - 1)


@pytest.mark.parametrize("theta, v, first_order", [(0.5, 0.4, 0.16), (1.5, 2.0, -4.0)])
def test_dropped_hypothesis_jumprelu_errs_at_first_order_of_either_sign(theta, v, first_order):
    features = SparseFeatures(1, 1 - 1e-3, Constant(v))
    problem = Problem(torch.ones(1, 1, dtype=torch.float64), M_d=features.M_d)
    weights, sigma = ideal_weights(problem, 1), JumpReLU(theta)
    gap = (
        exact_loss(problem, weights, sigma, features) - approximate_loss(problem, weights, sigma)
    ).item()
    assert gap == pytest.approx(first_order * 1e-3, rel=1e-9)
    bound = loss_gap_bound(problem, weights, sigma, features)
    assert not bound.applies and "homogeneous" in bound.reason


def test_unit_magnitudes_stand_in_for_homogeneity():
    features = SparseFeatures(5, 0.9, Constant(1.0))
    problem = Problem(unit(randn(0, 4, 5)), M_d=features.M_d)
    weights = Weights(randn(1, 6, 4), randn(2, 4, 6))
    bound = loss_gap_bound(problem, weights, JumpReLU(0.5), features)
    gap = (
        exact_loss(problem, weights, JumpReLU(0.5), features)
        - approximate_loss(problem, weights, JumpReLU(0.5))
    ).item()
    assert bound.applies and 0 <= gap <= bound.sharp


def test_the_bound_says_when_it_says_nothing():
    weights = lambda problem: Weights(
        torch.zeros(3, problem.n_p, dtype=torch.float64),
        torch.zeros(problem.n_r, 3, dtype=torch.float64),
    )
    make = lambda n, S, law: (
        Problem(unit(randn(0, 4, n)), M_d=SparseFeatures(n, S, law).M_d),
        SparseFeatures(n, S, law),
    )
    problem, features = make(1000, 0.99, Uniform(0, 1))
    bound = loss_gap_bound(problem, weights(problem), ReLU(), features)
    assert not bound.applies and "1/n" in bound.reason and bound.paper > bound.C
    problem, features = make(5, 0.99, ShiftedExponential(0.1, 1.0))
    bound = loss_gap_bound(problem, weights(problem), ReLU(), features)
    assert not bound.applies and bound.C == math.inf and "generator" in bound.reason
    estimate = loss_gap_bound(
        problem, weights(problem), ReLU(), features, generator=torch.Generator().manual_seed(0)
    )
    assert estimate.applies and estimate.estimated and estimate.sharp < estimate.tight
    assert (
        "features.M_d"
        in loss_gap_bound(
            Problem(problem.W_p), weights(problem), ReLU(), features, generator=torch.Generator()
        ).reason
    )


@pytest.mark.parametrize("S", [0.5, 0.9, 0.9999])
def test_sampled_interval_covers_the_exact_loss(S):
    features = SparseFeatures(6, S, Constant(1.0))
    problem, weights = Problem(unit(randn(0, 4, 6))), Weights(randn(1, 7, 4), randn(2, 4, 7))
    truth = exact_loss(problem, weights, JumpReLU(0.2), features).item()
    estimates = [
        sampled_loss(
            problem, weights, JumpReLU(0.2), features, 400, torch.Generator().manual_seed(seed)
        )
        for seed in range(200)
    ]
    covered = sum(e.low <= truth <= e.high for e in estimates)
    assert 180 <= covered <= 199, covered  # 95% of 200, give or take
    assert sum(e.value for e in estimates) / 200 == pytest.approx(truth, rel=0.02)


@pytest.mark.parametrize("law", [ShiftedExponential(0.3, 0.7), Uniform(0.2, 1.5), Constant(1.3)])
def test_second_moments_and_M_d(law):
    g = torch.Generator().manual_seed(0)
    draws = law.draw((400_000,), g, dtype=torch.float64)
    assert draws.square().mean().item() == pytest.approx(law.second_moment, rel=0.02)
    assert law.range[0] <= draws.min() and draws.max() <= law.range[1]
    features = SparseFeatures(4, 0.6, law)
    x = features.sample(400_000, g)
    alone = (x > 0).sum(1) == 1
    assert ((x.square() * alone[:, None]).mean(0) / features.M_d - 1).abs().max() < 0.03
    assert ((x > 0).double().mean().item()) == pytest.approx(0.4, abs=0.005)


def test_count_probabilities_and_conditional_samples():
    features = SparseFeatures(7, 0.8, Constant(1.0))
    p = features.count_probabilities()
    assert p.sum().item() == pytest.approx(1, abs=1e-12)
    assert p[3].item() == pytest.approx(35 * 0.2**3 * 0.8**4, rel=1e-10)
    counts = torch.tensor([1, 2, 7, 3])
    assert ((features.sample_given_count(counts, torch.Generator()) > 0).sum(1) == counts).all()
    assert SparseFeatures(3, 0.0).count_probabilities().tolist() == [0, 0, 0, 1]


def test_same_generator_same_sample():
    features = SparseFeatures(5, 0.5)
    a, b = (features.sample(10, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(a, b)


def test_bad_input_is_named():
    problem = Problem(torch.eye(3, dtype=torch.float64))
    weights = Weights(torch.eye(3, dtype=torch.float64), torch.eye(3, dtype=torch.float64))
    for S in (1, -0.1, math.nan):
        with pytest.raises(ValueError, match="S = P"):
            SparseFeatures(3, S)
    with pytest.raises(ValueError, match="Constant"):
        exact_loss(problem, weights, ReLU(), SparseFeatures(3, 0.5))
    with pytest.raises(ValueError, match="features.n = 4"):
        exact_loss(problem, weights, ReLU(), SparseFeatures(4, 0.5, Constant(1.0)))
    big = Problem(unit(randn(0, 3, 21)))
    with pytest.raises(ValueError, match="n <= 20"):
        exact_loss(big, weights, ReLU(), SparseFeatures(21, 0.5, Constant(1.0)))
    with pytest.raises(ValueError, match="BatchTopK"):
        exact_loss(problem, weights, BatchTopK(1), SparseFeatures(3, 0.5, Constant(1.0)))
    for bad in (
        lambda: Constant(-1),
        lambda: Uniform(2, 1),
        lambda: ShiftedExponential(-1, 1),
        lambda: ShiftedExponential(0, math.nan),
    ):
        with pytest.raises(ValueError, match="needs|must be a finite number"):
            bad()
