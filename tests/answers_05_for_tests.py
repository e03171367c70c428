"""The same for lessons 05 to 09."""

import sympy as sp
import torch

from sdl_theory import (
    JumpReLU,
    Problem,
    ReLU,
    Verdict,
    Weights,
    approximate_loss,
    certify,
    gradients,
    group_minimum,
    imagenet_directions,
    loss_ladder,
    partial_minimum,
    pattern,
    printed_recipe,
    realize,
    trap_share,
)
from sdl_theory.theory.counterexamples import from_gram, three_features
from sdl_theory.theory.symbolic import example_3_5, two_features
from widgets.rows import dead_rows, pair_problem
from widgets.rows.pairs import machine

BOTH = pattern([[0, 1]], n=2, n_q=2)
ALONE = pattern([[0, 1]], n=2, n_q=1)
NONE, TRAP, SADDLE = Verdict.NONE, Verdict.TRAP, Verdict.SADDLE
judged = lambda problem, group: group_minimum(problem, group).verdict
tensor = lambda values: torch.tensor(values, dtype=torch.float64)


def hill():
    point = certify(pair_problem(-0.6), partial_minimum(pair_problem(-0.6), BOTH).weights)
    w = pair_problem(-0.6).W_p[:, :1]  # a neuron on one feature alone leaves the other's weight
    one = approximate_loss(pair_problem(-0.6), Weights(w.mT, w)).item()
    assert abs(point.loss - 1.6) < 1e-9 and abs(one - 1) < 1e-9
    return [
        point.verdict is TRAP,
        point.verdict is SADDLE and point.stationary,
        not point.stationary,
        point.loss <= one,
    ]


def recipe():
    problem = Problem(torch.eye(2).double(), M_d=tensor([1.0, 2.0]))
    point = printed_recipe(problem, BOTH, tensor([[1.0, 1.0], [-1.0, -1.0]]))
    slope = gradients(problem, point)
    along = (point.W_E * slope.W_E).sum(dim=1).abs().max()
    zero_D, zero_E = slope.W_D.norm() < 1e-12, slope.W_E.norm() < 1e-12
    assert abs(slope.W_E.norm() - 4 * 2**0.5 / 9) < 1e-12
    return [bool(zero_D and not zero_E and along < 1e-12), bool(zero_D and zero_E), not zero_D]


def weights():
    found = [judged(three_features(M), [0, 1, 2]) for M in ((1, 1, 1), (1, 3, 1), (0.3, 1, 1))]
    return [found == [TRAP] * 3, found == [TRAP, NONE, NONE], found == [TRAP, NONE, SADDLE]]


def dogs():
    """The lesson's cell has 200 random groups; here are eight."""
    directions = imagenet_directions()
    problem, group = Problem(directions.W_p), directions.group("dog")
    share = trap_share(problem, 118, 8, torch.Generator().manual_seed(0))[0]
    cosines = directions.W_p[:, group].mT @ directions.W_p[:, group]
    trap = judged(problem, group) is TRAP
    return [None, None, len(group) == 118 and trap and share == 0, cosines.min().item() > 0]


def between():
    corners = from_gram([[1, 0.3], [0.3, 1]])
    middle = corners.sum(dim=1, keepdim=True)
    problem = Problem(torch.cat([corners[:, :1], middle / middle.norm(), corners[:, 1:]], dim=1))
    ask = lambda sigma: realize(problem, pattern([[0, 2]], n=3, n_q=1), sigma).check().feasible
    assert middle.norm() <= 2
    high = ask(JumpReLU(0.5)) or ask(JumpReLU(5.0))
    return [high, ask(ReLU()), not high and not ask(ReLU())]


def first():
    directions = imagenet_directions()
    problem, herd = Problem(directions.W_p), directions.group("herding dog")
    ladder = loss_ladder(problem, herd)
    falls = [a.bound - b.bound for a, b in zip(ladder, ladder[1:])]
    order = [directions.names[rung.absorbed[-1]] for rung in ladder[1:]]
    y = group_minimum(problem, herd).y
    assert directions.names[herd[int(y.argmin())]] == "Komondor" and len(herd) == 12
    assert order.index("Border Collie") == 9  # of ten who leave before one is left with another
    return [order[0] == "Komondor", order[0] == "Border Collie", max(falls) - min(falls) < 1e-9]


def shrink():
    row = partial_minimum(pair_problem(0.6), ALONE).weights.W_E
    fires = (0.01 * row @ pair_problem(0.6).W_p > 0).tolist()[0]
    assert not JumpReLU(0.3).active(0.01 * row @ pair_problem(0.6).W_p).any()
    return [fires == [True, False], fires == [True, True], fires == [False, False]]


