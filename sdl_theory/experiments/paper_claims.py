"""The paper's claims (arXiv:2512.05534, or the authors' walkthrough where the number says so), each
with its check.
"""

from __future__ import annotations

import math

import torch

from ..activations import JumpReLU, ReLU, TopK
from ..measure.matching import best_matches
from ..problem import Problem
from ..theory.absorption import absorb
from ..theory.biconvexity import gradients, hessian
from ..theory.certify import certify
from ..theory.counterexamples import from_gram, in_plane, no_child_can_leave
from ..theory.gap_bound import loss_gap_bound
from ..theory.global_minimum import ideal_loss, ideal_weights, mirrored_weights
from ..theory.loss import approximate_loss, exact_loss, squared_errors
from ..theory.partial_minimum import partial_minimum, printed_recipe
from ..theory.patterns import pattern
from ..theory.realize import realize
from ..theory.verdict import Verdict
from ..truth.directions import imagenet_directions
from ..truth.features import feature_matrix, hierarchy
from ..truth.sampling import Constant, SparseFeatures
from ..weights import Weights
from .claims import FAILS, HOLDS, HYPOTHESIS, ZERO, Claim, Seen, register, seeded, show

PAPER: list[Claim] = []
claim = register(PAPER, ours=False)


def _eight(S: float):
    """Eight features of magnitude 1 in six dimensions at sparsity S, and a random model."""
    features = SparseFeatures(8, S, Constant(1.0))
    problem = Problem(feature_matrix(8, 6, 0.6, generator=seeded(0)), M_d=features.M_d)
    W_E = torch.randn(10, 6, generator=seeded(1), dtype=torch.float64)
    return (
        features,
        problem,
        Weights(W_E, torch.randn(6, 10, generator=seeded(2), dtype=torch.float64)),
    )


def _jumprelu_gap(q: float) -> float:
    """L - Lt at W*: one feature of magnitude .4 under JumpReLU(.5), active with probability q."""
    features = SparseFeatures(1, 1 - q, Constant(0.4))
    problem = Problem(torch.ones(1, 1, dtype=torch.float64), M_d=features.M_d)
    weights, sigma = ideal_weights(problem, 1), JumpReLU(0.5)
    return (
        exact_loss(problem, weights, sigma, features) - approximate_loss(problem, weights, sigma)
    ).item()


@claim(
    "3.1",
    "3.1",
    "|L - Lt| = O((1-S)^2)",
    "n=8, n_p=6, magnitudes 1, all 256 supports, S=.9999; then JumpReLU(.5)",
    HYPOTHESIS,
    "loss_gap_bound",
)
def _gap():
    features, problem, weights = _eight(0.9999)
    gap = (
        exact_loss(problem, weights, ReLU(), features) - approximate_loss(problem, weights)
    ).item() / 1e-8
    pairs = torch.combinations(torch.arange(8))
    x = torch.zeros(28, 8, dtype=torch.float64).scatter_(1, pairs, 1.0)
    limit = squared_errors(problem, weights, ReLU(), x).sum().item()
    bound = loss_gap_bound(problem, weights, ReLU(), features)
    relu = abs(gap / limit - 1) < 2e-3 and 0 <= gap * 1e-8 <= bound.tight and bound.applies
    return Seen(
        f"ReLU: (L-Lt)/(1-S)^2 = {show(gap)}, sum of pair errors {show(limit)}; needs sigma(tz) = "
        f"t sigma(z)",
        relu,
        _first_order(),
    )


def _first_order() -> bool:
    """(L - Lt)/(1-S) tends to a number other than 0: so L - Lt is not O((1-S)^2)."""
    far, near = _jumprelu_gap(1e-4) / 1e-4, _jumprelu_gap(1e-6) / 1e-6
    return abs(near) > 0.1 and abs(far / near - 1) < 1e-3


@claim(
    "3.1",
    "3.1",
    "... for every sigma with sigma(z)_i in {0, z_i} (Eq. 10)",
    "JumpReLU(.5), magnitude .4, W*, 1-S = 1e-4 and 1e-6",
    FAILS,
    "exact_loss, approximate_loss",
)
def _jumprelu():
    return Seen(
        f"(L-Lt)/(1-S) = {show(_jumprelu_gap(1e-4) / 1e-4)}, {show(_jumprelu_gap(1e-6) / 1e-6)}: "
        f"first order, not second",
        False,
        _first_order(),
    )


