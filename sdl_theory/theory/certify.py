"""The one verifier. Constructors build; `certify` says what a point is, from the problem and the
weights alone.
"""

from __future__ import annotations

import torch

from ..activations import Activation, ReLU, check_sigma
from ..problem import Problem
from ..signature import between, checked
from ..tolerances import STATIONARY, tolerance
from ..weights import Weights, check_match
from .certificate import Certificate
from .judge import judge, name_neurons
from .point import Point
from .relative_norms import relative_norms
from .verdict import Verdict
from .walls import Walls


@checked(tol=between(0, 1))
@torch.no_grad()
def certify(
    problem: Problem, weights: Weights, sigma: Activation = ReLU(), tol: float = STATIONARY
) -> Certificate:
    r"""The verifier for Theorems 3.3 to 3.10, arXiv:2512.05534: loss, both gradients, pattern,
    walls, and a verdict.

    Relative gradient norms, neuron by neuron, so that rescaling (w_E, w_D) -> (t w_E, w_D / t)
    changes nothing:

    .. math:: \frac{\|\sum_d M_d R_d z_{id}\|}{\sqrt{\sum_{d \in F_i} M_d c_d^2}\sqrt{\sum_d M_d
    z_{id}^2}}, \quad
              \frac{\|\sum_{d \in F_i} M_d \langle w_D^i, R_d\rangle w_p^d\|}{\|w_D^i\|
              \sqrt{\sum_{d \in F_i} M_d c_d^2} \sqrt{\sum_{d \in F_i} M_d \|w_p^d\|^2}}

    with c_d^2 = ||w_r^d||^2 + ||W_D z_d||^2. `tol`, in (0, 1), is raised to 1000 machine epsilons
    for float32 and below; it says what counts as stationary and nothing else.

    Verdict: not_stationary, global (every feature with M_d > 0 is reconstructed to 1e-10 of its
    terms), undecided (some feature fires several neurons, or walls block a saddle's way down: only
    the search and the Hessian can tell), saddle (a group's y is not in the top eigenspace),
    escapable (tops, but a feature of a group with nonzero loss, or one that nothing fires for, is
    on a wall z = theta of some other row; under Top-k, level with the lowest selected latent:
    `first_order` says whether the first step over it goes down), degenerate (a top eigenvalue
    repeats), trap: a true local minimum of Lt. Traps are facts about Lt. Only rows that fire enter
    the gradients' products.

    >>> import torch
    >>> from sdl_theory import Problem, Weights, certify
    >>> problem = Problem(torch.tensor([[1.0, 0.6], [0.0, 0.8]], dtype=torch.float64))
    >>> mean = problem.W_p.mean(1)  # one neuron: z = 1 on both features, whose mean it writes
    >>> certify(problem, Weights(mean[None] / mean.norm() ** 2, mean[:, None])).check()
    loss Lt          0.4
    grad_D = 0       yes
    grad_E = 0       yes
    clear of walls   yes
    neurons          1 polysemantic
    verdict          trap
    because          every group has a simple top eigenvalue, and lossy features are
                     strictly below theta on every other row
    """
    check_match(problem, weights)
    check_sigma(sigma)
    if not 0 < tol < 1:
        raise ValueError(
            f"tol is a relative gradient norm, in (0, 1); got {tol}. The default {STATIONARY:g} is "
            f"what theorems are checked to"
        )
    tol = max(tol, tolerance(STATIONARY, torch.finfo(problem.W_p.dtype).eps))
    point = Point(problem, weights, sigma)
    walls = Walls(point)
    grad_D, grad_E = relative_norms(point, tol)
    stationary = grad_D <= tol and grad_E <= tol
    if stationary:
        verdict, reason, first_order = judge(point, walls, tol)
    else:
        reason = f"{'grad_D' if grad_D > tol else 'grad_E'} is not zero"
        verdict, first_order = Verdict.NOT_STATIONARY, None
    return Certificate(
        loss=point.loss,
        grad_D=grad_D,
        grad_E=grad_E,
        pattern=point.P,
        neurons=name_neurons(point, walls),
        wall_distance=point.wall_distance,
        stationary=stationary,
        verdict=verdict,
        reason=reason,
        tol=tol,
        scale=problem.scale,
        first_order=first_order,
    )
