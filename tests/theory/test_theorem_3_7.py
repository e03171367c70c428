"""Theorem 3.7: as printed it is false; corrected, every point is certified and every verdict is
tested by descent or by the Hessian.
"""

import math
from itertools import combinations

import numpy as np
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
    activation_pattern,
    approximate_loss,
    certify,
    gradients,
    group_minimum,
    hessian,
    ideal_weights,
    partial_minimum,
    partitions,
    pattern,
    printed_recipe,
    realize,
)
from sdl_theory.theory.counterexamples import from_gram, outside_constraint, three_features


def autograd_norms(problem, weights, sigma):
    free = Weights(weights.W_E.clone().requires_grad_(), weights.W_D.clone().requires_grad_())
    approximate_loss(problem, free, sigma).backward()
    return free.W_E.grad.norm().item(), free.W_D.grad.norm().item()


def descend(problem, weights, sigma=ReLU(), nudge=1e-3, steps=3000, seed=0):
    """Plain gradient descent from a random nudge; the loss it ends at. The step is 1/(largest
    curvature) at the start.
    """
    rate = 0.7 / torch.linalg.eigvalsh(hessian(problem, weights, sigma)).max().item()
    E = (weights.W_E + nudge * randn(seed, *weights.W_E.shape)).requires_grad_()
    D = (weights.W_D + nudge * randn(seed + 1, *weights.W_D.shape)).requires_grad_()
    for _ in range(steps):
        loss = approximate_loss(problem, Weights(E, D), sigma)
        loss.backward()
        with torch.no_grad():
            for W in (E, D):
                W -= rate * W.grad
                W.grad = None
    return loss.item()


# --- the recipe as printed


def test_printed_recipe_leaves_grad_E():
    problem = Problem(torch.eye(2, dtype=torch.float64), M_d=torch.tensor([1.0, 2.0]))
    g = gradients(
        problem,
        printed_recipe(problem, pattern([[0, 1]], 2, 1), torch.ones(1, 2, dtype=torch.float64)),
    )
    assert g.W_D.norm() < 1e-14 and g.W_E.norm().item() == pytest.approx(
        4 * math.sqrt(2) / 9, rel=1e-12
    )


@given(st.integers(0, 10**6))
def test_printed_recipe_on_generic_problems(seed):
    """grad_D = 0 and <w_E, grad_E> = 0, all that the printed proof shows; grad_E itself is not."""
    problem, P = (
        Problem(unit(randn(seed, 8, 6)), M_d=randn(seed + 1, 6).abs() + 0.2),
        pattern([[0, 1], [2, 3], [4, 5]], 6, 3),
    )
    W_E = realize(problem, P).W_E
    W_E = W_E + 0.02 * randn(seed + 2, *W_E.shape)
    if torch.equal(activation_pattern(problem, Weights(W_E, randn(0, 8, 3))), P):
        weights = printed_recipe(problem, P, W_E)
        g = gradients(problem, weights)
        assert g.W_D.norm() < 1e-10 and (weights.W_E * g.W_E).sum(1).abs().max() < 1e-10
        assert g.W_E.norm() > 1e-4 and certify(problem, weights).verdict is Verdict.NOT_STATIONARY


def test_example_3_5_passes_for_its_own_reasons():
    """Orthonormal W_r and equal M_d: every realizing encoder is stationary. Either hypothesis
    dropped, it is not.
    """
    P, W_E = pattern([[0, 1, 2]], 3, 1), torch.tensor([[1.0, 2.0, 3.0]], dtype=torch.float64)
    eye = torch.eye(3, dtype=torch.float64)
    assert gradients(Problem(eye), printed_recipe(Problem(eye), P, W_E)).W_E.norm() < 1e-14
    for problem in (
        Problem(eye, M_d=torch.tensor([1.0, 1.0, 2.0])),
        Problem(eye, unit(randn(0, 3, 3))),
    ):
        assert gradients(problem, printed_recipe(problem, P, W_E)).W_E.norm() > 0.1


# --- the statement is false


