"""Which partial minima are traps: every verdict is tested by descent or by the Hessian."""

import numpy as np
import pytest
import torch
from hypothesis import given
from strategies import problems, randn, unit

from sdl_theory import (
    JumpReLU,
    Problem,
    ReLU,
    Verdict,
    Weights,
    approximate_loss,
    certify,
    group_minimum,
    hessian,
    partial_minimum,
    partitions,
    pattern,
    printed_recipe,
    realize,
)
from sdl_theory.theory.counterexamples import from_gram


def descend(problem, weights, sigma=ReLU(), nudge=1e-3, steps=3000, seed=0):
    """Plain gradient descent from a random nudge; the loss it ends at.

    The step is 1/(largest curvature) at the start.
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


@pytest.mark.parametrize("rho", [0.6, 0.2, -0.2, -0.6])
def test_one_pair_the_sign_of_rho_decides(rho):
    problem = Problem(from_gram([[1, rho], [rho, 1]]))
    answer = partial_minimum(problem, pattern([[0, 1]], 2, 2))
    assert answer.loss == pytest.approx(1 - rho)
    assert answer.verdict is (Verdict.TRAP if rho > 0 else Verdict.SADDLE)
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
    assert certify(problem, zero).neurons[1] is Verdict.ESCAPABLE_DEAD
    assert certify(problem, zero).verdict is Verdict.ESCAPABLE
    assert certify(problem, dead).neurons[1] is Verdict.STRICTLY_DEAD
    assert certify(problem, dead).verdict is Verdict.TRAP
    assert certify(problem, zero, JumpReLU(0.1)).neurons[1] is Verdict.STRICTLY_DEAD
    assert min(descend(problem, zero, seed=s) for s in range(4)) < 0.05
    assert descend(problem, dead) == pytest.approx(0.4, abs=1e-3)


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
    assert certificate.loss == 32
    assert group_minimum(problem, [0, 1, 2]).verdict is Verdict.TRAP
    assert residual[:, 2].norm() == 0
    assert certificate.verdict is Verdict.ESCAPABLE
    for e in (0.03, 0.1):
        down = Weights(
            T([[3 + 4 * e, 3 - 4 * e, 5], [-1, -1, e**0.5]]), T([[1, 0], [e, -5 * e**0.5]])
        )
        assert approximate_loss(problem, down).item() == pytest.approx(
            32 - 14 * e**2 + 32 * e**4, abs=1e-10
        )
    held = Weights(T([[3, 3, 5], [-1, -1, -1]]), point.W_D)
    assert certify(problem, held).verdict is Verdict.TRAP
    assert descend(problem, held) == pytest.approx(32, rel=1e-4)


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
    assert certificate.verdict is Verdict.UNDECIDED
    assert torch.linalg.eigvalsh(hessian(problem, point)).min() < -1
    for seed in range(300):
        nudged = Weights(
            point.W_E + 1e-3 * randn(seed, 1, 2), point.W_D + 1e-3 * randn(seed + 999, 2, 1)
        )
        assert approximate_loss(problem, nudged) > certificate.loss
