"""The paper's claims on absorption, checked: Theorem 3.10, the walkthrough's section 5, Figure 5.

The figure is the walkthrough's, too.
"""

from __future__ import annotations

import torch

from ...activations import JumpReLU, ReLU
from ...problem import Problem
from ...theory.absorption import absorb
from ...theory.counterexamples import from_gram, no_child_can_leave
from ...theory.partial_minimum import partial_minimum
from ...theory.patterns import pattern
from ...theory.realize import realize
from ...theory.verdict import Verdict
from ...truth.directions import imagenet_directions
from ...truth.hierarchy import hierarchy
from .claims import FAILS, HOLDS, HYPOTHESIS, Claim, Seen, register, seeded

ABSORPTION: list[Claim] = []
claim = register(ABSORPTION, ours=False)


@claim(
    "3.10",
    "3.8",
    "some sub-concept can be absorbed, pattern realizable (v6's wording)",
    problem="unit vectors at 0, 60, 160, 260 degrees, parents {2,3},{4,1}; 200 random "
    "hierarchies, theta = .3",
    expected=HYPOTHESIS,
    call="absorb; realize(...).certificate.check()",
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
        M_d = torch.rand(6, generator=seeded(seed), dtype=torch.float64) + 0.5
        family, sigma = Problem(tree.W_p, M_d=M_d), JumpReLU(0.3)
        parent = partial_minimum(family, pattern(tree.groups, 6, 4), sigma)
        if parent.exists:
            tried, done = tried + 1, done + absorb(family, parent.weights, sigma, 0).realizable
    none = whole and all(not one.feasible and one.certificate for one in refuted)
    return Seen(
        f"theta = 0: {sum(one.feasible for one in refuted)} of 4 children can leave "
        f"(Farkas' weights); theta = .3: {leaves} of 4, and in {done} of {tried} hierarchies; "
        f"needs theta > 0 and a unique smallest child",
        holds=leaves == 4 and done == tried > 150,
        refuted=none,
    )


@claim(
    "3.10, walkthrough",
    "",
    "any sub-concept can be absorbed",
    problem="w_2 ~ w_1 + w_3, parent {1,2,3}, child 2",
    expected=FAILS,
    call="realize(problem, P', sigma).certificate.check()",
)
def _any():
    W = from_gram([[1, 0.3], [0.3, 1]])
    problem = Problem(torch.stack([W[:, 0], W.sum(1) / W.sum(1).norm(), W[:, 1]], 1))
    before, P = pattern([[0, 1, 2]], 3, 3), pattern([[0, 2], [1]], 3, 3)
    sigmas = (ReLU(), JumpReLU(0.5))
    parent = all(realize(problem, before, sigma).check().feasible for sigma in sigmas)
    answers = [realize(problem, P, sigma).check() for sigma in sigmas]
    return Seen(
        "infeasible at theta = 0 and at every theta > 0, with Farkas' weights",
        holds=False,
        refuted=parent and all(not a.feasible and a.certificate for a in answers),
    )


@claim(
    "walkthrough, section 5",
    "",
    "the absorbed pattern is a spurious partial minimum",
    problem="parent {1,2,3}, cosines 13, 23: .5, child 3; 12: 0 with M_d=(1,2,1), then .5",
    expected=HYPOTHESIS,
    call="partial_minimum(problem, absorption.pattern, sigma)",
)
def _absorbed():
    sigma, P, seen = JumpReLU(0.3), pattern([[0, 1], [2]], 3, 3), []
    for rho in (0.0, 0.5):
        problem = Problem(
            from_gram([[1, rho, 0.5], [rho, 1, 0.5], [0.5, 0.5, 1]]),
            M_d=torch.tensor([1.0, 2.0, 1.0], dtype=torch.float64),
        )
        feasible = realize(problem, P, sigma).check().feasible
        seen.append((feasible, partial_minimum(problem, P, sigma).verdict))
    return Seen(
        f"realizable both times; cosine 0: {seen[0][1]}, cosine .5: {seen[1][1]}; "
        f"needs a positive eigenvector of what is left",
        holds=seen[1] == (True, Verdict.TRAP),
        refuted=seen[0] == (True, Verdict.NONE),
    )


@claim(
    "walkthrough, Figure 5",
    "",
    "Border Collie can be absorbed out of Dog",
    problem="118 breeds, 1000 ImageNet directions, JumpReLU(.02)",
    expected=HOLDS,
    call="absorb, partial_minimum",
    real=True,
)
def _collie():
    d = imagenet_directions()
    problem, sigma, dogs = Problem(d.W_p), JumpReLU(0.02), d.group("dog")
    others = [[k] for k in range(problem.n) if k not in set(dogs)]
    parent = partial_minimum(problem, pattern([dogs, *others], problem.n, len(others) + 2), sigma)
    leaver = d.index("Border Collie")
    collie = absorb(problem, parent.weights, sigma, neuron=0, child=leaver)
    rest = partial_minimum(problem, collie.pattern, sigma)
    return Seen(
        f"Dog {parent.loss:.3f} ({parent.verdict}) -> without Border Collie "
        f"{rest.loss:.3f} ({rest.verdict})",
        parent.verdict is Verdict.TRAP
        and collie.realizable
        and rest.verdict is Verdict.TRAP
        and rest.loss < parent.loss,
    )