def test_sharp_counterexample():
    problem = Problem(torch.eye(2, dtype=torch.float64), M_d=torch.tensor([1.0, 2.0]))
    answer = partial_minimum(problem, pattern([[0, 1]], 2, 2))
    assert (
        not answer.exists
        and answer.verdict is Verdict.NONE
        and answer.weights is None
        and "eigenvector" in answer.reason
    )
    # brute force over every realizing direction
    angles = torch.linspace(0.01, math.pi / 2 - 0.01, 400, dtype=torch.float64)
    norms = [
        gradients(
            problem,
            printed_recipe(problem, pattern([[0, 1]], 2, 1), torch.stack([a.cos(), a.sin()])[None]),
        )
        .W_E.norm()
        .item()
        for a in angles
    ]
    assert min(norms) > 1e-5


@pytest.mark.parametrize(
    "M_d, verdict, loss",
    [
        ((1, 1, 1), Verdict.TRAP, 1.390129),
        ((1, 3, 1), Verdict.NONE, None),
        ((0.3, 1, 1), Verdict.SADDLE, 1.332534),
    ],
)
def test_three_features_three_worlds(M_d, verdict, loss):
    answer = partial_minimum(three_features(M_d), pattern([[0, 1, 2]], 3, 3))
    assert answer.verdict is verdict and (
        loss is None or answer.loss == pytest.approx(loss, abs=1e-6)
    )


def test_none_is_robust():
    g = torch.Generator().manual_seed(0)
    G = torch.tensor([[1, 0.6, 0.3], [0.6, 1, -0.2], [0.3, -0.2, 1]], dtype=torch.float64)
    none = 0
    for _ in range(500):
        noise = 0.03 * (2 * torch.rand(3, 3, generator=g, dtype=torch.float64) - 1)
        noise = torch.triu(noise, 1) + torch.triu(noise, 1).mT
        M = torch.tensor([1.0, 3.0, 1.0], dtype=torch.float64) * (
            1 + 0.1 * (2 * torch.rand(3, generator=g, dtype=torch.float64) - 1)
        )
        none += not group_minimum(Problem(from_gram(G + noise), M_d=M), [0, 1, 2]).exists
    assert none >= 495


def test_outside_constraint():
    problem, P = outside_constraint(), pattern([[0, 1], [2]], 3, 3)
    assert realize(problem, P).check().feasible and group_minimum(problem, [0, 1]).exists
    answer = partial_minimum(problem, P)
    assert not answer.exists and "without firing for other features" in answer.reason
    w = torch.linalg.pinv(problem.W_p[:, :2].mT) @ torch.ones(2, dtype=torch.float64)
    assert (w @ problem.W_p[:, 2] / 1.0).item() == pytest.approx(1 / math.sqrt(3))


# --- the corrected construction


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


@given(problems(kinds=("sae", "transcoder", "orthonormal", "zero weights")))
def test_group_minimum_is_its_eigenproblem(problem):
    group = list(range(problem.n))
    m = group_minimum(problem, group)
    F = m.features
    s = problem.M_d[F].sqrt()
    K = s[:, None] * (problem.W_r[:, F].mT @ problem.W_r[:, F]) * s
    V = torch.linalg.svd(problem.W_p[:, F] * s, full_matrices=False).Vh
    V = V[torch.linalg.svdvals(problem.W_p[:, F] * s) > 1e-9].mT
    values = torch.linalg.eigvalsh(V.mT @ K @ V)
    if m.exists and F:
        y = m.y
        assert y.min() > 0 and abs(y.norm() - 1) < 1e-12
        assert (V @ (V.mT @ K @ y) - m.eigenvalue * y).norm() < 1e-9 * (1 + values.max()) and (
            y - V @ (V.mT @ y)
        ).norm() < 1e-9
        assert m.is_top == (
            values.max() - m.eigenvalue < 1e-8 * (1 + values.max())
        ) and m.loss == pytest.approx(
            K.trace().item() - m.eigenvalue, abs=1e-9 * (1 + values.max().item())
        )


@given(st.integers(0, 10**6), st.integers(2, 7))
def test_perron_frobenius(seed, size):
    """All cosines of w_r positive: exactly one positive y, and it is the top one: a trap."""
    W_r = randn(seed, size + 2, size).abs()
    m = group_minimum(
        Problem(unit(randn(seed + 1, size, size)), W_r, randn(seed + 2, size).abs() + 0.1),
        range(size),
    )
    assert m.exists and m.is_top and m.verdict is Verdict.TRAP