@claim(
    "3.1",
    "3.1",
    "... with M_d = Pr(x = x_d e_d) E[x_d^2 | x_d > 0], to the letter",
    "n=8, magnitudes 1, S=.9999 and .999999",
    FAILS,
    "SparseFeatures(8, .9999).M_d",
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
        f"counts x = 0: M_d = {show(printed)}, where {show(meant)} is meant; Lt - L = "
        f"{show(gaps[0])}, {show(gaps[1])} does not fall with 1-S",
        False,
        abs(gaps[1] / gaps[0] - 1) < 0.01
        and gaps[1] > 1
        and abs(printed * 1e-4 / meant - 1) < 1e-9,
    )


@claim(
    "3.2",
    "3.2",
    "biconvex inside a region",
    "50 random problems, n=6, n_p=4, n_r=5, n_q=5",
    HOLDS,
    "gradients, hessian",
)
def _biconvex():
    worst_gradient, least, joint = 0.0, math.inf, math.inf
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
            least = min(
                least,
                *(
                    torch.linalg.eigvalsh(hessian(problem, weights, ReLU(), b)).min().item()
                    for b in "DE"
                ),
            )
            joint = min(joint, torch.linalg.eigvalsh(hessian(problem, weights)).min().item())
    return Seen(
        f"gradients differ from autograd by {show(worst_gradient)}; least eigenvalue of a block "
        f"{show(least)}, of the joint Hessian {show(joint, 3)}",
        worst_gradient < ZERO and least > -ZERO and joint < 0,
    )


@claim(
    "3.3",
    "3.3",
    "W* = [W_r, 0], [W_p^T; 0] has near-zero loss, O((1-S) mu^2)",
    "n=12, n_p=8, mu <= .4, M_d=1 (they bring the factor 1-S)",
    HOLDS,
    "ideal_loss",
)
def _ideal():
    problem = Problem(feature_matrix(12, 8, 0.4, generator=seeded(0)))
    bounds, direct = (
        ideal_loss(problem),
        approximate_loss(problem, ideal_weights(problem, 14)).item(),
    )
    zero = approximate_loss(problem, ideal_weights(problem, 14), JumpReLU(0.4)).item()
    return Seen(
        f"Lt(W*) = {direct:.3f} <= {bounds.by_neurons:.3f} <= {bounds.paper:.1f}; JumpReLU(theta "
        f">= mu): {show(zero)}",
        abs(direct - bounds.exact) < ZERO
        and bounds.exact <= bounds.by_neurons <= bounds.paper
        and zero < ZERO,
    )


@claim(
    "walkthrough, section 3",
    "",
    "W* is what the global minimum looks like",
    "n=6, n_p=8, mu > 0: ReLU, then JumpReLU just above mu",
    HYPOTHESIS,
    "certify(problem, ideal_weights(problem, 6))",
)
def _not_stationary():
    problem = Problem(feature_matrix(6, 8, 0.6, generator=seeded(3)))
    star = certify(problem, ideal_weights(problem, 6))
    silent = certify(problem, ideal_weights(problem, 6), JumpReLU(problem.mu + 1e-9))
    return Seen(
        f"ReLU: {star.verdict}, loss {show(star.loss)}, relative grad_E {show(star.grad_E)}; "
        f"JumpReLU: {silent.verdict}; needs mu <= theta < 1",
        silent.verdict is Verdict.GLOBAL,
        star.verdict is Verdict.NOT_STATIONARY and star.grad_E > 0.01,
    )


@claim(
    "3.4",
    "3.4",
    "zero loss without recovering any feature",
    "n=100, n_p=77, n_q=200, A a random rotation",
    HOLDS,
    "mirrored_weights",
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
    "n=4, n_p=2, n_q=4, a point of its kind: features at 10, 100, 190, 280 degrees",
    HOLDS,
    "mirrored_weights, certify",
)
def _opposite_pairs():
    problem = Problem(in_plane(10, 100, 190, 280))
    weights = mirrored_weights(problem, 4, in_plane(55, 145).mT)
    seen, best = certify(problem, weights), best_matches(weights.W_E, problem.W_p)
    return Seen(
        f"{seen.verdict}, loss {show(seen.loss)}; best encoder cosine {show(best.max())}",
        seen.verdict is Verdict.GLOBAL and best.max() < 0.9,
    )


def _plane(weight: float) -> Problem:
    return Problem(
        torch.eye(2, dtype=torch.float64), M_d=torch.tensor([1.0, weight], dtype=torch.float64)
    )


@claim(
    "3.7",
    "3.6",
    "any realizing encoder + least squares is a partial minimum (its proof)",
    "W=I_2, M_d=(1,2), w_E=(1,1)",
    FAILS,
    "printed_recipe, gradients",
)
def _printed():
    g = gradients(
        _plane(2.0),
        printed_recipe(_plane(2.0), pattern([[0, 1]], 2, 1), torch.ones(1, 2, dtype=torch.float64)),
    )
    return Seen(
        f"|grad_D| = {show(g.W_D.norm())}, |grad_E| = {show(g.W_E.norm())} = 4 sqrt(2)/9",
        False,
        g.W_D.norm() < ZERO and g.W_E.norm() > 0.1,
    )


