"""`Weights`, an encoder and a decoder: what Theorem 3.1's approximate loss is a function of."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .checks import Tensor, as_matrix, own, refuse
from .problem import Problem, check_problem, mover
from .tolerances import rounding


@dataclass(frozen=True, eq=False)
class Weights:
    """An encoder and a decoder: x_hat = W_D sigma(W_E x_p), bias-free.

    W_E : (n_q, n_p), one neuron a row.
    W_D : (n_r, n_q), one neuron a column.

    Both are copies; but a tensor that requires a gradient is kept itself, so
    `Weights(W_E.requires_grad_(), W_D)` may be differentiated and `weights.W_E.grad` read: such a
    point moves with its variable.
    """

    W_E: Tensor
    W_D: Tensor

    def __post_init__(self):
        W_E = as_matrix("W_E", self.W_E, "(n_q, n_p)")
        W_D = as_matrix("W_D", self.W_D, "(n_r, n_q)")
        if W_E.shape[0] != W_D.shape[1]:
            raise ValueError(
                f"W_E (n_q, n_p) and W_D (n_r, n_q) must agree on n_q; "
                f"got {tuple(W_E.shape)} and {tuple(W_D.shape)}"
            )
        if W_E.dtype != W_D.dtype or W_E.device != W_D.device:
            raise ValueError(
                f"W_E and W_D must share dtype and device; "
                f"got {W_E.dtype} on {W_E.device} and {W_D.dtype} on {W_D.device}"
            )
        object.__setattr__(self, "W_E", own(W_E))
        object.__setattr__(self, "W_D", own(W_D))

    @property
    def n_q(self) -> int:
        """Number of latents (neurons)."""
        return self.W_E.shape[0]

    def to(self, *args, **kwargs) -> Weights:
        """The same weights in another dtype or on another device."""
        moved = mover(args, kwargs)
        return Weights(moved(self.W_E), moved(self.W_D))

    def __repr__(self):
        return (
            f"Weights(W_E {tuple(self.W_E.shape)}, W_D {tuple(self.W_D.shape)}, {self.W_E.dtype})"
        )


def check_match(problem: Problem, weights: Weights) -> None:
    """Raise a ValueError unless the weights fit the problem's shapes, dtype and device."""
    check_problem(problem)
    if not isinstance(weights, Weights):
        must = "Weights; build Weights(W_E, W_D)"
        if weights is None:
            must += " (a pattern without a partial minimum has none: see answer.reason)"
        refuse("weights", must, weights)
    if weights.W_E.shape[1] != problem.n_p:
        raise ValueError(
            f"W_E has {weights.W_E.shape[1]} columns; this problem's n_p is {problem.n_p}"
        )
    if weights.W_D.shape[0] != problem.n_r:
        raise ValueError(
            f"W_D has {weights.W_D.shape[0]} rows; this problem's n_r is {problem.n_r}"
        )
    if weights.W_E.dtype != problem.W_p.dtype or weights.W_E.device != problem.W_p.device:
        raise ValueError(
            f"weights are {weights.W_E.dtype} on {weights.W_E.device}, "
            f"the problem is {problem.W_p.dtype} on {problem.W_p.device}; "
            f"convert one: weights.to({problem.W_p.dtype}) or problem.to(...)"
        )


def preactivations(problem: Problem, weights: Weights) -> tuple[Tensor, Tensor]:
    """The preactivations z = W_E W_p (n_q, n) of single features, and their rounding.

    The second, (n_q, 1), is what rounding may have added to each row of z.
    """
    with torch.no_grad():
        slack = weights.W_E.norm(dim=1, keepdim=True)
        if not torch.isfinite(slack).all():  # the squares overflow
            largest = weights.W_E.abs().amax(1, keepdim=True).clamp(min=1)
            slack = largest * (weights.W_E / largest).norm(dim=1, keepdim=True)
        slack = slack * (rounding(problem.n_p, problem.W_p.dtype) * len(problem.blocks) ** 0.5)
    return weights.W_E @ problem.W_p, slack
