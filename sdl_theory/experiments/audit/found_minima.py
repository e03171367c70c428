"""Our findings on Theorems 3.7 and 3.10: which patterns have partial minima, what holds there.

The number says which place of the paper it is about.
"""

from __future__ import annotations

import torch

from ...activations import JumpReLU, ReLU
from ...problem import Problem
from ...theory.biconvexity import gradients
from ...theory.certify import certify
from ...theory.counterexamples import from_gram, outside_constraint, three_features
from ...theory.groups import group_minimum
from ...theory.ladder import loss_ladder
from ...theory.loss import approximate_loss
from ...theory.partial_minimum import partial_minimum
from ...theory.partitions import survey_partitions
from ...theory.patterns import pattern
from ...theory.realize import realize
from ...theory.verdict import Verdict
from ...truth.features import feature_matrix
from ...weights import Weights
from .claims import ZERO, Claim, Seen, register, seeded, show

MINIMA: list[Claim] = []
finding = register(MINIMA, ours=True)


@finding(
    "3.7",
    "3.6",
    "the failure is no freak of perpendicular features",
    problem="cosines .6, .3, -.2; M_d=(1,1,1), (1,3,1), (.3,1,1)",
    call="sdl_theory.theory.counterexamples.three_features(M_d)",
)
def _three():
    seen = [
        partial_minimum(three_features(M), pattern([[0, 1, 2]], 3, 3)).verdict
        for M in ((1, 1, 1), (1, 3, 1), (0.3, 1, 1))
    ]
    return Seen(", ".join(map(str, seen)), seen == [Verdict.TRAP, Verdict.NONE, Verdict.SADDLE])


@finding(
    "3.7",
    "3.6",
    "a positive eigenvector and a realizable pattern are not enough: the row's walls count",
    problem="w_3 ~ 2 w_1 - w_2, <w_1,w_2> = .5, {1,2},{3}",
    call="sdl_theory.theory.counterexamples.outside_constraint()",
)
def _outside():
    problem, P = outside_constraint(), pattern([[0, 1], [2]], 3, 3)
    group = group_minimum(problem, [0, 1])
    # the one row with z = (1, 1)
    row = torch.linalg.solve(problem.W_p[:, :2].mT, group.y / group.y[0])
    z_3 = (row @ problem.W_p[:, 2]).item()
    seen = (
        realize(problem, P).check().feasible
        and group.exists
        and not partial_minimum(problem, P).exists
    )
    return Seen(
        f"realizable, y = (1,1) is an eigenvector, but z_3 = {show(z_3, 3)} > 0 there",
        seen and z_3 > 0.1,
    )


@finding(
    "3.7",
    "3.6",
    "the theorem corrected: a positive eigenvector of V'KV + the row's walls",
    problem="all 203 partitions of 6 features, n_p=4 and 6, ReLU and JumpReLU(.2)",
    call="partial_minimum, certify",
)
def _corrected():
    count, worst, seen = 0, 0.0, {}
    for n_p in (4, 6):
        problem = Problem(
            feature_matrix(6, n_p, 0.8, generator=seeded(n_p)),
            M_d=torch.rand(6, generator=seeded(9), dtype=torch.float64) + 0.3,
        )
        for sigma in (ReLU(), JumpReLU(0.2)):
            for row in survey_partitions(problem, sigma):
                seen[row.verdict] = seen.get(row.verdict, 0) + 1
                if row.verdict is Verdict.NONE:
                    continue
                answer = partial_minimum(problem, pattern(row.groups, 6, 6), sigma)
                c = certify(problem, answer.weights, sigma).check()
                count, worst = count + 1, max(worst, c.grad_D, c.grad_E)
    return Seen(
        f"{count} points, largest relative gradient {show(worst)}; "
        + ", ".join(f"{n} {v}" for v, n in seen.items()),
        worst < ZERO and count > 100,
    )


