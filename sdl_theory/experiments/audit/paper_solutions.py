"""The paper's claims on solutions, checked: Theorem 3.3's ideal point, Theorem 3.4, Figure 4.

The latter two: loss zero without recovery.
"""

from __future__ import annotations

import torch

from ...activations import JumpReLU, ReLU
from ...measure.matching import best_matches
from ...problem import Problem
from ...theory.certify import certify
from ...theory.counterexamples import in_plane
from ...theory.global_minimum import ideal_loss, ideal_weights, mirrored_weights
from ...theory.loss import approximate_loss, squared_errors
from ...theory.verdict import Verdict
from ...truth.features import feature_matrix
from ...truth.sampling import SparseFeatures
from .claims import HOLDS, HYPOTHESIS, ZERO, Claim, Seen, register, seeded, show

SOLUTIONS: list[Claim] = []
claim = register(SOLUTIONS, ours=False)


@claim(
    "3.3",
    "3.3",
    "W* = [W_r, 0], [W_p^T; 0] has near-zero loss, O((1-S) mu^2)",
    problem="n=12, n_p=8, mu <= .4, M_d=1 (they bring the factor 1-S)",
    expected=HOLDS,
    call="ideal_loss",
)
def _ideal():
    problem = Problem(feature_matrix(12, 8, 0.4, generator=seeded(0)))
    bounds, star = ideal_loss(problem), ideal_weights(problem, 14)
    direct = approximate_loss(problem, star).item()
    zero = approximate_loss(problem, star, JumpReLU(0.4)).item()
    return Seen(
        f"Lt(W*) = {direct:.3f} <= {bounds.by_neurons:.3f} <= {bounds.paper:.1f}; "
        f"JumpReLU(theta >= mu): {show(zero)}",
        abs(direct - bounds.exact) < ZERO
        and bounds.exact <= bounds.by_neurons <= bounds.paper
        and zero < ZERO,
    )


@claim(
    "walkthrough, section 3",
    "",
    "W* is what the global minimum looks like",
    problem="n=6, n_p=8, mu > 0: ReLU, then JumpReLU just above mu",
    expected=HYPOTHESIS,
    call="certify(problem, ideal_weights(problem, 6))",
)
def _not_stationary():
    problem = Problem(feature_matrix(6, 8, 0.6, generator=seeded(3)))
    star = certify(problem, ideal_weights(problem, 6))
    silent = certify(problem, ideal_weights(problem, 6), JumpReLU(problem.mu + 1e-9))
    return Seen(
        f"ReLU: {star.verdict}, loss {show(star.loss)}, relative grad_E {show(star.grad_E)}; "
        f"JumpReLU: {silent.verdict}; needs mu <= theta < 1",
        holds=silent.verdict is Verdict.GLOBAL,
        refuted=star.verdict is Verdict.NOT_STATIONARY and star.grad_E > 0.01,
    )


@claim(
    "3.4",
    "3.4",
    "zero loss without recovering any feature",
    problem="n=100, n_p=77, n_q=200, A a random rotation",
    expected=HOLDS,
    call="mirrored_weights",
)
def _mirrored():
    problem = Problem(feature_matrix(100, 77, 0.35, generator=seeded(0)))
    A = torch.linalg.qr(torch.randn(77, 77, generator=seeded(1), dtype=torch.float64)).Q
    weights = mirrored_weights(problem, 200, A)
    x = SparseFeatures(100, 0.9).sample(500, seeded(2))
    error = squared_errors(problem, weights, ReLU(), x).max().item()
    best = (weights.W_E[:154] @ problem.W_p).max(0).values
    return Seen(
        f"largest squared error on 500 samples of S = .9: {show(error)}; best encoder cosine "
        f"{show(best.max(), 3)}, found at .9: {(best > 0.9).double().mean():.0%}",
        error < 1e-20 and best.max() < 0.9,
    )


@claim(
    "Figure 4",
    "",
    "loss 0 in the plane, encoder rows in opposite pairs",
    problem="n=4, n_p=2, n_q=4, a point of its kind: features at 10, 100, 190, 280 degrees",
    expected=HOLDS,
    call="mirrored_weights, certify",
)
def _opposite_pairs():
    problem = Problem(in_plane(10, 100, 190, 280))
    weights = mirrored_weights(problem, 4, in_plane(55, 145).mT)
    seen, best = certify(problem, weights), best_matches(weights.W_E, problem.W_p)
    return Seen(
        f"{seen.verdict}, loss {show(seen.loss)}; best encoder cosine {show(best.max())}",
        seen.verdict is Verdict.GLOBAL and best.max() < 0.9,
    )
