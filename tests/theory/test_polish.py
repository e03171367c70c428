"""From any weights down to a stationary point of Lt (ours), and honest about walls."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings

from sdl_theory import (
    BatchTopK,
    JumpReLU,
    Problem,
    ReLU,
    TopK,
    Verdict,
    Weights,
    approximate_loss,
    certify,
    polish,
)
from sdl_theory.theory import polish as module
from tests.strategies import points, randn, thresholds, unit

f64 = torch.float64


@settings(max_examples=25)
@given(points(), thresholds)
def test_lt_never_rises_and_the_end_is_what_it_says(point, sigma):
    problem, weights = point
    end = polish(problem, weights, sigma, steps=40)
    assert end.losses[0] == pytest.approx(approximate_loss(problem, weights, sigma).item())
    assert end.losses[-1] == pytest.approx(approximate_loss(problem, end.weights, sigma).item())
    assert all(b <= a + 1e-12 * problem.scale for a, b in zip(end.losses, end.losses[1:]))
    judged = certify(problem, end.weights, sigma)
    assert end.stationary == judged.stationary
    assert end.stationary == (end.reason == "stationary")
    if len(end.losses) == 1:
        assert end.moved_E == end.moved_D == end.flips == 0


def test_rows_are_turned_off_features_that_their_own_do_not_see(monkeypatch):
    """A Top-3 model with three rows a feature: without that, a swap of two latents stops it."""
    for seed in range(2):
        problem = Problem(unit(randn(seed, 16, 20)))
        E = torch.cat([problem.W_p.mT] * 3) + 0.3 * randn(seed + 1, 60, 16)
        start = Weights(E, 0.4 * E.mT)
        end = polish(problem, start, TopK(3), steps=60)
        assert end.stationary and end.losses[-1] < 1e-18
        with monkeypatch.context() as patch:
            patch.setattr(module, "turned_off", lambda point, there: None)
            stuck = polish(problem, start, TopK(3), steps=60)
        assert stuck.reason.startswith("at a wall") and stuck.losses[-1] > 0.1


def test_it_is_honest_about_a_wall():
    """W = I, M = (1, 2), one neuron for both: no interior stationary point shows that pattern."""
    problem = Problem(torch.eye(2, dtype=f64), M_d=torch.tensor([1.0, 2.0]))
    start = Weights([[1.0, 1.0]], [[0.5], [0.5]])
    end = polish(problem, start)
    assert end.losses[-1] == pytest.approx(1.0, abs=1e-6)  # descent lets feature 0 go
    assert end.stationary == (certify(problem, end.weights).verdict is not Verdict.NOT_STATIONARY)
    jump = polish(problem, start, JumpReLU(0.3))
    assert jump.losses == sorted(jump.losses, reverse=True)


def test_how_far_it_went():
    problem = Problem(torch.tensor([[1.0, 0.6], [0.0, 0.8]], dtype=f64))
    mean = problem.W_p.mean(1)
    trap = Weights(mean[None] / (mean @ mean), mean[:, None])
    still = polish(problem, trap)
    assert (still.moved_E, still.moved_D, still.flips, len(still.losses)) == (0, 0, 0, 1)
    near = polish(problem, Weights(trap.W_E, trap.W_D * 1.01))
    assert 0 < near.moved_D < 0.02 and near.stationary and near.flips == 0


def test_bad_input_is_named():
    problem, start = Problem(torch.eye(2, dtype=f64)), Weights([[1.0, 1.0]], [[0.5], [0.5]])
    with pytest.raises(ValueError, match="BatchTopK"):
        polish(problem, start, BatchTopK(1))
    with pytest.raises(ValueError, match="steps"):
        polish(problem, start, ReLU(), steps=0)