@finding(
    "3.7",
    "3.6",
    "a trap is a local minimum, and still there is a way out on which Lt never rises",
    problem="a pair at cosine .6, a strictly dead spare: turn its row, then raise its column, "
    "then descend",
    call="partial_minimum, approximate_loss",
)
def _way_out():
    problem = Problem(from_gram([[1, 0.6], [0.6, 1]]))
    answer = partial_minimum(problem, pattern([[0, 1]], 2, 2))
    W_E, W_D = answer.weights.W_E.clone(), answer.weights.W_D.clone()
    W_D[:, 1] = 0  # the spare is dead: nothing changes
    dead, apart = W_E[1].clone(), torch.tensor([1.0, -1.0], dtype=torch.float64)
    row = torch.linalg.solve(problem.W_p.mT, apart)
    # the residual of feature 1, the one that the new row fires for
    column = problem.W_r[:, 0] - W_D[:, 0] * (W_E[0] @ problem.W_p[:, 0])
    loss = lambda: approximate_loss(problem, Weights(W_E, W_D)).item()
    path = []
    for t in torch.linspace(0, 1, 101, dtype=torch.float64):
        W_E[1] = (1 - t) * dead + t * row
        path.append(loss())
    for t in torch.linspace(0, 1, 101, dtype=torch.float64):
        W_D[:, 1] = t * column
        path.append(loss())
    reached = path[-1]
    for _ in range(2000):
        g = gradients(problem, Weights(W_E, W_D))
        W_E, W_D = W_E - 0.1 * g.W_E, W_D - 0.1 * g.W_D
        path.append(loss())
    rise = max(after - before for before, after in zip(path, path[1:]))
    return Seen(
        f"{answer.verdict}, loss {show(path[0])} -> {show(reached)} -> {show(path[-1])}; "
        f"largest rise {show(max(rise, 0))}",
        answer.verdict is Verdict.TRAP
        and rise < ZERO
        and reached < path[0] - 0.1
        and path[-1] < ZERO,
    )


@finding(
    "3.7",
    "3.6",
    "a dead neuron is held only strictly below theta",
    problem="zero row beside a pair at cosine .6: ReLU, then JumpReLU(.3)",
    call="certify(...).neurons",
)
def _dead():
    names = []
    for sigma in (ReLU(), JumpReLU(0.3)):
        problem = Problem(from_gram([[1, 0.6], [0.6, 1]]))
        weights = partial_minimum(problem, pattern([[0, 1]], 2, 1), sigma).weights
        padded = Weights(
            torch.cat([weights.W_E, torch.zeros(1, 2, dtype=torch.float64)]),
            torch.cat([weights.W_D, torch.zeros(2, 1, dtype=torch.float64)], 1),
        )
        names.append(certify(problem, padded, sigma).neurons[1])
    return Seen(
        f"ReLU: {names[0]}; JumpReLU: {names[1]}",
        names == [Verdict.ESCAPABLE_DEAD, Verdict.STRICTLY_DEAD],
    )


@finding(
    "3.10",
    "3.8",
    "the least losses of closed regions fall as children leave; "
    "losses at stationary points need not",
    problem="cosines .8, .55, -.01, M_d=(1,7,1), child 1 absorbed",
    call="loss_ladder",
)
def _ladder():
    problem = Problem(
        from_gram([[1, 0.8, 0.55], [0.8, 1, -0.01], [0.55, -0.01, 1]]),
        M_d=torch.tensor([1.0, 7.0, 1.0], dtype=torch.float64),
    )
    before, after = group_minimum(problem, [0, 1, 2]), group_minimum(problem, [1, 2])
    bounds = [rung.bound for rung in loss_ladder(problem, [0, 1, 2])]
    return Seen(
        f"stationary losses {before.loss:.3f} -> {after.loss:.3f} (up); "
        f"bounds {', '.join(show(b, 3) for b in bounds)} (down)",
        after.loss > before.loss + 1 and bounds == sorted(bounds, reverse=True),
    )
