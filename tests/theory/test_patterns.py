"""Realizability is decidable: an encoder with its margin, or Farkas' certificate."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog
from strategies import points, problems, randn, unit

from sdl_theory import (
    BatchTopK,
    JumpReLU,
    Problem,
    ReLU,
    TopK,
    activation_pattern,
    partitions,
    pattern,
    realize,
)
from sdl_theory.theory.separation import separate


def lp_margin(W, F, theta) -> float:
    """theory.md's linear program, by HiGHS: max t <= 1.

    With <w, w_p^d> >= theta + t on F and <= theta off F.
    """
    n_p, on, off = len(W), W[:, F].T, W[:, ~F].T
    A = np.r_[np.c_[-on, np.ones(len(on))], np.c_[off, np.zeros(len(off))]]
    b = np.r_[np.full(len(on), -theta), np.full(len(off), theta)]
    box = (-1, 1) if theta == 0 else (None, None)
    return -linprog(
        np.r_[np.zeros(n_p), -1], A_ub=A, b_ub=b, bounds=[box] * n_p + [(None, 1)], method="highs"
    ).fun


@given(problems(most=6), st.integers(1, 62), st.sampled_from([0.0, 0.3, 2.0]))
def test_one_row_against_the_linear_program(problem, code, theta):
    F = np.array([code >> d & 1 for d in range(problem.n)], dtype=bool)
    if not F.any():
        return
    result = realize(problem, torch.from_numpy(F)[None], JumpReLU(theta)).check()
    t = lp_margin(problem.W_p.numpy(), F, theta)
    assert result.feasible == (t > 1e-6) or 1e-9 < t < 1e-5, (result.feasible, t)
    if result.feasible:
        assert result.margin > 0 and result.W_E.shape == (1, problem.n_p)
        z = (result.W_E @ problem.W_p)[0].numpy()
        least = result.margin * (1 - 1e-9)
        assert z[F].min() - theta >= least
        assert not result.two_sided or theta - z[~F].max(initial=-np.inf) >= least
        assert theta > 0 or abs(result.W_E.norm() - 1) < 1e-9
    else:
        assert result.certificate is not None and result.certificate.row == 0


@given(st.integers(0, 10**6), st.integers(2, 5), st.integers(1, 6), st.integers(0, 4))
def test_separate_finds_the_largest_margin_or_multipliers(seed, k, p, q):
    strict = unit(randn(seed, k, p)).mT.numpy()
    weak = unit(randn(seed + 1, k, max(q, 1))).mT.numpy()[:q]
    found = separate(strict, weak)
    assert abs(found.a.sum() - 1) < 1e-9 and (found.a >= 0).all() and (found.b >= 0).all()
    if found.w is None:
        assert np.linalg.norm(strict.T @ found.a + weak.T @ found.b) < 1e-9
        return
    assert (strict @ found.w).min() >= found.margin - 1e-12
    assert (weak @ found.w >= -1e-9).all()
    assert abs(np.linalg.norm(found.w) - 1) < 1e-12
    for trial in range(200):  # no other direction does better
        w = found.w + 0.1 * 10 ** (-trial % 5) * randn(trial, k).numpy()
        w /= np.linalg.norm(w)
        if (weak @ w >= 0).all():
            assert (strict @ w).min() <= found.margin + 1e-9


def test_theta_positive_needs_no_box():
    """At cosine -.9 and theta = .5 the pair {1,2} is realizable, with |w| > 1: a box on w would
    deny it.
    """
    W = torch.linalg.cholesky(torch.tensor([[1, -0.9], [-0.9, 1]], dtype=torch.float64)).mT
    result = realize(Problem(W), pattern([[0, 1]], 2, 1), JumpReLU(0.5)).check()
    assert result.feasible and result.W_E.abs().max() > 1


@pytest.mark.parametrize("n_p, seed_counts", [(5, None), (2, None), (3, None)])
def test_partitions_of_five_features(n_p, seed_counts):
    """51 non-trivial partitions: all of them at n_p = 5 (rank n), fewer in superposition, each
    refusal proven.
    """
    problem = Problem(unit(randn(n_p, n_p, 5)))
    answers = [
        realize(problem, pattern(groups, 5, 5)).check()
        for groups in partitions(5)
        if 1 < len(groups) < 5 or len(groups) == 1
    ]
    feasible = sum(a.feasible for a in answers)
    assert len(answers) == 51 and (feasible == 51 if n_p == 5 else feasible < 51)
    assert all(a.certificate for a in answers if not a.feasible)


@given(problems(most=5), st.integers(1, 31))
def test_only_zero_or_positive_theta_matters(problem, code):
    P = torch.tensor([[bool(code >> d & 1) for d in range(problem.n)]])
    answers = [realize(problem, P, JumpReLU(theta)).check().feasible for theta in (1e-3, 0.3, 50.0)]
    assert len(set(answers)) == 1
    assert answers[0] or not realize(problem, P).feasible or not P.any()


@pytest.mark.parametrize("seed", range(3))
def test_independent_directions_realize_everything(seed):
    """rank(W_p) = n: any pattern for (Jump)ReLU; for plain Top-k any with exactly k per column."""
    problem = Problem(unit(randn(seed, 5, 4)))
    P = randn(seed + 1, 3, 4) > 0
    assert all(realize(problem, P, sigma).check().feasible for sigma in (ReLU(), JumpReLU(0.4)))
    masks = torch.zeros(3, 4, dtype=torch.bool).scatter_(
        0, randn(seed + 2, 3, 4).argsort(0)[:2], True
    )
    assert realize(problem, masks, TopK(2, -math.inf)).check().feasible


def test_farkas_check_can_fail():
    W = torch.stack(
        [
            torch.tensor([1.0, 0.0]),
            torch.tensor([1.0, 1.0]) / math.sqrt(2),
            torch.tensor([0.0, 1.0]),
        ],
        1,
    ).double()
    problem = Problem(W)
    refusal = realize(problem, pattern([[0, 2]], 3, 1))
    assert not refusal.feasible
    refusal.check()
    with pytest.raises(AssertionError, match="sum_F"):
        refusal.certificate.check(Problem(unit(randn(0, 2, 3))))


@given(
    problems(kinds=("sae", "superposed", "equal directions", "orthonormal"), most=4),
    st.integers(0, 10**6),
    st.integers(1, 2),
    st.sampled_from([0.0, 0.3, -math.inf]),
)
def test_topk_patterns_that_exist_are_realized(problem, seed, k, theta):
    sigma = TopK(k, theta)
    P = sigma.active(randn(seed, 3, problem.n_p) @ problem.W_p)
    if torch.unique(problem.W_p, dim=1).shape[1] < problem.n and theta == -math.inf:
        return
    result = realize(problem, P, sigma).check()
    assert result.feasible and (result.margin > 0 or not P.any())


def test_topk_with_free_places_may_touch_theta():
    problem = Problem(torch.cat([torch.eye(2), -torch.eye(2)], 1).double())
    answer = realize(problem, pattern([[0], [1], [2], [3]], 4, 5), TopK(2)).check()
    assert answer.feasible and not answer.two_sided


def test_patterns_without_a_choice():
    problem = Problem(torch.eye(2, dtype=torch.float64))
    assert realize(problem, torch.ones(2, 2, dtype=torch.bool), TopK(2, -math.inf)).check().feasible
    assert realize(problem, torch.zeros(2, 2, dtype=torch.bool), TopK(1, 0.5)).check().feasible


def test_a_refusal_prefers_a_row_with_a_certificate():
    eye = torch.eye(2, dtype=torch.float64)
    problem = Problem(unit(torch.cat([eye, -eye, eye.sum(1, keepdim=True)], 1)))
    # {1,2} cannot leave out their sum
    refusal = realize(problem, pattern([[4], [0, 1]], 5, 2)).check()
    assert not refusal.feasible and refusal.certificate is not None


def test_topk_counts():
    problem = Problem(torch.eye(3, dtype=torch.float64))
    assert "exactly k = 1" in realize(problem, pattern([[0, 1]], 3, 2), TopK(1, -math.inf)).reason
    assert "at most k = 1" in realize(problem, pattern([[0], [0]], 3, 2), TopK(1)).reason
    assert realize(problem, pattern([[0, 1], [2]], 3, 2), TopK(1)).check().feasible


@given(points())
def test_activation_pattern_is_realizable(point):
    problem, weights = point
    P = activation_pattern(problem, weights, JumpReLU(0.3))
    near = ((weights.W_E @ problem.W_p) - 0.3).abs().min() < 1e-6
    assert near or realize(problem, P, JumpReLU(0.3)).check().feasible


def test_partitions_and_pattern():
    assert [sum(1 for _ in partitions(n)) for n in range(1, 9)] == [1, 2, 5, 15, 52, 203, 877, 4140]
    seen = {tuple(map(tuple, groups)) for groups in partitions(5)}
    assert len(seen) == 52
    assert all(sorted(d for g in groups for d in g) == list(range(5)) for groups in seen)
    assert pattern([[0, 2], [1]], 3, 3).tolist() == [
        [True, False, True],
        [False, True, False],
        [False, False, False],
    ]


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda p: pattern([[0, 3]], 3, 2), r"outside \[0, 3\)"),
        (lambda p: pattern([[0, 0]], 3, 2), "twice"),
        (lambda p: pattern([[0], [1]], 3, 1), "n_q >= 2"),
        (lambda p: realize(p, torch.ones(2, 3)), "bool tensor"),
        (lambda p: realize(p, torch.ones(2, 4, dtype=torch.bool)), "n = 3"),
        (lambda p: realize(p, pattern([[0]], 3, 1), BatchTopK(1)), "BatchTopK"),
        (lambda p: partitions(13), "n = 12"),
        (lambda p: realize(p, pattern([[0]], 3, 1), JumpReLU(torch.tensor([0.1, 0.2]))), "n_q = 1"),
        (
            lambda p: realize(
                Problem(torch.eye(60)), pattern([[d] for d in range(60)], 60, 60), TopK(1)
            ),
            "limit",
        ),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call(Problem(torch.eye(3, dtype=torch.float64)))
