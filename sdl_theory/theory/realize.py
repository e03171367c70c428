"""Which activation patterns exist: an encoder that shows one, or Farkas' proof that none does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..activations import Activation, BatchTopK, ReLU, TopK, check_sigma
from ..checks import Tensor
from ..problem import Problem, check_problem
from ..signature import checked
from ..tolerances import rounding
from ..weights import Weights
from .patterns import activation_pattern, check_pattern, row_theta, to_numpy
from .separation import dead_row, encoder_row, lifted_separation, separate

COUPLED_LIMIT = 4_000_000  # entries of the joint system of a Top-k pattern


@dataclass(frozen=True)
class Farkas:
    """Why row `row` cannot fire for F and nowhere else: sum_F a_d w_p^d = sum_off b_d w_p^d (theta
    > 0: also sum b <= 1).
    """

    row: int
    F: list[int]
    a: Tensor
    off: list[int]
    b: Tensor
    positive_theta: bool
    problem: Problem

    @checked
    def check(self, problem: Problem | None = None, tol: float = 1e-8) -> Farkas:
        """Verify the certificate from the problem's data alone (its own, or another's);
        AssertionError if it does not hold.
        """
        W = (problem or self.problem).W_p.double().cpu()
        assert (self.a >= 0).all() and (self.b >= 0).all(), "Farkas weights must be non-negative"
        assert abs(self.a.sum().item() - 1) < tol, "Farkas weights a on F must sum to 1"
        assert (W[:, self.F] @ self.a - W[:, self.off] @ self.b).norm().item() < tol, (
            "sum_F a_d w_p^d must equal sum_off b_d w_p^d"
        )
        assert not self.positive_theta or self.b.sum().item() <= 1 + tol, (
            "with theta > 0 the weights b must sum to at most 1"
        )
        return self


@dataclass(frozen=True)
class Realization:
    """Whether an encoder shows P. `W_E` if so, with its margin; else `certificate` (None for a
    Top-k count) and `reason`.

    margin : the largest t reached with z >= theta + t on F and, if `two_sided`, z <= theta - t off
        F (else z <= theta); rows of
    unit norm where theta = 0. Rows that fire for nothing do not count.
    """

    problem: Problem
    P: Tensor
    sigma: Activation
    feasible: bool
    W_E: Tensor | None
    margin: float
    two_sided: bool
    certificate: Farkas | None
    reason: str

    def check(self) -> Realization:
        """Re-derive the claim from W_E or the certificate; AssertionError if it does not hold."""
        if self.feasible:
            shown = _shown(self.problem, self.W_E, self.sigma)
            assert torch.equal(shown, self.P), (
                f"W_E does not show P: {int((shown != self.P).sum())} entries differ"
            )
        elif self.certificate is not None:
            self.certificate.check()
        return self


@checked
def realize(problem: Problem, P: Tensor, sigma: Activation = ReLU()) -> Realization:
    r"""Theorem 3.2's regions Omega_P, arXiv:2512.05534: an encoder that shows P, or the proof that
    there is none.

    ReLU, JumpReLU: row by row, z > theta on F_i and <= theta off it. TopK(k): all rows jointly,
    z_id > max(theta, z_jd) for i in A(d), j not, when |A(d)| = k; z_jd <= theta when |A(d)| < k.
    Plain Top-k (theta = -inf) needs |A(d)| = k for every d. Regions are meant without ties: a
    pattern that only level latents show, the lower index first, counts as infeasible. Infeasible
    (Jump)ReLU rows carry Farkas weights: conv(F) meets cone(off), resp. conv(off, 0) when theta >
    0.
    P : bool (n_q, n). Only theta = 0 against theta > 0 decides, not theta's value. BatchTopK:
        ValueError.
    """
    check_problem(problem)
    check_sigma(sigma)
    P = check_pattern(P, problem.n)
    if isinstance(sigma, BatchTopK):
        raise ValueError(
            "realize: BatchTopK couples the columns of a batch, so P has no region of its own; use "
            "TopK(k) or JumpReLU(theta)"
        )
    if isinstance(sigma, TopK):
        return _realize_topk(problem, P, sigma)
    W, rows, margins, two_sided, missing = to_numpy(problem.W_p), [], [], True, []
    for i, F in enumerate(P.numpy()):
        theta = row_theta(sigma, i, len(P))
        row = encoder_row(W, F, theta) if F.any() else dead_row(W, theta)
        rows.append(row)
        if row is None:
            missing.append((i, F, theta))
        elif F.any():
            z = row @ W
            gaps = np.r_[z[F] - theta, theta - z[~F]]
            clear = gaps.min() > rounding(len(row)) * np.linalg.norm(row)
            margins.append(gaps.min() if clear else (z[F] - theta).min())
            two_sided &= bool(clear)
    if missing:
        return _refusal(problem, P, sigma, W, missing)
    W_E = torch.from_numpy(np.stack(rows)).to(problem.W_p)
    if not torch.equal(_shown(problem, W_E, sigma), P):
        return Realization(
            problem,
            P,
            sigma,
            False,
            None,
            0.0,
            False,
            None,
            f"realizable, but rounding in {problem.W_p.dtype} cannot show it; try float64",
        )
    return Realization(
        problem,
        P,
        sigma,
        True,
        W_E,
        float(min(margins, default=0.0)),
        two_sided,
        None,
        "every row is realized",
    )


def _shown(problem: Problem, W_E: Tensor, sigma: Activation) -> Tensor:
    return activation_pattern(
        problem, Weights(W_E, W_E.new_zeros(problem.n_r, len(W_E))), sigma
    ).cpu()


def _refusal(problem, P, sigma, W, missing) -> Realization:
    for i, F, theta in missing:
        farkas = lifted_separation(W.T[F], W.T[~F][:0], W.T[~F], theta)
        if farkas.w is None:
            off = np.flatnonzero(~F)
            certificate = Farkas(
                i,
                np.flatnonzero(F).tolist(),
                torch.from_numpy(farkas.a),
                off.tolist(),
                torch.from_numpy(farkas.b[: len(off)]),
                theta > 0,
                problem,
            )
            meets = "conv(off, 0)" if theta > 0 else "cone(off)"
            return Realization(
                problem,
                P,
                sigma,
                False,
                None,
                0.0,
                False,
                certificate,
                f"row {i}: no encoder fires for {certificate.F} alone: a mix of those directions "
                f"is also a mix of others (conv(F) meets {meets})",
            )
    return Realization(
        problem,
        P,
        sigma,
        False,
        None,
        0.0,
        False,
        None,
        f"row {missing[0][0]}: realizable only on a wall z = theta, where rounding cannot show the "
        f"pattern",
    )


def _realize_topk(problem: Problem, P: Tensor, sigma: TopK) -> Realization:
    n_q, W = len(P), to_numpy(problem.W_p)
    counts, plain = P.sum(0), sigma.theta == -np.inf
    wrong = counts != min(sigma.k, n_q) if plain else counts > sigma.k
    if wrong.any():
        d = int(wrong.nonzero()[0])
        need = "exactly" if plain else "at most"
        return Realization(
            problem,
            P,
            sigma,
            False,
            None,
            0.0,
            False,
            None,
            f"Top-k fires {need} k = {sigma.k} neurons a feature; P has {int(counts[d])} on "
            f"feature {d}",
        )
    if not P.any() or (plain and P.all()):
        # nothing to fire for, or nothing to choose between
        W_E = torch.zeros(n_q, problem.n_p).to(problem.W_p)
        return Realization(
            problem,
            P,
            sigma,
            True,
            W_E,
            sigma.wall_distance(W_E @ problem.W_p).item(),
            False,
            None,
            "the zero encoder shows it",
        ).check()
    off = n_q - counts
    conditions = (
        int((counts * off).sum())
        if plain
        else int((counts + torch.where(counts == sigma.k, counts * off, off)).sum())
    )
    if conditions * n_q * problem.n_p > COUPLED_LIMIT:
        raise ValueError(
            f"realize couples all rows under Top-k: {conditions} conditions on {n_q * problem.n_p} "
            f"unknowns are over the limit of "
            f"{COUPLED_LIMIT:,} entries. Use fewer neurons or features, or JumpReLU(theta)"
        )
    strict, soft, weak = topk_conditions(W, P.numpy(), sigma)
    found = separate(np.r_[strict, soft], weak)
    two_sided = found.w is not None
    if not two_sided:  # z_jd <= theta need not be strict where places are free
        found = separate(strict, np.r_[weak, soft])
    if found.w is None:
        return Realization(
            problem,
            P,
            sigma,
            False,
            None,
            0.0,
            False,
            None,
            "no encoder meets all of Top-k's conditions on P at once",
        )
    E = found.w[: n_q * problem.n_p].reshape(n_q, -1)
    # the lifted coordinate is the level c >= 0; any higher level below every active z serves too
    if sigma.theta > 0:
        E = E * (sigma.theta / max(-found.w[-1], (E @ W)[P.numpy()].min() / 2))
    W_E = torch.from_numpy(E).to(problem.W_p)
    if not torch.equal(_shown(problem, W_E, sigma), P):
        return Realization(
            problem,
            P,
            sigma,
            False,
            None,
            0.0,
            False,
            None,
            "realizable only on a wall z = theta, where rounding cannot show the pattern",
        )
    margin = sigma.wall_distance(W_E @ problem.W_p).item() if two_sided else found.margin
    return Realization(
        problem, P, sigma, True, W_E, margin, two_sided, None, "all rows are realized jointly"
    ).check()


def topk_conditions(
    W: np.ndarray, P: np.ndarray, sigma: TopK
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Linear conditions on (vec W_E, -c): the strict ones; z_jd <= theta where places are free;
    and, for theta > 0, c >= 0.
    """
    n_q, n = P.shape
    plain, lifted = sigma.theta == -np.inf, sigma.theta > 0
    size = n_q * len(W) + lifted
    strict, soft = [], []

    def condition(d: int, plus: int | None, minus: int | None) -> np.ndarray:
        row = np.zeros(size)
        for i, sign in ((plus, 1.0), (minus, -1.0)):
            if i is None and lifted:
                row[-1] += sign * -1.0  # the threshold c stands in for a latent: c = -row[-1]
            elif i is not None:
                row[i * len(W) : (i + 1) * len(W)] += sign * W[:, d]
        return row

    for d in range(n):
        on, off = np.flatnonzero(P[:, d]), np.flatnonzero(~P[:, d])
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