def test_repeated_eigenvalues_are_searched_whole():
    for n in (2, 3, 5):
        m = group_minimum(Problem(torch.linalg.qr(randn(n, n, n)).Q), range(n))
        assert (
            m.exists
            and m.multiplicity == n
            and m.verdict is Verdict.DEGENERATE
            and m.loss == pytest.approx(n - 1)
        )


@pytest.mark.parametrize("size, share", [(2, 1.0), (3, 0.75), (5, 0.3125)])
def test_share_of_random_groups(size, share):
    """Sign-symmetric random directions: a positive eigenvector with probability size * 2^(1 -
    size), a top one with 2^(1 - size).
    """
    draws, exists, top = 1500, 0, 0
    for seed in range(draws):
        m = group_minimum(
            Problem(unit(randn(seed, 30, size)), M_d=randn(seed + draws, size).abs() + 0.2),
            range(size),
        )
        exists, top = exists + m.exists, top + (m.exists and m.is_top)
    spread = 3.5 * math.sqrt(draws)
    assert (
        abs(exists - draws * share) <= spread * math.sqrt(share * (1 - share)) + 1e-9
        and abs(top - draws * 2.0 ** (1 - size)) <= spread * 0.5
    )


def test_parallel_targets_have_no_loss_and_are_not_spurious():
    problem = Problem(unit(randn(0, 4, 3)), torch.tensor([[1.0, 2.0, 0.5]], dtype=torch.float64))
    assert (
        group_minimum(problem, [0, 1, 2]).verdict is Verdict.GLOBAL
        and partial_minimum(problem, pattern([[0, 1, 2]], 3, 2)).verdict is Verdict.GLOBAL
    )


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


# --- is it a trap?


@pytest.mark.parametrize("rho", [0.6, 0.2, -0.2, -0.6])
def test_one_pair_the_sign_of_rho_decides(rho):
    problem = Problem(from_gram([[1, rho], [rho, 1]]))
    answer = partial_minimum(problem, pattern([[0, 1]], 2, 2))
    assert answer.loss == pytest.approx(1 - rho) and answer.verdict is (
        Verdict.TRAP if rho > 0 else Verdict.SADDLE
    )
    end = descend(problem, answer.weights, steps=6000)
    assert end == pytest.approx(1 - rho if rho > 0 else 1.0, abs=2e-3)


@pytest.mark.parametrize("seed", range(4))
def test_traps_hold_and_saddles_fall(seed):
    problem = Problem(unit(randn(seed, 5, 5)), M_d=randn(seed + 50, 5).abs() + 0.3)
    seen = set()
    for groups in partitions(5):
        answer = partial_minimum(problem, pattern(groups, 5, 5))
        if answer.exists and answer.verdict not in seen:
            seen.add(answer.verdict)
            end = descend(problem, answer.weights, steps=4000)
            if answer.verdict is Verdict.TRAP:
                assert end == pytest.approx(answer.loss, rel=1e-3)
            elif answer.verdict is Verdict.SADDLE:
                assert end < answer.loss - 1e-3
    assert Verdict.SADDLE in seen


def test_descent_leaks_through_a_wall_that_only_touches():
    """Two pairs at cosine .6, cross-cosines .5 (feature 1) and .2 (feature 2): on the wall z = 0
    off the group, `escapable`; held off it, a trap.
    """
    G = torch.tensor(
        [[1, 0.6, 0.5, 0.5], [0.6, 1, 0.2, 0.2], [0.5, 0.2, 1, 0.6], [0.5, 0.2, 0.6, 1]],
        dtype=torch.float64,
    )
    problem, P = Problem(from_gram(G)), pattern([[0, 1], [2, 3]], 4, 2)
    z = torch.tensor([[1.0, 1, 0, 0], [0, 0, 1, 1]], dtype=torch.float64)
    # z = 0 to rounding, from below
    touching = printed_recipe(
        problem, P, z @ torch.linalg.inv(problem.W_p) - 1e-15 * problem.W_p.mT[[2, 0]]
    )
    assert certify(problem, touching).verdict is Verdict.ESCAPABLE
    answer = partial_minimum(problem, P)
    assert answer.verdict is Verdict.TRAP and answer.loss == pytest.approx(0.8)
    ends = [descend(problem, touching, seed=s) for s in range(4)]
    assert min(ends) < 0.75, ends
    assert min(descend(problem, answer.weights, seed=s) for s in range(4)) == pytest.approx(
        0.8, abs=1e-3
    )


