"""One neuron's true loss in the metric of second moments, against enumerated losses.

Gradients, Hessians and descents are autograd's, of a sum over all samples of a world.
"""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import randn, unit
from worlds_for_tests import LAWS, SHAPES, make, worlds

from sdl_theory import (
    Constant,
    Moments,
    Problem,
    ReLU,
    SparseFeatures,
    Verdict,
    Weights,
    exact_loss,
    group_minimum,
)
from sdl_theory.theory.counterexamples import from_gram

CLEAR = 1e-7  # of the loss: a curvature whose sign no rounding decides


def everything(world, l1=0.0):
    return group_minimum(world.problem, range(world.problem.n), moments=world.moments, l1=l1)


def check(world, minimum, l1=0.0):
    """It is stationary, of the loss it says, and the sign of its Hessian is its verdict."""
    w_E, w_D = world.at(minimum)
    scale = world.scale
    assert minimum.z.min() > 0 and minimum.y.min() > 0 and abs(minimum.y.norm() - 1) < 1e-12
    assert abs(float(world.objective(w_E, w_D, l1)) - minimum.loss) < 1e-11 * scale
    assert world.slope(w_E, w_D, l1) < 1e-10
    if not w_D.any():
        return
    assert abs(w_D.norm() - 1) < 1e-12
    least = world.least_curvature(w_E, w_D, l1)
    clear = abs(minimum.curvature) > CLEAR * scale
    if minimum.verdict is Verdict.TRAP and clear:
        assert least > 0 and minimum.curvature < 0
    if minimum.verdict is Verdict.SADDLE and clear:
        assert least < 0 and minimum.curvature > 0
    if minimum.verdict in (Verdict.DEGENERATE, Verdict.GLOBAL):
        assert least > -1e-10


@given(worlds())
def test_the_point_is_stationary_and_the_hessian_has_the_verdicts_sign(world):
    minimum = everything(world)
    if minimum.exists:
        check(world, minimum)
    assert minimum.exists == (minimum.verdict is not Verdict.NONE)


def test_every_verdict_is_met():
    met = {
        everything(make(law, shape, seed, 3)).verdict
        for law in LAWS
        for shape in SHAPES
        for seed in range(4)
    }
    pair = Problem(torch.eye(2, dtype=torch.float64))
    met.add(group_minimum(pair, [0, 1], moments=Moments.exclusive([0.3, 0.3])).verdict)
    words = (Verdict.TRAP, Verdict.SADDLE, Verdict.NONE, Verdict.GLOBAL, Verdict.DEGENERATE)
    assert met == set(words)


@given(worlds(laws=("independent", "exclusive"), shapes=("sae", "transcoder", "dependent")))
def test_of_diagonal_moments_it_is_lt(world):
    """Section 5 is the case C = diag(M_d)."""
    M_d = world.moments.C.diagonal()
    lt = Problem(world.problem.W_p, world.problem.W_r, M_d)
    now = group_minimum(lt, range(lt.n), moments=Moments(torch.diag(M_d)))
    then = group_minimum(lt, range(lt.n))
    assert now.verdict is then.verdict
    if then.exists:
        assert torch.allclose(now.y, then.y, atol=1e-9)
        assert torch.allclose(now.z, then.z, atol=1e-9) and torch.allclose(now.w_D, then.w_D)
        assert now.loss == pytest.approx(then.loss, abs=1e-12)
        assert now.curvature == pytest.approx(then.curvature, abs=1e-12)


@given(st.integers(0, 10**6), st.integers(2, 6), st.sampled_from([0.3, 0.9, 0.999]))
def test_the_librarys_own_true_loss_agrees(seed, n, S):
    features = SparseFeatures(n, S, Constant(0.7))
    problem = Problem(unit(randn(seed, n + 1, n) + 0.8))
    minimum = group_minimum(problem, range(n), moments=features.moments())
    if minimum.exists:
        w_E = torch.linalg.lstsq(problem.W_p.mT, minimum.z, driver="gelsd").solution
        weights = Weights(w_E[None], minimum.w_D[:, None])
        loss = exact_loss(problem, weights, ReLU(), features).item()
        assert minimum.loss == pytest.approx(loss, rel=1e-9)


@given(
    worlds(
        laws=("independent", "correlated", "hierarchical", "exclusive"),
        shapes=("positive", "positive dependent"),
    ),
    st.booleans(),
)
def test_perron_frobenius(world, cut):
    """No negative cosine, and {cos_ij > 0 or C_ij > 0} connected: a trap, whatever the sparsity.

    With the dropped hypothesis, two parts that neither directions nor activity connect: never.
    """
    if not cut:
        minimum = everything(world)
        assert minimum.verdict in (Verdict.TRAP, Verdict.GLOBAL) and minimum.is_top
        return
    W, C, k = world.problem.W_p, world.moments.C, 1
    apart = torch.block_diag(W[:, :k], W[:, k:])
    C = torch.block_diag(C[:k, :k], C[k:, k:])
    minimum = group_minimum(Problem(apart), range(len(C)), moments=Moments(C))
    assert minimum.verdict in (Verdict.NONE, Verdict.DEGENERATE)


