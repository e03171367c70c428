"""Theorem 3.10: one sub-concept leaves its parent's neuron for a neuron of its own. When it can,
and what it buys.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..activations import Activation, BatchTopK, TopK
from ..checks import Tensor, check_count
from ..problem import Problem
from ..signature import checked
from ..tolerances import POSITIVE_TOLERANCE
from ..weights import Weights, check_match
from .groups import group_minimum
from .partial_minimum import printed_recipe
from .patterns import activation_pattern, check_group, row_theta, to_numpy
from .separation import encoder_row
from .verdict import Verdict

EXACT_SUPPORTS = 12  # groups up to this size have lambda+ by enumeration of supports


@dataclass(frozen=True)
class Absorption:
    """An attempt to absorb `child`. If `realizable`: `pattern` P' and `weights` that show it,
    encoder first, least-squares decoder.
    """

    weights: Weights | None
    pattern: Tensor | None
    child: int | None
    realizable: bool
    reason: str


@checked
def absorb(
    problem: Problem, weights: Weights, sigma: Activation, neuron: int, child: int | None = None
) -> Absorption:
    r"""Theorem 3.10 (3.8 in v6), arXiv:2512.05534: split `child` off polysemantic `neuron` onto an
    unused one; all other rows stay as they are.

    With theta > 0 and a unique smallest preactivation :math:`a_{min} < a_{2nd}` on the parent's
    features, that child goes in closed form: scale the parent row by 2 theta / (a_min + a_2nd), set
    an unused row to alpha w_p^d with alpha in (theta, theta / mu_d). No other feature changes
    state, and the shared threshold stays. For any other child, or theta = 0, both rows are found by
    projection, or proven impossible: "any sub-concept" is not always possible. child=None takes the
    smallest; if it cannot leave, the next smallest, and so on.

    Returns an `Absorption`: .realizable, .child, .pattern (P'), .weights and .reason. The decoder
    is refitted by least squares. P' is a partial minimum only if the remaining group passes
    `group_minimum`: ask `partial_minimum`. Raises ValueError if `neuron` fires for fewer than two
    features, no row is unused, or `child` is not one of the parent's.
    """
    check_match(problem, weights)
    if isinstance(sigma, (TopK, BatchTopK)):
        raise ValueError(
            "Theorem 3.10 is about thresholds: use ReLU() or JumpReLU(theta). For Top-k ask "
            "realize(problem, P', sigma)"
        )
    P = activation_pattern(problem, weights, sigma).cpu()
    n_q = len(P)
    if check_count("neuron", neuron, 0) >= n_q:
        raise ValueError(f"neuron must lie in [0, n_q = {n_q}); got {neuron}")
    parent = P[neuron].nonzero()[:, 0].tolist()
    if len(parent) < 2:
        raise ValueError(
            f"neuron {neuron} fires for {len(parent)} features; absorption needs a parent with at "
            f"least 2 (Theorem 3.10)"
        )
    if child is not None and child not in parent:
        raise ValueError(
            f"child {child} is not among the features {parent} that neuron {neuron} fires for"
        )
    unused = (~P.any(1)).nonzero()[:, 0].tolist()
    if not unused:
        raise ValueError(
            f"all n_q = {n_q} neurons fire for something; absorption needs one unused row. Add a "
            f"row of zeros to W_E"
        )
    a = to_numpy(weights.W_E[neuron] @ problem.W_p)
    order = sorted(parent, key=lambda d: a[d])
    # one unused row for each threshold
    own = {row_theta(sigma, i, n_q): i for i in reversed(unused)}
    for candidate in order if child is None else [child]:
        for threshold in sorted(own, reverse=True):
            theta = row_theta(sigma, neuron, n_q), threshold
            rows = _closed_form(
                problem, weights.W_E[neuron], a, order, candidate, theta
            ) or _by_projection(problem, parent, candidate, theta)
            if rows is not None:
                return _absorbed(
                    problem, weights, sigma, P, neuron, own[threshold], candidate, rows
                )
    what = "no child of the group" if child is None else f"child {child}"
    return Absorption(
        None,
        None,
        child,
        False,
        f"{what} can leave: no encoder row fires for exactly the rest of {parent}, or none for the "
        f"child alone",
    )


def _closed_form(problem, row, a, order, child, theta):
    """The scaling of the parent row and the new row along w_p^child, where Theorem 3.10's mended
    proof applies.
    """
    smallest, second = a[order[0]], a[order[1]]
    if child != order[0] or min(theta) <= 0 or not smallest < second * (1 - 1e-9):
        return None
    w_p = to_numpy(problem.W_p[:, child])
    z = w_p @ to_numpy(problem.W_p)
    own, others = z[child], np.delete(z, child)
    mu = others.max(initial=0.0) / own
    if mu >= 1 - 1e-9:
        return None
    # midway, in 1/alpha, between theta and theta / mu
    alpha = theta[1] / own * (2 / (1 + mu) if mu > 0 else 2.0)
    return to_numpy(row) * (2 * theta[0] / (smallest + second)), alpha * w_p


def _by_projection(problem, parent, child, theta):
    W = to_numpy(problem.W_p)
    rest, alone = np.zeros(problem.n, dtype=bool), np.zeros(problem.n, dtype=bool)
    rest[[d for d in parent if d != child]] = alone[child] = True
    rows = encoder_row(W, rest, theta[0]), encoder_row(W, alone, theta[1])
    return None if rows[0] is None or rows[1] is None else rows


def _absorbed(problem, weights, sigma, P, neuron, new, child, rows) -> Absorption:
    W_E = weights.W_E.detach().clone()
    W_E[neuron], W_E[new] = (torch.from_numpy(row).to(W_E) for row in rows)
    wanted = P.clone()
    wanted[neuron, child], wanted[new, child] = False, True
    absorbed = printed_recipe(problem, wanted, W_E)
    if not torch.equal(activation_pattern(problem, absorbed, sigma).cpu(), wanted):
        return Absorption(
            None,
            None,
            child,
            False,
            f"rounding in {problem.W_p.dtype} defeats the construction for child {child}; try "
            f"float64",
        )
    return Absorption(
        absorbed,
        wanted,
        child,
        True,
        f"neuron {new} took feature {child} from neuron {neuron}; no other feature changed state",
    )


@dataclass(frozen=True)
class Rung:
    """One step of the ladder: `group` still on the parent, `absorbed` on neurons of their own.

    loss : at the positive eigenvector of what remains, None where there is no partial minimum
        (walls not asked). bound : tr K - lambda+,
    below which no point of the closed region goes; `exact` when lambda+ is known exactly, else it
    is an upper estimate of that bound.
    """

    group: list[int]
    absorbed: list[int]
    loss: float | None
    bound: float
    verdict: Verdict
    exact: bool


@checked
def loss_ladder(problem: Problem, group: Sequence[int], *, rungs: int | None = None) -> list[Rung]:
    r"""The ladder, beyond Theorem 3.10: parent pattern >= absorbed >= ... >= fully split, in infima
    over closed regions.

    .. math:: \text{bound}(F) = \mathrm{tr} K_F - \lambda_+(K_F), \qquad \lambda_+(K) = \max_{y \ge
    0, \|y\| = 1} y^\top K y

    :math:`\lambda_+(K_F) \le \lambda_+(K_{F \setminus d}) + K_{dd}`, so no step goes up. Greedy:
    each rung absorbs the child that leaves the smallest bound. Only the bounds are ordered; `.loss`
    at stationary points need not be. `rungs` stops early. lambda+ is exact when the top eigenvector
    is non-negative, and for groups of at most 12 by enumeration; else a projected power iteration
    from many starts, `exact` False.
    """
    group = check_group(group, problem.n)
    if not group:
        raise ValueError("group must hold at least one feature")
    from tqdm import tqdm

    root = problem.M_d[group].sqrt()
    A = to_numpy(problem.W_r[:, group] * root)
    K = A.T @ A
    rest, absorbed, ladder = list(range(len(group))), [], []
    steps = len(group) if rungs is None else min(check_count("rungs", rungs), len(group))
    for step in tqdm(range(steps), desc="loss_ladder", delay=3, leave=False):
        remaining = [group[j] for j in rest]
        lam, exact = lambda_plus(K[np.ix_(rest, rest)])
        minimum = group_minimum(problem, remaining)
        bound = 0.0 if len(rest) == 1 else max(float(np.trace(K[np.ix_(rest, rest)]) - lam), 0.0)
        ladder.append(
            Rung(
                remaining,
                [group[j] for j in absorbed],
                minimum.loss if minimum.exists else None,
                bound,
                minimum.verdict,
                exact,
            )
        )
        if step + 1 < steps:
            leaver = _best_leaver(K, rest)
            rest.remove(leaver)
            absorbed.append(leaver)
    return ladder


def _best_leaver(K: np.ndarray, rest: list[int]) -> int:
    """The child whose leaving lowers the bound most; all candidates' eigenpairs in one batch."""
    m = len(rest)
    keep = np.array([[j for j in range(m) if j != c] for c in range(m)])
    sub = K[np.ix_(rest, rest)][keep[:, :, None], keep[:, None, :]]
    lam = [lambda_plus(k, pair)[0] for k, pair in zip(sub, zip(*np.linalg.eigh(sub)))]
    bounds = np.trace(sub, axis1=1, axis2=2) - lam
    return rest[int(np.argmin(bounds))]


def lambda_plus(K: np.ndarray, eigensystem=None) -> tuple[float, bool]:
    """max y^T K y over y >= 0, ||y|| = 1, of a symmetric K; and whether that is exact."""
    values, vectors = np.linalg.eigh(K) if eigensystem is None else eigensystem
    top = vectors[:, -1] * np.sign(vectors[np.abs(vectors[:, -1]).argmax(), -1])
    if top.min() >= -POSITIVE_TOLERANCE * top.max():
        return float(values[-1]), True
    if len(K) <= EXACT_SUPPORTS:
        return max(_on_supports(K)), True
    Y = np.concatenate([np.eye(len(K)), np.clip(np.c_[vectors, -vectors], 0, None)], axis=1)
    shift = K + max(0.0, -values[0]) * np.eye(len(K))
    for _ in range(500):
        Y = np.clip(shift @ Y, 0, None)
        Y = Y / np.maximum(np.linalg.norm(Y, axis=0), 1e-300)
    return float(((K @ Y) * Y).sum(0).max()), False


def _on_supports(K: np.ndarray):
    """At the maximum, y on its support maximizes that principal submatrix's Rayleigh quotient
    inside the cone: a positive *top* eigenvector.
    """
    m = len(K)
    for size in range(1, m + 1):
        supports = np.array(
            [
                [j for j in range(m) if code >> j & 1]
                for code in range(1, 1 << m)
                if code.bit_count() == size
            ]
        )
        values, vectors = np.linalg.eigh(K[supports[:, :, None], supports[:, None, :]])
        top = vectors[..., -1] * np.where(vectors[..., -1].sum(-1, keepdims=True) < 0, -1.0, 1.0)
        good = top.min(-1) >= 0
        if good.any():
            yield float(values[good, -1].max())