def test_dead_rows_strict_or_escapable():
    problem = Problem(from_gram([[1, 0.6], [0.6, 1]]))
    alone = partial_minimum(problem, pattern([[0, 1]], 2, 1)).weights
    pad = lambda w: Weights(
        torch.cat([alone.W_E, w[None]]),
        torch.cat([alone.W_D, torch.zeros(2, 1, dtype=torch.float64)], 1),
    )
    zero, dead = pad(torch.zeros(2, dtype=torch.float64)), pad(-problem.W_p.sum(1))
    assert (
        certify(problem, zero).neurons[1] is Verdict.ESCAPABLE_DEAD
        and certify(problem, zero).verdict is Verdict.ESCAPABLE
    )
    assert (
        certify(problem, dead).neurons[1] is Verdict.STRICTLY_DEAD
        and certify(problem, dead).verdict is Verdict.TRAP
    )
    assert certify(problem, zero, JumpReLU(0.1)).neurons[1] is Verdict.STRICTLY_DEAD
    assert min(descend(problem, zero, seed=s) for s in range(4)) < 0.05 and descend(
        problem, dead
    ) == pytest.approx(0.4, abs=1e-3)


@given(problems(kinds=("sae", "superposed", "orthonormal"), most=6))
def test_gordan(problem):
    """A row strictly dead on all features exists iff 0 is not in conv(w_p^d): compared with a
    linear program.
    """
    from scipy.optimize import linprog

    W = problem.W_p.numpy()
    lp = linprog(
        np.zeros(problem.n),
        A_eq=np.r_[W, np.ones((1, problem.n))],
        b_eq=np.r_[np.zeros(len(W)), 1],
        method="highs",
    )
    z = realize(problem, torch.zeros(1, problem.n, dtype=torch.bool)).W_E[0] @ problem.W_p
    assert bool((z < 0).all()) == (lp.status == 2)


def test_degenerate_is_flat_and_the_family_has_one_loss():
    problem = Problem(torch.eye(3, dtype=torch.float64))
    answer = partial_minimum(problem, pattern([[0, 1], [2]], 3, 2))
    assert answer.verdict is Verdict.DEGENERATE
    for a in (0.3, 1.0, 4.0):
        W_E = torch.tensor([[1.0, a, -1.0], [-1.0, -1.0, 1.0]], dtype=torch.float64)
        assert certify(
            problem, printed_recipe(problem, pattern([[0, 1], [2]], 3, 2), W_E)
        ).check().loss == pytest.approx(1.0)


def test_a_trap_must_hold_back_all_of_a_lossy_group():
    """Asking z < theta only of features with nonzero residual is not enough.

    Feature 3 is reconstructed exactly, but it is what holds features 1 and 2 (negative cosine) in
    place. Row 2 touches its wall, can take it over, and sets them free: along the path below the
    loss is 32 - 14 e^2 + 32 e^4 exactly.
    """
    T = lambda rows: torch.tensor(rows, dtype=torch.float64)
    problem = Problem(torch.eye(3, dtype=torch.float64), T([[3, 3, 5], [4, -4, 0]]))
    point = Weights(T([[3, 3, 5], [-1, -1, 0]]), T([[1, 0], [0, 0]]))
    certificate = certify(problem, point).check()
    residual = problem.W_r - point.W_D @ torch.relu(point.W_E @ problem.W_p)
    assert (
        certificate.loss == 32
        and group_minimum(problem, [0, 1, 2]).verdict is Verdict.TRAP
        and residual[:, 2].norm() == 0
    )
    assert certificate.verdict is Verdict.ESCAPABLE
    for e in (0.03, 0.1):
        down = Weights(
            T([[3 + 4 * e, 3 - 4 * e, 5], [-1, -1, e**0.5]]), T([[1, 0], [e, -5 * e**0.5]])
        )
        assert approximate_loss(problem, down).item() == pytest.approx(
            32 - 14 * e**2 + 32 * e**4, abs=1e-10
        )
    held = Weights(T([[3, 3, 5], [-1, -1, -1]]), point.W_D)
    assert certify(problem, held).verdict is Verdict.TRAP and descend(
        problem, held
    ) == pytest.approx(32, rel=1e-4)


