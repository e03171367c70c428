"""Theorem 3.10: one sub-concept leaves its parent's neuron for one of its own, where it can."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..activations import Activation, BatchTopK, TopK
from ..checks import Tensor, check_count
from ..problem import Problem
from ..signature import checked
from ..weights import Weights, check_match
from .encoder_rows import encoder_row
from .partial_minimum import printed_recipe
from .patterns import activation_pattern, row_theta, to_numpy


@dataclass(frozen=True)
class Absorption:
    """An attempt to absorb `child`.

    pattern, weights : if `realizable`, P' and weights that show it, encoder first, least-squares
        decoder; else None.
    """

    weights: Weights | None
    pattern: Tensor | None
    child: int | None
    realizable: bool
    reason: str

    @classmethod
    def refused(cls, child: int | None, reason: str) -> Absorption:
        """The answer that it cannot be done."""
        return cls(weights=None, pattern=None, child=child, realizable=False, reason=reason)


@checked
def absorb(
    problem: Problem, weights: Weights, sigma: Activation, neuron: int, child: int | None = None
) -> Absorption:
    """Theorem 3.10 (3.8 in v6), arXiv:2512.05534: `child` leaves its neuron for an unused one.

    Polysemantic `neuron` is split; all other rows stay as they are. With theta > 0 and a unique
    smallest preactivation :math:`a_{min} < a_{2nd}` on the parent's features, that child goes in
    closed form: scale the parent row by 2 theta / (a_min + a_2nd), set an unused row to alpha w_p^d
    with alpha in (theta, theta / mu_d). No other feature changes state, and the shared threshold
    stays. For any other child, or theta = 0, both rows are found by projection, or proven
    impossible: "any sub-concept" is not always possible.

    child : one of the parent's features; None takes the smallest; if it cannot leave, the next
        smallest, and so on.

    Returns an `Absorption`: .realizable, .child, .pattern (P'), .weights and .reason. The decoder
    is refitted by least squares. P' is a partial minimum only if the remaining group passes
    `group_minimum`: ask `partial_minimum`. Raises ValueError if `neuron` fires for fewer than two
    features, no row is unused, or `child` is not one of the parent's.

    >>> import torch
    >>> from sdl_theory import JumpReLU, Problem, absorb, partial_minimum, pattern
    >>> W_p = torch.tensor([[1, 0.6, 0.8], [0, 0.8, 0], [0, 0, 0.6]], dtype=torch.float64)
    >>> problem, sigma = Problem(W_p), JumpReLU(0.1)
    >>> parent = partial_minimum(problem, pattern([[0, 1, 2]], n=3, n_q=2), sigma)
    >>> absorbed = absorb(problem, parent.weights, sigma, neuron=0)
    >>> absorbed.reason
    'neuron 1 took feature 1 from neuron 0; no other feature changed state'
    >>> absorbed.pattern.int()
    tensor([[1, 0, 1],
            [0, 1, 0]], dtype=torch.int32)
    """
    check_match(problem, weights)
    if isinstance(sigma, (TopK, BatchTopK)):
        raise ValueError(
            "Theorem 3.10 is about thresholds: use ReLU() or JumpReLU(theta). "
            "For Top-k ask realize(problem, P', sigma)"
        )
    P = activation_pattern(problem, weights, sigma).cpu()
    parent, unused = _parent(P, neuron, child), _unused(P)
    row = weights.W_E[neuron]
    a = to_numpy(row @ problem.W_p)
    order = sorted(parent, key=lambda d: a[d])
    # one unused row for each threshold
    own = {row_theta(sigma, i, len(P)): i for i in reversed(unused)}
    for candidate in order if child is None else [child]:
        for threshold in sorted(own, reverse=True):
            theta = row_theta(sigma, neuron, len(P)), threshold
            rows = None
            if candidate == order[0]:
                rows = _closed_form(problem, to_numpy(row), a[order[:2]], candidate, theta=theta)
            rows = rows or _by_projection(problem, parent, candidate, theta)
            if rows is not None:
                return _absorbed(
                    problem,
                    weights,
                    sigma,
                    P,
                    neuron=neuron,
                    new=own[threshold],
                    child=candidate,
                    rows=rows,
                )
    what = "no child of the group" if child is None else f"child {child}"
    return Absorption.refused(
        child,
        f"{what} can leave: no encoder row fires for exactly the rest of {parent}, "
        f"or none for the child alone",
    )


def _parent(P: Tensor, neuron: int, child: int | None) -> list[int]:
    """The features that this neuron fires for, `child` among them; or a ValueError."""
    if check_count("neuron", neuron, 0) >= len(P):
        raise ValueError(f"neuron must lie in [0, n_q = {len(P)}); got {neuron}")
    parent = P[neuron].nonzero()[:, 0].tolist()
    if len(parent) < 2:
        raise ValueError(
            f"neuron {neuron} fires for {len(parent)} features; "
            f"absorption needs a parent with at least 2 (Theorem 3.10)"
        )
    if child is not None and child not in parent:
        raise ValueError(
            f"child {child} is not among the features {parent} that neuron {neuron} fires for"
        )
    return parent


def _unused(P: Tensor) -> list[int]:
    """The neurons that fire for nothing; or a ValueError."""
    unused = (~P.any(1)).nonzero()[:, 0].tolist()
    if not unused:
        raise ValueError(
            f"all n_q = {len(P)} neurons fire for something; absorption needs one unused row. "
            f"Add a row of zeros to W_E"
        )
    return unused


def _closed_form(
    problem: Problem,
    row: np.ndarray,
    lowest: np.ndarray,
    child: int,
    *,
    theta: tuple[float, float],
) -> tuple[np.ndarray, np.ndarray] | None:
    """The parent row scaled and the new row along w_p^child, or None.

    There are both where Theorem 3.10's mended proof applies.

    lowest : the parent row's two smallest preactivations, the child's first.
    theta : the thresholds of the two rows.
    """
    smallest, second = lowest
    if min(theta) <= 0 or not smallest < second * (1 - 1e-9):
        return None
    w_p = to_numpy(problem.W_p[:, child])
    z = w_p @ to_numpy(problem.W_p)
    own, others = z[child], np.delete(z, child)
    mu = others.max(initial=0.0) / own
    if mu >= 1 - 1e-9:
        return None
    # midway, in 1/alpha, between theta and theta / mu
    alpha = theta[1] / own * (2 / (1 + mu) if mu > 0 else 2.0)
    return row * (2 * theta[0] / (smallest + second)), alpha * w_p


def _by_projection(
    problem: Problem, parent: list[int], child: int, theta: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray] | None:
    """Rows of largest margin, for the parent without the child and for the child alone, or None.

    theta : the thresholds of the two rows.
    """
    W = to_numpy(problem.W_p)
    rest, alone = np.zeros(problem.n, dtype=bool), np.zeros(problem.n, dtype=bool)
    rest[[d for d in parent if d != child]] = alone[child] = True
    left, own = encoder_row(W, rest, theta[0]), encoder_row(W, alone, theta[1])
    return None if left is None or own is None else (left, own)


def _absorbed(
    problem: Problem,
    weights: Weights,
    sigma: Activation,
    P: Tensor,
    *,
    neuron: int,
    new: int,
    child: int,
    rows: tuple[np.ndarray, np.ndarray],
) -> Absorption:
    """The answer that these rows give, after a look at what they show.

    rows : of `neuron` and of the `new` one.
    """
    W_E = weights.W_E.detach().clone()
    W_E[neuron], W_E[new] = (torch.from_numpy(row).to(W_E) for row in rows)
    wanted = P.clone()
    wanted[neuron, child], wanted[new, child] = False, True
    absorbed = printed_recipe(problem, wanted, W_E)
    if not torch.equal(activation_pattern(problem, absorbed, sigma).cpu(), wanted):
        reason = f"rounding in {problem.W_p.dtype} defeats the construction for child {child}"
        return Absorption.refused(child, f"{reason}; try float64")
    return Absorption(
        weights=absorbed,
        pattern=wanted,
        child=child,
        realizable=True,
        reason=f"neuron {new} took feature {child} from neuron {neuron}; "
        f"no other feature changed state",
    )
