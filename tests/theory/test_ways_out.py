"""Ways out of a trap through a spare neuron (ours), by brute force."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sdl_theory import (
    JumpReLU,
    Problem,
    ReLU,
    TopK,
    Verdict,
    Weights,
    approximate_loss,
    best_split,
    certify,
    escape,
    polish,
    sign_row,
    split,
)
from tests.strategies import randn
from tests.traps_for_tests import K_of, a_trap, loss, some_trap, world

f64 = torch.float64
seeds = st.integers(0, 10**6)


@given(seeds, st.integers(1, 5))
def test_a_clone_is_the_same_function_on_every_input(seed, n_q):
    E, D = randn(seed, n_q + 1, 4), randn(seed + 1, 3, n_q + 1)
    D[:, -1] = 0  # spare
    weights, x = Weights(E, D), randn(seed + 2, 4, 50)
    for sigma in (ReLU(), JumpReLU(0.4)):
        two = split(weights, 0, n_q, sigma)
        before, after = (w.W_D @ sigma(w.W_E @ x) for w in (weights, two))
        assert torch.allclose(before, after, atol=1e-12)
    # under Top-k a clone takes a place: the claim fails, so it is refused
    first = Weights(torch.eye(2, 2, dtype=f64)[[0, 1, 1]] * 1.0, torch.eye(2, 3, dtype=f64))
    cloned = Weights(first.W_E[[0, 1, 0]], first.W_D[:, [0, 1, 0]] / torch.tensor([2.0, 1, 2]))
    both = torch.tensor([[2.0], [1.0]], dtype=f64)
    sigma = TopK(2)
    kept = [(w.W_D @ sigma(w.W_E @ both))[1].item() for w in (first, cloned)]
    assert kept[0] != kept[1]
    with pytest.raises(ValueError, match="Top-k"):
        split(weights, 0, n_q, sigma)


def test_a_clone_needs_another_row_of_the_same_threshold():
    weights = Weights(torch.eye(2, dtype=f64), torch.eye(2, dtype=f64))
    with pytest.raises(ValueError, match="must differ"):
        split(weights, 1, 1)
    with pytest.raises(ValueError, match="spare must be in"):
        split(weights, 1, 2)
    with pytest.raises(ValueError, match="only if they are equal"):
        split(weights, 0, 1, JumpReLU(torch.tensor([0.1, 0.2])))


@settings(max_examples=30)
@given(seeds, st.integers(2, 4), st.sampled_from([ReLU(), JumpReLU(0.3)]))
def test_escape_falls_as_predicted_and_descent_ends_at_the_bound(seed, n, sigma):
    problem = world(seed, n, positive=seed % 3 > 0)
    trap = some_trap(problem, [list(range(n))], 2, sigma)
    before, way = loss(problem, trap, sigma), escape(problem, trap, sigma)
    way.path.check()
    values = torch.linalg.eigvalsh(K_of(problem, list(range(n))))
    assert way.bound == pytest.approx(values[:-2].sum().item(), abs=1e-10)
    # second derivative, by autograd, at the clone
    clone, (v, u) = way.path.points[-2], way.direction
    step = torch.zeros((), dtype=f64, requires_grad=True)
    signs = torch.zeros(2, dtype=f64)
    signs[way.neuron], signs[way.spare] = 1, -1
    moved = Weights(
        clone.W_E + step * signs[:, None] * v, clone.W_D + step * u[:, None] * signs[None]
    )
    at = approximate_loss(problem, moved, sigma)
    slope = torch.autograd.grad(at, step, create_graph=True)[0]
    bend = torch.autograd.grad(slope, step)[0].item()
    assert bend == pytest.approx(way.curvature, rel=1e-8) and bend < 0
    assert at.item() == pytest.approx(before, abs=1e-12)
    # and the whole fall is the quartic
    q = (problem.M_d * (v @ problem.W_p) ** 2).sum().item()
    fall = -way.curvature / 2 * way.eps**2 - 4 * q * way.eps**4
    assert before - loss(problem, way.weights, sigma) == pytest.approx(fall, rel=1e-8, abs=1e-13)
    end = polish(problem, way.weights, sigma, steps=400)
    if (
        end.flips == 0
        and end.stationary
        and certify(problem, end.weights, sigma).verdict
        in (
            Verdict.TRAP,
            Verdict.GLOBAL,
        )
    ):
        assert end.losses[-1] == pytest.approx(way.bound, abs=1e-10)
    assert end.losses[-1] < before


def test_escape_ends_at_the_bound_in_groups_of_positive_features():
    """As above, with nothing assumed away."""
    reached = 0
    for seed in range(10):
        problem = world(seed, 4)
        way = escape(problem, a_trap(problem, [[0, 1, 2, 3]], 2))
        end = polish(problem, way.weights, steps=400)
        assert end.losses == sorted(end.losses, reverse=True)
        reached += abs(end.losses[-1] - way.bound) < 1e-10
    assert reached >= 8  # the others end on a wall


def test_escape_of_one_of_several_groups():
    for seed in range(4):
        problem = world(seed, 6)
        trap = a_trap(problem, [[0, 1, 2], [3, 4, 5]], 3)
        way = escape(problem, trap)
        way.path.check()
        group = [[0, 1, 2], [3, 4, 5]][way.neuron]
        second = torch.linalg.eigvalsh(K_of(problem, group))[-2].item()
        assert way.bound == pytest.approx(loss(problem, trap) - second, abs=1e-10)
        assert loss(problem, way.weights) < loss(problem, trap) - 1e-6


@settings(max_examples=30)
@given(seeds, st.integers(2, 5), st.integers(2, 5), st.sampled_from([ReLU(), JumpReLU(0.3)]))
def test_the_sign_row_gains_half_of_what_any_row_could(seed, n, n_p, sigma):
    """Any weights at all, dependent directions included: no trap is needed."""
    problem = world(seed, n, n_p, positive=False)
    E, D = randn(seed + 2, 3, n_p), randn(seed + 3, n_p, 3)
    E[2], D[:, 2] = 0, 0
    weights = Weights(E, D)
    way = sign_row(problem, weights, sigma)
    way.path.check()
    gained = loss(problem, weights, sigma) - loss(problem, way.weights, sigma)
    assert gained == pytest.approx(way.gain, rel=1e-8, abs=1e-10)
    assert way.bound * (1 - 1e-5) <= way.gain <= way.most * (1 + 1e-9)
    # no row tried at random gains twice as much
    s = problem.M_d.sqrt()
    left = (problem.W_r - D @ sigma(E @ problem.W_p)) * s
    for row in randn(seed + 4, 50, n_p):
        u = s * torch.relu(row @ problem.W_p)
        if u.any():
            assert (left @ u).square().sum() / (u @ u) <= 2 * way.gain * (1 + 1e-5)


def test_the_half_is_tight():
    """Two opposite residuals on opposite features: a row sees one of them only."""
    problem = Problem(torch.tensor([[1.0, -1.0]], dtype=f64))
    way = sign_row(problem, Weights([[0.0]], [[0.0]]))
    assert way.gain == pytest.approx(way.bound) == pytest.approx(1.0)


@settings(max_examples=20)
@given(seeds, st.integers(2, 6))
def test_the_best_threshold_split_keeps_its_bounds(seed, n):
    problem = world(seed, n + 1, positive=seed % 2 > 0)
    group = list(range(n))
    trap = some_trap(problem, [group, [n]], 3)
    way = best_split(problem, trap, 0)
    way.path.check()
    K = K_of(problem, group)
    values, vectors = torch.linalg.eigh(K)
    y = vectors[:, -1]
    rest = K - values[-1] * torch.outer(y, y)
    best = 0.0
    for size in range(1, n):
        for part in itertools.combinations(range(n), size):
            p = torch.zeros(n, dtype=f64)
            p[list(part)] = y[list(part)]
            alpha = (p @ p).item()
            best = max(best, (p @ rest @ p).item() / (alpha * (1 - alpha)))
    assert way.bound * (1 - 1e-9) <= way.gain <= best * (1 + 1e-7) + 1e-12
    assert best <= way.most * (1 + 1e-7)
    assert best >= values[-2].item() / 2 * (1 - 1e-9)
    assert way.most == pytest.approx(values[-2].item(), rel=1e-7, abs=1e-10)
    # both neurons fire for their parts and nothing else
    P = certify(problem, way.weights).pattern
    assert P[way.neurons[0], :n].nonzero()[:, 0].tolist() == way.features
    assert (P[way.neurons].sum(0)[:n] == 1).all()
