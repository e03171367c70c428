"""What latents are, from their rows alone: dead, twice the same, mirrored."""

from __future__ import annotations

import torch

from ..checks import Tensor, as_tensor
from ..signature import checked
from .matching import floats, unit_rows


def strictly_dead(W_E: Tensor, W_p: Tensor, theta: float | Tensor = 0.0) -> Tensor:
    r"""Mask (n_q,) of the rows that no single feature can fire.

    .. math:: \max_d \langle w_E^i, w_p^d \rangle < \theta_i, \quad \text{strictly}

    theta : 0 for ReLU and Top-k, else one number or (n_q,).

    At theta = 0 such a row never fires for *any* non-negative mixture x_p = W_p x, whatever S: it
    is dead for good, and no gradient of the loss reaches it. At theta > 0 the mask speaks of single
    features of magnitude 1 alone: larger or mixed ones may fire the row.
    """
    W_E = floats("W_E", W_E, "(n_q, n_p)")
    W_p = floats("W_p", W_p, "(n_p, n)").to(W_E)
    theta = as_tensor("theta", theta).detach().to(W_E)
    if theta.isnan().any():
        raise ValueError(
            f"theta must be a number, or one per latent, (n_q,) = ({len(W_E)},); got NaN"
        )
    return torch.cat([(rows @ W_p).amax(1) for rows in W_E.split(1024)]) < theta


def _close(rows: Tensor, tol: float, sign: int) -> tuple[Tensor, Tensor]:
    """Masks of the rows with sign * cos > tol to (an earlier row, a later row)."""
    rows = unit_rows(rows)
    with_earlier, with_later = rows.new_zeros(2, len(rows), dtype=torch.bool)
    for start in range(0, len(rows), 1024):
        part = slice(start, start + 1024)
        close = ((sign * rows[part]) @ rows[: part.stop].mT > tol).tril_(start - 1)
        with_earlier[part] = close.any(1)
        with_later[: part.stop] |= close.any(0)
    return with_earlier, with_later


def duplicate(W_D: Tensor, live: Tensor | None = None, tol: float = 0.95) -> float:
    """Share of the live latents that repeat an earlier live latent. 0 if none is live.

    One latent repeats another if their decoder columns have a cosine > tol (signed). A feature held
    by m latents counts m - 1 times.

    W_D : (n_r, n_q).
    live : mask (n_q,), default all.
    """
    columns = floats("W_D", W_D, "(n_r, n_q)").mT
    columns = columns if live is None else columns[live]
    return _close(columns, tol, 1)[0].double().mean().item() if len(columns) else 0.0


@checked
def mirrored_share(W_E: Tensor, tol: float = 0.95) -> float:
    """Share of the nonzero rows with a mirror image, a row at cosine < -tol.

    1 for `mirrored_weights`, Theorem 3.4's zero loss without recovery.
    """
    W_E = floats("W_E", W_E, "(n_q, n_p)")
    with_earlier, with_later = _close(W_E, tol, -1)
    return int((with_earlier | with_later).sum()) / max(1, int((W_E != 0).any(1).sum()))
