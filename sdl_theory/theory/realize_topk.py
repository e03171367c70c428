"""Which activation patterns exist under Top-k, whose latents compete: all rows at once."""

from __future__ import annotations

import numpy as np
import torch

from ..activations import TopK
from ..checks import Tensor
from ..problem import Problem
from .patterns import to_numpy
from .realization import Realization, encoder_pattern
from .separation import separate

COUPLED_LIMIT = 4_000_000  # entries of the joint system of a Top-k pattern


def realize_topk(problem: Problem, P: Tensor, sigma: TopK) -> Realization:
    """`realize` for Top-k: one separation in the space of whole encoders, R^(n_q n_p)."""
    n_q, plain = len(P), sigma.theta == -np.inf
    if reason := _wrong_count(P, sigma):
        return Realization.refused(problem, P, sigma, reason)
    if not P.any() or (plain and P.all()):  # nothing to fire for, or nothing to choose between
        W_E = torch.zeros(n_q, problem.n_p).to(problem.W_p)
        return Realization.found(
            problem,
            P,
            sigma,
            W_E,
            margin=sigma.wall_distance(W_E @ problem.W_p).item(),
            two_sided=False,
            reason="the zero encoder shows it",
        ).check()
    _check_size(problem, P, sigma)
    W = to_numpy(problem.W_p)
    strict, soft, weak = topk_conditions(W, P.numpy(), sigma)
    separation = separate(np.r_[strict, soft], weak)
    two_sided = separation.w is not None
    if not two_sided:  # z_jd <= theta need not be strict where places are free
        separation = separate(strict, np.r_[weak, soft])
    if separation.w is None:
        reason = "no encoder meets all of Top-k's conditions on P at once"
        return Realization.refused(problem, P, sigma, reason)
    E = separation.w[: n_q * problem.n_p].reshape(n_q, -1)
    # the lifted coordinate is the level c >= 0; any higher level below every active z serves too
    if sigma.theta > 0:
        E = E * (sigma.theta / max(-separation.w[-1], (E @ W)[P.numpy()].min() / 2))
    W_E = torch.from_numpy(E).to(problem.W_p)
    if not torch.equal(encoder_pattern(problem, W_E, sigma), P):
        reason = "realizable only on a wall z = theta, where rounding cannot show the pattern"
        return Realization.refused(problem, P, sigma, reason)
    reached = sigma.wall_distance(W_E @ problem.W_p).item() if two_sided else separation.margin
    return Realization.found(
        problem,
        P,
        sigma,
        W_E,
        margin=reached,
        two_sided=two_sided,
        reason="all rows are realized jointly",
    ).check()


def _wrong_count(P: Tensor, sigma: TopK) -> str:
    """Why Top-k cannot fire so many neurons for some feature; "" if it can."""
    counts, plain = P.sum(0), sigma.theta == -np.inf
    wrong = counts != min(sigma.k, len(P)) if plain else counts > sigma.k
    if not wrong.any():
        return ""
    d = int(wrong.nonzero()[0])
    need = "exactly" if plain else "at most"
    return (
        f"Top-k fires {need} k = {sigma.k} neurons a feature; P has {int(counts[d])} on feature {d}"
    )


def _check_size(problem: Problem, P: Tensor, sigma: TopK) -> None:
    """ValueError if the joint system of `topk_conditions` is over the limit."""
    on = P.sum(0)
    off = len(P) - on
    if sigma.theta == -np.inf:
        conditions = int((on * off).sum())
    else:
        conditions = int((on + torch.where(on == sigma.k, on * off, off)).sum())
    unknowns = len(P) * problem.n_p
    if conditions * unknowns > COUPLED_LIMIT:
        raise ValueError(
            f"realize couples all rows under Top-k: "
            f"{conditions} conditions on {unknowns} unknowns "
            f"are over the limit of {COUPLED_LIMIT:,} entries. "
            f"Use fewer neurons or features, or JumpReLU(theta)"
        )


def topk_conditions(
    W: np.ndarray, P: np.ndarray, sigma: TopK
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Linear conditions on (vec W_E, -c): strict, soft and weak ones.

    strict : must hold strictly.
    soft : z_jd <= theta, where places are free.
    weak : for theta > 0, c >= 0.
    """
    n_q, n = P.shape
    plain, lifted = sigma.theta == -np.inf, sigma.theta > 0
    size = n_q * len(W) + lifted
    strict, soft = [], []

    def condition(d: int, plus: int | None, minus: int | None) -> np.ndarray:
        """z of `plus` on feature d less that of `minus`; None stands for the threshold c."""
        row = np.zeros(size)
        for i, sign in ((plus, 1.0), (minus, -1.0)):
            if i is not None:
                row[i * len(W) : (i + 1) * len(W)] += sign * W[:, d]
            elif lifted:
                row[-1] -= sign  # c = -row[-1]
        return row

    for d in range(n):
        on, off = np.flatnonzero(P[:, d]).tolist(), np.flatnonzero(~P[:, d]).tolist()
        if not plain:
            strict += [condition(d, i, None) for i in on]
        if len(on) == sigma.k or plain:
            strict += [condition(d, i, j) for i in on for j in off]
        else:
            soft += [condition(d, None, j) for j in off]
    weak = np.zeros((1, size))
    weak[0, -1] = -1.0
    return (
        np.array(strict).reshape(-1, size),
        np.array(soft).reshape(-1, size),
        weak if lifted else weak[:0],
    )
