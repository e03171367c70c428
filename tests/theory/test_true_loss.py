"""The true loss by enumeration (ours): against autograd, closed forms and descents of it."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sdl_theory import (
    BatchTopK,
    CertificateError,
    Constant,
    JumpReLU,
    Problem,
    ReLU,
    SparseFeatures,
    TopK,
    Uniform,
    Verdict,
    Weights,
    certify,
    exact_loss,
    persist,
    true_certificate,
)
from sdl_theory.theory.mixtures import Mixtures
from sdl_theory.theory.point import Point
from sdl_theory.theory.polish import descend
from sdl_theory.theory.true_loss import penalized_loss
from tests.strategies import points, randn, unit

f64 = torch.float64


def features(n, S, v=1.0):
    return SparseFeatures(n=n, S=S, magnitudes=Constant(v))


def pair(rho):
    return Problem(torch.tensor([[1.0, rho], [0.0, (1 - rho**2) ** 0.5]], dtype=f64))


def one_neuron(problem, z, C):
    """The row of codes z and its best column in the metric of C."""
    w_D = problem.W_r @ C @ z / (z @ C @ z)
    return Weights(torch.linalg.lstsq(problem.W_p.mT, z[:, None]).solution.mT, w_D[:, None])


def moments(n, S):
    C = torch.full((n, n), (1 - S) ** 2, dtype=f64)
    return C.fill_diagonal_(1 - S)


@given(points(), st.sampled_from([ReLU(), JumpReLU(0.3), TopK(1), TopK(2)]), st.floats(0.1, 0.9))
def test_the_loss_is_the_enumerated_one_and_so_are_the_gradients(point, sigma, S):
    problem, weights = point
    law, l1 = features(problem.n, S, 1.3), 0.2
    found = true_certificate(problem, weights, sigma, law, l1=l1)
    expected = penalized_loss(problem, weights, sigma, law, l1=l1)
    assert found.loss == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert true_certificate(problem, weights, sigma, law).loss == pytest.approx(
        exact_loss(problem, weights, sigma, law).item(), rel=1e-9, abs=1e-12
    )


def test_opposite_features_that_cancel_still_cost():
    problem = Problem(torch.tensor([[1.0, -1.0], [0, 0]], dtype=f64), torch.eye(2, dtype=f64))
    silent = Weights([[-1.0, 0.0]], [[0.0], [0.0]])
    law = features(2, 0.5)
    found = true_certificate(problem, silent, ReLU(), law)
    assert found.loss == pytest.approx(exact_loss(problem, silent, ReLU(), law).item())


@pytest.mark.parametrize("S", [0.99, 0.9, 0.6, 0.3])
@pytest.mark.parametrize("rho", [-0.9, -0.5, -0.2, -0.05, 0.3])
def test_a_pair_is_a_trap_iff_rho_exceeds_minus_one_minus_S(rho, S):
    problem = pair(rho)
    weights = one_neuron(problem, torch.ones(2, dtype=f64), moments(2, S))
    found = true_certificate(problem, weights, ReLU(), features(2, S)).check()
    assert found.verdict is (Verdict.TRAP if rho > -(1 - S) else Verdict.SADDLE)
    # a bare second difference of enumerated losses has the same sign
    assert all((one > 0) == (rho > -(1 - S)) for one in found.differences)


@given(st.integers(0, 10**6), st.sampled_from([0.95, 0.7, 0.4]))
def test_one_neuron_for_the_whole_world_is_rank_one_in_the_metric_of_C(seed, S):
    """Every eigenvector z > 0 of G C is stationary; the top one is a trap, at tr(GC) - lambda."""
    n = 3 + seed % 2
    problem = Problem(unit(randn(seed, n, n)), randn(seed + 1, n, n))
    C, G = moments(n, S), problem.W_r.mT @ problem.W_r
    root = torch.linalg.cholesky(C)
    values, vectors = torch.linalg.eigh(root.mT @ G @ root)
    for k in range(n):
        z = torch.linalg.solve(root.mT, vectors[:, k])
        z = z * z.sum().sign()
        if z.min() < 0.05 * z.max():
            continue
        found = true_certificate(problem, one_neuron(problem, z, C), ReLU(), features(n, S))
        assert found.check().loss == pytest.approx((G @ C).trace().item() - values[k].item())
        gap = (values[-1] - values[-2]) / values[-1]
        if gap > 1e-3:
            assert found.verdict is (Verdict.TRAP if k == n - 1 else Verdict.SADDLE)


@pytest.mark.parametrize("S", [0.98, 0.8])
@pytest.mark.parametrize("rho", [-0.3, 0.1, 0.6])
@pytest.mark.parametrize("shrink", [0.05, 0.3, 0.6])
def test_a_penalized_pair_obeys_its_law(rho, S, shrink):
    """Trap iff shrink sqrt((1+rho)/2) < rho + kappa; shrink = (lam/2) m/a, kappa = 1 - S."""
    problem, kappa, C = pair(rho), 1 - S, moments(2, S)
    l1 = 2 * shrink  # m = a = 1 - S
    half = ((1 + rho) / 2) ** 0.5
    if shrink >= (1 + kappa) * half:
        return  # it does not fire
    u = problem.W_r.sum(1) / problem.W_r.sum(1).norm()
    tau = l1 / 2 * torch.linalg.solve(C, torch.full((2,), 1 - S, dtype=f64))
    a = problem.W_r.mT @ u - tau
    weights = Weights(torch.linalg.solve(problem.W_p.mT, a[:, None]).mT, u[:, None])
    found = true_certificate(problem, weights, ReLU(), features(2, S), l1=l1).check()
    assert found.verdict is (Verdict.TRAP if shrink * half < rho + kappa else Verdict.SADDLE)


def settled(seed, S, l1=0.0, n=4, n_q=2):
    """A stationary point of L, several groups or overlapping, where a descent ends."""
    problem = Problem(unit(randn(seed, n, n)), None)
    world = Mixtures(problem, torch.ones(n, dtype=f64), S, ReLU())
    at = lambda one: Point(world, one, ReLU(), l1 * world.means if l1 else None)
    start = Weights(randn(seed + 1, n_q, n), 0.4 * randn(seed + 2, n, n_q))
    return problem, descend(at, start, 80)


@pytest.mark.parametrize("l1", [0.0, 0.2])
def test_traps_of_several_neurons_hold_against_descents_of_the_enumerated_loss(l1):
    """Autograd's gradient is zero there, and no nudge's own gradient descent gets below."""
    judged = 0
    for seed in range(8):
        problem, end = settled(seed, 0.8, l1)
        if not end.stationary:
            continue
        law, sigma = features(problem.n, 0.8), ReLU()
        found = true_certificate(problem, end.weights, sigma, law, l1=l1).check()
        if found.verdict is not Verdict.TRAP:
            continue
        judged += 1
        for way in range(3):
            h = min(1e-3, 0.1 * found.wall_distance)
            E = (end.weights.W_E + h * randn(way, *end.weights.W_E.shape)).requires_grad_()
            D = (end.weights.W_D + h * randn(way + 9, *end.weights.W_D.shape)).requires_grad_()
            descent = torch.optim.SGD([E, D], lr=0.05)
            for _ in range(60):
                descent.zero_grad()
                loss = exact_loss(problem, Weights(E, D), sigma, law)
                if l1:
                    z = torch.relu(E @ problem.W_p @ BITS.mT)
                    loss = loss + l1 * (D.norm(dim=0) @ z @ share(BITS, 0.8))
                loss.backward()
                descent.step()
            assert loss.item() >= found.loss - 1e-10
    assert judged >= 2


BITS = torch.tensor([[(c >> d) & 1 for d in range(4)] for c in range(16)], dtype=f64)


def share(bits, S):
    k = bits.sum(1)
    return (1 - S) ** k * S ** (bits.shape[1] - k)


def test_a_wall_that_only_mixtures_reach():
    """Row 1 is strictly dead on each feature and level with theta on the sum of both."""
    problem = Problem(torch.eye(3, dtype=f64))
    trap = one_neuron(problem, torch.ones(3, dtype=f64), moments(3, 0.9))
    theta = 0.5
    W_E = torch.cat([trap.W_E * 0.6, torch.full((1, 3), 0.25, dtype=f64)])
    W_D = torch.cat([trap.W_D / 0.6, torch.ones(3, 1, dtype=f64)], 1)
    lone = Weights(torch.cat([trap.W_E * 0.6, -torch.ones(1, 3, dtype=f64)]), W_D)
    reached, law = Weights(W_E, W_D), features(3, 0.9)
    dead = true_certificate(problem, lone, JumpReLU(theta), law)
    touched = true_certificate(problem, reached, JumpReLU(theta), law)
    assert certify(problem, reached, JumpReLU(theta)).neurons[1] is Verdict.STRICTLY_DEAD
    assert dead.verdict is Verdict.TRAP and dead.neurons[1] is Verdict.STRICTLY_DEAD
    assert touched.wall_distance == pytest.approx(0, abs=1e-12)
    assert touched.verdict is not Verdict.TRAP
    if touched.stationary:
        assert touched.verdict is Verdict.ESCAPABLE and touched.nudged is not None


def test_a_penalty_is_a_toll_at_walls():
    """A zero row with w_D = e_0: z = 0 everywhere, and a first step gains 1 - l1 / 2 at best."""
    problem, law = Problem(torch.eye(2, dtype=f64)), features(2, 0.9)
    silent = Weights([[0.0, 0.0]], [[1.0], [0.0]])
    free, dear = (true_certificate(problem, silent, ReLU(), law, l1=l1) for l1 in (1.0, 3.0))
    assert free.verdict is dear.verdict is Verdict.ESCAPABLE
    assert free.first_order > 0 > dear.first_order
    assert free.nudged < free.loss - 1e-3 and dear.nudged >= dear.loss - 1e-6


def test_bad_input_is_named():
    problem, weights = pair(0.2), Weights([[1.0, 1.0]], [[0.5], [0.5]])
    with pytest.raises(ValueError, match="magnitudes must be Constant"):
        true_certificate(problem, weights, ReLU(), SparseFeatures(2, 0.9))
    with pytest.raises(ValueError, match="magnitudes must be Constant"):
        true_certificate(problem, weights, ReLU(), SparseFeatures(2, 0.9, Uniform(1, 2)))
    with pytest.raises(ValueError, match="l1 must be"):
        true_certificate(problem, weights, ReLU(), features(2, 0.9), l1=-1)
    with pytest.raises(ValueError, match="BatchTopK"):
        true_certificate(problem, weights, BatchTopK(1), features(2, 0.9))
    large = Problem(torch.eye(13, dtype=f64))
    many = Weights(torch.ones(1, 13, dtype=f64), torch.ones(13, 1, dtype=f64))
    with pytest.raises(ValueError, match="n = 12"):
        true_certificate(large, many, ReLU(), features(13, 0.9))
    with pytest.raises(ValueError, match="n = 12"):
        persist(large, many, ReLU(), [0.9])
    with pytest.raises(ValueError, match="must fall"):
        persist(problem, weights, ReLU(), [0.5, 0.9])


def test_the_check_compares_with_enumerated_differences():
    problem = pair(0.3)
    weights = one_neuron(problem, torch.ones(2, dtype=f64), moments(2, 0.9))
    found = true_certificate(problem, weights, ReLU(), features(2, 0.9))
    wrong = type(found)(**(vars(found) | {"curvature": found.curvature + 1}))
    with pytest.raises(CertificateError, match="second differences"):
        wrong.check()
    assert str(found).startswith("loss L ")