def nudges():
    """A row on one side of the wall has no gradient, on the other it has one."""
    assert 0 < dead_rows(depth=0.0, log_nudge=-2.0, theta=0.0)[1]["fell"] < 6
    pair = pair_problem(0.6)
    trap, column = partial_minimum(pair, ALONE).weights, tensor([[0.01], [-0.02]])
    beside = lambda row: Weights(torch.cat([trap.W_E, row]), torch.cat([trap.W_D, column], dim=1))
    slope = lambda row: gradients(pair, beside(row)).W_E[1].norm().item()
    down = -0.01 * pair.W_p.sum(dim=1)[None]
    return [slope(down) == 0 < slope(0.01 * pair.W_p[:, :1].mT), None, slope(down) > 0]


def jump():
    pair = pair_problem(0.6)
    trap = partial_minimum(pair, ALONE, JumpReLU(0.2)).weights
    zero = Weights(
        torch.cat([trap.W_E, torch.zeros(1, 2)]), torch.cat([trap.W_D, torch.zeros(2, 1)], dim=1)
    )
    said = certify(pair, zero, JumpReLU(0.2))
    return [
        said.neurons[1] is Verdict.ESCAPABLE_DEAD,
        said.neurons[1] is Verdict.STRICTLY_DEAD and abs(said.wall_distance - 0.2) < 1e-9,
        bool(said.pattern[1].any()),
    ]


def star():
    angles = tensor([90.0, 210.0, 330.0]).deg2rad()
    problem = Problem(torch.stack([angles.cos(), angles.sin()]))
    circle = torch.linspace(0, 2 * torch.pi, 3601, dtype=torch.float64)
    highest = (torch.stack([circle.cos(), circle.sin()], 1) @ problem.W_p).max(dim=1).values
    z = realize(problem, pattern([], n=3, n_q=1), ReLU()).W_E @ problem.W_p
    return [bool(highest.min() < 0), bool((0 * z < 0).any()), not bool((z < 0).all())]


def unlike():
    said = partial_minimum(machine("transcoder", mu=-0.6, other=0.6), BOTH)
    assert abs(said.loss - 0.4) < 1e-9
    return [said.verdict is SADDLE, said.verdict is TRAP, said.verdict is NONE]


def sum_of():
    said = lambda other: judged(machine("crosscoder", 0.5, other), [0, 1])
    assert said(-0.5) is Verdict.DEGENERATE and said(-0.4) is TRAP
    return [said(-0.6) is SADDLE, said(-0.6) is TRAP, None]


def walls():
    """Three inputs in a fan or with the third between: the pattern {1, 2} can be had or not."""
    fan = lambda *degrees: (lambda a: torch.stack([a.cos(), a.sin()]))(tensor(degrees).deg2rad())
    ask = lambda W_p, W_r: bool(realize(Problem(W_p, W_r), pattern([[0, 1]], 3, 1)).feasible)
    inputs, targets = (fan(0, 40, 120), fan(0, 40, 20)), (fan(0, 10, 20), fan(0, 120, 240))
    seen = [[ask(W_p, W_r) for W_r in targets] for W_p in inputs]
    by_targets = any(row[0] != row[1] for row in seen)
    by_inputs = seen[0][0] != seen[1][0]
    return [by_targets and not by_inputs, by_targets and by_inputs, by_inputs and not by_targets]


def example():
    point = example_3_5()
    at = point.grad_E.subs({point.a: 1, point.b: 1, point.m_1: 1, point.m_2: 2}).norm()
    assert sp.simplify(at - 4 * sp.sqrt(2) / 9) == 0
    equal = point.equal_weights == sp.zeros(2, 1)
    return [equal and at != 0, at == 0, at == 0]


def sign():
    pair = two_features()
    above = {str(pair.at(rho, 1, m).verdict) for rho in ("1/10", "9/10") for m in (1, 2, 9)}
    below = {str(pair.at(rho, 1, m).verdict) for rho in ("-1/10", "-9/10") for m in (1, 2, 9)}
    every = above == {"trap"} and below == {"saddle"}
    return [every, not every, not every]


def zero():
    said = str(two_features().at(0, 1, 2).verdict)
    assert str(two_features().at(0, 1, 1).verdict) == "degenerate"
    return [said == "trap", said == "degenerate", said == "none"]


def level():
    pair, trap = pair_problem(0.6), partial_minimum(pair_problem(0.6), ALONE).weights
    longer = approximate_loss(pair, Weights(3 * trap.W_E, trap.W_D / 3)).item()
    same = abs(longer - approximate_loss(pair, trap).item()) < 1e-12
    inertia = two_features().at("3/5", 1, 1).hessian_inertia()
    bends = two_features().points[0].curvature
    return [
        same and inertia == (0, 1, 3),
        bends.subs({s: 1 for s in bends.free_symbols}) == 0,
        inertia[0] > 0,
    ]
