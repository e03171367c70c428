"""Points on walls: what `first_order` says of a step over one, and where it promises nothing."""

import pytest
import torch

from sdl_theory import (
    JumpReLU,
    Problem,
    TopK,
    Verdict,
    Weights,
    approximate_loss,
    certify,
    partial_minimum,
    pattern,
)
from sdl_theory.theory.counterexamples import from_gram
from tests.strategies import randn

f64 = torch.float64


def two_pairs(first, second):
    """Two pairs at cosine .6, and cross-cosines.

    first, second : of feature 1 and of feature 2, with both of the other pair.
    """
    return Problem(
        from_gram(
            [
                [1, 0.6, first, first],
                [0.6, 1, second, second],
                [first, second, 1, 0.6],
                [first, second, 0.6, 1],
            ]
        )
    )


def test_escapable_reports_the_first_order_sign_at_any_scale():
    """A pair of neurons at walls of zero off-group preactivation.

    Which way the first step goes is the sign of <r_d, w_D>.
    """
    problem = two_pairs(0.5, 0.2)
    dual = torch.linalg.inv(problem.W_p)
    W_E = torch.stack([dual[0] + dual[1], dual[2] + dual[3]])  # z = 1 on the pair, 0 off it
    W_D = torch.stack([problem.W_p[:, :2].mean(1), problem.W_p[:, 2:].mean(1)], 1)
    for t in (1.0, 1e-12, 1e12):
        c = certify(problem, Weights(t * W_E, W_D / t)).check()
        assert c.verdict is Verdict.ESCAPABLE
        assert c.first_order > 0.05
        assert "<r_d, w_D> > 0" in c.reason
    # neuron 2 over the wall of feature 1
    step = Weights(W_E + 1e-3 * torch.outer(torch.tensor([0.0, 1.0], dtype=f64), dual[0]), W_D)
    assert approximate_loss(problem, step) < approximate_loss(problem, Weights(W_E, W_D)) - 1e-6


def test_escapable_may_be_a_local_minimum():
    """A neuron of feature 3 on the wall of feature 1, whose residual points away from it: no first
    step goes down, and none is found.
    """
    problem = Problem(from_gram([[1, 0.6, -0.1], [0.6, 1, 0.3], [-0.1, 0.3, 1]]))
    dual = torch.linalg.inv(problem.W_p)
    W_E = torch.stack([dual[0] + dual[1] - dual[2], dual[2] - dual[1]])
    weights = Weights(W_E, torch.stack([problem.W_p[:, :2].mean(1), problem.W_p[:, 2]], 1))
    c = certify(problem, weights).check()
    assert c.verdict is Verdict.ESCAPABLE and c.first_order < -0.1 and "no first step" in c.reason
    for seed in range(300):
        moved = Weights(
            W_E + 1e-4 * randn(seed, 2, 3), weights.W_D + 1e-4 * randn(seed + 1000, 3, 2)
        )
        assert approximate_loss(problem, moved) > c.loss


def test_a_dead_zero_row_is_first_order_silent():
    problem = Problem(from_gram([[1, 0.6], [0.6, 1]]))
    pair = partial_minimum(problem, pattern([[0, 1]], 2, 1)).weights
    padded = Weights(
        torch.cat([pair.W_E, torch.zeros(1, 2, dtype=f64)]),
        torch.cat([pair.W_D, torch.zeros(2, 1, dtype=f64)], 1),
    )
    c = certify(problem, padded)
    assert c.verdict is Verdict.ESCAPABLE and c.first_order == 0 and "does not decide" in c.reason


def test_walls_that_can_be_crossed_together_only_promise_nothing():
    """Two features on one input: the second row meets both walls or none, and its gains cancel. The
    point has the least loss there is, 1.
    """
    problem = Problem([[1.0, 1]], [[1.0, 0], [0, 1]])
    c = certify(problem, Weights([[1.0], [0]], [[0.5, 0.5], [0.5, -0.5]]))
    assert c.verdict is Verdict.ESCAPABLE and c.first_order == 0 and "does not decide" in c.reason


@pytest.mark.parametrize(
    "sigma, scales", [(JumpReLU(0.5), (10.0,)), (TopK(1), (0.5, 1.0, 2.0, 5.0))]
)
def test_a_jump_or_a_swap_that_costs_is_no_way_out(sigma, scales):
    """<r_d, w_D> > 0, and still no way: a JumpReLU's jump overshoots.

    A Top-1 swap takes the incumbent's column away.
    """
    U = torch.linalg.cholesky(torch.tensor([[1.0, 0.6], [0.6, 1]], dtype=f64)).mT
    dual, mean = torch.linalg.inv(U), U.mean(1)
    rows = torch.stack(
        [
            dual[0] + dual[1],
            0.5 * dual[0] - dual[1] if isinstance(sigma, JumpReLU) else dual[0] - dual[1],
        ]
    )
    for scale in scales:
        weights = Weights(rows, torch.stack([mean, scale * (U[:, 0] - mean)], 1))
        c = certify(Problem(U), weights, sigma)
        assert c.verdict is Verdict.ESCAPABLE and c.first_order < 0 and "<r_d" not in c.reason
        nudged = [
            Weights(rows + 1e-5 * randn(seed, 2, 2), weights.W_D + 1e-5 * randn(seed + 500, 2, 2))
            for seed in range(200)
        ]
        assert (
            min(approximate_loss(Problem(U), one, sigma).item() for one in nudged) > c.loss - 1e-9
        )
