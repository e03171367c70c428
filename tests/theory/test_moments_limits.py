"""Where descents end, and the hypotheses of one neuron's true loss, dropped one at a time."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from strategies import randn
from worlds_for_tests import LAWS, World, make

from sdl_theory import (
    Constant,
    Problem,
    ReLU,
    SparseFeatures,
    Verdict,
    Weights,
    exact_loss,
    group_minimum,
)
from sdl_theory.theory.counterexamples import from_gram


def everything(world, l1=0.0):
    return group_minimum(world.problem, range(world.problem.n), moments=world.moments, l1=l1)


def descended(world, start, l1=0.0):
    """Where quasi-Newton descent of the world's own loss ends."""
    n_p = world.problem.n_p

    def both(v):
        v = torch.tensor(v, requires_grad=True)
        loss = world.objective(v[:n_p], v[n_p:], l1)
        (slope,) = torch.autograd.grad(loss, v)
        return loss.item(), slope.numpy()

    found = minimize(both, start, jac=True, method="BFGS", options=dict(gtol=1e-9, maxiter=500))
    return found.x, found.fun


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("l1", [0.0, 0.1])
def test_descents_from_nudges_stay_in_traps_and_leave_saddles(seed, l1):
    world = make(LAWS[seed % 4], ("sae", "transcoder", "dependent")[seed % 3], seed, 3)
    minimum = everything(world, l1)
    if minimum.verdict not in (Verdict.TRAP, Verdict.SADDLE):
        return
    here = np.concatenate([w.numpy() for w in world.at(minimum)])
    losses = [descended(world, here + 1e-3 * randn(k, len(here)).numpy(), l1)[1] for k in range(4)]
    tall = 1e-8 * world.scale
    if minimum.verdict is Verdict.TRAP:
        assert max(abs(loss - minimum.loss) for loss in losses) < tall
    else:  # quasi-Newton steps may stop close to it
        assert min(losses) < minimum.loss - 1e-4 * world.scale


@pytest.mark.parametrize("law", ["independent", "correlated", "exclusive"])
@pytest.mark.parametrize("seed", range(5))
def test_no_other_minimum_fires_on_every_sample(law, seed):
    """From 40 starts: every descent that ends firing on all samples ends at the trap.

    Each feature is sometimes alone, so that firing on every sample is z > 0.
    """
    world = make(law, "sae", seed, 3)
    minimum, n_p = everything(world), world.problem.n_p
    heard = world.x[(world.p > 0) & (world.x.sum(1) > 0)]
    ends = 0
    for k in range(40):
        v, loss = descended(world, 0.5 * randn(100 * seed + k, 2 * n_p).numpy())
        z = heard @ world.problem.W_p.mT @ torch.from_numpy(v[:n_p])
        if z.min() > 1e-4 * z.max() > 0:
            ends += 1
            assert minimum.verdict is Verdict.TRAP
            assert loss == pytest.approx(minimum.loss, abs=1e-7 * world.scale)
    assert ends or minimum.verdict is not Verdict.TRAP


def test_where_no_feature_is_alone_mixed_signs_may_be_a_trap():
    """Dropped: that z > 0 is needed. A child that implies its parent: `none` is not "no trap"."""
    x = torch.tensor([[1.0, 0.0], [1.0, 1.0]], dtype=torch.float64)
    world = World(
        Problem(from_gram([[1, -0.9], [-0.9, 1]])),
        x,
        torch.tensor([0.8, 0.2], dtype=torch.float64),
    )
    assert everything(world).verdict is Verdict.NONE
    v, loss = descended(world, np.array([1.0, 0.0, 1.0, 0.0]))
    z = world.problem.W_p.mT @ torch.from_numpy(v[:2])
    assert z[1] / z[0] == pytest.approx(-0.667 / 0.745, abs=1e-2) and loss < 0.039
    w_E, w_D = torch.from_numpy(v[:2]), torch.from_numpy(v[2:])
    assert world.least_curvature(w_E, w_D) > 0.01


@pytest.mark.parametrize(
    "G, encoder_leaks, decoder_leaks",
    [
        ([[1, 0.3, 0], [0.3, 1, 0], [0, 0, 1]], False, False),
        ([[1, 0.3, 0.4], [0.3, 1, 0], [0.4, 0, 1]], True, False),
        ([[1, 0.6, 0.1, 0], [0.6, 1, 0.3, 0], [0.1, 0.3, 1, 0], [0, 0, 0, 1]], False, True),
    ],
)
def test_other_active_features_leak(G, encoder_leaks, decoder_leaks):
    """Dropped: that the group is the whole world. The last feature o has a neuron of its own.

    It stays still only if w_r^o is orthogonal to the group's residual r (else its row moves) and
    if E[r x_o] = 0 (else its column moves): in an equal pair, r_1 = -r_2, but not in three.
    """
    W_r, n = from_gram(G), len(G)
    features = SparseFeatures(n, 0.8, Constant(1.0))
    problem = Problem(torch.eye(n, dtype=torch.float64), W_r)
    minimum = group_minimum(problem, range(n - 1), moments=features.moments())
    assert minimum.verdict is Verdict.TRAP
    # a hair below the wall of the group's features: on it, autograd sees one side
    W_E = torch.zeros(2, n, dtype=torch.float64)
    W_E[0, :-1], W_E[0, -1], W_E[1, -1], W_E[1, :-1] = minimum.z, -1e-9, 1.0, -1e-9
    W_D = torch.stack([minimum.w_D, W_r[:, -1]], 1).requires_grad_()
    loss = exact_loss(problem, Weights(W_E.requires_grad_(), W_D), ReLU(), features)
    of_E, of_D = torch.autograd.grad(loss, (W_E, W_D))
    assert loss.item() == pytest.approx(minimum.loss)
    assert (of_E[1].abs().max() > 1e-3) == encoder_leaks
    assert (of_D[:, 1].norm() > 1e-3) == decoder_leaks
    assert max(of_E[0].norm(), of_D[:, 0].norm()) < 1e-7


def test_what_no_sample_sees_may_make_a_row_fire():
    """Samples (1,1,0) and (0,1,1): z + t (1,-1,1) is the same to both, and positive for some t."""
    x = torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]], dtype=torch.float64)
    W_r = torch.tensor([[1.0, 0.0, 0.09], [0.0, 0.0, 0.28]], dtype=torch.float64)
    p = torch.tensor([0.5, 0.5], dtype=torch.float64)
    world = World(Problem(torch.eye(3, dtype=torch.float64), W_r), x, p)
    for l1 in (0.0, 0.01):
        minimum = everything(world, l1)
        assert minimum.verdict is Verdict.TRAP
        w_E, w_D = world.at(minimum)
        assert world.slope(w_E, w_D, l1) < 1e-12 and world.least_curvature(w_E, w_D, l1) > 1e-3
        seen = x @ minimum.z
        shortest = torch.linalg.lstsq(x, seen, driver="gelsd").solution
        assert minimum.z.min() > 0 > shortest.min()