def test_a_saddle_of_the_region_may_be_held_by_walls():
    """Features 3 and 4 are opposite and both on the row's wall: any way down switches one of them
    on. A local minimum, though not top.
    """
    h = 0.5**0.5
    problem = Problem(
        torch.tensor([[1, 0, h, -h], [0, 1, -h, h]], dtype=torch.float64),
        torch.tensor([[2, -1, -1, -1], [-1, 2, -1, -1]], dtype=torch.float64),
    )
    point = Weights(
        torch.tensor([[1.0, 1.0]], dtype=torch.float64),
        torch.tensor([[0.5], [0.5]], dtype=torch.float64),
    )
    certificate = certify(problem, point).check()
    assert (
        certificate.verdict is Verdict.UNDECIDED
        and torch.linalg.eigvalsh(hessian(problem, point)).min() < -1
    )
    for seed in range(300):
        nudged = Weights(
            point.W_E + 1e-3 * randn(seed, 1, 2), point.W_D + 1e-3 * randn(seed + 999, 2, 1)
        )
        assert approximate_loss(problem, nudged) > certificate.loss


def test_cross_polytope_shows_its_own_pattern_on_the_walls():
    """mu = 0: every off-entry of W* is exactly on its wall, and still W* is global."""
    problem = Problem(torch.cat([torch.eye(2), -torch.eye(2)], 1).double())
    P = pattern([[0], [1], [2], [3]], 4, 4)
    assert certify(problem, ideal_weights(problem, 4)).verdict is Verdict.GLOBAL and torch.equal(
        activation_pattern(problem, ideal_weights(problem, 4)), P
    )
    assert (
        realize(problem, P).check().feasible
        and partial_minimum(problem, P).verdict is Verdict.GLOBAL
    )


def test_eigenvalue_zero_has_a_zero_decoder_column():
    problem, P = (
        Problem(
            torch.eye(2, dtype=torch.float64), torch.tensor([[1.0, -1.0]], dtype=torch.float64)
        ),
        pattern([[0, 1]], 2, 1),
    )
    answer = partial_minimum(problem, P)
    assert (
        answer.verdict is Verdict.SADDLE
        and not answer.weights.W_D.any()
        and answer.loss == pytest.approx(2)
    )
    noisy = Weights(answer.weights.W_E, answer.weights.W_D + 1e-17)
    assert certify(problem, noisy).stationary


@pytest.mark.parametrize("sigma", [TopK(1), TopK(1, -math.inf)])
def test_topk_walls_are_the_lowest_selected_latent(sigma):
    T = lambda rows: torch.tensor(rows, dtype=torch.float64)
    problem = Problem(T([[1, 0.6], [0, 0.8]]))
    # row 2 at half of row 1's latent: far from a swap
    below = Weights(T([[1, 0.5], [0.5, 0.25]]), T([[0.8, 0], [0.4, 0]]))
    assert (
        certify(problem, below, sigma).verdict is Verdict.TRAP
        and certify(problem, below, sigma).wall_distance > 0.4
    )
    tied = Problem(T([[1, -0.6], [0, 0.8]]))
    # plain Top-1: level with the selected latent of feature 2
    level = Weights(T([[1, -0.5], [-5, -5]]), T([[0.8, 0.6], [-0.4, -0.8]]))
    if sigma.theta < 0:
        assert certify(tied, level, sigma).verdict is not Verdict.TRAP
        assert (
            approximate_loss(tied, Weights(T([[1, -0.5], [-5, -4.999]]), level.W_D), sigma)
            < 0.3
            < certify(tied, level, sigma).loss
        )


def test_features_without_weight_do_not_make_an_overlap():
    problem = Problem(unit(randn(0, 4, 3)).abs(), M_d=torch.tensor([1.0, 1.0, 0.0]))
    start = partial_minimum(Problem(problem.W_p[:, :2]), pattern([[0, 1]], 2, 1)).weights
    second = torch.linalg.pinv(problem.W_p.mT) @ torch.tensor(
        [-1.0, -1.0, 1.0], dtype=torch.float64
    )
    weights = Weights(
        torch.stack([start.W_E[0], second]),
        torch.cat([start.W_D, torch.zeros(4, 1, dtype=torch.float64)], 1),
    )
    assert (
        certify(problem, weights).pattern.tolist() == [[True, True, True], [False, False, True]]
        and certify(problem, weights).verdict is Verdict.TRAP
    )


