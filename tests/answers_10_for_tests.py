"""The same for lesson 10."""

from itertools import combinations

import torch
from answers_15_for_tests import SADDLE, TRAP, judged

from sdl_theory import (
    Constant,
    JumpReLU,
    Problem,
    SparseFeatures,
    Verdict,
    Weights,
    certify,
    partial_minimum,
    pattern,
    realize,
)
from widgets.rows import pair_problem


def fourth():
    three, four = (SparseFeatures(n, S=0.9, magnitudes=Constant(2.0)).M_d[0] for n in (3, 4))
    share = (four / three).item()
    return [share == 1, abs(share - 0.9) < 1e-12, share > 1]


def pairs():
    bearings = torch.deg2rad(torch.tensor([-40.0, -10.0, 20.0, 50.0], dtype=torch.float64))
    fan = Problem(torch.stack([bearings.sin(), bearings.cos()]))
    shown = [
        group
        for group in combinations(range(4), 2)
        if realize(fan, pattern([list(group)], n=4, n_q=1)).feasible
    ]
    return [len(shown) == 3, len(shown) == 6, shown == [(0, 1), (2, 3)]]


def threshold():
    pair, theta = pair_problem(0.6), JumpReLU(0.2)
    trapped = partial_minimum(pair, pattern([[0, 1]], n=2, n_q=1), theta).weights
    zero_row = Weights(
        torch.cat([trapped.W_E, torch.zeros(1, 2)]), torch.cat([trapped.W_D, torch.zeros(2, 1)], 1)
    )
    live, zero = certify(pair, zero_row, JumpReLU(0.5)).neurons
    dead = Verdict.STRICTLY_DEAD
    assert torch.allclose(trapped.W_E @ pair.W_p, torch.full((1, 2), 0.4, dtype=torch.float64))
    return [live is Verdict.POLYSEMANTIC, zero is not dead, live is zero is dead]


def between():
    strangers, siblings = judged(0.15, 0.9, 1.6), judged(0.6, 0.9, 1.6)
    silent = [judged(0.15, 0.9, l1) is Verdict.NONE for l1 in (1.66, 1.68)]
    assert silent == [False, True] and judged(0.6, 0.9, 1.56) is TRAP
    both = [strangers, siblings]
    return [both == [SADDLE] * 2, both == [SADDLE, TRAP], both == [Verdict.NONE] * 2]
