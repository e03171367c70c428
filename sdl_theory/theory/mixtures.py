"""The true loss as an approximate one: every mixture of features a feature of its own (ours).

If magnitudes are constant, L is the sum over supports x of P(x) ||W_r x - W_D sigma(W_E W_p x)||^2,
which is Lt of a problem with a column for every support. So what is known of Lt is known of L.
"""

from __future__ import annotations

import torch

from ..activations import Activation
from ..checks import Tensor
from ..problem import Problem
from ..tolerances import rounding
from .loss import supports


class Mixtures(Problem):
    """A problem whose features are the mixtures of another's, without those of W_p x = 0.

    Columns are W_p x / ||W_p x||, M_d = P(x) ||W_p x||^2; under a threshold W_p x itself, P(x).

    still : the loss of the mixtures left out, which no weights change.
    x : (m, n), the mixtures.
    means : (m,), P(x) times what a unit of code is in truth: E[z_i] = means . z_i.
    """

    still: float
    x: Tensor
    means: Tensor

    def __init__(self, problem: Problem, sizes: Tensor, S: float, sigma: Activation):
        x = torch.cat([bits for bits, _ in supports(problem.n, 1.0, problem.W_p)])[1:]
        k = x.sum(1)
        share = (1 - S) ** k * S ** (problem.n - k)
        x, share = (x * sizes)[share > 0], share[share > 0]
        W_p, W_r = problem.W_p @ x.mT, problem.W_r @ x.mT
        length = W_p.norm(dim=0)
        seen = length > rounding(problem.n, x.dtype) * x.sum(1) * len(problem.blocks) ** 0.5
        still = (share * W_r.square().sum(0))[~seen].sum().item()
        x, share, length = x[seen], share[seen], length[seen]
        unit = length if sigma.homogeneous else torch.ones_like(length)
        fields = {
            "W_p": W_p[:, seen] / unit,
            "W_r": W_r[:, seen] / unit,
            "M_d": share * unit.square(),
            "blocks": problem.blocks,
            "still": still,
            "x": x,
            "means": share * unit,
        }
        for name, value in fields.items():
            object.__setattr__(self, name, value)
