"""Theorem 3.2: inside an activation region the approximate loss is convex in W_D, and in W_E.

Gradients and Hessian, in closed form.
"""

from __future__ import annotations

import torch

from ..activations import Activation, ReLU, check_sigma
from ..checks import Tensor
from ..problem import Problem
from ..signature import checked
from ..weights import Weights, check_match, preactivations

HESSIAN_LIMIT = 4096  # variables of a dense Hessian


@checked
def gradients(problem: Problem, weights: Weights, sigma: Activation = ReLU()) -> Weights:
    r"""Theorem 3.2, arXiv:2512.05534: both gradients of the approximate loss inside its region.

    The region is that of the present pattern P. With :math:`Z = P \odot (W_E W_p)` and
    :math:`R = W_r - W_D Z`,

    .. math:: \nabla_{W_D} = -2\, R\,\mathrm{diag}(M_d)\, Z^\top, \qquad
              \nabla_{W_E} = -2\, (P \odot W_D^\top R\,\mathrm{diag}(M_d))\, W_p^\top .

    Returned as `Weights`: `.W_E` (n_q, n_p) and `.W_D` (n_r, n_q). On a wall z = theta these are
    one-sided: see `certify`.

    >>> import torch
    >>> from sdl_theory import Problem, Weights, gradients
    >>> problem = Problem(torch.eye(2, dtype=torch.float64))
    >>> half = Weights([[1.0, -1.0]], [[0.5], [0.0]])  # x_hat is half of feature 0
    >>> g = gradients(problem, half)
    >>> g.W_D.shape, g.W_D[0].tolist()  # a longer column lowers the loss
    (torch.Size([2, 1]), [-1.0])
    """
    Z, P, RM = residual_parts(problem, weights, sigma)
    return Weights(-2 * (P * (weights.W_D.mT @ RM)) @ problem.W_p.mT, -2 * RM @ Z.mT)


def residual_parts(
    problem: Problem, weights: Weights, sigma: Activation
) -> tuple[Tensor, Tensor, Tensor]:
    """Z = P * (W_E W_p), the mask P, and R diag(M_d)."""
    check_match(problem, weights)
    check_sigma(sigma)
    z, slack = preactivations(problem, weights)
    P = sigma.active(z, 0, slack)
    Z = z * P
    return Z, P, (problem.W_r - weights.W_D @ Z) * problem.M_d


@checked
def hessian(
    problem: Problem, weights: Weights, sigma: Activation = ReLU(), block: str = "joint"
) -> Tensor:
    r"""Theorem 3.2: the Hessian of the approximate loss inside its region, in closed form.

    block "D" : of vec(W_D), :math:`2 I_{n_r} \otimes Z\,\mathrm{diag}(M_d) Z^\top`, positive
        semidefinite.
    block "E" : of vec(W_E), positive semidefinite; its entry (i,p),(j,q) is
        :math:`2 \sum_d M_d P_{id} P_{jd} (W_D^\top W_D)_{ij} w^d_p w^d_q`.
    block "joint" : of (vec W_D, vec W_E); it may be indefinite, and then the point is a saddle.

    vec is row-major (`tensor.flatten()`). ValueError above 4096 variables.
    """
    if block not in ("D", "E", "joint"):
        raise ValueError(f'block must be "D", "E" or "joint"; got {block!r}')
    sizes = {"D": weights.W_D.numel(), "E": weights.W_E.numel()}
    size = sum(sizes.values()) if block == "joint" else sizes[block]
    if size > HESSIAN_LIMIT:
        raise ValueError(
            f"the dense {block} Hessian would have {size} variables; "
            f"the limit is {HESSIAN_LIMIT}. Use fewer latents or dimensions"
        )
    Z, mask, RM = residual_parts(problem, weights, sigma)
    W_p, W_D, M, P = problem.W_p, weights.W_D, problem.M_d, mask.to(problem.W_p.dtype)
    if block != "E":
        identity = torch.eye(problem.n_r, dtype=W_p.dtype, device=W_p.device)
        DD = 2 * torch.kron(identity, (Z * M) @ Z.mT)
        if block == "D":
            return DD
    EE = encoder_hessian(M, P, W_D, W_p).reshape(sizes["E"], -1)
    if block == "E":
        return EE
    DE = 2 * torch.einsum("d,jd,qd,aj,id->aijq", M, P, W_p, W_D, Z)
    own = -2 * torch.einsum("id,qd,ad->aiq", P, W_p, RM)  # the part with i = j
    DE.diagonal(dim1=1, dim2=2).add_(own.movedim(1, 2))
    DE = DE.reshape(sizes["D"], sizes["E"])
    return torch.cat([torch.cat([DD, DE], 1), torch.cat([DE.mT, EE], 1)])


def encoder_hessian(M, P, W_D, W_p, einsum=torch.einsum):
    """Block "E" of `hessian`, shape (n_q, n_p, n_q, n_p).

    Of tensors; with NumPy's einsum, of arrays.
    """
    return 2 * einsum("d,id,jd,ij,pd,qd->ipjq", M, P, P, W_D.T @ W_D, W_p, W_p)
