"""One neuron's penalised true loss: stationary, judged right, and none of its points missed."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import root
from strategies import randn, unit
from test_moments_minimum import check, everything
from worlds_for_tests import World, make, supports, worlds

from sdl_theory import Constant, Moments, Problem, SparseFeatures, Verdict, group_minimum
from sdl_theory.theory.counterexamples import from_gram
from sdl_theory.theory.metric import metric
from sdl_theory.theory.penalty import penalised_points

PENALTIES = st.sampled_from([0.01, 0.1, 0.3, 0.6, 1.2])


def points_of(world, l1):
    return penalised_points(metric(world.problem, range(world.problem.n), world.moments), l1)


@given(worlds(), PENALTIES)
def test_the_point_is_stationary_and_the_hessian_has_the_verdicts_sign(world, l1):
    minimum = everything(world, l1)
    assert minimum.verdict is not Verdict.DEGENERATE
    if minimum.exists:
        check(world, minimum, l1)


@given(worlds(shapes=("sae", "transcoder", "positive")), PENALTIES)
def test_every_point_is_stationary_and_at_most_one_is_a_trap(world, l1):
    """And nu < alpha_max: a trap is never the global solution of the trust-region subproblem."""
    points, moments = points_of(world, l1), world.moments
    assert sum(point.rank == 0 for point in points) <= 1
    top = torch.linalg.eigvalsh(world.problem.W_r @ moments.C @ world.problem.W_r.mT)[-1]
    for point in points:
        w_E = torch.linalg.lstsq(
            world.problem.W_p.mT, torch.from_numpy(point.a), driver="gelsd"
        ).solution
        w_D = torch.from_numpy(point.u)
        assert world.slope(w_E, w_D, l1) < 1e-10
        assert point.loss == pytest.approx(float(world.objective(w_E, w_D, l1)), rel=1e-10)
        assert 0 < point.eigenvalue < top
        if abs(point.curvature) > 1e-7 * world.scale:
            assert (world.least_curvature(w_E, w_D, l1) > 0) == (point.rank == 0)


@pytest.mark.parametrize("seed", range(10))
def test_no_stationary_point_is_missed(seed):
    """Newton's method on the gradient of the enumerated loss, from 150 starts."""
    law = ("independent", "correlated", "hierarchical", "exclusive", "equal")[seed % 5]
    world, l1 = make(law, "positive", seed, 3), (0.15, 0.5)[seed // 5]
    W_r, C, m = world.problem.W_r, world.moments.C, world.moments.m
    A, b, C_m = W_r @ C @ W_r.mT, l1 / 2 * W_r @ m, torch.linalg.solve(C, m)
    n_r = len(W_r)

    def lagrange(v):
        u, nu = torch.from_numpy(v[:n_r]), v[n_r]
        return np.append((A @ u - nu * u - b).numpy(), float(u @ u) - 1)

    found = set()
    for k in range(150):
        start = unit(randn(1000 * seed + k, n_r, 1))[:, 0]
        nu = float(start @ (A @ start - b))  # what it is where u is right
        answer = root(lagrange, np.append(start.numpy(), nu), tol=1e-13)
        u = torch.from_numpy(answer.x[:n_r])
        a = W_r.mT @ u - l1 / 2 * C_m
        if np.abs(lagrange(answer.x)).max() < 1e-10 and a.min() > 1e-6:
            found.add(tuple(np.round(u.numpy(), 5)))
    known = [point.u for point in points_of(world, l1)]
    for u in found:
        assert min(np.abs(u - one).max() for one in known) < 1e-4
    assert len(found) == len(known)


@given(worlds(laws=("independent", "exclusive"), shapes=("sae", "transcoder", "dependent")))
def test_a_vanishing_penalty_is_none(world):
    """Continuous at l1 = 0, where eigenvalues are apart."""
    now, then = everything(world, 1e-9), everything(world)
    if then.exists and abs(then.curvature) > 1e-3 * world.scale and then.z.min() > 1e-3:
        assert now.verdict in (then.verdict, Verdict.TRAP)
        assert torch.allclose(now.w_D, then.w_D, atol=1e-5) and abs(now.loss - then.loss) < 1e-6


def test_one_feature_is_shrunk_and_nothing_does_better():
    moments = Moments([[2.0]], [1.0])
    problem = Problem(torch.ones(1, 1, dtype=torch.float64))
    minimum = group_minimum(problem, [0], moments=moments, l1=0.4)  # tau = .2 * 1 / 2
    assert minimum.verdict is Verdict.GLOBAL and minimum.z.item() == pytest.approx(0.9)
    assert minimum.loss == pytest.approx(2 - 2 * 0.81)
    assert group_minimum(problem, [0], moments=moments, l1=4.0).verdict is Verdict.NONE


def test_the_hard_case_of_a_pair():
    """Its trap lies between two saddles, mirror images, until they meet it: then it is one."""
    p = torch.tensor([0.5, 0.5], dtype=torch.float64)
    world = World(Problem(from_gram([[1, 0.6], [0.6, 1]])), torch.eye(2, dtype=torch.float64), p)
    points = points_of(world, 1.28)  # shrink = .64; .67 is where they meet
    assert [point.rank for point in points] == [0, 1, 1]
    assert np.allclose(points[1].a, points[2].a[::-1]) and np.ptp(points[1].a) > 0.1
    assert points[1].loss == pytest.approx(points[2].loss) and points[1].loss > points[0].loss
    assert [point.rank for point in points_of(world, 1.35)] == [1]


def test_the_hard_case_of_three_equal_features():
    """A has one eigenvalue twice and b is orthogonal to it: the saddles are a circle around b."""
    x = supports(3)
    p = torch.where(x > 0, torch.tensor(0.3).double(), torch.tensor(0.7).double()).prod(1)
    world = World(Problem(torch.eye(3, dtype=torch.float64)), x, p)
    points, l1 = points_of(world, 1.0), 1.0
    assert [point.rank for point in points] == [0, 1]
    trap, saddle = points
    assert np.allclose(trap.u, 1 / math.sqrt(3))
    # u_s = (lam / 2) m sqrt(3) / (3 kappa), kappa = p^2 = .09, in units of C's off-diagonal
    assert saddle.u.sum() / math.sqrt(3) == pytest.approx(0.15 * math.sqrt(3) / 0.27, abs=1e-6)
    w_E, w_D = torch.from_numpy(saddle.a), torch.from_numpy(saddle.u)
    assert world.slope(w_E, w_D, l1) < 1e-10
    assert world.least_curvature(w_E, w_D, l1) < -1e-3


def test_of_lone_features_the_penalty_alone_makes_saddles():
    """Lt with L1: trap iff tau sqrt((1 + rho) / 2) < rho, tau = lam m / (2 M)."""
    features = SparseFeatures(2, 0.9, Constant(1.0))
    moments = features.moments(one_at_a_time=True)
    for rho in (0.1, 0.6):
        problem, edge = Problem(from_gram([[1, rho], [rho, 1]])), rho / math.sqrt((1 + rho) / 2)
        for tau, verdict in ((0.99 * edge, Verdict.TRAP), (1.01 * edge, Verdict.SADDLE)):
            assert group_minimum(problem, [0, 1], moments=moments, l1=2 * tau).verdict is verdict


@given(st.integers(0, 10**6), st.floats(0.05, 0.5))
def test_without_unit_columns_the_penalty_is_void(seed, l1):
    """Dropped: that the penalty reads ||w_D||. lam E[z] alone: z shrinks, w_D grows, no point."""
    world = make("correlated", "positive", seed, 3)
    minimum = everything(world, l1)
    if not minimum.exists:
        return
    w_E, w_D = world.at(minimum)
    z = world.p @ torch.relu(world.x @ world.problem.W_p.mT @ w_E)
    penalties = [l1 * float(z) / t for t in (1, 10, 100)]
    losses = [float(world.objective(w_E / t, w_D * t)) for t in (1, 10, 100)]
    assert max(losses) - min(losses) < 1e-12 and penalties[2] == pytest.approx(penalties[0] / 100)


def test_real_dogs_are_a_trap_that_a_penalty_silences_before_it_frees_them():
    from sdl_theory import imagenet_directions

    directions = imagenet_directions()
    problem, dogs = Problem(directions.W_p), directions.group("dog")
    moments = SparseFeatures(problem.n, 0.99, Constant(1.0)).moments()
    verdicts = [
        group_minimum(problem, dogs, moments=moments, l1=l1).verdict.value
        for l1 in (0.0, 0.1, 0.5, 1.0)
    ]
    assert verdicts == ["trap", "trap", "trap", "none"]


def test_the_targets_may_be_parallel():
    """One direction: in lone samples nothing does better, in mixed ones a trap."""
    W_p = torch.eye(2, dtype=torch.float64)
    problem = Problem(W_p, torch.tensor([[1.0, 2.0]], dtype=torch.float64))
    alone = Moments.exclusive([0.2, 0.2])
    assert group_minimum(problem, [0, 1], moments=alone, l1=0.2).verdict is Verdict.GLOBAL
    mixed = Moments.correlated(2, 0.8, 0.3)
    assert group_minimum(problem, [0, 1], moments=mixed, l1=0.2).verdict is Verdict.TRAP
    together = Moments([[0.2, 0.2], [0.2, 0.2]], [0.2, 0.2])
    tied = Problem(unit(randn(0, 3, 2)))
    assert group_minimum(tied, [0, 1], moments=together, l1=0.2).verdict is Verdict.GLOBAL
