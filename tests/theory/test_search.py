"""Beyond the theorems: alternating convex search, and every partition at once."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import make_problem, problems, randn, thresholds, unit

from sdl_theory import (
    BatchTopK,
    JumpReLU,
    Problem,
    TopK,
    Verdict,
    alternating_convex_search,
    approximate_loss,
    best_partition,
    certify,
    partial_minimum,
    partitions,
    pattern,
    realize,
    survey_partitions,
)
from sdl_theory.theory.counterexamples import from_gram, three_features


@given(problems(most=4), thresholds)
@settings(max_examples=25)
def test_survey_is_partial_minimum_and_realize_on_every_partition(problem, sigma):
    for row in survey_partitions(problem, sigma):
        P = pattern(row.groups, problem.n, problem.n)
        answer = partial_minimum(problem, P, sigma)
        assert answer.verdict is row.verdict
        assert realize(problem, P, sigma).feasible == row.realizable
        assert not answer.exists or answer.loss == pytest.approx(
            row.loss, rel=1e-8, abs=1e-12 * (1 + problem.scale)
        )


@pytest.mark.parametrize("seed", range(3))
def test_best_partition_is_the_least_of_all(seed):
    problem = Problem(unit(randn(seed, 4, 5)), M_d=randn(seed + 1, 5).abs() + 0.2)
    for n_neurons in (2, 3, 5):
        losses = [
            partial_minimum(problem, pattern(g, 5, n_neurons), JumpReLU(0.2))
            for g in partitions(5)
            if len(g) <= n_neurons
        ]
        losses = [a.loss for a in losses if a.exists]
        best = best_partition(problem, n_neurons, JumpReLU(0.2))
        assert best.exists == bool(losses)
        assert not losses or best.loss == pytest.approx(min(losses), abs=1e-10)
    assert best_partition(problem, 5, JumpReLU(0.2)).verdict is Verdict.GLOBAL


def test_an_unused_row_can_make_a_trap_escapable():
    """0 lies in the directions' hull, so no row is dead on all: the same groups are a trap without
    a spare row, and escapable with one.
    """
    problem = Problem(
        unit(torch.tensor([[1, 0.6, -1, 0.3], [0, 0.8, 0.1, -0.95]], dtype=torch.float64))
    )
    groups = [[0, 1], [2], [3]]
    for n_q, verdict in ((3, Verdict.TRAP), (4, Verdict.ESCAPABLE)):
        surveyed = next(row for row in survey_partitions(problem, n_q=n_q) if row.groups == groups)
        assert surveyed.verdict is verdict
        assert partial_minimum(problem, pattern(groups, 4, n_q)).verdict is verdict


def test_best_partition_may_not_exist():
    problem = Problem(torch.eye(2, dtype=torch.float64), M_d=torch.tensor([1.0, 2.0]))
    assert not best_partition(problem, 1).exists
    assert best_partition(problem, 2).verdict is Verdict.GLOBAL


@given(st.integers(0, 10**6), st.sampled_from(["partition", "overlap"]), thresholds)
@settings(max_examples=15)
def test_search_is_monotone_and_stays_in_its_region(seed, kind, sigma):
    problem = make_problem("transcoder", seed, 4, 5)
    P = pattern([[0, 1], [2, 3]] if kind == "partition" else [[0, 1, 2], [2, 3]], 4, 3)
    result = alternating_convex_search(
        problem, P, sigma, max_steps=30, generator=torch.Generator().manual_seed(seed)
    )
    assert all(b <= a for a, b in zip(result.losses, result.losses[1:]))
    z, slack = result.weights.W_E @ problem.W_p, 1e-6 * result.weights.W_E.norm()
    assert (z[P] >= sigma.theta - slack).all() and (z[~P] <= sigma.theta + slack).all()
    if result.interior:
        assert result.losses[-1] == pytest.approx(
            approximate_loss(problem, result.weights, sigma).item(), rel=1e-8
        )


def test_search_finds_the_closed_form_or_the_wall():
    trap = three_features((1, 1, 1))
    result = alternating_convex_search(
        trap, pattern([[0, 1, 2]], 3, 2), generator=torch.Generator().manual_seed(0)
    )
    assert result.converged
    assert result.interior
    assert result.losses[-1] == pytest.approx(
        partial_minimum(trap, pattern([[0, 1, 2]], 3, 2)).loss, rel=1e-8
    )
    assert certify(trap, result.weights, tol=1e-4).verdict is Verdict.TRAP
    # descent ends at z_1 = 0
    wall = Problem(torch.eye(2, dtype=torch.float64), M_d=torch.tensor([1.0, 2.0]))
    result = alternating_convex_search(
        wall, pattern([[0, 1]], 2, 2), generator=torch.Generator().manual_seed(0)
    )
    assert result.converged
    assert not result.interior
    assert result.losses[-1] == pytest.approx(1.0, abs=1e-6)


def test_search_on_topk():
    problem = Problem(from_gram([[1, 0.6, 0.1], [0.6, 1, 0.1], [0.1, 0.1, 1]]))
    result = alternating_convex_search(
        problem, pattern([[0, 1], [2]], 3, 3), TopK(1), generator=torch.Generator().manual_seed(0)
    )
    assert result.converged and result.losses[-1] == pytest.approx(0.4, abs=1e-6)


def test_the_search_returns_the_loss_it_says():
    """On a wall z = theta a JumpReLU is not active: what is returned shows P, and its own loss is
    the last.
    """
    walls = 0
    for seed in range(30):
        problem = make_problem("sae", seed, 4, 4)
        for sigma in (JumpReLU(0.3), TopK(1)):
            P = pattern([[0, 1], [2, 3]], 4, 2)
            if not realize(problem, P, sigma).feasible:
                continue
            found = alternating_convex_search(
                problem, P, sigma, max_steps=40, generator=torch.Generator().manual_seed(seed)
            )
            assert found.losses[-1] == pytest.approx(
                approximate_loss(problem, found.weights, sigma).item(), rel=1e-9, abs=1e-12
            )
            assert all(b <= a for a, b in zip(found.losses, found.losses[1:]))
            walls += not found.interior
    assert walls > 5


@pytest.mark.parametrize(
    "call, words",
    [
        (
            lambda p: alternating_convex_search(p, pattern([[0, 1], [1]], 2, 2), BatchTopK(1)),
            "BatchTopK",
        ),
        (
            lambda p: alternating_convex_search(
                Problem(torch.tensor([[1.0, 1.0]]).double()), pattern([[0]], 2, 1)
            ),
            "realizable",
        ),
        (lambda p: best_partition(Problem(unit(randn(0, 3, 11))), 3), "n = 10"),
        (lambda p: best_partition(p, 0), "n_neurons"),
        (lambda p: survey_partitions(p, TopK(1)), "one theta"),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call(Problem(torch.eye(2, dtype=torch.float64)))
