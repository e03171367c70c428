"""Our findings on the ways out of a trap, and the dropped hypothesis without which each fails."""

from __future__ import annotations

import torch

from ...activations import JumpReLU, ReLU, TopK
from ...problem import Problem
from ...theory.certificate import CertificateError
from ...theory.certify import certify
from ...theory.clone import escape, split
from ...theory.counterexamples import from_gram
from ...theory.loss import approximate_loss
from ...theory.over_the_wall import wall_path
from ...theory.partial_minimum import partial_minimum
from ...theory.paths import Path
from ...theory.patterns import pattern
from ...theory.polish import polish
from ...theory.verdict import Verdict
from ...theory.ways_out import best_split, sign_row
from ...weights import Weights
from .claims import ZERO, Claim, Seen, register, seeded, show

WAYS: list[Claim] = []
finding = register(WAYS, ours=True)


def _traps(n_q: int):
    """Random traps of two groups of two features in four dimensions: problem, weights, loss."""
    for seed in range(40):
        W = torch.randn(4, 4, generator=seeded(seed), dtype=torch.float64).abs() + 0.2
        problem = Problem(W / W.norm(dim=0))
        found = partial_minimum(problem, pattern([[0, 1], [2, 3]], 4, n_q))
        if found.verdict is Verdict.TRAP:
            yield problem, found.weights, found.loss


@finding(
    "3.7",
    "3.6",
    "one spare neuron, set to a sign row, gains at least half of what any one neuron could; a "
    "partition of the group by those signs has no such guarantee",
    problem="random traps of two pairs; then W_r = (10, 10, .1, .1), (.1, -.1, 1, -1)",
    call="sign_row(problem, weights)",
)
def _sign_row():
    shares = []
    for problem, weights, _ in _traps(3):
        way = sign_row(problem, weights)
        way.path.check()
        R = problem.W_r - weights.W_D @ torch.relu(weights.W_E @ problem.W_p)
        rows = torch.randn(2000, 4, generator=seeded(1), dtype=torch.float64)
        codes = torch.relu(rows @ problem.W_p)
        any_row = (codes @ R.mT).square().sum(1) / codes.square().sum(1).clamp(min=1e-12)
        shares.append(way.gain / max(way.gain, any_row.max().item()))
        assert way.gain >= way.bound * (1 - 1e-9)
    W_r = torch.tensor([[10, 10, 0.1, 0.1], [0.1, -0.1, 1, -1]], dtype=torch.float64)
    K = W_r.mT @ W_r
    values, vectors = torch.linalg.eigh(K)
    y, signs = vectors[:, -1], vectors[:, -2] / vectors[:, -1] > 0
    of_signs = _gain(K, y, signs)
    best = max(_gain(K, y, torch.tensor([b >> d & 1 for d in range(4)]) > 0) for b in range(1, 15))
    return Seen(
        f"{len(shares)} traps, at least {min(shares):.2f} of the best of 2,000 random rows; as a "
        f"partition the signs gain {of_signs:.3f} where the best gains {best:.2f}",
        min(shares) >= 0.5 and of_signs < best / 10,
    )


def _gain(K: torch.Tensor, y: torch.Tensor, part: torch.Tensor) -> float:
    p, top = y * part, torch.linalg.eigvalsh(K)[-1]
    alpha = p @ p
    return ((p @ K @ p - top * alpha**2) / (alpha * (1 - alpha))).item()


@finding(
    "3.7",
    "3.6",
    "a clone (same row twice, each column half) is the same function on every input, and a way "
    "down that never rises; under Top-k a clone takes a second place",
    problem="random traps of two pairs and a spare, 100 inputs; then Top-1 with two rows",
    call="split, escape",
)
def _clone():
    x = torch.rand(4, 100, generator=seeded(5), dtype=torch.float64)
    of = lambda weights, sigma, x: weights.W_D @ sigma(weights.W_E @ x)
    apart, worst, drops = 0.0, 0.0, []
    for problem, weights, loss in _traps(3):
        two = split(weights, neuron=0, spare=2)
        there, then = (of(one, ReLU(), problem.W_p @ x) for one in (weights, two))
        apart = max(apart, (there - then).abs().max().item())
        way = escape(problem, weights)
        way.path.check()
        end = polish(problem, way.weights).losses[-1]
        worst, drops = max(worst, end - way.bound), [*drops, loss - end]
    row = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    once = Weights(row[[0, 2]], row[[0, 2]].mT)
    twice = Weights(row, row.mT * torch.tensor([0.5, 0.5, 1.0], dtype=torch.float64))
    at = torch.tensor([[1.0], [0.5]], dtype=torch.float64)
    differ = (of(once, TopK(1), at) - of(twice, TopK(1), at)).abs().max().item()
    return Seen(
        f"{len(drops)} traps, outputs differ by {show(apart)}, all end at or below "
        f"tr K - lambda_1 - lambda_2 of the group; Top-1: outputs differ by {show(differ)}",
        apart < ZERO and worst < 1e-8 and min(drops) > 1e-6 and differ > 0.1,
    )


