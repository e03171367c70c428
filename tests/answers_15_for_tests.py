"""The same for lessons 15 and 16."""

import torch

from sdl_theory import (
    Constant,
    Problem,
    ReLU,
    SparseFeatures,
    Verdict,
    Weights,
    approximate_loss,
    certify,
    group_minimum,
    partial_minimum,
    pattern,
    polish,
    second_order,
    split,
    true_certificate,
)
from widgets.rows import pair_problem
from widgets.rows.ways import WAYS, way_out

NONE, TRAP, SADDLE = Verdict.NONE, Verdict.TRAP, Verdict.SADDLE


def judged(rho, S, l1=0.0):
    moments = SparseFeatures(2, S, Constant(1.0)).moments()
    return group_minimum(pair_problem(rho), [0, 1], moments=moments, l1=l1).verdict


def together():
    said = judged(-0.3, 0.5)
    assert group_minimum(pair_problem(-0.3), [0, 1]).verdict is SADDLE
    return [said is SADDLE, said is TRAP, said is NONE]


def penalty():
    weak, close = judged(0.1, 0.9, 0.8), judged(0.6, 0.9, 0.8)
    assert judged(0.1, 0.9) is judged(0.6, 0.9) is TRAP
    strong = judged(0.6, 0.9, 2.4)
    return [weak is SADDLE and close is TRAP, strong is SADDLE, close is SADDLE and weak is TRAP]


def leak():
    gram = torch.eye(4, dtype=torch.float64)
    gram[0, 1] = gram[1, 0] = gram[2, 3] = gram[3, 2] = 0.6
    gram[0, 2:] = gram[2:, 0] = 0.4
    problem = Problem(torch.linalg.cholesky(gram).mT)
    start = partial_minimum(problem, pattern([[0, 1], [2, 3]], n=4, n_q=2))
    assert start.verdict is TRAP
    sparse = SparseFeatures(4, S=0.999, magnitudes=Constant(1.0))
    said = true_certificate(problem, start.weights, ReLU(), sparse).verdict
    alone = judged(-0.3, 0.5)
    return [said is TRAP, alone is not TRAP, said is Verdict.NOT_STATIONARY]


def clone():
    pair = pair_problem(0.6)
    trap = partial_minimum(pair, pattern([[0, 1]], n=2, n_q=2)).weights
    copied = split(trap, neuron=0, spare=1)
    assert certify(pair, trap).verdict is TRAP
    said = second_order(pair, copied).verdict
    rise = approximate_loss(pair, copied) - approximate_loss(pair, trap)
    return [said is TRAP, said is SADDLE, rise.item() > 1e-12]


def decay():
    W_p = pair_problem(0.6).W_p
    row = -W_p.sum(dim=1)[None]
    crosses = [bool((share * row @ W_p >= 0).any()) for share in (0.999**5000, 0.5**100)]
    return [crosses[0], crosses[1], not any(crosses)]


def out():
    ends, rises = [], []
    for name in WAYS:
        way = way_out(name).path
        losses = way.check().losses(1)
        rises.append(max(b - a for a, b in zip(losses, losses[1:])) > 1e-9)
        end = polish(way.problem, way.points[-1])
        ends.append(certify(way.problem, Weights(end.weights.W_E, end.weights.W_D)))
    down = all(end.verdict is TRAP and 1e-3 < end.loss < 0.8 for end in ends)
    return [down, any(end.loss < 1e-9 for end in ends), any(rises)]
