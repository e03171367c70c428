"""Our findings on the true loss at finite sparsity, and with an L1 penalty: when a shared neuron is
a trap there, and the dropped hypothesis without which each fails.
"""

from __future__ import annotations

import torch

from ...activations import JumpReLU, ReLU
from ...problem import Problem
from ...theory.counterexamples import from_gram
from ...theory.groups import group_minimum
from ...theory.pair_law import pair_law
from ...theory.partial_minimum import partial_minimum
from ...theory.patterns import pattern
from ...theory.persist import persist
from ...theory.prevalence import prevalence
from ...theory.second_order import second_order
from ...theory.true_loss import penalized_loss, true_certificate
from ...theory.verdict import Verdict
from ...truth.magnitudes import Constant
from ...truth.moments import Moments
from ...truth.sampling import SparseFeatures
from ...weights import Weights
from .claims import Claim, Seen, register, seeded, show

SPARSITY: list[Claim] = []
finding = register(SPARSITY, ours=True)
ONE = Constant(1.0)
eye = lambda n: torch.eye(n, dtype=torch.float64)


def _pair(rho: float) -> Problem:
    return Problem(from_gram([[1, rho], [rho, 1]]))


def _at(problem: Problem, group: list[int], moments: Moments, l1: float = 0.0):
    """A group's stationary point of the true loss as weights, one neuron; None if it has none."""
    found = group_minimum(problem, group, moments=moments, l1=l1)
    if not found.exists:
        return found, None
    w_E = torch.linalg.lstsq(problem.W_p[:, group].mT, found.z, driver="gelsd").solution
    return found, Weights(w_E[None], found.w_D[:, None])


@finding(
    "3.7",
    "3.6",
    "in the true loss a pair in one neuron is a trap if and only if rho + kappa > 0, kappa the "
    "cosine of the two activations (1 - S if independent, of magnitude 1): sparsity makes saddles, "
    "density traps",
    problem="cosines -.9 to .9, S = .99 to .1, 2^2 supports enumerated; then moments (1, .3)",
    call="pair_law, true_certificate",
)
def _pairs():
    agree = cases = 0
    for rho in (-0.9, -0.6, -0.35, -0.15, 0.15, 0.35, 0.6, 0.9):
        for S in (0.99, 0.9, 0.7, 0.5, 0.1):
            law = SparseFeatures(2, S, ONE)
            _, weights = _at(_pair(rho), [0, 1], law.moments())
            seen = true_certificate(_pair(rho), weights, ReLU(), law).check()
            agree += seen.verdict is pair_law(rho, 1 - S)
            cases += 1
    uneven = group_minimum(
        _pair(-0.4), [0, 1], moments=Moments([[1.0, 0.25], [0.25, 0.3]], [1.0, 0.5])
    )
    return Seen(
        f"{agree} of {cases} agree; needs equal moments: with (1, .3), where -b/m_2 < rho < -b/m_1,"
        f" {uneven.verdict}",
        agree == cases and uneven.verdict is Verdict.NONE,
    )


@finding(
    "3.7",
    "3.6",
    "... and a group of any size, where all cosines are >= 0 and cosines or activations connect "
    "it, is one at every sparsity (Perron-Frobenius)",
    problem="6 features, cosines 0 but for a chain of .2, S = .99, .5, .1; orthogonal features; "
    "then two chains without a link, never active together",
    call="group_minimum(problem, group, moments=...)",
)
def _connected():
    chain = eye(6) + 0.2 * (torch.ones(6, 6).triu(1).tril(1) + torch.ones(6, 6).tril(-1).triu(-1))
    whole, group = Problem(from_gram(chain.tolist())), list(range(6))
    at = lambda problem, moments: group_minimum(problem, group, moments=moments).verdict
    laws = [SparseFeatures(6, S, ONE).moments() for S in (0.99, 0.5, 0.1)]
    linked = [at(whole, law) for law in laws] + [at(Problem(eye(6)), law) for law in laws]
    chain[2, 3] = chain[3, 2] = 0
    alone = Moments(0.1 * eye(6), 0.1 * torch.ones(6, dtype=torch.float64))
    apart = at(Problem(from_gram(chain.tolist())), alone)
    return Seen(
        f"{sum(one is Verdict.TRAP for one in linked)} of {len(linked)} traps; without a link: "
        f"{apart}",
        all(one is Verdict.TRAP for one in linked) and apart is not Verdict.TRAP,
    )


