"""The paper's claims on spurious partial minima, checked: Theorem 3.7, Example 3.5, walkthrough.

Of the walkthrough, section 4.
"""

from __future__ import annotations

import torch

from ...problem import Problem
from ...theory.biconvexity import gradients, hessian
from ...theory.certify import certify
from ...theory.counterexamples import from_gram
from ...theory.partial_minimum import partial_minimum, printed_recipe
from ...theory.patterns import pattern
from ...theory.realize import realize
from ...theory.verdict import Verdict
from .claims import FAILS, HOLDS, HYPOTHESIS, ZERO, Claim, Seen, register, seeded, show

MINIMA: list[Claim] = []
claim = register(MINIMA, ours=False)


def _plane(weight: float) -> Problem:
    return Problem(
        torch.eye(2, dtype=torch.float64), M_d=torch.tensor([1.0, weight], dtype=torch.float64)
    )


@claim(
    "3.7",
    "3.6",
    "any realizing encoder + least squares is a partial minimum (its proof)",
    problem="W=I_2, M_d=(1,2), w_E=(1,1)",
    expected=FAILS,
    call="printed_recipe, gradients",
)
def _printed():
    problem, row = _plane(2.0), torch.ones(1, 2, dtype=torch.float64)
    g = gradients(problem, printed_recipe(problem, pattern([[0, 1]], 2, 1), row))
    return Seen(
        f"|grad_D| = {show(g.W_D.norm())}, |grad_E| = {show(g.W_E.norm())} = 4 sqrt(2)/9",
        holds=False,
        refuted=g.W_D.norm() < ZERO and g.W_E.norm() > 0.1,
    )


@claim(
    "3.7",
    "3.6",
    "every realizable polysemantic partition has a partial minimum",
    problem="W=I_2, M_d=(1,2), {1,2}",
    expected=FAILS,
    call="partial_minimum",
)
def _sharp():
    problem, P = _plane(2.0), pattern([[0, 1]], 2, 2)
    realizable, answer = realize(problem, P).check().feasible, partial_minimum(problem, P)
    # every row of Omega_P, up to scale
    W_E = torch.rand(1000, 2, generator=seeded(0), dtype=torch.float64) + 1e-3
    recipes = (printed_recipe(problem, P[:1], w[None] / w.norm()) for w in W_E)
    least = min(gradients(problem, weights).W_E.norm().item() for weights in recipes)
    return Seen(
        f"realizable: {'yes' if realizable else 'no'}; "
        f"partial minimum: {answer.verdict}; K = diag(1,2) has no positive eigenvector",
        holds=False,
        refuted=realizable and answer.verdict is Verdict.NONE and least > 1e-6,
    )


@claim(
    "Example 3.5",
    "",
    "a partial minimum of positive loss",
    problem="its setting (orthonormal directions, equal M_d): W=I_2, M_d=(1,1), 100 encoders; "
    "the printed numbers not used",
    expected=HOLDS,
    call="printed_recipe, certify",
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
    problem="one pair at cosine rho, second neuron strictly dead",
    expected=HYPOTHESIS,
    call="partial_minimum, hessian",
)
def _trap():
    seen, curvature = {}, {}
    for rho in (0.6, 0.2, -0.2, -0.6):
        problem = Problem(from_gram([[1, rho], [rho, 1]]))
        answer = partial_minimum(problem, pattern([[0, 1]], 2, 2))
        seen[rho] = answer.verdict
        curvature[rho] = torch.linalg.eigvalsh(hessian(problem, answer.weights)).min().item()
    traps = all(seen[rho] is Verdict.TRAP and curvature[rho] > -ZERO for rho in (0.6, 0.2))
    saddles = all(seen[rho] is Verdict.SADDLE and curvature[rho] < -0.01 for rho in (-0.2, -0.6))
    return Seen(
        ", ".join(f"rho={rho:g}: {v}" for rho, v in seen.items())
        + '; needs a top eigenvalue; on "permanently" see our findings',
        holds=traps,
        refuted=saddles,
    )