@claim(
    "3.7",
    "3.6",
    "every realizable polysemantic partition has a partial minimum",
    "W=I_2, M_d=(1,2), {1,2}",
    FAILS,
    "partial_minimum",
)
def _sharp():
    problem, P = _plane(2.0), pattern([[0, 1]], 2, 2)
    realizable, answer = realize(problem, P).check().feasible, partial_minimum(problem, P)
    # every row of Omega_P, up to scale
    W_E = torch.rand(1000, 2, generator=seeded(0), dtype=torch.float64) + 1e-3
    least = min(
        gradients(problem, printed_recipe(problem, P[:1], w[None] / w.norm())).W_E.norm().item()
        for w in W_E
    )
    return Seen(
        f"realizable: {'yes' if realizable else 'no'}; partial minimum: {answer.verdict}; K = "
        f"diag(1,2) has no positive eigenvector",
        False,
        realizable and answer.verdict is Verdict.NONE and least > 1e-6,
    )


@claim(
    "Example 3.5",
    "",
    "a partial minimum of positive loss",
    "its setting (orthonormal directions, equal M_d): W=I_2, M_d=(1,1), 100 encoders; the printed "
    "numbers not used",
    HOLDS,
    "printed_recipe, certify",
)
def _example():
    problem, P = _plane(1.0), pattern([[0, 1]], 2, 1)
    rows = torch.rand(100, 1, 2, generator=seeded(0), dtype=torch.float64) + 0.1
    seen = [certify(problem, printed_recipe(problem, P, row)) for row in rows]
    worst = max(max(one.grad_D, one.grad_E) for one in seen)
    losses = [one.loss for one in seen]
    return Seen(
        f"largest relative gradient {show(worst)}, loss {show(max(losses))} each time",
        worst < ZERO and max(losses) - min(losses) < ZERO and min(losses) > 0.1,
    )


@claim(
    "walkthrough, section 4",
    "",
    "gradient descent can become permanently trapped at every such point",
    "one pair at cosine rho, second neuron strictly dead",
    HYPOTHESIS,
    "partial_minimum, hessian",
)
def _trap():
    seen, curvature = {}, {}
    for rho in (0.6, 0.2, -0.2, -0.6):
        problem = Problem(from_gram([[1, rho], [rho, 1]]))
        answer = partial_minimum(problem, pattern([[0, 1]], 2, 2))
        seen[rho], curvature[rho] = (
            answer.verdict,
            torch.linalg.eigvalsh(hessian(problem, answer.weights)).min().item(),
        )
    traps = all(seen[rho] is Verdict.TRAP and curvature[rho] > -ZERO for rho in (0.6, 0.2))
    saddles = all(seen[rho] is Verdict.SADDLE and curvature[rho] < -0.01 for rho in (-0.2, -0.6))
    return Seen(
        ", ".join(f"rho={rho:g}: {v}" for rho, v in seen.items())
        + '; needs a top eigenvalue; on "permanently" see our findings',
        traps,
        saddles,
    )


@claim(
    "3.10",
    "3.8",
    "some sub-concept can be absorbed, pattern realizable (v6's wording)",
    "unit vectors at 0, 60, 160, 260 degrees, parents {2,3},{4,1}; 200 random hierarchies, theta = "
    ".3",
    HYPOTHESIS,
    "absorb; realize(...).certificate.check()",
)
def _absorb():
    problem, parents = no_child_can_leave()
    whole = realize(problem, pattern(parents, 4, 3)).check().feasible
    split = [
        pattern([[d for d in F if d != child] for F in parents] + [[child]], 4, 3)
        for child in range(4)
    ]
    refuted = [realize(problem, P).check() for P in split]
    leaves = sum(realize(problem, P, JumpReLU(0.3)).check().feasible for P in split)
    done = tried = 0
    for seed in range(200):
        tree = hierarchy(2, 3, 10, 0.7 + 0.25 * (seed % 7) / 7, generator=seeded(seed))
        family, sigma = (
            Problem(tree.W_p, M_d=torch.rand(6, generator=seeded(seed), dtype=torch.float64) + 0.5),
            JumpReLU(0.3),
        )
        parent = partial_minimum(family, pattern(tree.groups, 6, 4), sigma)
        if parent.exists:
            tried, done = tried + 1, done + absorb(family, parent.weights, sigma, 0).realizable
    none = whole and all(not one.feasible and one.certificate for one in refuted)
    return Seen(
        f"theta = 0: {sum(one.feasible for one in refuted)} of 4 children can leave (Farkas' "
        f"weights); theta = .3: {leaves} of 4, and in {done} of {tried} hierarchies; "
        "needs theta > 0 and a unique smallest child",
        leaves == 4 and done == tried > 150,
        none,
    )


