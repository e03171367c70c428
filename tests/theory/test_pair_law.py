"""The pair law: against `group_minimum`, against enumerated Hessians, and letter by letter."""

import math

import pytest
import sympy as sp
import torch
from hypothesis import given
from hypothesis import strategies as st
from worlds_for_tests import World

from sdl_theory import Moments, Problem, Verdict, group_minimum, pair_law
from sdl_theory.theory.counterexamples import from_gram
from sdl_theory.theory.symbolic import pair_in_letters

X = torch.tensor([[1.0, 0], [0, 1], [1, 1], [0, 0]], dtype=torch.float64)


def pair_world(rho, kappa):
    """Two features of magnitude 1, each active with probability p = .4: E[x_1 x_2] = .4 kappa."""
    both, alone = 0.4 * kappa, 0.4 - 0.4 * kappa
    p = torch.tensor([alone, alone, both, 1 - both - 2 * alone], dtype=torch.float64)
    return World(Problem(from_gram([[1, rho], [rho, 1]])), X, p)


def edges(rho, kappa, shrink):
    """Distances from where the verdict turns."""
    t = math.sqrt((1 + rho) / 2)
    return shrink * t - rho - kappa, shrink - (1 + kappa) * t


@given(st.floats(-0.99, 0.99), st.floats(0, 0.99), st.floats(0, 2))
def test_it_is_the_verdict_of_group_minimum_and_of_the_enumerated_hessian(rho, kappa, shrink):
    world, l1 = pair_world(rho, kappa), 2 * shrink  # m = a = .4
    minimum = group_minimum(world.problem, [0, 1], moments=world.moments, l1=l1)
    if min(abs(edge) for edge in edges(rho, kappa, shrink)) < 1e-5:
        return
    law = pair_law(rho, kappa, shrink)
    assert minimum.verdict is law
    if law in (Verdict.TRAP, Verdict.SADDLE):
        w_E, w_D = world.at(minimum)
        assert world.slope(w_E, w_D, l1) < 1e-10
        assert (world.least_curvature(w_E, w_D, l1) > 0) == (law is Verdict.TRAP)


@pytest.mark.parametrize(
    "rho, kappa, shrink, verdict",
    [
        (0.0, 0.0, 0.0, "degenerate"),
        (-0.25, 0.25, 0.0, "degenerate"),
        (-0.1, 1 - 0.9, 0.0, "degenerate"),  # .1 but for rounding
        (1.0, 0.5, 0.0, "global"),
        (0.3, 1.0, 0.0, "global"),
        (0.3, 1.0, 0.4, "global"),
        (1.0, 0.0, 0.5, "global"),
        (1.0, 0.5, 0.5, "trap"),
        (-1.0, 0.5, 0.0, "none"),
        (0.0, 0.0, 1e-9, "saddle"),
    ],
)
def test_the_edges(rho, kappa, shrink, verdict):
    assert pair_law(rho, kappa, shrink) == verdict
    if rho > -1:
        W_r = torch.tensor([[1.0, rho], [0.0, math.sqrt(1 - rho**2)]], dtype=torch.float64)
        problem = Problem(torch.eye(2, dtype=torch.float64), W_r)
        moments = Moments([[1, kappa], [kappa, 1]], [0.5, 0.5])
        assert group_minimum(problem, [0, 1], moments=moments, l1=4 * shrink).verdict == verdict


def test_on_the_edge_a_penalised_pair_is_a_saddle():
    """Curvature 0, and the objective falls by the fourth power of the nudge: none is degenerate."""
    rho, kappa = 0.6, 0.25
    t = math.sqrt((1 + rho) / 2)
    shrink = (rho + kappa) / t
    world = pair_world(rho, kappa)
    minimum = group_minimum(world.problem, [0, 1], moments=world.moments, l1=2 * shrink)
    assert abs(minimum.curvature) < 1e-12
    W, C, m = world.problem.W_r, world.moments.C, world.moments.m
    across = W[:, 0] - W[:, 1]
    falls = []
    for angle in (0.1, 0.2):
        u = math.cos(angle) * minimum.w_D + math.sin(angle) * across / across.norm()
        a = W.mT @ u - shrink * torch.linalg.solve(C, m)
        falls.append(world.scale - float(a @ C @ a) - minimum.loss)
    assert falls[0] < 0 and falls[1] / falls[0] == pytest.approx(16, rel=0.02)


@given(st.floats(-0.95, 0.95), st.floats(0, 0.95))
def test_the_window_of_saddles_below_silence(rho, kappa):
    """It exists iff (1 - rho)(1 - kappa) > 0: always; and narrows for close siblings."""
    t = math.sqrt((1 + rho) / 2)
    freed, silent = (rho + kappa) / t, (1 + kappa) * t
    assert silent - freed == pytest.approx((1 - rho) * (1 - kappa) / (2 * t), rel=1e-6)
    middle = (max(freed, 0.0) + silent) / 2
    assert pair_law(rho, kappa, middle) is Verdict.SADDLE


def test_unequal_moments_break_it():
    """Dropped: equal moments. rho = .2 is a trap at any ratio; -.05 of kappa .1 only between."""
    problem = Problem(from_gram([[1, -0.2], [-0.2, 1]]))
    b = 0.25
    assert pair_law(-0.2, b) is Verdict.TRAP
    uneven = Moments([[4.0, 2 * b], [2 * b, 1.0]])  # the same cosine of activations
    assert group_minimum(problem, [0, 1], moments=uneven).verdict is Verdict.NONE


def test_letter_by_letter():
    pair = pair_in_letters()
    t, kappa, shrink = pair.t, pair.kappa, pair.shrink
    assert pair.gradient == sp.zeros(4, 1)
    assert sp.simplify(pair.rho - 2 * t**2 + 1) == 0
    assert sp.simplify(pair.alike.det()) == 0
    # where it fires both diagonal entries are positive, so the determinant has the sign
    firing = pair.activation * (1 + kappa)
    assert sp.simplify(pair.parting[0, 0] - 4 * t * firing) == 0
    assert sp.simplify(pair.parting[1, 1] - 2 * (1 - kappa)) == 0
    assert sp.simplify(pair.parting.det() - 8 * (1 - kappa) * pair.margin) == 0
    assert (
        sp.simplify(pair.alike.trace() - 4 * pair.activation**2 * (1 + kappa) - 2 - 2 * kappa) == 0
    )
    numbers = {t: sp.sqrt(sp.Rational(4, 5)), kappa: sp.Rational(1, 4), shrink: sp.Rational(1, 2)}
    world = pair_world(0.6, 0.25)
    minimum = group_minimum(world.problem, [0, 1], moments=world.moments, l1=1.0)
    assert float(minimum.z[0]) == pytest.approx(float(pair.activation.subs(numbers)))
    # in units of a = .4, and A is half of the Hessian
    assert minimum.curvature / 0.4 == pytest.approx(-2 * float(pair.margin.subs(numbers)))


def test_bad_input_is_named():
    for bad, words in (
        ((1.1, 0.0), "rho must be"),
        ((0.0, -0.1), "kappa must be"),
        ((0.0, 1.1), "kappa must be"),
        ((0.0, 0.0, -1.0), "shrink"),
        ((math.nan, 0.0), "rho must be"),
        (("x", 0.0), "rho must be"),
    ):
        with pytest.raises(ValueError, match=words):
            pair_law(*bad)
