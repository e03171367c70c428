"""Which activation patterns exist: an encoder that shows one, or Farkas' proof that none does.

Row by row, under ReLU and JumpReLU.
"""

from __future__ import annotations

import numpy as np
import torch

from ..activations import Activation, BatchTopK, ReLU, TopK, check_sigma
from ..checks import Tensor
from ..problem import Problem, check_problem
from ..signature import checked
from ..tolerances import rounding
from .encoder_rows import dead_row, encoder_row, lifted_separation
from .patterns import check_pattern, row_theta, to_numpy
from .realization import Farkas, Realization, encoder_pattern
from .realize_topk import realize_topk


@checked
def realize(problem: Problem, P: Tensor, sigma: Activation = ReLU()) -> Realization:
    """Theorem 3.2's regions Omega_P, arXiv:2512.05534: an encoder that shows P, or proof of none.

    P : bool (n_q, n).
    sigma : ReLU, JumpReLU: row by row, z > theta on F_i and <= theta off it. TopK(k): all rows
        jointly, z_id > max(theta, z_jd) for i in A(d), j not, when |A(d)| = k; z_jd <= theta when
        |A(d)| < k. Plain Top-k (theta = -inf) needs |A(d)| = k for every d. Only theta = 0 against
        theta > 0 decides, not theta's value. BatchTopK: ValueError.

    Regions are meant without ties: a pattern that only level latents show, the lower index first,
    counts as infeasible. Infeasible (Jump)ReLU rows carry Farkas weights, the proof: conv(F) meets
    cone(off), resp. conv(off, 0) when theta > 0.

    Feature 1 lies between features 0 and 2, so no neuron fires for those two without it:

    >>> import torch
    >>> from sdl_theory import Problem, pattern, realize
    >>> problem = Problem(torch.tensor([[1, 0.6, 0], [0, 0.8, 1]], dtype=torch.float64))
    >>> realize(problem, pattern([[0, 1], [2]], n=3, n_q=2)).feasible
    True
    >>> refused = realize(problem, pattern([[0, 2], [1]], n=3, n_q=2))
    >>> refused.reason
    'row 0: no encoder fires for [0, 2] alone: a mix of those directions is also a mix of others
    (conv(F) meets cone(off))'
    >>> refused.check().certificate.F  # the mix is there, and verified
    [0, 2]
    """
    check_problem(problem)
    check_sigma(sigma)
    P = check_pattern(P, problem.n)
    if isinstance(sigma, BatchTopK):
        raise ValueError(
            "realize: BatchTopK couples the columns of a batch, so P has no region of its own; "
            "use TopK(k) or JumpReLU(theta)"
        )
    if isinstance(sigma, TopK):
        return realize_topk(problem, P, sigma)
    W, two_sided = to_numpy(problem.W_p), True
    rows, margins, missing = [], [], []
    for i, F in enumerate(P.numpy()):
        theta = row_theta(sigma, i, len(P))
        row = encoder_row(W, F, theta) if F.any() else dead_row(W, theta)
        if row is None:
            missing.append(i)
            continue
        rows.append(row)
        if F.any():
            z = row @ W
            both = np.r_[z[F] - theta, theta - z[~F]].min()
            clear = both > rounding(len(row)) * np.linalg.norm(row)
            margins.append(both if clear else (z[F] - theta).min())
            two_sided &= bool(clear)
    if missing:
        return _refusal(problem, P, sigma, missing)
    W_E = torch.from_numpy(np.stack(rows)).to(problem.W_p)
    if not torch.equal(encoder_pattern(problem, W_E, sigma), P):
        reason = f"realizable, but rounding in {problem.W_p.dtype} cannot show it; try float64"
        return Realization.refused(problem, P, sigma, reason)
    margin = float(min(margins, default=0.0))
    return Realization.found(
        problem,
        P,
        sigma,
        W_E,
        margin=margin,
        two_sided=two_sided,
        reason="every row is realized",
    )


def _refusal(problem: Problem, P: Tensor, sigma: Activation, missing: list[int]) -> Realization:
    """Of the rows that were not found, the first that Farkas' weights forbid; or else a wall."""
    for i in missing:
        certificate = _farkas(problem, P.numpy()[i], i, row_theta(sigma, i, len(P)))
        if certificate is not None:
            meets = "conv(off, 0)" if certificate.positive_theta else "cone(off)"
            reason = (
                f"row {i}: no encoder fires for {certificate.F} alone: "
                f"a mix of those directions is also a mix of others (conv(F) meets {meets})"
            )
            return Realization.refused(problem, P, sigma, reason, certificate=certificate)
    reason = (
        f"row {missing[0]}: realizable only on a wall z = theta, "
        f"where rounding cannot show the pattern"
    )
    return Realization.refused(problem, P, sigma, reason)


def _farkas(problem: Problem, F: np.ndarray, row: int, theta: float) -> Farkas | None:
    """The weights that forbid z > theta on F, <= theta off it; None if a row has that."""
    W = to_numpy(problem.W_p)
    found = lifted_separation(W.T[F], W.T[~F][:0], W.T[~F], theta)
    if found.w is not None:
        return None
    off = np.flatnonzero(~F).tolist()
    return Farkas(
        row=row,
        F=np.flatnonzero(F).tolist(),
        a=torch.from_numpy(found.a),
        off=off,
        b=torch.from_numpy(found.b[: len(off)]),  # without the lifted coordinate's
        positive_theta=theta > 0,
        problem=problem,
    )