@claim(
    "3.10, walkthrough",
    "",
    "any sub-concept can be absorbed",
    "w_2 ~ w_1 + w_3, parent {1,2,3}, child 2",
    FAILS,
    "realize(problem, P', sigma).certificate.check()",
)
def _any():
    W = from_gram([[1, 0.3], [0.3, 1]])
    problem = Problem(torch.stack([W[:, 0], W.sum(1) / W.sum(1).norm(), W[:, 1]], 1))
    before, P = pattern([[0, 1, 2]], 3, 3), pattern([[0, 2], [1]], 3, 3)
    parent = all(
        realize(problem, before, sigma).check().feasible for sigma in (ReLU(), JumpReLU(0.5))
    )
    answers = [realize(problem, P, sigma).check() for sigma in (ReLU(), JumpReLU(0.5))]
    return Seen(
        "infeasible at theta = 0 and at every theta > 0, with Farkas' weights",
        False,
        parent and all(not a.feasible and a.certificate for a in answers),
    )


@claim(
    "walkthrough, section 5",
    "",
    "the absorbed pattern is a spurious partial minimum",
    "parent {1,2,3}, cosines 13, 23: .5, child 3; 12: 0 with M_d=(1,2,1), then .5",
    HYPOTHESIS,
    "partial_minimum(problem, absorption.pattern, sigma)",
)
def _absorbed():
    sigma, P, seen = JumpReLU(0.3), pattern([[0, 1], [2]], 3, 3), []
    for rho in (0.0, 0.5):
        problem = Problem(
            from_gram([[1, rho, 0.5], [rho, 1, 0.5], [0.5, 0.5, 1]]),
            M_d=torch.tensor([1.0, 2.0, 1.0], dtype=torch.float64),
        )
        seen.append(
            (
                realize(problem, P, sigma).check().feasible,
                partial_minimum(problem, P, sigma).verdict,
            )
        )
    return Seen(
        f"realizable both times; cosine 0: {seen[0][1]}, cosine .5: {seen[1][1]}; needs a positive "
        f"eigenvector of what is left",
        seen[1] == (True, Verdict.TRAP),
        seen[0] == (True, Verdict.NONE),
    )


@claim(
    "abstract",
    "",
    "feature anchoring restores identifiability (read as: of the features not anchored)",
    "ReLU, 3 orthonormal features, 1 anchored, A = diag(1, B), B a turn by 45 degrees",
    FAILS,
    "mirrored_weights, certify",
)
def _anchored():
    three, c = Problem(torch.eye(3, dtype=torch.float64)), math.sqrt(0.5)
    weights = mirrored_weights(
        three, 6, torch.tensor([[1, 0, 0], [0, c, c], [0, -c, c]], dtype=torch.float64)
    )
    pull = (weights.W_E[0] - three.W_p[:, 0]).square().sum() + (
        weights.W_D[:, 0] - three.W_r[:, 0]
    ).square().sum()
    loss, best = certify(three, weights).loss, best_matches(weights.W_D.mT, three.W_r)
    top_1 = approximate_loss(three, weights, TopK(1)).item()
    return Seen(
        f"loss {show(loss)}, anchor term {show(pull)}; best decoder cosines "
        f"{', '.join(show(b) for b in best)}; Top-1 excludes this point (loss {show(top_1, 3)})",
        False,
        loss < ZERO and pull < ZERO and best[1:].max() < 0.9 and top_1 > 0.1,
    )


@claim(
    "walkthrough, Figure 5",
    "",
    "Border Collie can be absorbed out of Dog",
    "118 breeds, 1000 ImageNet directions, JumpReLU(.02)",
    HOLDS,
    "absorb, partial_minimum",
    real=True,
)
def _collie():
    d = imagenet_directions()
    problem, sigma, dogs = Problem(d.W_p), JumpReLU(0.02), d.group("dog")
    others = [[k] for k in range(problem.n) if k not in set(dogs)]
    parent = partial_minimum(problem, pattern([dogs, *others], problem.n, len(others) + 2), sigma)
    collie = absorb(problem, parent.weights, sigma, 0, d.index("Border Collie"))
    rest = partial_minimum(problem, collie.pattern, sigma)
    return Seen(
        f"Dog {parent.loss:.3f} ({parent.verdict}) -> without Border Collie {rest.loss:.3f} "
        f"({rest.verdict})",
        parent.verdict is Verdict.TRAP
        and collie.realizable
        and rest.verdict is Verdict.TRAP
        and rest.loss < parent.loss,
    )
