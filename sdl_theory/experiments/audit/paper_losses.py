"""The paper's claims on its two losses, checked: Theorem 3.1 on their gap, 3.2 on their shape."""

from __future__ import annotations

import math

import torch

from ...activations import JumpReLU, ReLU
from ...problem import Problem
from ...theory.biconvexity import gradients, hessian
from ...theory.gap_bound import loss_gap_bound
from ...theory.global_minimum import ideal_weights
from ...theory.loss import approximate_loss, exact_loss, squared_errors
from ...truth.features import feature_matrix
from ...truth.sampling import Constant, SparseFeatures
from ...weights import Weights
from .claims import FAILS, HOLDS, HYPOTHESIS, ZERO, Claim, Seen, register, seeded, show

LOSSES: list[Claim] = []
claim = register(LOSSES, ours=False)


def _eight(S: float):
    """Eight features of magnitude 1 in six dimensions at sparsity S, and a random model."""
    features = SparseFeatures(8, S, Constant(1.0))
    problem = Problem(feature_matrix(8, 6, 0.6, generator=seeded(0)), M_d=features.M_d)
    W_E = torch.randn(10, 6, generator=seeded(1), dtype=torch.float64)
    W_D = torch.randn(6, 10, generator=seeded(2), dtype=torch.float64)
    return features, problem, Weights(W_E, W_D)


def _jumprelu_gap(q: float) -> float:
    """L - Lt at W*: one feature of magnitude .4 under JumpReLU(.5), active with probability q."""
    features = SparseFeatures(1, 1 - q, Constant(0.4))
    problem = Problem(torch.ones(1, 1, dtype=torch.float64), M_d=features.M_d)
    weights, sigma = ideal_weights(problem, 1), JumpReLU(0.5)
    exact = exact_loss(problem, weights, sigma, features)
    return (exact - approximate_loss(problem, weights, sigma)).item()


@claim(
    "3.1",
    "3.1",
    "|L - Lt| = O((1-S)^2)",
    problem="n=8, n_p=6, magnitudes 1, all 256 supports, S=.9999; then JumpReLU(.5)",
    expected=HYPOTHESIS,
    call="loss_gap_bound",
)
def _gap():
    features, problem, weights = _eight(0.9999)
    exact = exact_loss(problem, weights, ReLU(), features)
    gap = (exact - approximate_loss(problem, weights)).item() / 1e-8
    pairs = torch.combinations(torch.arange(8))
    x = torch.zeros(28, 8, dtype=torch.float64).scatter_(1, pairs, 1.0)
    limit = squared_errors(problem, weights, ReLU(), x).sum().item()
    bound = loss_gap_bound(problem, weights, ReLU(), features)
    relu = abs(gap / limit - 1) < 2e-3 and 0 <= gap * 1e-8 <= bound.tight and bound.applies
    return Seen(
        f"ReLU: (L-Lt)/(1-S)^2 = {show(gap)}, sum of pair errors {show(limit)}; "
        f"needs sigma(tz) = t sigma(z)",
        holds=relu,
        refuted=_first_order(),
    )


def _first_order() -> bool:
    """(L - Lt)/(1-S) tends to a number other than 0: so L - Lt is not O((1-S)^2)."""
    far, near = _jumprelu_gap(1e-4) / 1e-4, _jumprelu_gap(1e-6) / 1e-6
    return abs(near) > 0.1 and abs(far / near - 1) < 1e-3


@claim(
    "3.1",
    "3.1",
    "... for every sigma with sigma(z)_i in {0, z_i} (Eq. 10)",
    problem="JumpReLU(.5), magnitude .4, W*, 1-S = 1e-4 and 1e-6",
    expected=FAILS,
    call="exact_loss, approximate_loss",
)
def _jumprelu():
    return Seen(
        f"(L-Lt)/(1-S) = {show(_jumprelu_gap(1e-4) / 1e-4)}, {show(_jumprelu_gap(1e-6) / 1e-6)}: "
        f"first order, not second",
        holds=False,
        refuted=_first_order(),
    )


@claim(
    "3.1",
    "3.1",
    "... with M_d = Pr(x = x_d e_d) E[x_d^2 | x_d > 0], to the letter",
    problem="n=8, magnitudes 1, S=.9999 and .999999",
    expected=FAILS,
    call="SparseFeatures(8, .9999).M_d",
)
def _printed_M_d():
    gaps = []
    for S in (0.9999, 0.999999):
        features, problem, weights = _eight(S)
        printed = features.M_d / (1 - S)  # Pr(x = x_d e_d) = S^(n-1) holds the event x = 0, too
        literal = approximate_loss(Problem(problem.W_p, M_d=printed), weights)
        gaps.append((literal - exact_loss(problem, weights, ReLU(), features)).item())
    meant, printed = SparseFeatures(8, 0.9999, Constant(1.0)).M_d[0].item(), 0.9999**7
    return Seen(
        f"counts x = 0: M_d = {show(printed)}, where {show(meant)} is meant; "
        f"Lt - L = {show(gaps[0])}, {show(gaps[1])} does not fall with 1-S",
        holds=False,
        refuted=abs(gaps[1] / gaps[0] - 1) < 0.01
        and gaps[1] > 1
        and abs(printed * 1e-4 / meant - 1) < 1e-9,
    )


@claim(
    "3.2",
    "3.2",
    "biconvex inside a region",
    problem="50 random problems, n=6, n_p=4, n_r=5, n_q=5",
    expected=HOLDS,
    call="gradients, hessian",
)
def _biconvex():
    worst_gradient, least, joint = 0.0, math.inf, math.inf
    bottom = lambda matrix: torch.linalg.eigvalsh(matrix).min().item()
    for seed in range(50):
        g = seeded(seed)
        rand = lambda *shape: torch.randn(*shape, generator=g, dtype=torch.float64)
        W = rand(4, 6)
        problem = Problem(W / W.norm(dim=0), rand(5, 6), rand(6).abs())
        weights = Weights(rand(5, 4).requires_grad_(), rand(5, 5).requires_grad_())
        approximate_loss(problem, weights).backward()
        closed = gradients(problem, weights)
        worst_gradient = max(
            worst_gradient,
            (closed.W_E - weights.W_E.grad).abs().max().item(),
            (closed.W_D - weights.W_D.grad).abs().max().item(),
        )
        with torch.no_grad():
            least = min(least, *(bottom(hessian(problem, weights, ReLU(), b)) for b in "DE"))
            joint = min(joint, bottom(hessian(problem, weights)))
    return Seen(
        f"gradients differ from autograd by {show(worst_gradient)}; "
        f"least eigenvalue of a block {show(least)}, of the joint Hessian {show(joint, 3)}",
        worst_gradient < ZERO and least > -ZERO and joint < 0,
    )
