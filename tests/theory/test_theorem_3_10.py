"""Theorem 3.10: absorption patterns, the mended proof, and the ladder of losses."""

import math
from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import problems, randn, unit

from sdl_theory import (
    JumpReLU,
    Problem,
    ReLU,
    TopK,
    Verdict,
    Weights,
    absorb,
    activation_pattern,
    certify,
    group_minimum,
    hierarchy,
    loss_ladder,
    partial_minimum,
    pattern,
    realize,
)
from sdl_theory.theory.counterexamples import from_gram, three_features
from sdl_theory.theory.ladder import lambda_plus


@given(st.integers(0, 10**6), st.floats(0.05, 3), st.sampled_from([6, 9, 14]))
def test_closed_form_changes_no_other_feature(seed, theta, n_p):
    """Any encoder, any position: the smallest child leaves.

    Every other entry of P stays; the shared threshold is untouched.
    """
    problem, sigma = Problem(unit(randn(seed, n_p, 8))), JumpReLU(theta)
    W_E = torch.cat([3 * theta * randn(seed + 1, 4, n_p), torch.zeros(1, n_p, dtype=torch.float64)])
    weights = Weights(W_E, randn(seed + 2, n_p, 5))
    before = activation_pattern(problem, weights, sigma)
    new = int((before.sum(1) == 0).nonzero()[0])
    for neuron in range(4):
        if before[neuron].sum() < 2:
            continue
        answer = absorb(problem, weights, sigma, neuron)
        assert answer.realizable
        z = weights.W_E[neuron] @ problem.W_p
        members = before[neuron].nonzero()[:, 0].tolist()
        assert answer.child == min(members, key=lambda d: z[d])
        after = activation_pattern(problem, answer.weights, sigma)
        changed = (before != after).nonzero().tolist()
        assert changed == sorted([[neuron, answer.child], [new, answer.child]])
        assert torch.equal(after, answer.pattern)
        assert torch.allclose(
            answer.weights.W_E[neuron] / weights.W_E[neuron],
            (answer.weights.W_E[neuron] / weights.W_E[neuron])[0],
        )
        unchanged = [i for i in range(4) if i not in (neuron, new)]
        assert torch.equal(answer.weights.W_E[unchanged], weights.W_E[unchanged])


@pytest.mark.parametrize("theta", [0.0, 0.3])
def test_any_named_child_when_directions_are_independent(theta):
    tree = hierarchy(2, 3, 9, 0.8, generator=torch.Generator().manual_seed(0))
    problem, sigma = Problem(tree.W_p), JumpReLU(theta)
    parent = partial_minimum(problem, pattern(tree.groups, 6, 4), sigma)
    for child in tree.groups[0]:
        answer = absorb(problem, parent.weights, sigma, 0, child)
        assert answer.realizable
        assert answer.pattern[0].nonzero()[:, 0].tolist() == [
            d for d in tree.groups[0] if d != child
        ]
        after = partial_minimum(problem, answer.pattern, sigma)
        assert after.verdict is Verdict.TRAP and after.loss < parent.loss


@pytest.mark.parametrize("sigma", [ReLU(), JumpReLU(0.2), JumpReLU(5.0)])
def test_any_sub_concept_is_false(sigma):
    """w_2 ~ w_1 + w_3: no row fires for 1 and 3 without 2, at any threshold."""
    W = from_gram([[1, 0.3], [0.3, 1]])
    problem = Problem(torch.stack([W[:, 0], W.sum(1) / W.sum(1).norm(), W[:, 1]], 1))
    start = realize(problem, pattern([[0, 1, 2]], 3, 2), sigma)
    weights = Weights(
        torch.cat([start.W_E[:1], torch.zeros(1, 2, dtype=torch.float64)]), randn(0, 2, 2)
    )
    refused = absorb(problem, weights, sigma, 0, child=1)
    assert not refused.realizable
    assert refused.weights is None
    assert "child 1 can leave" in refused.reason
    assert not realize(problem, pattern([[0, 2], [1]], 3, 2), sigma).check().feasible
    taken = absorb(problem, weights, sigma, 0)  # some sub-concept can
    assert taken.realizable and taken.child in (0, 2)


def test_each_unused_threshold_is_tried():
    problem = Problem(torch.tensor([[1, 0.8, 0.28], [0, 0.6, 0.96]], dtype=torch.float64))
    weights = Weights(
        torch.tensor([[1.0, -0.25], [0, 0], [0, 0]], dtype=torch.float64),
        torch.zeros(2, 3, dtype=torch.float64),
    )
    for thetas in ([0.1, 0.0, 0.5], [0.1, 0.5, 0.0]):
        assert absorb(
            problem, weights, JumpReLU(torch.tensor(thetas, dtype=torch.float64)), 0, 1
        ).realizable


