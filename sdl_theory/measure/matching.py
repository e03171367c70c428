"""Which learned row is which true direction: best matches, recovery at a threshold, one-to-one."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch

from ..checks import Tensor, as_matrix, as_tensor
from ..signature import checked

CHUNK = 1 << 22  # entries of a product of rows held at once


def unit_rows(rows: Tensor) -> Tensor:
    """The rows at unit norm; a zero row stays zero.

    Scaled to a largest entry of 1 first, so that no square over- or underflows.
    """
    largest = rows.abs().amax(-1, keepdim=True)
    scaled = rows / torch.where(largest > 0, largest, torch.ones_like(largest))
    return scaled / scaled.norm(dim=-1, keepdim=True).clamp(min=1)


def floats(name: str, value, shape: str) -> Tensor:
    """A matrix in float64 if it comes so, else in float32."""
    matrix = as_matrix(name, value, shape).detach()
    return matrix if matrix.dtype == torch.float64 else matrix.float()


def unit_truth(truth) -> Tensor:
    """True columns (d, n) at unit norm; ValueError if one is zero."""
    truth = floats("truth", truth, "(d, n)")
    if (zero := (truth == 0).all(0)).any():
        raise ValueError(
            f"column {int(zero.nonzero()[0])} of truth is zero: "
            f"it has no direction to be matched with; leave that feature out"
        )
    return unit_rows(truth.mT).mT


def _check_pair(rows, truth) -> tuple[Tensor, Tensor]:
    """Learned rows (n_q, d) as they are and true columns (d, n) at unit norm; or a ValueError.

    Of one dtype on one device.
    """
    rows, truth = floats("rows", rows, "(n_q, d)"), unit_truth(truth)
    if rows.shape[1] != truth.shape[0]:
        raise ValueError(
            f"rows (n_q, d) and truth (d, n) must agree on d; "
            f"got {tuple(rows.shape)} and {tuple(truth.shape)}. A decoder's rows are W_D.mT"
        )
    return rows, truth.to(rows)


def products(rows: Tensor, truth: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """|<w^d, rows_i>| for some i at a time: (which i, (n, len(i)))."""
    step = max(1, CHUNK // truth.shape[1])
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        yield part, (truth.mT @ rows[part].mT).abs_()


@checked
def best_matches(rows: Tensor, truth: Tensor, *, cosine: bool = True) -> Tensor:
    r"""The best match of each true direction among the learned rows, shape (n,).

    .. math:: \max_i |\langle w_i, w^d \rangle|

    rows : (n_q, d), W_E or W_D.mT. Normalized if `cosine` (a zero row matches nothing: 0), else
        taken as they are, "raw".
    truth : (d, n), W_p or W_r, whose columns are normalized always, a crosscoder's as a whole, all
        blocks stacked.

    With a leading axis I on the rows, and on the truth if each instance has its own: (I, n).
    ValueError if not finite, or a column is zero.

    The metric of arXiv:2512.05534, section 5.1 and appendix B, is the raw one of the encoder,
    best_matches(W_E, W_p, cosine=False). Under ReLU and Top-k (t W_E, W_D / t) is the same
    function, so has the same loss, and its scores are t times as large: the share found can go
    from 0% to 100%. Cosines do not move. Hence `evaluate` gives both, for both matrices, beside
    random rows.

    On the bench a crosscoder's column, m blocks of unit norm stacked, has norm sqrt(m). It is
    normalized because assumption 2.1 of the paper has unit columns of the whole W_p, and because a
    match is then at most the row's norm for every kind of model, so that one null serves all. But
    the ideal encoder row is w_p^d / m (`ideal_weights`), as <w_p^d, w_p^d> = m, so by the literal
    score W* itself gets 1 / sqrt(m), .707 for two blocks: .95 is out of its reach. With the columns
    as they are W* would get 1, and random unit rows sqrt(m) times their cosine.

    >>> import torch
    >>> from sdl_theory import best_matches
    >>> truth = torch.eye(3, dtype=torch.float64)
    >>> rows = torch.tensor(
    ...     [[0.0, 2.0, 0.0], [-1.0, 0.0, 0.0], [0.6, 0.0, 0.8]], dtype=torch.float64
    ... )
    >>> best_matches(rows, truth)
    tensor([1.0000, 1.0000, 0.8000], dtype=torch.float64)
    >>> best_matches(rows, truth, cosine=False)  # raw: the paper's metric (section 5.1)
    tensor([1.0000, 2.0000, 0.8000], dtype=torch.float64)
    """
    return best_pairs(rows, truth, cosine=cosine)[0]


@torch.no_grad()
def best_pairs(rows: Tensor, truth: Tensor, *, cosine: bool = True) -> tuple[Tensor, Tensor]:
    """`best_matches`, and the latents i that reach them: two tensors (n,), or (I, n)."""
    rows = as_tensor("rows", rows)
    if rows.ndim == 3:
        truth = as_tensor("truth", truth)
        if truth.ndim == 3 and len(truth) != len(rows):
            raise ValueError(
                f"truth has {len(truth)} instances, rows has {len(rows)}; "
                f"give each its own, or one (d, n) for all"
            )
        pairs = [
            best_pairs(one, truth[i] if truth.ndim == 3 else truth, cosine=cosine)
            for i, one in enumerate(rows)
        ]
        return torch.stack([one for one, _ in pairs]), torch.stack([which for _, which in pairs])
    rows, truth = _check_pair(rows, truth)
    matches = rows.new_zeros(truth.shape[1])
    latents = torch.zeros_like(matches, dtype=torch.long)
    for part, found in products(unit_rows(rows) if cosine else rows, truth):
        values, places = found.max(1)
        better = values > matches
        matches = torch.where(better, values, matches)
        latents = torch.where(better, places + part.start, latents)
    return matches.clamp(max=1) if cosine else matches, latents


def check_tau(tau: float) -> float:
    """tau as a float, or a ValueError."""
    try:
        if 0 <= float(tau) < math.inf:
            return float(tau)
    except (TypeError, ValueError):
        pass
    raise ValueError(f"tau must be a finite number >= 0, such as .95; got {tau!r}")


@checked
def gt_recovery(matches: Tensor, tau: float = 0.95) -> float | Tensor:
    """GT recovery, M_GT of section 5.1 and appendix B: the share of features that are found.

    Found is a feature whose best match exceeds tau, strictly. A float, or (I,) for matches (I, n).
    The paper's figure is that of best_matches(W_E, W_p, cosine=False), tau = .95 in its Table 1.

    >>> import torch
    >>> from sdl_theory import gt_recovery
    >>> gt_recovery(torch.tensor([1.0, 0.96, 0.8, 0.2], dtype=torch.float64))  # of tau = .95
    0.5
    """
    share = (_check_matches(matches) > check_tau(tau)).double().mean(-1)
    return share if share.ndim else share.item()


@checked
def max_inner_product(matches: Tensor) -> float | Tensor:
    """MIP, the M_IP of section 5.1, arXiv:2512.05534: the mean best match over the features.

    M_IP is that of raw matches of W_E. A float, or (I,) for matches (I, n).
    """
    mean = _check_matches(matches).mean(-1)
    return mean if mean.ndim else mean.item()


@checked
def recovery_curve(matches: Tensor, taus: Sequence[float] | None = None) -> tuple[Tensor, Tensor]:
    """GT recovery at every tau: (taus, shares), float64, for matches (n,).

    The default taus are 0 and every value among the matches, which is the whole curve: it is
    constant between them, drops at them, and ends at 0.
    """
    ordered = _check_matches(matches, (1,)).sort().values.cpu()
    if taus is None:
        at = torch.cat([ordered.new_zeros(1), ordered]).unique()
    else:
        at = torch.tensor([check_tau(tau) for tau in taus], dtype=torch.float64)
    return at, 1 - torch.searchsorted(ordered, at, right=True).double() / len(ordered)


def _check_matches(matches, ndims: tuple[int, ...] = (1, 2)) -> Tensor:
    matches = as_tensor("matches", matches).detach().double()
    if matches.ndim not in ndims or 0 in matches.shape:
        shapes = "(n,) or (I, n)" if 2 in ndims else "(n,)"
        raise ValueError(
            f"matches must be best_matches(rows, truth), shape {shapes}; "
            f"got shape {tuple(matches.shape)}"
        )
    if not (matches >= 0).all():
        raise ValueError(
            f"matches are absolute values, >= 0; the least here is {matches.min().item()}"
        )
    return matches


@torch.no_grad()
def hungarian(rows: Tensor, truth: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The one-to-one matching of latents and features with the largest sum of |cos|.

    Returns (latents, features, |cos|), min(n_q, n) of each.
    """
    from scipy.optimize import linear_sum_assignment

    rows, truth = _check_pair(rows, truth)
    cosines = torch.cat([found.cpu() for _, found in products(unit_rows(rows), truth)], 1)
    features, latents = linear_sum_assignment(-cosines.double().numpy())
    matched = cosines[features, latents].clamp(max=1)
    return torch.from_numpy(latents), torch.from_numpy(features), matched


@checked
def mcc(rows: Tensor, truth: Tensor) -> float:
    """Mean correlation coefficient: the mean |cos| over the pairs of the `hungarian` matching.

    The figure other libraries print. There are min(n_q, n) pairs, and no two features may share a
    latent, so mcc <= `max_inner_product` of the cosines when n_q >= n.
    """
    return hungarian(rows, truth)[2].double().mean().item()
