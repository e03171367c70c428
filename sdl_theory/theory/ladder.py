"""The ladder, beyond Theorem 3.10: children leave a group one by one, and its loss bound falls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..checks import check_count
from ..problem import Problem
from ..signature import checked
from ..tolerances import POSITIVE_TOLERANCE
from .groups import group_minimum
from .patterns import check_group, to_numpy
from .verdict import Verdict

EXACT_SUPPORTS = 12  # groups up to this size have lambda+ by enumeration of supports


@dataclass(frozen=True)
class Rung:
    """One step of the ladder: `group` still on the parent, `absorbed` on neurons of their own.

    loss : at the positive eigenvector of what remains, None where there is no partial minimum
        (walls not asked).
    bound : tr K - lambda+, below which no point of the closed region goes.
    exact : lambda+ is known exactly, else `bound` is an upper estimate of that bound.
    """

    group: list[int]
    absorbed: list[int]
    loss: float | None
    bound: float
    verdict: Verdict
    exact: bool


@checked
def loss_ladder(problem: Problem, group: Sequence[int], *, rungs: int | None = None) -> list[Rung]:
    r"""The ladder, beyond Theorem 3.10: children leave one by one, and a bound on the loss falls.

    Parent pattern >= absorbed >= ... >= fully split, in infima over closed regions:

    .. math:: \text{bound}(F) = \mathrm{tr} K_F - \lambda_+(K_F), \qquad
              \lambda_+(K) = \max_{y \ge 0, \|y\| = 1} y^\top K y

    :math:`\lambda_+(K_F) \le \lambda_+(K_{F \setminus d}) + K_{dd}`, so no step goes up. Greedy:
    each rung absorbs the child that leaves the smallest bound. Only the bounds are ordered; `.loss`
    at stationary points need not be.

    rungs : stop after so many.

    lambda+ is exact when the top eigenvector is non-negative, and for groups of at most 12 by
    enumeration; else a projected power iteration from many starts, `exact` False.

    Feature 1 lies between the other two; the one farther from it leaves first:

    >>> import torch
    >>> from sdl_theory import Problem, loss_ladder
    >>> W_p = torch.tensor([[1, 0.6, 0], [0, 0.8, 1]], dtype=torch.float64)
    >>> for rung in loss_ladder(Problem(W_p), [0, 1, 2]):
    ...     print(rung.group, rung.absorbed, rung.verdict, round(rung.bound, 3))
    [0, 1, 2] [] trap 1.0
    [1, 2] [0] trap 0.2
    [2] [0, 1] global 0.0
    """
    group = check_group(group, problem.n)
    if not group:
        raise ValueError("group must hold at least one feature")
    from tqdm import tqdm

    root = problem.M_d[group].sqrt()
    A = to_numpy(problem.W_r[:, group] * root)
    K = A.T @ A
    rest, ladder = list(range(len(group))), []
    absorbed: list[int] = []
    steps = len(group) if rungs is None else min(check_count("rungs", rungs), len(group))
    for step in tqdm(range(steps), desc="loss_ladder", delay=3, leave=False):
        remaining = [group[j] for j in rest]
        minimum, K_rest = group_minimum(problem, remaining), K[np.ix_(rest, rest)]
        lam, exact = lambda_plus(K_rest)
        rung = Rung(
            group=remaining,
            absorbed=[group[j] for j in absorbed],
            loss=minimum.loss if minimum.exists else None,
            bound=0.0 if len(rest) == 1 else max(float(np.trace(K_rest) - lam), 0.0),
            verdict=minimum.verdict,
            exact=exact,
        )
        ladder.append(rung)
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


def _on_supports(K: np.ndarray) -> Iterator[float]:
    """For every size of support, the largest top eigenvalue with a non-negative eigenvector.

    At the maximum, y on its support maximizes that principal submatrix's Rayleigh quotient inside
    the cone: a positive *top* eigenvector.
    """
    m = len(K)
    for size in range(1, m + 1):
        codes = [code for code in range(1, 1 << m) if code.bit_count() == size]
        supports = np.array([[j for j in range(m) if code >> j & 1] for code in codes])
        values, vectors = np.linalg.eigh(K[supports[:, :, None], supports[:, None, :]])
        top = vectors[..., -1] * np.where(vectors[..., -1].sum(-1, keepdims=True) < 0, -1.0, 1.0)
        good = top.min(-1) >= 0
        if good.any():
            yield float(values[good, -1].max())
