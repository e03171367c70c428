"""Are both gradients zero? Their norms, neuron by neuron, relative to what their terms add up to
without cancelling.
"""

from __future__ import annotations

import torch

from ..checks import Tensor
from .point import Point


def relative_norms(point: Point, tol: float) -> tuple[float, float]:
    """Relative norms of grad_D and grad_E, the worst neuron's: the formula is in `certify`."""
    if not len(point.firing):
        return 0.0, 0.0
    problem, R, Z, W_D = point.problem, point.residual, point.Z, point.W_D
    M, P = problem.M_d, point.fired
    RM = R * M
    model = problem.W_r - R
    c2 = M * (problem.W_r.square().sum(0) + model.square().sum(0))
    own = (P.to(c2.dtype) @ c2).sqrt()  # sqrt(sum_{F_i} M_d c_d^2)
    fired = (Z.square() @ M).sqrt()
    size_D = own * fired
    C = P * (W_D.mT @ RM)
    # a w_D below 100 eps of its natural size is zero, and has no direction
    noise = 100 * torch.finfo(M.dtype).eps / tol * own / fired
    size_E = (
        torch.maximum(W_D.norm(dim=0), noise.nan_to_num(0.0))
        * own
        * (P.to(M.dtype) @ (M * problem.W_p.square().sum(0))).sqrt()
    )
    norm_D, norm_E = (RM @ Z.mT).norm(dim=0), (C @ problem.W_p.mT).norm(dim=1)
    if not all(torch.isfinite(t).all() for t in (size_D, size_E, norm_D, norm_E)):
        raise ValueError(
            f"certify: products of these weights overflow {M.dtype}; rescale rows, W_E -> t W_E "
            f"and W_D -> W_D / t, or use float64"
        )
    return _worst(norm_D, size_D), _worst(norm_E, size_E)


def _worst(norm: Tensor, size: Tensor) -> float:
    """The largest norm / size; a size of 0: there is no term at all."""
    return torch.where(size > 0, norm / size, torch.zeros_like(norm)).max().item()