def test_absorbed_weights_have_the_least_squares_decoder():
    problem, sigma = three_features((1, 1, 1)), JumpReLU(0.1)
    answer = absorb(
        problem, partial_minimum(problem, pattern([[0, 1, 2]], 3, 2), sigma).weights, sigma, 0
    )
    assert certify(problem, answer.weights, sigma).grad_D < 1e-12


# --- the ladder


def lambda_plus_by_grid(K):
    """The literal twin: over all supports, the best top eigenvector that is non-negative there."""
    best = -math.inf
    for size in range(1, len(K) + 1):
        for S in combinations(range(len(K)), size):
            values, vectors = np.linalg.eigh(K[np.ix_(S, S)])
            v = vectors[:, -1] * (1 if vectors[:, -1].sum() >= 0 else -1)
            if v.min() >= -1e-12:
                best = max(best, values[-1])
    return best


@given(st.integers(0, 10**6), st.integers(1, 7))
def test_lambda_plus(seed, m):
    A = randn(seed, m + 1, m).numpy()
    K = A.T @ A
    value, exact = lambda_plus(K)
    assert exact and value == pytest.approx(lambda_plus_by_grid(K), rel=1e-9)
    Y = np.abs(randn(seed + 1, 3000, m).numpy())
    Y[:, :] *= randn(seed + 2, 3000, m).numpy() > -0.5
    norms = np.square(Y).sum(1)
    assert (np.einsum("bi,ij,bj->b", Y, K, Y)[norms > 0] / norms[norms > 0]).max() <= value * (
        1 + 1e-9
    )


def test_power_iteration_agrees_with_enumeration():
    """Above 12 features lambda+ is a search from many starts.

    Here its answer is checked by brute force at 13.
    """
    for seed in range(3):
        A = randn(seed, 15, 13).numpy()
        value, exact = lambda_plus(A.T @ A)
        assert not exact and value == pytest.approx(lambda_plus_by_grid(A.T @ A), rel=1e-6)


@given(problems(most=6))
def test_bounds_never_rise_and_end_at_zero(problem):
    ladder = loss_ladder(problem, range(problem.n))
    bounds, slack = [rung.bound for rung in ladder], 1e-9 * (1 + problem.scale)
    assert len(ladder) == problem.n
    assert bounds[-1] == 0
    assert all(b <= a + slack for a, b in zip(bounds, bounds[1:]))
    for rung in ladder:
        assert sorted(rung.group + rung.absorbed) == list(range(problem.n))
        assert rung.loss is None or rung.loss >= rung.bound - slack
        assert (rung.loss is None) == (rung.verdict is Verdict.NONE)


def test_stationary_losses_may_rise():
    problem = Problem(
        from_gram([[1, 0.8, 0.55], [0.8, 1, -0.01], [0.55, -0.01, 1]]),
        M_d=torch.tensor([1.0, 7.0, 1.0]),
    )
    assert group_minimum(problem, [0, 1, 2]).loss == pytest.approx(1.33, abs=0.01)
    assert group_minimum(problem, [1, 2]).loss == pytest.approx(7.0, abs=0.01)
    ladder = loss_ladder(problem, [0, 1, 2])
    assert [rung.bound for rung in ladder] == sorted((rung.bound for rung in ladder), reverse=True)
    assert len(loss_ladder(problem, [0, 1, 2], rungs=2)) == 2


def test_greedy_takes_the_child_with_the_largest_drop():
    problem = Problem(unit(randn(0, 6, 5).abs()), M_d=randn(1, 5).abs() + 0.1)
    ladder = loss_ladder(problem, range(5))
    options = [
        loss_ladder(problem, [d for d in range(5) if d != c], rungs=1)[0].bound for c in range(5)
    ]
    assert ladder[1].absorbed == [int(np.argmin(options))]
    assert ladder[1].bound == pytest.approx(min(options))


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda p, w: absorb(p, w, JumpReLU(0.1), 5), r"neuron must lie in \[0, n_q = 2\)"),
        (lambda p, w: absorb(p, w, JumpReLU(0.1), 1), "at least 2"),
        (lambda p, w: absorb(p, w, JumpReLU(0.1), 0, 7), "child 7"),
        (lambda p, w: absorb(p, Weights(w.W_E[:1], w.W_D[:, :1]), JumpReLU(0.1), 0), "unused row"),
        (lambda p, w: absorb(p, w, TopK(1), 0), "thresholds"),
        (lambda p, w: loss_ladder(p, []), "at least one"),
    ],
)
def test_bad_input_is_named(call, words):
    problem = three_features((1, 1, 1))
    with pytest.raises(ValueError, match=words):
        call(problem, partial_minimum(problem, pattern([[0, 1, 2]], 3, 2), JumpReLU(0.1)).weights)