# --- the verifier itself


def test_relative_norms_do_not_see_the_scale_of_a_neuron():
    problem, P = three_features((1, 1, 1)), pattern([[0, 1, 2]], 3, 2)
    weights = partial_minimum(problem, P).weights
    off = Weights(weights.W_E + 1e-4 * randn(0, 2, 3), weights.W_D)
    for t in (1e-6, 1.0, 1e6):
        c = certify(problem, Weights(off.W_E * t, off.W_D / t))
        assert (
            c.grad_E == pytest.approx(certify(problem, off).grad_E, rel=1e-6)
            and c.verdict is Verdict.NOT_STATIONARY
        )


@given(problems(), st.integers(0, 10**6), thresholds)
def test_certificate_norms_are_the_gradients(problem, seed, sigma):
    weights = Weights(randn(seed, 4, problem.n_p), randn(seed + 1, problem.n_r, 4))
    c, g = certify(problem, weights, sigma), gradients(problem, weights, sigma)
    assert (c.grad_D == 0) == (g.W_D.norm() < 1e-12) and (c.grad_E == 0) == (g.W_E.norm() < 1e-12)
    assert c.loss == pytest.approx(
        approximate_loss(problem, weights, sigma).item(), rel=1e-10, abs=1e-12
    )
    assert [v is Verdict.POLYSEMANTIC for v in c.neurons] == [row.sum() > 1 for row in c.pattern]
    counted = problem.M_d > 0
    assert c.wall_distance == pytest.approx(
        ((weights.W_E @ problem.W_p)[:, counted] - sigma.theta).abs().min().item(), rel=1e-12
    )


def test_overflow_does_not_pass_for_a_zero_gradient():
    problem = three_features((1, 1, 1))
    with pytest.raises(ValueError, match="overflow"):
        certify(
            problem,
            Weights(
                torch.full((2, 3), 1e200, dtype=torch.float64),
                torch.full((3, 2), 1e200, dtype=torch.float64),
            ),
        )


def test_check_raises_and_prints_verdicts_not_floats():
    problem = three_features((1, 1, 1))
    with pytest.raises(AssertionError, match="grad_"):
        certify(problem, ideal_weights(problem, 3)).check()
    text = str(certify(problem, partial_minimum(problem, pattern([[0, 1, 2]], 3, 3)).weights))
    assert "grad_E = 0       yes" in text and "verdict          trap" in text


def test_overlaps_are_undecided_and_silent_features_count():
    problem = Problem(torch.eye(2, dtype=torch.float64))
    zero = Weights(-torch.ones(1, 2, dtype=torch.float64), torch.zeros(2, 1, dtype=torch.float64))
    # all dead: a trap indeed
    assert certify(problem, zero).verdict is Verdict.TRAP and certify(problem, zero).neurons == [
        Verdict.STRICTLY_DEAD
    ]
    assert certify(problem, Weights(0 * zero.W_E, zero.W_D)).verdict is Verdict.ESCAPABLE
    both = Weights(
        torch.ones(2, 2, dtype=torch.float64), torch.full((2, 2), 0.25, dtype=torch.float64)
    )
    assert certify(problem, both).verdict is Verdict.UNDECIDED


def test_float32_has_its_own_tolerance():
    problem = three_features((1, 1, 1)).to(torch.float32)
    answer = partial_minimum(problem, pattern([[0, 1, 2]], 3, 3))
    assert answer.verdict is Verdict.TRAP and answer.weights.W_E.dtype is torch.float32
    assert certify(problem, ideal_weights(problem, 3)).verdict is Verdict.NOT_STATIONARY


def test_topk_through_the_relu_conditions():
    problem, P = (
        Problem(from_gram([[1, 0.6, 0.1], [0.6, 1, 0.1], [0.1, 0.1, 1]])),
        pattern([[0, 1], [2]], 3, 3),
    )
    for sigma in (TopK(1), TopK(2), TopK(1, -math.inf)):
        answer = partial_minimum(problem, P, sigma)
        assert answer.exists and certify(
            problem, answer.weights, sigma
        ).check().loss == pytest.approx(0.4)
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
        assert (
            answer.exists == all(group_minimum(problem, g).exists for g in groups) and answer.exists
        )
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