@finding(
    "3.7",
    "3.6",
    "traps among random groups are rare in the limit of Theorem 3.7 and common where data are "
    "denser and interference small",
    problem="300 groups of 11 random directions, n_p = 768, then 64; S = .99, .97, .9",
    call="prevalence(768, [11], S)",
)
def _prevalence():
    shares = {
        n_p: [row.share for row in prevalence(n_p, [11], [0.99, 0.97, 0.9], generator=seeded(0))]
        for n_p in (768, 64)
    }
    said = "; ".join(
        f"n_p = {n_p}: " + ", ".join(f"{share:.2f}" for share in found)
        for n_p, found in shares.items()
    )
    wide, narrow = shares[768], shares[64]
    return Seen(
        f"{said}; needs small interference",
        wide[0] < 0.2 and wide[2] > 0.99 and narrow[2] < 0.6 and wide == sorted(wide),
    )


@finding(
    "3.7",
    "3.6",
    "an L1 penalty on activations times column norms turns traps of weakly related features into "
    "saddles, and hardly those of siblings; without the norms in it the penalty is void",
    problem="cosines .1 and .6, M_d = 1, one at a time, lam/2 m/a = .3; then (t w_E, w_D/t)",
    call="pair_law(rho, kappa, shrink)",
)
def _penalty():
    law = SparseFeatures(2, 0.9, ONE)
    alone = law.moments(one_at_a_time=True)
    verdicts = []
    for rho in (0.1, 0.6):
        found, _ = _at(_pair(rho), [0, 1], alone, l1=0.6)
        verdicts.append(found.verdict)
        assert found.verdict is pair_law(rho, 0.0, 0.3)
    _, weights = _at(_pair(0.6), [0, 1], law.moments())
    scaled = lambda t: Weights(t * weights.W_E, weights.W_D / t)
    of = lambda t, l1: penalized_loss(_pair(0.6), scaled(t), ReLU(), law, l1=l1)
    moved = abs(of(1e-3, 0.6) - of(1.0, 0.6))
    codes = lambda t: (scaled(t).W_E @ _pair(0.6).W_p).sum().item()
    left = codes(1e-3) / codes(1.0)
    return Seen(
        f"cosine .1: {verdicts[0]}, .6: {verdicts[1]}; t = .001: loss and penalty move by "
        f"{show(moved)}, a penalty without norms falls to {show(left)} of itself",
        verdicts == [Verdict.SADDLE, Verdict.TRAP] and moved < 1e-12 and left < 0.01,
    )


@finding(
    "3.7",
    "3.6",
    "several groups under ReLU: a trap of Lt is left by the true loss at any S < 1, unless the "
    "groups are orthogonal; a threshold protects it",
    problem="two pairs at cosine .6, across 0, then .4; S = .9999; JumpReLU(.3)",
    call="persist(problem, weights, sigma, S)",
)
def _several():
    said, seen = [], []
    for across, sigma in ((0.0, ReLU()), (0.4, ReLU()), (0.4, JumpReLU(0.3))):
        G = torch.kron(eye(2), torch.tensor([[1, 0.6], [0.6, 1]], dtype=torch.float64))
        G[0, 2:] = G[2:, 0] = across
        problem = Problem(from_gram(G.tolist()))
        start = partial_minimum(problem, pattern([[0, 1], [2, 3]], 4, 2), sigma)
        end = persist(problem, start.weights, sigma, [0.9999])[0]
        kept = start.verdict is Verdict.TRAP and end.same and end.verdict is Verdict.TRAP
        said.append(f"{sigma}, {across:g}: {'stays' if kept else 'leaves'}")
        seen.append(kept)
    return Seen("; ".join(said), seen == [True, False, True])


@finding(
    "3.7",
    "3.6",
    "where neurons share features, second derivatives decide: two rows that do one's work are a "
    "saddle, two that span the top two eigenvectors a trap (the first needs a spare row)",
    problem="cosine .6, two equal rows on both features; cosines .7, .6, .5, rows v_1 +- .3 v_2",
    call="second_order(problem, weights)",
)
def _overlap():
    mean = _pair(0.6).W_p.mean(1)
    twice = Weights(torch.stack([mean, mean]) / 0.8, torch.stack([mean, mean], 1) / 2)
    saddle = second_order(_pair(0.6), twice).check()
    three = Problem(from_gram([[1, 0.7, 0.6], [0.7, 1, 0.5], [0.6, 0.5, 1]]))
    last, first = torch.linalg.eigh(three.W_r.mT @ three.W_r).eigenvectors[:, 1:].unbind(1)
    first = first.abs()  # Perron's, positive throughout
    y = torch.stack([first + 0.3 * last, first - 0.3 * last], 1)  # both rows fire for all three
    W_E = torch.linalg.solve(three.W_p.mT, y).mT
    both = Weights(W_E, torch.linalg.lstsq(y, three.W_r.mT).solution.mT)
    shared = second_order(three, both).check()
    return Seen(
        f"{saddle.verdict}, least curvature {show(saddle.curvature, 3)}; {shared.verdict}, "
        f"{show(shared.curvature, 3)}",
        [saddle.verdict, shared.verdict] == [Verdict.SADDLE, Verdict.TRAP],
    )
