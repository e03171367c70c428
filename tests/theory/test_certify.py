"""The verifier itself: norms, tolerances, overlaps, Top-k, and what it prints."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import problems, randn, thresholds, unit

from sdl_theory import (
    Problem,
    TopK,
    Verdict,
    Weights,
    activation_pattern,
    approximate_loss,
    certify,
    gradients,
    ideal_weights,
    partial_minimum,
    pattern,
    realize,
)
from sdl_theory.activations import Activation
from sdl_theory.theory.counterexamples import three_features


def test_cross_polytope_shows_its_own_pattern_on_the_walls():
    """mu = 0: every off-entry of W* is exactly on its wall, and still W* is global."""
    problem = Problem(torch.cat([torch.eye(2), -torch.eye(2)], 1).double())
    P = pattern([[0], [1], [2], [3]], 4, 4)
    assert certify(problem, ideal_weights(problem, 4)).verdict is Verdict.GLOBAL
    assert torch.equal(activation_pattern(problem, ideal_weights(problem, 4)), P)
    assert realize(problem, P).check().feasible
    assert partial_minimum(problem, P).verdict is Verdict.GLOBAL


@pytest.mark.parametrize("sigma", [TopK(1), TopK(1, -math.inf)])
def test_topk_walls_are_the_lowest_selected_latent(sigma):
    T = lambda rows: torch.tensor(rows, dtype=torch.float64)
    problem = Problem(T([[1, 0.6], [0, 0.8]]))
    # row 2 at half of row 1's latent: far from a swap
    below = Weights(T([[1, 0.5], [0.5, 0.25]]), T([[0.8, 0], [0.4, 0]]))
    assert certify(problem, below, sigma).verdict is Verdict.TRAP
    assert certify(problem, below, sigma).wall_distance > 0.4
    tied = Problem(T([[1, -0.6], [0, 0.8]]))
    # plain Top-1: level with the selected latent of feature 2
    level = Weights(T([[1, -0.5], [-5, -5]]), T([[0.8, 0.6], [-0.4, -0.8]]))
    if sigma.theta < 0:
        assert certify(tied, level, sigma).verdict is not Verdict.TRAP
        assert (
            approximate_loss(tied, Weights(T([[1, -0.5], [-5, -4.999]]), level.W_D), sigma)
            < 0.3
            < certify(tied, level, sigma).loss
        )


def test_features_without_weight_do_not_make_an_overlap():
    problem = Problem(unit(randn(0, 4, 3)).abs(), M_d=torch.tensor([1.0, 1.0, 0.0]))
    start = partial_minimum(Problem(problem.W_p[:, :2]), pattern([[0, 1]], 2, 1)).weights
    second = torch.linalg.pinv(problem.W_p.mT) @ torch.tensor(
        [-1.0, -1.0, 1.0], dtype=torch.float64
    )
    weights = Weights(
        torch.stack([start.W_E[0], second]),
        torch.cat([start.W_D, torch.zeros(4, 1, dtype=torch.float64)], 1),
    )
    assert certify(problem, weights).pattern.tolist() == [[True, True, True], [False, False, True]]
    assert certify(problem, weights).verdict is Verdict.TRAP


def test_relative_norms_do_not_see_the_scale_of_a_neuron():
    problem, P = three_features((1, 1, 1)), pattern([[0, 1, 2]], 3, 2)
    weights = partial_minimum(problem, P).weights
    off = Weights(weights.W_E + 1e-4 * randn(0, 2, 3), weights.W_D)
    for t in (1e-6, 1.0, 1e6):
        c = certify(problem, Weights(off.W_E * t, off.W_D / t))
        assert c.grad_E == pytest.approx(certify(problem, off).grad_E, rel=1e-6)
        assert c.verdict is Verdict.NOT_STATIONARY


@given(problems(), st.integers(0, 10**6), thresholds)
def test_certificate_norms_are_the_gradients(problem, seed, sigma):
    weights = Weights(randn(seed, 4, problem.n_p), randn(seed + 1, problem.n_r, 4))
    c, g = certify(problem, weights, sigma), gradients(problem, weights, sigma)
    assert (c.grad_D == 0) == (g.W_D.norm() < 1e-12) and (c.grad_E == 0) == (g.W_E.norm() < 1e-12)
    assert c.loss == pytest.approx(
        approximate_loss(problem, weights, sigma).item(), rel=1e-10, abs=1e-12
    )
    assert [v is Verdict.POLYSEMANTIC for v in c.neurons] == [row.sum() > 1 for row in c.pattern]
    counted = problem.M_d > 0
    assert c.wall_distance == pytest.approx(
        ((weights.W_E @ problem.W_p)[:, counted] - sigma.theta).abs().min().item(), rel=1e-12
    )


def test_overflow_does_not_pass_for_a_zero_gradient():
    problem = three_features((1, 1, 1))
    with pytest.raises(ValueError, match="overflow"):
        certify(
            problem,
            Weights(
                torch.full((2, 3), 1e200, dtype=torch.float64),
                torch.full((3, 2), 1e200, dtype=torch.float64),
            ),
        )


def test_check_raises_and_prints_verdicts_not_floats():
    problem = three_features((1, 1, 1))
    with pytest.raises(AssertionError, match="grad_"):
        certify(problem, ideal_weights(problem, 3)).check()
    text = str(certify(problem, partial_minimum(problem, pattern([[0, 1, 2]], 3, 3)).weights))
    assert "grad_E = 0       yes" in text and "verdict          trap" in text


def test_clones_are_a_saddle_and_silent_features_count():
    problem = Problem(torch.eye(2, dtype=torch.float64))
    zero = Weights(-torch.ones(1, 2, dtype=torch.float64), torch.zeros(2, 1, dtype=torch.float64))
    # all dead: a trap indeed
    assert certify(problem, zero).verdict is Verdict.TRAP
    assert certify(problem, zero).neurons == [Verdict.STRICTLY_DEAD]
    assert certify(problem, Weights(0 * zero.W_E, zero.W_D)).verdict is Verdict.ESCAPABLE
    both = Weights(
        torch.ones(2, 2, dtype=torch.float64), torch.full((2, 2), 0.25, dtype=torch.float64)
    )
    assert certify(problem, both).verdict is Verdict.SADDLE


def test_float32_has_its_own_tolerance():
    problem = three_features((1, 1, 1)).to(torch.float32)
    answer = partial_minimum(problem, pattern([[0, 1, 2]], 3, 3))
    assert answer.verdict is Verdict.TRAP and answer.weights.W_E.dtype is torch.float32
    assert certify(problem, ideal_weights(problem, 3)).verdict is Verdict.NOT_STATIONARY


def test_an_activation_that_changes_what_is_active_owes_its_walls():
    """A two-sided one would else be certified by the walls of a one-sided one."""
    with pytest.raises(TypeError, match="TwoSided changes `active`: it must say its `barrier`"):

        class TwoSided(Activation):
            def active(self, z, dim=0, slack=0.0):
                return z.abs() > 0.1 + slack
