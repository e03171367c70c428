"""Theorem 3.7, corrected: whatever is returned is certified, and none means none."""

import math
from itertools import combinations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import groupings, problems, randn, thresholds, unit

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
    gradients,
    group_minimum,
    hessian,
    ideal_weights,
    partial_minimum,
    pattern,
    printed_recipe,
)
from sdl_theory.theory.counterexamples import from_gram, three_features


def autograd_norms(problem, weights, sigma):
    free = Weights(weights.W_E.clone().requires_grad_(), weights.W_D.clone().requires_grad_())
    approximate_loss(problem, free, sigma).backward()
    return free.W_E.grad.norm().item(), free.W_D.grad.norm().item()


@given(st.data(), problems(), thresholds)
def test_whatever_is_returned_is_certified(data, problem, sigma):
    groups = data.draw(groupings(problem.n))
    P = pattern(groups, problem.n, problem.n + 1)
    answer = partial_minimum(problem, P, sigma)
    assert answer.exists == (answer.weights is not None) and len(answer.groups) == len(groups)
    if not answer.exists:
        assert answer.verdict is Verdict.NONE and answer.reason
        return
    certificate = certify(problem, answer.weights, sigma).check()
    assert torch.equal(certificate.pattern, P) and certificate.verdict is answer.verdict
    scale = 1 + problem.scale + answer.weights.W_E.norm().item() * answer.weights.W_D.norm().item()
    assert max(autograd_norms(problem, answer.weights, sigma)) < 1e-10 * scale
    assert answer.loss == pytest.approx(
        approximate_loss(problem, answer.weights, sigma).item(), rel=1e-9, abs=1e-14 * scale
    )
    assert answer.loss == pytest.approx(
        sum(g.loss for g in answer.groups), rel=1e-9, abs=1e-14 * scale
    )
    H = torch.linalg.eigvalsh(hessian(problem, answer.weights, sigma))
    negative = H.min() < -1e-9 * H.abs().max()
    if answer.verdict is Verdict.SADDLE:
        assert negative
    elif answer.verdict is not Verdict.UNDECIDED:
        assert not negative


@given(
    st.data(),
    problems(kinds=("sae", "transcoder", "zero weights", "superposed", "equal directions"), most=4),
)
def test_none_means_none_brute_force(data, problem):
    """Where the answer is none for a group, no encoder row in a fine sample of the region is
    stationary after its best decoder.
    """
    group = data.draw(
        st.sampled_from([g for k in (2, 3) for g in combinations(range(problem.n), k)] or [(0,)])
    )
    minimum = group_minimum(problem, group)
    if minimum.exists:
        return
    W, P = randn(1, 4000, problem.n_p), pattern([group], problem.n, 1)
    Z = W @ problem.W_p[:, list(group)]
    for w in W[(Z > 1e-3 * Z.abs().amax(1, keepdim=True)).all(1)][:40]:
        weights = printed_recipe(problem, P, w[None])
        assert (
            gradients(
                Problem(
                    problem.W_p[:, list(group)],
                    problem.W_r[:, list(group)],
                    problem.M_d[list(group)],
                    problem.blocks,
                ),
                weights,
            ).W_E.norm()
            > 1e-7
        )


def test_parallel_targets_have_no_loss_and_are_not_spurious():
    problem = Problem(unit(randn(0, 4, 3)), torch.tensor([[1.0, 2.0, 0.5]], dtype=torch.float64))
    assert group_minimum(problem, [0, 1, 2]).verdict is Verdict.GLOBAL
    assert partial_minimum(problem, pattern([[0, 1, 2]], 3, 2)).verdict is Verdict.GLOBAL


def test_dependent_directions_superposed():
    """n > n_p: V is not square. Every point found is certified, and its loss is tr K - lambda."""
    found = 0
    for seed in range(60):
        problem = Problem(
            unit(randn(seed, 2, 5)),
            unit(randn(seed + 99, 4, 5)).abs(),
            randn(seed + 7, 5).abs() + 0.1,
        )
        answer = partial_minimum(problem, pattern([[0, 1, 2], [3], [4]], 5, 4), JumpReLU(0.2))
        if answer.exists:
            found += 1
            assert max(autograd_norms(problem, answer.weights, JumpReLU(0.2))) < 1e-9
    assert found >= 5


def test_eigenvalue_zero_has_a_zero_decoder_column():
    problem = Problem(
        torch.eye(2, dtype=torch.float64), torch.tensor([[1.0, -1.0]], dtype=torch.float64)
    )
    P = pattern([[0, 1]], 2, 1)
    answer = partial_minimum(problem, P)
    assert answer.verdict is Verdict.SADDLE
    assert not answer.weights.W_D.any()
    assert answer.loss == pytest.approx(2)
    noisy = Weights(answer.weights.W_E, answer.weights.W_D + 1e-17)
    assert certify(problem, noisy).stationary


def test_topk_through_the_relu_conditions():
    problem = Problem(from_gram([[1, 0.6, 0.1], [0.6, 1, 0.1], [0.1, 0.1, 1]]))
    P = pattern([[0, 1], [2]], 3, 3)
    for sigma in (TopK(1), TopK(2), TopK(1, -math.inf)):
        answer = partial_minimum(problem, P, sigma)
        assert answer.exists
        assert certify(problem, answer.weights, sigma).check().loss == pytest.approx(0.4)
    assert partial_minimum(problem, P, TopK(2, -math.inf)).verdict is Verdict.NONE
    assert (
        partial_minimum(
            Problem(torch.eye(2, dtype=torch.float64), M_d=torch.tensor([1.0, 2.0])),
            pattern([[0, 1]], 2, 2),
            TopK(1),
        ).verdict
        is Verdict.UNDECIDED
    )


def test_theta_per_row():
    problem, P = three_features((1, 1, 1)), pattern([[0, 1, 2]], 3, 3)
    sigma = JumpReLU(torch.tensor([0.5, 0.0, 0.1], dtype=torch.float64))
    assert partial_minimum(problem, P, sigma).verdict is Verdict.TRAP


def test_large_problems_take_the_closed_form_row():
    problem = Problem(unit(randn(0, 140, 130)), M_d=randn(1, 130).abs() + 0.1)
    groups = [[2 * i, 2 * i + 1] for i in range(65)]
    for sigma in (ReLU(), JumpReLU(0.1)):
        answer = partial_minimum(problem, pattern(groups, 130, 70), sigma)
        assert answer.exists == all(group_minimum(problem, g).exists for g in groups)
        assert answer.exists
        assert max(autograd_norms(problem, answer.weights, sigma)) < 1e-10


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda p: partial_minimum(p, pattern([[0, 1], [1, 2]], 3, 3)), "feature 1 is in 2"),
        (lambda p: partial_minimum(p, pattern([[0, 1]], 3, 3)), "feature 2 is in 0"),
        (lambda p: partial_minimum(p, pattern([[0, 1, 2]], 3, 3), BatchTopK(1)), "BatchTopK"),
        (lambda p: group_minimum(p, []), "at least one"),
        (lambda p: group_minimum(p, [0, 7]), "outside"),
        (
            lambda p: printed_recipe(p, pattern([[0]], 3, 2), torch.ones(1, 3)),
            "W_E must have shape",
        ),
        (lambda p: certify(p, ideal_weights(p, 3), tol=0), "tol"),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call(three_features((1, 1, 1)))
