"""What the paper claims, and what holds: one function a claim, run by `python -m sdl_theory verify`.

Each check computes its figure anew and says whether what we expect was seen. Numbering: the authors' walkthrough, then v6 of the paper.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from .absorption import absorb, loss_ladder
from .activations import JumpReLU, ReLU
from .biconvexity import gradients, hessian
from .certify import certify
from .directions import diagnose_groups, imagenet_directions, trap_share
from .features import feature_matrix, hierarchy
from .global_minimum import ideal_loss, ideal_weights, mirrored_weights, pseudo_inverse_weights
from .groups import group_minimum
from .loss import approximate_loss, exact_loss, loss_gap_bound, squared_errors
from .partial_minimum import partial_minimum, printed_recipe
from .patterns import pattern, realize
from .problem import Problem, Tensor, Weights
from .sampling import Constant, SparseFeatures
from .search import survey_partitions
from .verdict import Verdict

HOLDS, HYPOTHESIS, FAILS = "holds", "holds under a hypothesis the paper omits", "fails"


@dataclass(frozen=True)
class Claim:
    """A claim, where it stands, what we expect of it, and the check. `check` returns the figure and whether the expectation was met."""

    theorem: str
    v6: str
    claim: str
    problem: str
    expected: str
    call: str
    check: Callable[[], tuple[str, bool]]
    real: bool = False


@dataclass(frozen=True)
class Row:
    """One line of the audit. verdict : what was seen; ok : it is what we expect."""

    theorem: str
    claim: str
    problem: str
    figure: str
    verdict: str
    call: str
    ok: bool


CLAIMS: list[Claim] = []


def claim(theorem: str, v6: str, text: str, problem: str, expected: str, call: str, real: bool = False):
    def register(check):
        CLAIMS.append(Claim(theorem, v6, text, problem, expected, call, check, real))
        return check
    return register


def run(real: bool = False) -> Iterator[Row]:
    """Every claim on constructed problems; with `real`, those on the ImageNet directions instead."""
    for c in CLAIMS:
        if c.real == real:
            figure, ok = c.check()
            number = c.theorem if c.v6 in ("", c.theorem) else f"{c.theorem} (v6: {c.v6})"
            yield Row(number, c.claim, c.problem, figure, c.expected if ok else "UNEXPECTED", c.call, ok)


def _seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def from_gram(G) -> Tensor:
    """Directions with this Gram matrix, as the columns of an upper triangular matrix (Cholesky)."""
    return torch.linalg.cholesky(torch.as_tensor(G, dtype=torch.float64)).mT.contiguous()


def three_features(M_d) -> Problem:
    """The robust counterexample to Theorem 3.7: cosines (12: .6, 13: .3, 23: -.2). M_d = (1,1,1) a trap, (1,3,1) nothing, (.3,1,1) a saddle."""
    return Problem(from_gram([[1, .6, .3], [.6, 1, -.2], [.3, -.2, 1]]), M_d=torch.as_tensor(M_d, dtype=torch.float64))


def outside_constraint() -> Problem:
    """w_3 ~ 2 w_1 - w_2 with <w_1, w_2> = .5: {1,2},{3} is realizable, y = (1,1) is an eigenvector, but z_3 = .577 > 0 there."""
    W = from_gram([[1, .5], [.5, 1]])
    W = torch.cat([W, 2 * W[:, :1] - W[:, 1:]], 1)
    return Problem(W / W.norm(dim=0))


@claim("3.1", "3.1", "|L - Lt| = O((1-S)^2)", "n=8, n_p=6, magnitudes 1, all 256 supports, S=.9999", HYPOTHESIS, "loss_gap_bound")
def _gap():
    features = SparseFeatures(8, .9999, Constant(1.0))
    problem = Problem(feature_matrix(8, 6, .6, generator=_seeded(0)), M_d=features.M_d)
    weights = Weights(torch.randn(10, 6, generator=_seeded(1), dtype=torch.float64), torch.randn(6, 10, generator=_seeded(2), dtype=torch.float64))
    gap = (exact_loss(problem, weights, ReLU(), features) - approximate_loss(problem, weights)).item() / 1e-8
    pairs = torch.combinations(torch.arange(8))
    x = torch.zeros(28, 8, dtype=torch.float64).scatter_(1, pairs, 1.0)
    limit = squared_errors(problem, weights, ReLU(), x).sum().item()
    bound = loss_gap_bound(problem, weights, ReLU(), features)
    return f"(L-Lt)/(1-S)^2 = {gap:.4g}, sum of pair errors {limit:.4g}; needs sigma homogeneous", abs(gap / limit - 1) < 2e-3 and 0 <= gap * 1e-8 <= bound.tight and bound.applies


@claim("3.1", "3.1", "... for every sigma with sigma(z)_i in {0, z_i}", "JumpReLU(.5), magnitude .4, W*, 1-S = 1e-4", FAILS, "exact_loss, approximate_loss")
def _jumprelu():
    features = SparseFeatures(1, 1 - 1e-4, Constant(.4))
    problem = Problem(torch.ones(1, 1, dtype=torch.float64), M_d=features.M_d)
    weights = ideal_weights(problem, 1)
    gap = (exact_loss(problem, weights, JumpReLU(.5), features) - approximate_loss(problem, weights, JumpReLU(.5))).item()
    return f"(L-Lt)/(1-S) = {gap / 1e-4:.3g}: first order, not second", abs(gap / 1e-4 - .16) < 1e-9


@claim("3.1", "3.1", "the bound covers the paper's benchmark", "n=1000, S=.99", FAILS, "SparseFeatures(1000, .99).count_probabilities()")
def _vacuous():
    p = SparseFeatures(1000, .99).count_probabilities()
    return f"n(1-S) = 10, n^2(1-S)^2 = 100 > 1, P(one active) = {p[1]:.1e}; needs 1-S <= 1/n", abs(p[1].item() - 4.36e-4) < 1e-6


@claim("3.2", "3.2", "biconvex inside a region", "50 random problems, n=6, n_p=4, n_r=5, n_q=5", HOLDS, "gradients, hessian")
def _biconvex():
    worst_gradient, least, joint = 0.0, math.inf, math.inf
    for seed in range(50):
        g = _seeded(seed)
        rand = lambda *shape: torch.randn(*shape, generator=g, dtype=torch.float64)
        W = rand(4, 6)
        problem = Problem(W / W.norm(dim=0), rand(5, 6), rand(6).abs())
        weights = Weights(rand(5, 4).requires_grad_(), rand(5, 5).requires_grad_())
        approximate_loss(problem, weights).backward()
        closed = gradients(problem, weights)
        worst_gradient = max(worst_gradient, (closed.W_E - weights.W_E.grad).abs().max().item(), (closed.W_D - weights.W_D.grad).abs().max().item())
        with torch.no_grad():
            least = min(least, *(torch.linalg.eigvalsh(hessian(problem, weights, ReLU(), b)).min().item() for b in "DE"))
            joint = min(joint, torch.linalg.eigvalsh(hessian(problem, weights)).min().item())
    return f"autograd agrees to {worst_gradient:.0e}; least block eigenvalue {least:.0e}; joint {joint:.2g}", worst_gradient < 1e-10 and least > -1e-10 and joint < 0


@claim("3.3", "3.3", "W* = [W_r, 0], [W_p^T; 0] has near-zero loss, O(mu^2)", "n=12, n_p=8, mu <= .4", HOLDS, "ideal_loss")
def _ideal():
    problem = Problem(feature_matrix(12, 8, .4, generator=_seeded(0)))
    bounds, direct = ideal_loss(problem), approximate_loss(problem, ideal_weights(problem, 14)).item()
    zero = approximate_loss(problem, ideal_weights(problem, 14), JumpReLU(.4)).item()
    return (f"Lt(W*) = {direct:.3f} <= {bounds.by_neurons:.3f} <= {bounds.paper:.0f}; JumpReLU(theta >= mu): {zero:.0e}",
            abs(direct - bounds.exact) < 1e-10 and bounds.exact <= bounds.by_neurons <= bounds.paper and zero < 1e-28)


@claim("3.3", "3.3", "W* is a global minimum", "n=6, n_p=8, mu > 0, ReLU", FAILS, "certify(problem, ideal_weights(problem, 6)); pseudo_inverse_weights")
def _not_stationary():
    problem = Problem(feature_matrix(6, 8, .6, generator=_seeded(3)))
    star, dual = certify(problem, ideal_weights(problem, 6)), certify(problem, pseudo_inverse_weights(problem, 6))
    return f"grad_E(W*) = {star.grad_E:.2f}, loss {star.loss:.2f}; pseudo-inverse encoder: loss {dual.loss:.0e}", star.verdict is Verdict.NOT_STATIONARY and dual.verdict is Verdict.GLOBAL


@claim("3.4", "3.4", "zero loss without recovering any feature", "n=100, n_p=77, n_q=200, A a random rotation", HOLDS, "mirrored_weights")
def _mirrored():
    problem = Problem(feature_matrix(100, 77, .35, generator=_seeded(0)))
    A = torch.linalg.qr(torch.randn(77, 77, generator=_seeded(1), dtype=torch.float64)).Q
    weights = mirrored_weights(problem, 200, A)
    x = SparseFeatures(100, .9).sample(500, _seeded(2))
    error = squared_errors(problem, weights, ReLU(), x).max().item()
    best = (weights.W_E[:154] @ problem.W_p).max(0).values
    return f"largest squared error on 500 dense-ish samples {error:.0e}; best encoder cosine {best.max():.2f}, recovery at .9: {(best > .9).double().mean():.0%}", error < 1e-24 and best.max() < .9


@claim("3.7", "3.6", "any realizing encoder + least squares is a partial minimum", "W=I_2, M_d=(1,2), w_E=(1,1)", FAILS, "printed_recipe, gradients")
def _printed():
    problem = Problem(torch.eye(2, dtype=torch.float64), M_d=torch.tensor([1., 2.], dtype=torch.float64))
    g = gradients(problem, printed_recipe(problem, pattern([[0, 1]], 2, 1), torch.ones(1, 2, dtype=torch.float64)))
    return f"|grad_D| = {g.W_D.norm():.0e}, |grad_E| = {g.W_E.norm():.4f} = 4 sqrt(2)/9", g.W_D.norm() < 1e-14 and abs(g.W_E.norm().item() - 4 * math.sqrt(2) / 9) < 1e-12


@claim("3.7", "3.6", "every realizable polysemantic partition has a partial minimum", "W=I_2, M_d=(1,2), {1,2}", FAILS, "partial_minimum")
def _sharp():
    problem = Problem(torch.eye(2, dtype=torch.float64), M_d=torch.tensor([1., 2.], dtype=torch.float64))
    P = pattern([[0, 1]], 2, 2)
    answer = partial_minimum(problem, P)
    return "realizable, but K = diag(1,2) has no positive eigenvector", realize(problem, P).check().feasible and answer.verdict is Verdict.NONE


@claim("3.7", "3.6", "... at least for nearly all weights and cosines", "3 features, cosines .6, .3, -.2; M_d=(1,1,1), (1,3,1), (.3,1,1)", FAILS, "sdl_theory.audit.three_features(M_d)")
def _three():
    seen = [partial_minimum(three_features(M), pattern([[0, 1, 2]], 3, 3)).verdict for M in ((1, 1, 1), (1, 3, 1), (.3, 1, 1))]
    return ", ".join(map(str, seen)), seen == [Verdict.TRAP, Verdict.NONE, Verdict.SADDLE]


@claim("3.7", "3.6", "... if the eigenvector exists, realizability is enough", "w_3 ~ 2 w_1 - w_2, <w_1,w_2> = .5, {1,2},{3}", FAILS, "sdl_theory.audit.outside_constraint()")
def _outside():
    problem, P = outside_constraint(), pattern([[0, 1], [2]], 3, 3)
    return ("realizable, y = (1,1) is an eigenvector, but z_3 = 0.577 > 0 there",
            realize(problem, P).check().feasible and group_minimum(problem, [0, 1]).exists and not partial_minimum(problem, P).exists)


@claim("3.7", "3.6", "our correction: positive eigenvector of V'KV + the row's walls", "all 203 partitions of 6 features, n_p=4 and 6, ReLU and JumpReLU(.2)", HOLDS, "partial_minimum, certify")
def _corrected():
    count, worst, seen = 0, 0.0, {}
    for n_p in (4, 6):
        problem = Problem(feature_matrix(6, n_p, .8, generator=_seeded(n_p)), M_d=torch.rand(6, generator=_seeded(9), dtype=torch.float64) + .3)
        for sigma in (ReLU(), JumpReLU(.2)):
            for row in survey_partitions(problem, sigma):
                seen[row.verdict] = seen.get(row.verdict, 0) + 1
                if row.verdict is not Verdict.NONE:
                    answer = partial_minimum(problem, pattern(row.groups, 6, 6), sigma)
                    c = certify(problem, answer.weights, sigma).check()
                    count, worst = count + 1, max(worst, c.grad_D, c.grad_E)
    return f"{count} points, worst relative gradient {worst:.0e}; " + ", ".join(f"{n} {v}" for v, n in seen.items()), worst < 1e-10 and count > 100


@claim("3.7", "3.6", "gradient descent is permanently trapped there", "one pair at cosine rho, second neuron strictly dead", HYPOTHESIS, "group_minimum")
def _trap():
    seen = {rho: partial_minimum(Problem(from_gram([[1, rho], [rho, 1]])), pattern([[0, 1]], 2, 2)).verdict for rho in (.6, .2, -.2, -.6)}
    return ", ".join(f"rho={rho:g}: {v}" for rho, v in seen.items()) + "; needs a top eigenvalue", list(seen.values()) == [Verdict.TRAP] * 2 + [Verdict.SADDLE] * 2


@claim("3.7", "3.6", "dead neurons are stuck", "zero row beside a pair at cosine .6: ReLU, then JumpReLU(.3)", HYPOTHESIS, "certify(...).neurons")
def _dead():
    names = []
    for sigma in (ReLU(), JumpReLU(.3)):
        problem = Problem(from_gram([[1, .6], [.6, 1]]))
        weights = partial_minimum(problem, pattern([[0, 1]], 2, 1), sigma).weights
        padded = Weights(torch.cat([weights.W_E, torch.zeros(1, 2, dtype=torch.float64)]), torch.cat([weights.W_D, torch.zeros(2, 1, dtype=torch.float64)], 1))
        names.append(certify(problem, padded, sigma).neurons[1])
    return f"ReLU: {names[0]}; JumpReLU: {names[1]}; needs z < theta strictly", names == [Verdict.ESCAPABLE_DEAD, Verdict.STRICTLY_DEAD]


@claim("3.10", "3.8", "some sub-concept can be absorbed, pattern realizable", "200 random hierarchies, theta = .3, closed form", HYPOTHESIS, "absorb")
def _absorb():
    done = tried = 0
    for seed in range(200):
        tree = hierarchy(2, 3, 10, .7 + .25 * (seed % 7) / 7, generator=_seeded(seed))
        problem, sigma = Problem(tree.W_p, M_d=torch.rand(6, generator=_seeded(seed), dtype=torch.float64) + .5), JumpReLU(.3)
        parent = partial_minimum(problem, pattern(tree.groups, 6, 4), sigma)
        if parent.exists:
            tried, done = tried + 1, done + absorb(problem, parent.weights, sigma, 0).realizable
    return f"{done} of {tried}; needs theta > 0 and a unique smallest child", done == tried > 150


@claim("3.10", "3.8 says 'some'", "any sub-concept can be absorbed", "w_2 ~ w_1 + w_3, parent {1,2,3}, child 2", FAILS, "realize(problem, P', sigma).certificate.check()")
def _any():
    W = from_gram([[1, .3], [.3, 1]])
    W = torch.stack([W[:, 0], W.sum(1) / W.sum(1).norm(), W[:, 1]], 1)
    problem, P = Problem(W), pattern([[0, 2], [1]], 3, 3)
    answers = [realize(problem, P, sigma).check() for sigma in (ReLU(), JumpReLU(.5))]
    return "infeasible at theta = 0 and at every theta > 0, with Farkas' weights", not any(a.feasible for a in answers) and all(a.certificate for a in answers)


@claim("3.10", "3.8", "absorption follows a descending ladder of losses", "cosines .8, .55, -.01, M_d=(1,7,1), child 1 absorbed", HYPOTHESIS, "loss_ladder")
def _ladder():
    problem = Problem(from_gram([[1, .8, .55], [.8, 1, -.01], [.55, -.01, 1]]), M_d=torch.tensor([1., 7., 1.], dtype=torch.float64))
    before, after = group_minimum(problem, [0, 1, 2]), group_minimum(problem, [1, 2])
    bounds = [rung.bound for rung in loss_ladder(problem, [0, 1, 2])]
    return (f"stationary losses {before.loss:.2f} -> {after.loss:.2f} (up); closed-region bounds {', '.join(f'{b:.2f}' for b in bounds)} (down)",
            abs(before.loss - 1.33) < .005 and abs(after.loss - 7) < .005 and bounds == sorted(bounds, reverse=True))


NAMED = ("dog", "herding dog", "spaniel", "terrier", "snake", "bird")


@claim("3.7", "3.6", "real siblings are traps", "1000 ImageNet directions, W_r = W_p, M_d equal", HYPOTHESIS, "diagnose_groups", real=True)
def _real_groups():
    d = imagenet_directions()
    table = diagnose_groups(Problem(d.W_p), {name: d.group(name) for name in NAMED}, controls=200, generator=_seeded(0))
    return ", ".join(f"{row.name} ({row.size}) {row.verdict}" for row in table) + "; needs a positive top eigenvector", all(row.verdict is Verdict.TRAP and row.reached for row in table)


@claim("3.7", "3.6", "every group of features is a trap", "1,000 random groups of ImageNet classes a size", FAILS, "sdl_theory.trap_share", real=True)
def _real_random():
    problem = Problem(imagenet_directions().W_p)
    shares = {size: trap_share(problem, size, 1000, _seeded(size)) for size in (2, 3, 5, 7, 11, 17)}
    reference = {2: .43, 3: .19, 5: .023, 7: .008, 11: 0, 17: 0}      # an independent draw of 1,000 each
    near = lambda p, q: abs(p - q) <= 3 * math.sqrt((p + q) * (2 - p - q) / 2 / 1000) + 1e-3
    inside = all(near(p, reference[size]) for size, (p, _, _) in shares.items())
    return "; ".join(f"size {size}: {p:.1%} [{low:.1%}, {high:.1%}]" for size, (p, low, high) in shares.items()), inside


@claim("3.10", "3.8", "Border Collie can be absorbed out of Dog", "118 breeds, JumpReLU(.02); the ladder's first child beside it", HYPOTHESIS, "absorb, loss_ladder", real=True)
def _collie():
    d = imagenet_directions()
    problem, sigma, dogs = Problem(d.W_p), JumpReLU(.02), d.group("dog")
    others = [[k] for k in range(problem.n) if k not in set(dogs)]
    parent = partial_minimum(problem, pattern([dogs, *others], problem.n, len(others) + 2), sigma)
    collie = absorb(problem, parent.weights, sigma, 0, d.index("Border Collie"))
    rest = partial_minimum(problem, collie.pattern, sigma)
    ladder = loss_ladder(problem, dogs, rungs=2)
    return (f"Dog {parent.loss:.3f} ({parent.verdict}) -> without Border Collie {rest.loss:.3f} ({rest.verdict}); first on the ladder: {d.names[ladder[1].absorbed[0]]}; needs theta > 0",
            parent.verdict is Verdict.TRAP and collie.realizable and rest.verdict is Verdict.TRAP and rest.loss < parent.loss)


@claim("3.7", "3.6", "... and stay so in superposition", "the same groups projected to n_p = 768, 256, 64 (seed 0), theta = 0", HYPOTHESIS, "imagenet_directions(n_p)", real=True)
def _projected():
    out = []
    for n_p in (768, 256, 64):
        d = imagenet_directions(n_p, generator=_seeded(0))
        table = diagnose_groups(Problem(d.W_p), {name: d.group(name) for name in NAMED}, controls=1, generator=_seeded(0))
        out.append((n_p, sum(row.verdict is Verdict.TRAP for row in table), sum(row.realizable for row in table)))
    return "; ".join(f"n_p={n_p}: {traps} of 6 have a positive top eigenvector, {rows} can be fired for alone" for n_p, traps, rows in out), out[0][1] == 6 and out[-1][2] == 0


def as_markdown(rows) -> str:
    """The README's table."""
    lines = ["| theorem | claim | checked on | figure | verdict | the call that shows it |", "|---|---|---|---|---|---|"]
    cell = lambda text: text.replace("|", "\\|")
    return "\n".join(lines + ["| " + " | ".join(map(cell, (r.theorem, r.claim, r.problem, r.figure, f"**{r.verdict}**", f"`{r.call}`"))) + " |" for r in rows])