def test_a_negative_cosine_breaks_perron_frobenius():
    C = Moments.exclusive([0.3, 0.3])
    opposed = Problem(from_gram([[1, -0.2], [-0.2, 1]]))
    assert group_minimum(opposed, [0, 1], moments=C).verdict is Verdict.SADDLE


@pytest.mark.parametrize("n, S", [(2, 0.9), (5, 0.99), (9, 0.5)])
def test_orthogonal_features_are_a_shallow_trap(n, S):
    """Degenerate in Lt; gap (lambda_1 - lambda_2) / lambda_2 = n (1-S) m^2 / (v - (1-S) m^2)."""
    features = SparseFeatures(n, S)  # m = 1, v = 2
    problem = Problem(torch.eye(n, dtype=torch.float64), M_d=features.M_d)
    assert group_minimum(problem, range(n)).verdict is Verdict.DEGENERATE
    minimum = group_minimum(problem, range(n), moments=features.moments())
    assert minimum.verdict is Verdict.TRAP
    second = minimum.eigenvalue + minimum.curvature
    gap = n * (1 - S) / (2 - (1 - S))
    assert -minimum.curvature / second == pytest.approx(gap)


@given(
    st.floats(-0.99, 0.99),
    st.floats(0.1, 10),
    st.floats(0.1, 10),
    st.floats(0, 0.99),
    st.floats(0.2, 5),
    st.floats(0.2, 5),
)
def test_a_pair_of_unequal_moments_and_norms(rho, a_1, a_2, share, r_1, r_2):
    """Trap iff rho > -b / max a, saddle iff rho < -b / min a, else none: C_ij -> r_i r_j C_ij."""
    b = share * math.sqrt(a_1 * a_2)
    W_p = torch.eye(2, dtype=torch.float64)
    W_r = from_gram([[1, rho], [rho, 1]]) * torch.tensor([r_1, r_2], dtype=torch.float64)
    moments = Moments([[a_1, b], [b, a_2]])
    minimum = group_minimum(Problem(W_p, W_r), [0, 1], moments=moments)
    a_1, a_2, b = a_1 * r_1**2, a_2 * r_2**2, b * r_1 * r_2
    low, high = -b / min(a_1, a_2), -b / max(a_1, a_2)
    if min(abs(rho - low), abs(rho - high)) < 1e-6:
        return
    expected = Verdict.TRAP if rho > high else Verdict.SADDLE if rho < low else Verdict.NONE
    assert minimum.verdict is expected


def test_correlated_activity_misread_as_independent_gives_the_wrong_verdict():
    """Dropped: the true C. Opposed features that are active together, or independently."""
    problem = Problem(from_gram([[1, -0.3], [-0.3, 1]]))
    together = Moments.correlated(2, S=0.9, r=0.5)
    apart = SparseFeatures(2, 0.9, Constant(1.0)).moments()
    assert group_minimum(problem, [0, 1], moments=together).verdict is Verdict.TRAP
    assert group_minimum(problem, [0, 1], moments=apart).verdict is Verdict.SADDLE


def test_features_never_active_are_dropped_and_groups_are_submatrices():
    C = torch.tensor([[0.5, 0, 0.2], [0, 0, 0], [0.2, 0, 0.4]], dtype=torch.float64)
    problem = Problem(unit(randn(3, 4, 3).abs()))
    whole = group_minimum(problem, [0, 1, 2], moments=Moments(C))
    part = group_minimum(problem, [0, 2], moments=Moments(C))
    assert whole.features == part.features == [0, 2] and torch.equal(whole.z, part.z)
    none = group_minimum(problem, [1], moments=Moments(C))
    assert none.verdict is Verdict.GLOBAL and none.loss == 0 and none.z.shape == (0,)


def test_always_active_together_is_one_feature():
    """det C = 0: loss 0, no trap."""
    problem = Problem(from_gram([[1, 0.2], [0.2, 1]]))
    minimum = group_minimum(problem, [0, 1], moments=Moments([[0.3, 0.6], [0.6, 1.2]]))
    assert minimum.verdict is Verdict.GLOBAL and minimum.loss == 0


def test_bad_input_is_named():
    problem, C = Problem(torch.eye(3, dtype=torch.float64)), torch.eye(2, dtype=torch.float64)
    for arguments, words in (
        (dict(moments=Moments(C)), "moments are of n = 2 features, the problem has n = 3"),
        (dict(moments=C), "moments must be .*Moments"),
        (dict(l1=0.1), "l1 = 0.1 needs moments with m.*one_at_a_time"),
        (dict(l1=-0.1), "l1 must be a finite number >= 0"),
        (dict(l1=math.nan), "l1 must be"),
        (
            dict(l1=0.1, moments=Moments(torch.eye(3))),
            "l1 = 0.1 needs m = E.x.: build Moments.C, m",
        ),
    ):
        with pytest.raises(ValueError, match=words):
            group_minimum(problem, [0, 1], **arguments)
