"""What a trained dictionary of real activations is, in the theory's words, without a known truth.

On N samples the true loss is Lt of Theorem 3.1 with the samples themselves as features, each alone
with weight 1 / N (w_p = x / ||x|| and M = ||x||^2 / N, the same for sigma(tz) = t sigma(z)): so
what is said of any features holds of samples, which rows are strictly dead on them and what a spare
neuron gains at least. What is said of independent features does not: N exceeds n_p. Nor does it
tell which features there are.
"""

from __future__ import annotations

import torch

from ...checks import Tensor
from ...measure.firing import explained_variance
from ...training.model import SDLModel
from .activations import Pair

ROWS = 4096  # held-out rows that are looked at
CHUNK = 512


@torch.no_grad()
def read(model: SDLModel, pair: Pair) -> dict[str, float]:
    """Figures on held-out rows.

    held_out_loss, explained : mean ||x_r - x_hat||^2, and the share of the variance explained.
    silent : share of latents that win a place among the k in no row.
    strictly_dead : share with z < 0 in every row: no non-negative mixture of these rows fires them
        either, and a longer row changes nothing.
    lengthen : of the silent latents that are not strictly dead, the median factor by which their
        row would have to grow to win a place somewhere: k-th largest z / own z, at its smallest.
    l0 : latents that fire in a row.
    strongest : median over rows of the strongest latent's share of sum_i (z_i ||w_D^i||)^2; 1 would
        be the world of one feature at a time, which alone Lt sees.
    spare : what one spare neuron, under a ReLU and with all others frozen, could take off the loss
        at once, as a share of it: the gain of the better sign row, see `spare_gain`.
    """
    rows = torch.arange(min(ROWS, len(pair.held_out)))
    x_p, x_r = (x.to(model.W_E) for x in pair.held_out.pair(rows))
    size, guesses, strongest, fired = model.W_D.square().sum(0), [], [], 0
    for part in x_p.split(CHUNK):
        codes = model.encode(part)
        mass = codes.square() * size
        strongest.append(mass.amax(1) / mass.sum(1).clamp(min=1e-30))
        fired += int((codes > 0).sum())
        guesses.append(model.decode(codes))
    x_hat, (fires, above, factor) = torch.cat(guesses), places(model, x_p)
    asleep = ~fires & above
    return dict(
        held_out_loss=float((x_r - x_hat).square().sum(1).mean()),
        explained=explained_variance(x_r, x_hat),
        silent=_share(~fires),
        strictly_dead=_share(~above),
        lengthen=float(factor[asleep].median()) if asleep.any() else 1.0,
        l0=fired / len(x_p),
        strongest=float(torch.cat(strongest).median()),
        spare=spare_gain(x_p, x_r - x_hat),
    )


@torch.no_grad()
def places(model: SDLModel, x_p: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What each latent of a Top-k is on the rows x_p (N, n_p), three times (n_q,).

    fires : it wins one of the k places in some row.  above : z > 0 in some row.
    factor : what its row must be multiplied by to win a place somewhere, the smallest of (k-th
        largest z) / (own z) over rows with z > 0; at most 1 where it fires, inf where z <= 0.
    """
    fires = torch.zeros(model.n_q, dtype=torch.bool, device=x_p.device)
    above, factor = fires.clone(), torch.full((model.n_q,), torch.inf, device=x_p.device)
    for part in x_p.split(CHUNK):
        z = model.preactivations(part)
        fires |= (model.activate(z) > 0).any(0)
        above |= (z > 0).any(0)
        least = z.topk(model.k or 1, dim=1).values[:, -1:].clamp(min=0)
        ratio = (least / z.where(z > 0, torch.nan)).nan_to_num(torch.inf).amin(0)
        factor = torch.minimum(factor, ratio)
    return fires, above, factor


def _share(mask: Tensor) -> float:
    return float(mask.double().mean())


def spare_gain(x_p: Tensor, residual: Tensor) -> float:
    r"""What a spare ReLU neuron at the better sign row takes off the loss, as a share of it.

    .. math:: \max_\pm \frac{\|R u_\pm\|^2}{\|u_\pm\|^2 \|R\|^2}, \qquad u_\pm = \max(\pm X v, 0)

    x_p : X, (N, n_p).  residual : R^T, (N, n_r).

    X v is the top singular direction of R among those that a row can say, the span of X's columns;
    the better sign gains at least half its squared singular value, and its column is then R u /
    ||u||^2 (ours). A way out of wherever training stands, and no claim on what a Top-k would do,
    where a spare latent takes another's place.
    """
    basis = torch.linalg.qr(x_p.double()).Q  # (N, n_p): columns span what a row can say
    R = residual.double()
    _, _, right = torch.linalg.svd(R.mT @ basis, full_matrices=False)
    said = basis @ right[0]
    gains = []
    for u in (said.clamp(min=0), (-said).clamp(min=0)):
        weight = u.square().sum()
        gains.append(float((R.mT @ u).square().sum() / weight) if weight > 0 else 0.0)
    return max(gains) / float(R.square().sum().clamp(min=1e-300))
