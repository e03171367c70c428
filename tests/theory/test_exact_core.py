"""The exact core against exact rational arithmetic, and where rounding used to decide.

There: opposite, nearly equal, dependent directions; close eigenvalues; large ratios.
"""

import math

import pytest
import torch

from sdl_theory import (
    Constant,
    JumpReLU,
    Problem,
    SparseFeatures,
    TopK,
    Verdict,
    Weights,
    best_partition,
    certify,
    exact_loss,
    feature_matrix,
    group_minimum,
    ideal_weights,
    partial_minimum,
    partitions,
    pattern,
    realize,
    survey_partitions,
    trap_share,
)
from sdl_theory.theory.counterexamples import from_gram
from tests.exact import disagreements
from tests.strategies import make_problem, randn, unit

f64 = torch.float64


@pytest.mark.parametrize("part", range(4))
def test_realize_and_verdicts_equal_exact_rationals(part):
    """60 problems a part, opposite, equal and dependent directions among them.

    Of 1,000 such the version before these tests got 36 wrong.
    """
    answers = [disagreements(seed) for seed in range(60 * part, 60 * part + 60)]
    assert [wrong for wrong, _ in answers if wrong] == []
    assert {"none", "global", "trap", "degenerate"} <= {verdict for _, verdict in answers}


@pytest.mark.parametrize("seed", [124958])
def test_problems_that_a_long_run_found(seed):
    """124958: a feature whose z is 0 on all rows that the eigenvector allows.

    Only rounding made it anything else.
    """
    assert disagreements(seed)[0] == []


@pytest.mark.parametrize("k", [1, 2, 3, 4, 8])
def test_a_forced_zero_is_kept_zero(k):
    """2k directions in R^k at mu = 0: k opposite pairs.

    Each feature alone forces z = 0 on all others but its opposite.
    """
    problem = Problem(
        feature_matrix(2 * k, k, 0.0 if k > 1 else -1.0, generator=torch.Generator().manual_seed(k))
    )
    P = pattern([[d] for d in range(2 * k)], 2 * k, 2 * k)
    assert realize(problem, P).check().feasible
    assert torch.equal(certify(problem, ideal_weights(problem, 2 * k)).pattern, P)
    if k <= 4:
        best = best_partition(problem, 2 * k)
        assert best.verdict is Verdict.GLOBAL and best.loss < 1e-25 and len(best.groups) == 2 * k


@pytest.mark.parametrize("apart", [1e-6, 1e-8, 1e-9, 1e-10, 1e-11])
def test_nearly_equal_directions_are_told_apart(apart):
    assert realize(Problem([[1, 1], [0, apart]]), pattern([[0], [1]], 2, 2)).check().feasible
    for seed in range(20):
        w = unit(randn(seed, 3, 1))
        problem = Problem(
            torch.cat(
                [w, unit(w + apart * randn(seed + 100, 3, 1)), unit(randn(seed + 200, 3, 1))], 1
            )
        )
        assert realize(problem, pattern([[0], [1], [2]], 3, 3)).check().feasible
        if apart >= 1e-8:  # closer than that, one decoder column reconstructs both to 1e-10
            assert group_minimum(problem, [0, 1]).verdict is Verdict.TRAP
            assert partial_minimum(problem, pattern([[0, 1], [2]], 3, 3)).exists


def test_close_eigenvalues_are_not_equal():
    """Gap 9e-10 of the top: the positive top vector is one, and no mixture with its neighbour. A
    gap of 1e-15 is none.
    """
    for seed in range(40):
        Q = torch.linalg.qr(torch.cat([randn(seed, 3, 1).abs() + 0.2, randn(seed + 1, 3, 2)], 1)).Q
        make = lambda second: Problem(
            torch.linalg.qr(randn(seed + 2, 3, 3)).Q,
            torch.diag(torch.tensor([1.0, second, 0.3], dtype=f64).sqrt()) @ Q.mT,
        )
        answer = partial_minimum(make(1 - 9e-10), pattern([[0, 1, 2]], 3, 2))
        assert answer.verdict is Verdict.TRAP
        assert certify(make(1 - 9e-10), answer.weights).check().verdict is Verdict.TRAP
        assert (
            partial_minimum(make(1 - 1e-15), pattern([[0, 1, 2]], 3, 2)).verdict
            is Verdict.DEGENERATE
        )


def test_a_top_eigenvalue_of_zero():
    """One input dimension: y is (1, sqrt 2) / sqrt 3, and W_r diag(s) y = 0.

    Nothing is above 0, so nothing falls.
    """
    problem = Problem(
        torch.ones(1, 2, dtype=f64), torch.tensor([[0.0, 0], [2, -1]]), torch.tensor([1.0, 2.0])
    )
    answer = partial_minimum(problem, pattern([[0, 1]], 2, 1))
    assert answer.verdict is Verdict.TRAP and answer.loss == pytest.approx(6)
    assert list(survey_partitions(problem, n_q=1))[0].verdict is Verdict.TRAP


