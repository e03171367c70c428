"""Overlapping patterns (ours): least curvature against brute force, and where it says nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sdl_theory import (
    CertificateError,
    Problem,
    ReLU,
    TopK,
    Verdict,
    Weights,
    activation_pattern,
    approximate_loss,
    certify,
    gradients,
    hessian,
    partial_minimum,
    pattern,
    polish,
    second_order,
)
from sdl_theory.theory import curvature as of_curvature
from sdl_theory.theory.point import Point
from sdl_theory.theory.region import Region
from sdl_theory.theory.second_order import components
from tests.strategies import groupings, points, problems, randn, thresholds, unit

f64 = torch.float64


def along(problem, weights, sigma, E, D):
    """First and second derivative of Lt along a move, by autograd."""
    step = torch.zeros((), dtype=f64, requires_grad=True)
    moved = Weights(weights.W_E + step * E, weights.W_D + step * D)
    loss = approximate_loss(problem, moved, sigma)
    slope = torch.autograd.grad(loss, step, create_graph=True)[0]
    return slope.item(), torch.autograd.grad(slope, step)[0].item()


def rough(seed, n, n_p, n_q):
    """A random problem and where descent from random weights ends."""
    problem = Problem(unit(randn(seed, n_p, n)), None, randn(seed + 3, n).abs() + 0.3)
    start = Weights(randn(seed + 1, n_q, n_p), 0.3 * randn(seed + 2, n_p, n_q))
    return problem, polish(problem, start, steps=60)


@given(points(), thresholds, st.integers(0, 99))
def test_a_regions_coordinates_give_lts_own_derivatives(point, sigma, seed):
    problem, weights = point
    at = Point(problem, weights, sigma)
    counted = at.fired[:, problem.M_d > 0].any(1).numpy()
    if not counted.any():
        return
    region = Region(at, np.flatnonzero(counted))
    v = np.random.default_rng(seed).standard_normal(region.size)
    E, D = torch.zeros_like(weights.W_E), torch.zeros_like(weights.W_D)
    rows = at.firing[torch.as_tensor(region.rows)]
    move = region.lifted(v)
    E[rows], D[:, rows] = torch.as_tensor(move[0]), torch.as_tensor(move[1])
    slope, bend = along(problem, weights, sigma, E, D)
    assert region.gradient @ v == pytest.approx(slope, rel=1e-6, abs=1e-8)
    assert v @ region.product(v) == pytest.approx(bend, rel=1e-6, abs=1e-8)
    other = np.random.default_rng(seed + 1).standard_normal(region.size)
    assert other @ region.product(v) == pytest.approx(v @ region.product(other), rel=1e-6, abs=1e-8)


@given(problems(kinds=("sae", "transcoder", "superposed", "zero weights")), st.data(), thresholds)
def test_alone_with_its_features_a_neuron_is_what_its_spectrum_says(problem, data, sigma):
    groups = data.draw(groupings(problem.n))
    answer = partial_minimum(problem, pattern(groups, problem.n, len(groups)), sigma)
    if not answer.exists:
        return
    by_curvature = second_order(problem, answer.weights, sigma).check()
    # a value between 0 and 1e-8 is the one thing that only the spectrum tells
    assert by_curvature.verdict is answer.verdict or abs(by_curvature.curvature) < 1e-5


def test_of_a_lone_neuron_the_curvature_is_closed_form():
    for seed in range(5):
        problem = Problem(unit(randn(seed, 5, 4).abs()))
        trap = partial_minimum(problem, pattern([[0, 1, 2, 3]], 4, 1))
        top, second = torch.linalg.eigvalsh(problem.W_p.mT @ problem.W_p).flip(0)[:2].tolist()
        found = second_order(problem, trap.weights).check()
        assert found.verdict is Verdict.TRAP
        assert found.curvature == pytest.approx(2 * (1 - (second / top) ** 0.5), rel=1e-8)
        # no rescaling moves it
        t = torch.tensor([[7.0]], dtype=f64)
        scaled = Weights(trap.weights.W_E * t, trap.weights.W_D / t)
        assert second_order(problem, scaled).curvature == pytest.approx(found.curvature, rel=1e-8)


@pytest.mark.parametrize("n_p", [3, 4, 6])
def test_verdicts_of_overlaps_hold_by_brute_force(n_p):
    seen = set()
    for seed in range(100 * n_p, 100 * n_p + 12):
        problem, end = rough(seed, 5, n_p, 2 + seed % 2)
        if not end.stationary:
            continue
        assert all(b <= a + 1e-12 for a, b in zip(end.losses, end.losses[1:]))
        assert max(g.abs().max() for g in vars(gradients(problem, end.weights)).values()) < 1e-7
        found = second_order(problem, end.weights).check()
        P = activation_pattern(problem, end.weights, ReLU())
        seen.add((found.verdict, bool((P.sum(0) > 1).any())))
        assert certify(problem, end.weights).verdict in (found.verdict, Verdict.UNDECIDED)
        lowest = torch.linalg.eigvalsh(hessian(problem, end.weights))[0].item()
        if found.verdict is Verdict.TRAP:
            assert lowest > -1e-7
            for way in range(40):
                E, D = randn(way, *end.weights.W_E.shape), randn(way + 50, *end.weights.W_D.shape)
                h = 1e-4 * end.weights.W_E.norm()
                h = min(h.item(), 0.1 * certify(problem, end.weights).wall_distance)
                near = Weights(end.weights.W_E + h * E, end.weights.W_D + h * D)
                assert approximate_loss(problem, near) >= end.losses[-1] - 1e-13
        if found.verdict is Verdict.SADDLE:
            assert lowest < 0
    assert (Verdict.TRAP, True) in seen


def clones(gap=0.0):
    """A trap of one neuron, written by two: the same function."""
    problem = Problem(torch.tensor([[1.0, 0.6 + gap], [0.0, (1 - (0.6 + gap) ** 2) ** 0.5]]))
    problem = problem.to(f64)
    mean = problem.W_p.mean(1)
    E, D = torch.stack([mean, mean]) / (mean @ mean), torch.stack([mean, mean], 1) / 2
    return problem, Weights(E, D)


def test_a_clone_is_a_saddle_and_its_direction_falls():
    problem, twice = clones()
    found = second_order(problem, twice).check()
    assert found.verdict is certify(problem, twice).verdict is Verdict.SADDLE
    for h in (1e-2, -1e-2):
        moved = Weights(twice.W_E + h * found.direction.W_E, twice.W_D + h * found.direction.W_D)
        assert approximate_loss(problem, moved) < approximate_loss(problem, twice) - 1e-6
    wrong = type(found)(**(vars(found) | {"curvature": found.curvature / 2}))
    with pytest.raises(CertificateError, match="second derivative"):
        wrong.check()


def test_dependent_codes_are_a_saddle_wherever_a_residual_pulls():
    """Three neurons for two features: codes are dependent, whatever the columns."""
    problem = Problem(torch.eye(2, dtype=f64), torch.tensor([[1.0, 0], [0, 1], [1, -1]], dtype=f64))
    row = torch.tensor([1.0, 1.0], dtype=f64)
    w_D = problem.W_r.mean(1)
    three = Weights(torch.stack([row] * 3), torch.stack([w_D * t for t in (0.5, 0.3, 0.2)], 1))
    assert second_order(problem, three).check().verdict is Verdict.SADDLE


def test_lanczos_finds_what_the_whole_hessian_has(monkeypatch):
    compared = 0
    for seed in range(8):
        problem, end = rough(seed, 6, 6, 3)
        if not end.stationary:
            continue
        dense = second_order(problem, end.weights)
        with monkeypatch.context() as patch:
            patch.setattr(of_curvature, "DENSE", 1)
            large = second_order(problem, end.weights)
        if large.verdict is Verdict.UNDECIDED:  # flat beyond the symmetries that are written down
            continue
        assert large.verdict is dense.verdict
        assert large.curvature == pytest.approx(dense.curvature, rel=1e-5, abs=1e-8)
        compared += 1
    assert compared >= 3


def test_components_that_lose_nothing_are_left_out():
    """Features 0, 1 are reconstructed by overlapping rows; 2, 3 share a trap."""
    W = torch.eye(4, dtype=f64)
    W[:, 3] = torch.tensor([0, 0, 0.6, 0.8], dtype=f64)
    problem = Problem(W)
    mean = (W[:, 2] + W[:, 3]) / 2
    dual = torch.linalg.inv(W)
    rows = torch.stack([dual[0] - dual[2] - dual[3], dual[0] + dual[1] - dual[2] - dual[3]])
    E = torch.cat([rows, (dual[2] + dual[3] - dual[0] - dual[1])[None]])
    D = torch.stack([W[:, 0] - W[:, 1], W[:, 1], mean], 1)
    weights = Weights(E, D)
    point = Point(problem, weights, ReLU())
    assert [rows.tolist() for rows in components(point)] == [[2]]
    assert certify(problem, weights).check().verdict is Verdict.TRAP
    assert second_order(problem, weights).neurons == [2]


def test_a_residual_is_passed_on_through_a_chain_of_overlaps():
    """Rows fire for 0, 1 and for 1, 2; only feature 0 is missed, yet 2 counts as lossy."""
    W_r = torch.tensor([[1.0, 0, 0], [0, 1, 1]], dtype=f64)
    problem = Problem(torch.eye(3, dtype=f64), W_r)
    rows = torch.tensor([[1.0, 1, -1], [-1, 1, 1]], dtype=f64)
    point = Point(problem, Weights(rows, torch.tensor([[0, 0], [0, 1.0]], dtype=f64)), ReLU())
    assert point.residual.norm(dim=0).tolist() == [1, 0, 0]
    assert point.lossy.tolist() == [True, True, True]


def test_where_no_residual_pulls_dependent_codes_are_no_saddle():
    """Two inputs that no encoder tells apart: their mean is the best, by however many rows."""
    problem = Problem(torch.ones(1, 2, dtype=f64), torch.eye(2, dtype=f64))
    twice = Weights(torch.ones(2, 1, dtype=f64), torch.full((2, 2), 0.25, dtype=f64))
    found = second_order(problem, twice).check()
    assert found.verdict is certify(problem, twice).verdict is Verdict.TRAP


def test_flat_moves_that_change_outputs_are_no_symmetries():
    """K = I: one neuron on two orthogonal features, any mix of which is as good."""
    problem = Problem(torch.eye(2, dtype=f64))
    both = Weights([[1.0, 1.0]], [[0.5], [0.5]])
    found = second_order(problem, both).check()
    assert found.verdict is certify(problem, both).verdict is Verdict.DEGENERATE


def test_what_is_not_stationary_or_lossless_says_so():
    problem, twice = clones()
    moved = second_order(problem, Weights(twice.W_E * 1.1, twice.W_D))
    assert moved.verdict is Verdict.NOT_STATIONARY and moved.direction is None
    exact = Weights(torch.linalg.inv(problem.W_p), problem.W_p)
    assert second_order(problem, exact).verdict is Verdict.GLOBAL


def test_under_top_k_a_tie_blocks():
    """Two clones under Top-1: one of them is shut out, and level with the other."""
    problem, twice = clones()
    one = Weights(twice.W_E, twice.W_D * 2)
    assert second_order(problem, one, TopK(1)).verdict is Verdict.ESCAPABLE
    assert second_order(problem, twice, TopK(2)).verdict is Verdict.SADDLE


def test_walls_may_hold_what_curves_down():
    """Features 2 and 3 are opposite and both on the row's wall: test_traps.py has the brute force.

    Moved off the wall the same curvature is a saddle.
    """
    h = 0.5**0.5
    W = torch.tensor([[1, 0, h, -h], [0, 1, -h, h]], dtype=f64)
    W_r = torch.tensor([[2, -1, -1, -1], [-1, 2, -1, -1]], dtype=f64)
    point = Weights([[1.0, 1.0]], [[0.5], [0.5]])
    held = second_order(Problem(W, W_r), point).check()
    assert held.verdict is Verdict.UNDECIDED and held.curvature < -0.1
    assert "walls" in held.reason
    alone = second_order(Problem(W[:, :2], W_r[:, :2]), point).check()
    assert alone.verdict is Verdict.SADDLE
    assert alone.curvature == pytest.approx(held.curvature)
