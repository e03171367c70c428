"""A way out of a trap over a wall (ours), and the hypotheses without which each way fails."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sdl_theory import (
    CertificateError,
    JumpReLU,
    Path,
    Problem,
    ReLU,
    TopK,
    Verdict,
    Weights,
    best_split,
    escape,
    partial_minimum,
    pattern,
    polish,
    sign_row,
    wall_path,
)
from tests.strategies import randn, unit
from tests.traps_for_tests import a_trap, loss, some_trap, two_pairs, world

f64 = torch.float64
seeds = st.integers(0, 10**6)


@settings(max_examples=20)
@given(seeds)
def test_without_a_spare_a_wall_can_be_crossed_and_never_a_rise(seed):
    problem = world(seed, 4)
    trap = some_trap(problem, [[0, 1], [2, 3]], 2)
    way = wall_path(problem, trap)
    way.path.check()
    assert loss(problem, trap) - loss(problem, way.weights) == pytest.approx(
        way.gain, rel=1e-7, abs=1e-13
    )
    # of all silent pairs, each moved alone, none gains more
    R = problem.W_r - trap.W_D @ torch.relu(trap.W_E @ problem.W_p)
    for j, d in ((0, 2), (0, 3), (1, 0), (1, 1)):
        for height in torch.linspace(0, 3, 31, dtype=f64) / trap.W_D[:, j].norm():
            z = problem.M_d[d] * (
                R[:, d].square().sum() - (R[:, d] - height * trap.W_D[:, j]).square().sum()
            )
            assert z <= way.gain * (1 + 1e-9)


def test_the_two_pairs_of_the_page_fall_from_eight_tenths():
    problem = two_pairs()
    trap = a_trap(problem, [[0, 1], [2, 3]], 2)
    way = wall_path(problem, trap)
    assert loss(problem, trap) == pytest.approx(0.8)
    assert loss(problem, way.weights) == pytest.approx(0.772, abs=5e-4)
    end = polish(problem, way.weights)
    assert end.losses[-1] == pytest.approx(0.702, abs=5e-4)


def test_each_hypothesis_is_needed_and_named():
    problem = two_pairs()
    trap = a_trap(problem, [[0, 1], [2, 3]], 2)
    for way in (escape, sign_row):
        with pytest.raises(ValueError, match="needs a spare neuron"):
            way(problem, trap)
    with pytest.raises(ValueError, match="needs a spare neuron"):
        best_split(problem, trap, 0)
    for way in (escape, sign_row, wall_path):
        with pytest.raises(ValueError, match="Top-k"):
            way(problem, trap, TopK(1))
    with pytest.raises(ValueError, match="theta = 0"):
        wall_path(problem, trap, JumpReLU(0.1))
    flat = Problem(unit(randn(0, 3, 4).abs()))
    with pytest.raises(ValueError, match="independent columns"):
        wall_path(flat, Weights(randn(1, 2, 3), randn(2, 3, 2)))
    spare = a_trap(problem, [[0, 1], [2, 3]], 3)
    with pytest.raises(ValueError, match="independent columns"):
        best_split(flat, Weights(randn(1, 2, 3), randn(2, 3, 2)), 0)
    with pytest.raises(ValueError, match="two features or more"):
        best_split(problem, spare, 2)
    with pytest.raises(ValueError, match="no silent pair pulls"):
        wall_path(problem, Weights(torch.linalg.inv(problem.W_p), problem.W_p))
    with pytest.raises(ValueError, match="pulls on it"):
        escape(problem, Weights(torch.linalg.inv(problem.W_p), problem.W_p))
    with pytest.raises(ValueError, match="nothing is left"):
        E = torch.cat([torch.linalg.inv(problem.W_p), -torch.ones(1, 4, dtype=f64)])
        D = torch.cat([problem.W_p, torch.zeros(4, 1, dtype=f64)], 1)
        sign_row(problem, Weights(E, D))


def test_above_a_threshold_the_same_path_jumps_up():
    """Why theta > 0 is refused: a code enters at theta, and theta ||w_D|| is too much at once."""
    problem = two_pairs()
    trap = a_trap(problem, [[0, 1], [2, 3]], 2)
    way = wall_path(problem, trap)
    j, d = way.neurons[0], way.features[0]
    dual = torch.linalg.inv(problem.W_p)[d]
    low = a_trap(problem, [[0, 1], [2, 3]], 2, JumpReLU(1.0))
    z = low.W_E[j] @ problem.W_p[:, d]
    R = problem.W_r - low.W_D @ JumpReLU(1.0)(low.W_E @ problem.W_p)
    over = low.W_E.clone()
    over[j] += (1.0 + 1e-6 - z) * dual
    path = Path(problem, JumpReLU(1.0), [low, Weights(over, low.W_D)])
    pull, size = R[:, d] @ low.W_D[:, j], low.W_D[:, j].norm() ** 2
    if 2 * pull < size:
        with pytest.raises(CertificateError, match="rises by"):
            path.check()
    else:
        path.check()
    assert pull > 0 and 2 * pull < size


def test_dependent_directions_may_shut_a_trap():
    """Superposition: z of one silent pair cannot be moved alone, and here no move at all helps.

    Four features in three dimensions; what `wall_path` would do moves other codes too, and Lt
    rises.
    """
    shut = 0
    for seed in range(40):
        problem = Problem(unit(randn(seed, 3, 4).abs() + 0.1))
        answer = partial_minimum(problem, pattern([[0, 1], [2, 3]], 4, 2))
        if answer.verdict is not Verdict.TRAP:
            continue
        R = problem.W_r - answer.weights.W_D @ torch.relu(answer.weights.W_E @ problem.W_p)
        pulls = answer.weights.W_D.mT @ R
        for j, d in ((0, 2), (0, 3), (1, 0), (1, 1)):
            if pulls[j, d] <= 0:
                continue
            W_E = answer.weights.W_E.clone()
            z = W_E[j] @ problem.W_p[:, d]
            W_E[j] += (1e-3 - z) * problem.W_p[:, d]  # the shortest move that raises z_jd
            path = Path(problem, ReLU(), [answer.weights, Weights(W_E, answer.weights.W_D)])
            try:
                path.check(50)
            except CertificateError:
                shut += 1
    assert shut > 0


def test_a_path_that_rises_is_caught():
    problem = two_pairs()
    trap = a_trap(problem, [[0, 1], [2, 3]], 2)
    way = wall_path(problem, trap)
    with pytest.raises(CertificateError, match="segment 2"):
        Path(problem, ReLU(), [*way.path.points, way.path.points[1]]).check()
    far = Weights(trap.W_E, trap.W_D * 3)
    with pytest.raises(CertificateError, match="rises by"):
        Path(problem, ReLU(), [trap, far]).check()
    with pytest.raises(ValueError, match=r"t must lie in \[0, 1\]"):
        way.path.at(1.5)
