"""`Problem`, what Theorem 3.1's loss is given: feature directions, their targets, their weights.

A sparse-dictionary-learning problem is a triple (W_p, W_r, M_d); a candidate solution is a pair
(W_E, W_D) of `weights`, both in the paper's orientation. Everything else in this package is a
function of these.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from .checks import Tensor, as_matrix, as_tensor, check_count, refuse, shown

UNIT_TOLERANCE = 1e-6
CLEARLY = 1e-5  # pivots of independent directions, at least, of the largest
LARGE = 1 << 14  # entries of W_p from which on one factorization saves many projections


# its own __init__: what may be left out there is a tensor here
@dataclass(frozen=True, eq=False, init=False)
class Problem:
    r"""The data of Theorem 3.1's approximate loss, arXiv:2512.05534.

    .. math:: \tilde L(W_D, W_E) = \sum_d M_d \| w_r^d - W_D \sigma(W_E w_p^d) \|^2

    W_p : (n_p, n) feature directions, columns of unit norm to 1e-6 (renormalized in float64). With
        `blocks` (a crosscoder) the columns are of unit norm within each block of rows.
    W_r : (n_r, n) target directions, columns of any norm. Default: W_p, a sparse autoencoder.
    M_d : (n,) non-negative weights E[x_d^2 1{only d is active}]. Default: ones.
    blocks : row counts of W_p's blocks, summing to n_p. Default: one block.

    The three tensors share the dtype and the device of W_p, and are copies: what happens to yours
    afterwards changes no problem. Raises ValueError on bad shapes, NaN, infinities, columns that
    are not of unit norm, or negative M_d.

    >>> import torch
    >>> from sdl_theory import Problem
    >>> W_p = torch.tensor([[1.0, 0.6], [0.0, 0.8]], dtype=torch.float64)  # a feature a column
    >>> problem = Problem(W_p)
    >>> problem
    Problem(SAE: n=2, n_p=2, n_r=2, torch.float64)
    >>> round(problem.mu, 3)  # the cosine of the two
    0.6
    """

    W_p: Tensor
    W_r: Tensor
    M_d: Tensor
    blocks: tuple[int, ...]

    def __init__(
        self,
        W_p: Tensor,
        W_r: Tensor | None = None,
        M_d: Tensor | None = None,
        blocks: Sequence[int] | None = None,
    ):
        W_p = as_matrix("W_p", W_p, "(n_p, n)").detach()
        if W_p.dtype not in (torch.float32, torch.float64):
            raise ValueError(
                f"W_p is {W_p.dtype}, too coarse for unit columns to {UNIT_TOLERANCE:g}; "
                f"convert and normalize: W_p = W_p.double(); W_p / W_p.norm(dim=0)"
            )
        counts = _row_counts(blocks, len(W_p))
        W_p = _unit_columns(W_p, counts)
        fields = {
            "W_p": W_p,
            "W_r": W_p if W_r is None else _targets(W_r, W_p),
            "M_d": W_p.new_ones(W_p.shape[1]) if M_d is None else _feature_weights(M_d, W_p),
            "blocks": counts,
        }
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    @property
    def n(self) -> int:
        """Number of features."""
        return self.W_p.shape[1]

    @property
    def n_p(self) -> int:
        """Input dimension."""
        return self.W_p.shape[0]

    @property
    def n_r(self) -> int:
        """Target dimension."""
        return self.W_r.shape[0]

    @property
    def mu(self) -> float:
        """Maximum interference max_{i != j} cos(w_p^i, w_p^j), signed; -inf if n = 1: no pair."""
        if self.n == 1:
            return -math.inf
        cosines = (self.W_p.mT @ self.W_p) / len(self.blocks)
        return cosines.fill_diagonal_(-math.inf).max().item()

    @property
    def scale(self) -> float:
        """sum_d M_d ||w_r^d||^2, the loss of the all-zero model: errors are relative to it."""
        return (self.M_d * self.W_r.square().sum(0)).sum().item()

    @cached_property
    def W_p_array(self) -> np.ndarray:
        """W_p in float64, as NumPy reads it: what the projections work on."""
        return self.W_p.double().cpu().numpy()

    @cached_property
    def dual_basis(self) -> np.ndarray | None:
        """W_p^+ where it saves a projection per row; else None.

        For large well-conditioned problems with independent directions.
        """
        W = self.W_p_array
        if W.size < LARGE or W.shape[1] > W.shape[0]:
            return None
        from scipy.linalg import solve_triangular

        Q, R = np.linalg.qr(W)
        pivots = np.abs(np.diag(R))
        return solve_triangular(R, Q.T) if pivots.min() > CLEARLY * pivots.max() else None

    @cached_property
    def clearly_independent(self) -> bool:
        """Are the directions independent by a wide margin?"""
        if self.n > self.n_p:
            return False
        factor, failed = torch.linalg.cholesky_ex((self.W_p.mT @ self.W_p).double())
        return not failed and bool(factor.diagonal().min() > CLEARLY)

    def to(self, *args, **kwargs) -> Problem:
        """The same problem in another dtype or on another device."""
        moved = mover(args, kwargs)
        return Problem(
            moved(self.W_p),
            None if self.W_r is self.W_p else moved(self.W_r),
            moved(self.M_d),
            blocks=self.blocks,
        )

    def __repr__(self):
        kind = "SAE" if self.W_r is self.W_p else "transcoder"
        if len(self.blocks) > 1:
            kind = "crosscoder"
        return f"Problem({kind}: n={self.n}, n_p={self.n_p}, n_r={self.n_r}, {self.W_p.dtype})"


def mover(args, kwargs):
    """Tensor.to with these arguments, or a ValueError where they are none of its own."""

    def moved(tensor: Tensor) -> Tensor:
        try:
            there = tensor.to(*args, **kwargs)
        except (RuntimeError, TypeError, ValueError, OverflowError, AssertionError) as error:
            named = [f"{name}={shown(value)}" for name, value in kwargs.items()]
            given = ", ".join([*map(shown, args), *named])
            raise ValueError(
                f"to({given}): the dtype or device must be such as torch.float32 or 'cpu' "
                f"({str(error).splitlines()[0]})"
            ) from None
        if there.is_complex() or not there.is_floating_point() or there.is_meta:
            raise ValueError(
                f"to: dtype must be a real floating one, the device one that holds numbers; "
                f"got {there.dtype} on {there.device}"
            )
        return there

    return moved


def _row_counts(blocks: Sequence[int] | None, n_p: int) -> tuple[int, ...]:
    if blocks is None:
        return (n_p,)
    if not isinstance(blocks, Sequence):
        raise ValueError(
            f"blocks must be a sequence of row counts that sum to n_p = {n_p}; got {blocks!r}"
        )
    counts = tuple(check_count("a row count in blocks", rows) for rows in blocks)
    if sum(counts) != n_p:
        raise ValueError(
            f"blocks must be positive row counts that sum to n_p = {n_p}; got {counts}"
        )
    return counts


def _unit_columns(W_p: Tensor, blocks: Sequence[int]) -> Tensor:
    parts = []
    for b, part in enumerate(W_p.double().split(list(blocks))):
        norms = part.norm(dim=0)
        worst = (norms - 1).abs().argmax().item()
        if abs(norms[worst].item() - 1) > UNIT_TOLERANCE:
            where = f"block {b} of W_p" if len(blocks) > 1 else "W_p"
            raise ValueError(
                f"columns of {where} must have unit norm to {UNIT_TOLERANCE:g}; "
                f"column {worst} has norm {norms[worst].item():.9g}. "
                f"Divide first: W_p / W_p.norm(dim=0)"
            )
        parts.append(part / norms)
    return torch.cat(parts).to(W_p.dtype)


def _targets(W_r: Tensor, W_p: Tensor) -> Tensor:
    W_r = as_matrix("W_r", W_r, "(n_r, n)").detach().to(W_p, copy=True)
    if W_r.shape[1] != W_p.shape[1]:
        raise ValueError(
            f"W_r must have one column per feature, n = {W_p.shape[1]} as in W_p; "
            f"got shape {tuple(W_r.shape)}"
        )
    return W_r


def _feature_weights(M_d: Tensor, W_p: Tensor) -> Tensor:
    n = W_p.shape[1]
    M_d = as_tensor("M_d", M_d).detach().to(W_p, copy=True)
    if M_d.shape != (n,):
        raise ValueError(
            f"M_d must have shape ({n},), one weight per feature; got {tuple(M_d.shape)}"
        )
    wrong = ~(torch.isfinite(M_d) & (M_d >= 0))
    if wrong.any():
        d = int(wrong.nonzero()[0])
        raise ValueError(
            f"M_d = E[x_d^2 1{{only d active}}] must be finite and >= 0; M_d[{d}] = {M_d[d].item()}"
        )
    return M_d


def check_problem(problem) -> None:
    """Raise a ValueError unless this is a Problem."""
    if not isinstance(problem, Problem):
        refuse("problem", "a Problem; build Problem(W_p) first", problem)