@pytest.mark.parametrize("ratio", [1e4, 1e8, 1e12, 1e20])
def test_positivity_is_asked_of_z(ratio):
    """A large M_d makes the other feature's y small, not its z: z stays near (1, rho)."""
    problem = Problem(from_gram([[1, 0.5], [0.5, 1]]), M_d=torch.tensor([ratio, 1.0], dtype=f64))
    answer = partial_minimum(problem, pattern([[0, 1]], 2, 1))
    z = (answer.weights.W_E @ problem.W_p)[0]
    assert answer.verdict is Verdict.TRAP
    assert answer.loss == pytest.approx(0.75, rel=1e-3)
    assert z[1] / z[0] == pytest.approx(0.5, rel=1e-3)


def test_a_large_weight_hides_no_loss():
    for dtype in (torch.float32, f64):
        problem = Problem(from_gram([[1, 0.6], [0.6, 1]]).to(dtype), M_d=torch.tensor([1e8, 1.0]))
        answer = partial_minimum(problem, pattern([[0, 1]], 2, 1))
        assert answer.verdict is Verdict.TRAP and answer.loss == pytest.approx(0.64, rel=1e-3)


def test_tol_says_what_is_stationary_and_nothing_else():
    problem = Problem(from_gram([[1, 0.6], [0.6, 1]]))
    weights = Weights(torch.ones(1, 2, dtype=f64), torch.tensor([[0.5], [0.4]], dtype=f64))
    assert certify(problem, weights, tol=0.5).verdict is not Verdict.GLOBAL
    assert certify(problem, weights, tol=0.5).loss > 0.1
    for tol in (math.inf, math.nan, 0, 1, -1):
        with pytest.raises(ValueError, match=r"tol .* \(0, 1\)"):
            certify(problem, weights, tol=tol)


def test_ties_of_mixtures_go_to_the_first_latent():
    """z = (.3, .1 + .2) for all three features at once: level, though .1 + .2 > .3 in floats.
    Integers say the same.
    """
    problem, features = Problem(torch.eye(3, dtype=f64)), SparseFeatures(3, 0.5, Constant(1.0))
    W_E = torch.tensor([[0, 0, 3.0], [1, 2, 0]], dtype=f64)
    W_D = torch.tensor([[0, 1.0], [0, 2], [1, 0]], dtype=f64)
    exactly = exact_loss(problem, Weights(W_E, W_D / 3), TopK(1), features).item()
    W_E = torch.tensor([[0, 0, 0.3], [0.1, 0.2, 0]], dtype=f64)
    assert exact_loss(problem, Weights(W_E, W_D / 0.3), TopK(1), features).item() == pytest.approx(
        exactly, rel=1e-12
    )


def test_shares_and_single_groups_agree_near_loss_zero():
    """Targets 1e-5 apart: a loss of 1e-10, and a trap all the same."""
    W_r = torch.ones(3, 8, dtype=f64) + 1e-5 * randn(0, 3, 8)
    problem = Problem(torch.linalg.qr(randn(1, 8, 8)).Q, W_r)
    share = trap_share(problem, 3, 50, torch.Generator().manual_seed(0))[0]
    groups = [
        torch.randperm(8, generator=g)[:3].tolist()
        for g in [torch.Generator().manual_seed(0)]
        for _ in range(50)
    ]
    assert (
        share
        == sum(group_minimum(problem, group).verdict is Verdict.TRAP for group in groups) / 50
        > 0.9
    )


def test_survey_and_partial_minimum_say_the_same():
    for seed in range(6):
        problem = make_problem(
            ("sae", "transcoder", "superposed", "equal directions", "orthonormal", "zero weights")[
                seed
            ],
            seed,
            4,
            3,
        )
        for sigma in (JumpReLU(0.0), JumpReLU(0.2), JumpReLU(1e-10)):
            for row, groups in zip(survey_partitions(problem, sigma), partitions(4)):
                answer = partial_minimum(problem, pattern(groups, 4, 4), sigma)
                assert (row.groups, row.verdict) == (groups, answer.verdict), (seed, sigma, groups)


def test_saddles_far_below_the_top_are_found_whatever_the_rotation():
    """Nearly opposite directions, or one large M_d: the decoder column is read from the
    eigenvector, not from a rounded row.
    """
    for turn in torch.linspace(0, 3, 25, dtype=f64):
        for angle, ratio in (
            (math.radians(179.99), 1.0),
            (math.radians(133), 1e6),
            (math.radians(120), 1e8),
        ):
            W = torch.stack(
                [
                    torch.stack([turn.cos(), turn.sin()]),
                    torch.stack([(turn + angle).cos(), (turn + angle).sin()]),
                ],
                1,
            )
            problem = Problem(W, M_d=torch.tensor([ratio, 1.0], dtype=f64))
            assert partial_minimum(problem, pattern([[0, 1]], 2, 1)).verdict is Verdict.SADDLE
            assert next(survey_partitions(problem, n_q=1)).verdict is Verdict.SADDLE


def test_a_gradient_that_a_small_weight_hides_makes_no_trap():
    """W = I, M = (1, 1e-12): z_2 may fall from .5 to 0 and the loss with it.

    The gradient of that is below any tolerance.
    """
    problem = Problem(torch.eye(2, dtype=f64), M_d=torch.tensor([1, 1e-12]))
    assert certify(problem, Weights([[1, 0.5]], [[1.0], [0.0]])).verdict is Verdict.UNDECIDED
    assert partial_minimum(problem, pattern([[0, 1]], 2, 1)).verdict is Verdict.NONE
