"""Ways out of a trap (ours): each by brute force, and the hypotheses without which each fails."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import assume, given, settings
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
    approximate_loss,
    best_split,
    certify,
    escape,
    gram,
    partial_minimum,
    pattern,
    polish,
    sign_row,
    split,
    wall_path,
)
from tests.strategies import randn, unit

f64 = torch.float64
seeds = st.integers(0, 10**6)


def world(seed, n, n_p=None, *, positive=True, M=True):
    """Features leaning to one side, so that groups have a positive top eigenvector."""
    W = randn(seed, n_p or n, n)
    W = unit(W.abs() + 0.2 if positive else W)
    return Problem(W, None, randn(seed + 1, n).abs() + 0.3 if M else None)


def a_trap(problem, groups, n_q, sigma=ReLU()):
    answer = partial_minimum(problem, pattern(groups, problem.n, n_q), sigma)
    assert answer.verdict is Verdict.TRAP and answer.loss > 1e-6
    return answer.weights


def some_trap(problem, groups, n_q, sigma=ReLU()):
    """As `a_trap`, of problems that hypothesis draws."""
    answer = partial_minimum(problem, pattern(groups, problem.n, n_q), sigma)
    assume(answer.verdict is Verdict.TRAP and answer.loss > 1e-6)
    return answer.weights


def K_of(problem, group):
    s = problem.M_d[group].sqrt()
    return s[:, None] * gram(problem.W_r)[group][:, group] * s


def loss(problem, weights, sigma=ReLU()):
    return approximate_loss(problem, weights, sigma).item()


@given(seeds, st.integers(1, 5))
def test_a_clone_is_the_same_function_on_every_input(seed, n_q):
    E, D = randn(seed, n_q + 1, 4), randn(seed + 1, 3, n_q + 1)
    D[:, -1] = 0  # spare
    weights, x = Weights(E, D), randn(seed + 2, 4, 50)
    for sigma in (ReLU(), JumpReLU(0.4)):
        two = split(weights, 0, n_q, sigma)
        before, after = (w.W_D @ sigma(w.W_E @ x) for w in (weights, two))
        assert torch.allclose(before, after, atol=1e-12)
    # under Top-k a clone takes a place: the claim fails, so it is refused
    first = Weights(torch.eye(2, 2, dtype=f64)[[0, 1, 1]] * 1.0, torch.eye(2, 3, dtype=f64))
    cloned = Weights(first.W_E[[0, 1, 0]], first.W_D[:, [0, 1, 0]] / torch.tensor([2.0, 1, 2]))
    both = torch.tensor([[2.0], [1.0]], dtype=f64)
    sigma = TopK(2)
    kept = [(w.W_D @ sigma(w.W_E @ both))[1].item() for w in (first, cloned)]
    assert kept[0] != kept[1]
    with pytest.raises(ValueError, match="Top-k"):
        split(weights, 0, n_q, sigma)


def test_a_clone_needs_another_row_of_the_same_threshold():
    weights = Weights(torch.eye(2, dtype=f64), torch.eye(2, dtype=f64))
    with pytest.raises(ValueError, match="must differ"):
        split(weights, 1, 1)
    with pytest.raises(ValueError, match="spare must be in"):
        split(weights, 1, 2)
    with pytest.raises(ValueError, match="only if they are equal"):
        split(weights, 0, 1, JumpReLU(torch.tensor([0.1, 0.2])))


@settings(max_examples=30)
@given(seeds, st.integers(2, 4), st.sampled_from([ReLU(), JumpReLU(0.3)]))
def test_escape_falls_as_predicted_and_descent_ends_at_the_bound(seed, n, sigma):
    problem = world(seed, n, positive=seed % 3 > 0)
    trap = some_trap(problem, [list(range(n))], 2, sigma)
    before, way = loss(problem, trap, sigma), escape(problem, trap, sigma)
    way.path.check()
    values = torch.linalg.eigvalsh(K_of(problem, list(range(n))))
    assert way.bound == pytest.approx(values[:-2].sum().item(), abs=1e-10)
    # second derivative, by autograd, at the clone
    clone, (v, u) = way.path.points[-2], way.direction
    step = torch.zeros((), dtype=f64, requires_grad=True)
    signs = torch.zeros(2, dtype=f64)
    signs[way.neuron], signs[way.spare] = 1, -1
    moved = Weights(
        clone.W_E + step * signs[:, None] * v, clone.W_D + step * u[:, None] * signs[None]
    )
    at = approximate_loss(problem, moved, sigma)
    slope = torch.autograd.grad(at, step, create_graph=True)[0]
    bend = torch.autograd.grad(slope, step)[0].item()
    assert bend == pytest.approx(way.curvature, rel=1e-8) and bend < 0
    assert at.item() == pytest.approx(before, abs=1e-12)
    # and the whole fall is the quartic
    q = (problem.M_d * (v @ problem.W_p) ** 2).sum().item()
    fall = -way.curvature / 2 * way.eps**2 - 4 * q * way.eps**4
    assert before - loss(problem, way.weights, sigma) == pytest.approx(fall, rel=1e-8, abs=1e-13)
    end = polish(problem, way.weights, sigma, steps=400)
    if (
        end.flips == 0
        and end.stationary
        and certify(problem, end.weights, sigma).verdict
        in (
            Verdict.TRAP,
            Verdict.GLOBAL,
        )
    ):
        assert end.losses[-1] == pytest.approx(way.bound, abs=1e-10)
    assert end.losses[-1] < before


def test_escape_ends_at_the_bound_in_groups_of_positive_features():
    """As above, with nothing assumed away."""
    reached = 0
    for seed in range(10):
        problem = world(seed, 4)
        way = escape(problem, a_trap(problem, [[0, 1, 2, 3]], 2))
        end = polish(problem, way.weights, steps=400)
        assert end.losses == sorted(end.losses, reverse=True)
        reached += abs(end.losses[-1] - way.bound) < 1e-10
    assert reached >= 8  # the others end on a wall


def test_escape_of_one_of_several_groups():
    for seed in range(4):
        problem = world(seed, 6)
        trap = a_trap(problem, [[0, 1, 2], [3, 4, 5]], 3)
        way = escape(problem, trap)
        way.path.check()
        group = [[0, 1, 2], [3, 4, 5]][way.neuron]
        second = torch.linalg.eigvalsh(K_of(problem, group))[-2].item()
        assert way.bound == pytest.approx(loss(problem, trap) - second, abs=1e-10)
        assert loss(problem, way.weights) < loss(problem, trap) - 1e-6


@settings(max_examples=30)
@given(seeds, st.integers(2, 5), st.integers(2, 5), st.sampled_from([ReLU(), JumpReLU(0.3)]))
def test_the_sign_row_gains_half_of_what_any_row_could(seed, n, n_p, sigma):
    """Any weights at all, dependent directions included: no trap is needed."""
    problem = world(seed, n, n_p, positive=False)
    E, D = randn(seed + 2, 3, n_p), randn(seed + 3, n_p, 3)
    E[2], D[:, 2] = 0, 0
    weights = Weights(E, D)
    way = sign_row(problem, weights, sigma)
    way.path.check()
    gained = loss(problem, weights, sigma) - loss(problem, way.weights, sigma)
    assert gained == pytest.approx(way.gain, rel=1e-8, abs=1e-10)
    assert way.bound * (1 - 1e-5) <= way.gain <= way.most * (1 + 1e-9)
    # no row tried at random gains twice as much
    s = problem.M_d.sqrt()
    left = (problem.W_r - D @ sigma(E @ problem.W_p)) * s
    for row in randn(seed + 4, 50, n_p):
        u = s * torch.relu(row @ problem.W_p)
        if u.any():
            assert (left @ u).square().sum() / (u @ u) <= 2 * way.gain * (1 + 1e-5)


def test_the_half_is_tight():
    """Two opposite residuals on opposite features: a row sees one of them only."""
    problem = Problem(torch.tensor([[1.0, -1.0]], dtype=f64))
    way = sign_row(problem, Weights([[0.0]], [[0.0]]))
    assert way.gain == pytest.approx(way.bound) == pytest.approx(1.0)


@settings(max_examples=20)
@given(seeds, st.integers(2, 6))
def test_the_best_threshold_split_keeps_its_bounds(seed, n):
    problem = world(seed, n + 1, positive=seed % 2 > 0)
    group = list(range(n))
    trap = some_trap(problem, [group, [n]], 3)
    way = best_split(problem, trap, 0)
    way.path.check()
    K = K_of(problem, group)
    values, vectors = torch.linalg.eigh(K)
    y = vectors[:, -1]
    rest = K - values[-1] * torch.outer(y, y)
    best = 0.0
    for size in range(1, n):
        for part in itertools.combinations(range(n), size):
            p = torch.zeros(n, dtype=f64)
            p[list(part)] = y[list(part)]
            alpha = (p @ p).item()
            best = max(best, (p @ rest @ p).item() / (alpha * (1 - alpha)))
    assert way.bound * (1 - 1e-9) <= way.gain <= best * (1 + 1e-7) + 1e-12
    assert best <= way.most * (1 + 1e-7)
    assert best >= values[-2].item() / 2 * (1 - 1e-9)
    assert way.most == pytest.approx(values[-2].item(), rel=1e-7, abs=1e-10)
    # both neurons fire for their parts and nothing else
    P = certify(problem, way.weights).pattern
    assert P[way.neurons[0], :n].nonzero()[:, 0].tolist() == way.features
    assert (P[way.neurons].sum(0)[:n] == 1).all()


def two_pairs(first=0.5):
    G = torch.tensor(
        [[1, 0.6, first, first], [0.6, 1, 0.2, 0.2], [first, 0.2, 1, 0.6], [first, 0.2, 0.6, 1]],
        dtype=f64,
    )
    return Problem(torch.linalg.cholesky(G).mT)


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