@finding(
    "3.7",
    "3.6",
    "even without a spare neuron a path leads out on which Lt never rises; under a threshold the "
    "same path jumps up at its wall",
    problem="two pairs at cosine .6, across .5 and .2; then JumpReLU(1)",
    call="wall_path(problem, weights)",
)
def _over_the_wall():
    G = [[1, 0.6, 0.5, 0.5], [0.6, 1, 0.2, 0.2], [0.5, 0.2, 1, 0.6], [0.5, 0.2, 0.6, 1]]
    problem, P = Problem(from_gram(G)), pattern([[0, 1], [2, 3]], 4, 2)
    trap = partial_minimum(problem, P)
    way = wall_path(problem, trap.weights)
    way.path.check()
    over, after = trap.loss - way.gain, polish(problem, way.weights).losses[-1]
    low = partial_minimum(problem, P, JumpReLU(1.0)).weights
    j, d = way.neurons[0], way.features[0]
    W_E = low.W_E.clone()
    W_E[j] += (1 + 1e-6 - low.W_E[j] @ problem.W_p[:, d]) * torch.linalg.inv(problem.W_p)[d]
    try:
        Path(problem, JumpReLU(1.0), [low, Weights(W_E, low.W_D)]).check()
        jumps = False
    except CertificateError:
        jumps = True
    return Seen(
        f"{trap.verdict}, {trap.loss:.3f} -> {over:.3f} -> {after:.3f}; JumpReLU(1): "
        f"{'rises' if jumps else 'does not rise'}",
        trap.verdict is Verdict.TRAP and over < trap.loss and after < over and jumps,
    )


@finding(
    "3.7",
    "3.6",
    "letting one child go gains at least the group's loss over |F| - 1, and no split in two more "
    "than lambda_2",
    problem="3 to 5 random features in one neuron, where that is a trap, and a spare one",
    call="best_split(problem, weights, neuron)",
)
def _split():
    count, inside = 0, 0
    for seed in range(12):
        for size in (3, 4, 5):
            W = torch.randn(6, size, generator=seeded(seed), dtype=torch.float64).abs() + 0.2
            problem = Problem(W / W.norm(dim=0))
            found = partial_minimum(problem, pattern([list(range(size))], size, 2))
            if found.verdict is not Verdict.TRAP:
                continue
            way = best_split(problem, found.weights, 0)
            way.path.check()
            count += 1
            inside += way.bound * (1 - 1e-9) <= way.gain <= way.most * (1 + 1e-9)
    return Seen(f"{inside} of {count} within both", inside == count > 5)


@finding(
    "3.7",
    "3.6",
    "`escapable` says that a wall is reached, not that descent leaves: the sign of <r_d, w_D^i> "
    "of the touching pair decides",
    problem="a pair at cosine .6 in one neuron, a second row that touches feature 1's wall; its "
    "column along the residual of feature 1, then against it",
    call="certify(problem, weights)",
)
def _escapable():
    problem = Problem(from_gram([[1, 0.6], [0.6, 1]]))
    trap = partial_minimum(problem, pattern([[0, 1]], 2, 2)).weights
    dual = torch.linalg.inv(problem.W_p)
    r = problem.W_r[:, 0] - trap.W_D[:, 0] * (trap.W_E[0] @ problem.W_p[:, 0])
    falls, names = [], []
    for sign in (1.0, -1.0):
        W_E, W_D = trap.W_E.clone(), trap.W_D.clone()
        W_E[1], W_D[:, 1] = -dual[1], sign * r  # z = (0, -1)
        names.append(certify(problem, Weights(W_E, W_D)).verdict)
        before = approximate_loss(problem, Weights(W_E, W_D)).item()
        W_E[1] += 1e-3 * dual[0]
        falls.append(approximate_loss(problem, Weights(W_E, W_D)).item() < before - ZERO)
    return Seen(
        f"along: {names[0]}, {'falls' if falls[0] else 'rises'}; against: {names[1]}, "
        f"{'falls' if falls[1] else 'rises'}",
        falls == [True, False] and names == [Verdict.ESCAPABLE] * 2,
    )
