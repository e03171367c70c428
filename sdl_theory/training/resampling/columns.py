"""Of new rows' codes: their better sign, their best column and threshold, and how long they pay.

A pass of the rule `sign` asks this of up to n_p directions and more, of many in vain.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F

from ...checks import Tensor
from .halves import Half

ASIDE = 1e-5  # how far from a length at which a Top-k latent wins one sample more
BLOCK = 32  # samples whose codes are summed up together


class Found(NamedTuple):
    """Of m directions: codes z 1{z > threshold}, z = sign <w, x>, each with its best column.

    sign, threshold : (m,).
    column : (m, n_r), of norm 1 where anything is gained.
    gain : (m,), the loss's fall.
    """

    sign: Tensor
    column: Tensor
    threshold: Tensor
    gain: Tensor


def best_columns(z: Tensor, r: Tensor, *, jumps: bool) -> Found:
    """The signs, columns and thresholds at which codes gain most of r.

    z : (m, N), <w, x>.  r : (N, n_r).
    jumps : the threshold is that of the largest gain: all are tried. Else it is 0.
    """
    both = torch.cat([z, -z])
    if jumps:
        pulls, sizes, thresholds = (torch.stack(one) for one in zip(*(_jump(s, r) for s in both)))
    else:
        codes = both.relu_()
        pulls, sizes, thresholds = codes @ r, codes.square().sum(1), z.new_zeros(len(both))
    norms = pulls.norm(dim=1)
    gains = norms.square() / sizes.clamp(min=1e-30) / len(r)
    gain, minus = gains.view(2, -1).max(0)
    best = minus * len(z) + torch.arange(len(z), device=z.device)
    column = pulls[best] / norms[best, None].clamp(min=1e-30)
    return Found(1 - 2 * minus, column, threshold=thresholds[best], gain=gain)


def _jump(z: Tensor, r: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """sum c r and sum c^2 of the codes c = z 1{z > threshold} that gain most, and the threshold.

    The threshold is between the least code that counts and the next.
    """
    z, order = z.clamp(min=0).sort(descending=True)
    count = int(torch.count_nonzero(z))
    if not count:
        return r.new_zeros(r.shape[1]), z.new_zeros(()), z.new_zeros(())
    more = -count % BLOCK
    codes, rows = F.pad(z[:count], (0, more)), r[F.pad(order[:count], (0, more))]
    gains = squares_of_sums(codes, rows)[:count] / z[:count].square().cumsum(0).clamp(min=1e-30)
    some = int(gains.argmax()) + 1
    after = z[some] if some < len(z) else 0
    return z[:some] @ rows[:some], z[:some].square().sum(), (z[some - 1] + after) / 2


def squares_of_sums(codes: Tensor, rows: Tensor) -> Tensor:
    """||codes[0] rows[0] + ... + codes[i] rows[i]||^2 for every i; as many as whole BLOCKs.

    From the sums at the ends of blocks and the products of rows within them: no sum in between is
    ever written down, which takes most of the time of rows.cumsum(0).
    """
    rows, codes = rows.view(-1, BLOCK, rows.shape[1]), codes.view(-1, BLOCK, 1)
    ends = (codes.mT @ rows).cumsum(0)
    inner = rows @ rows.mT
    # <row, twice the sum before it, and once its own>
    along = 2 * (inner.tril(-1) @ codes) + inner.diagonal(dim1=1, dim2=2)[..., None] * codes
    along[1:] += 2 * (rows[1:] @ ends[:-1].mT)
    return (along * codes).view(-1).cumsum(0)


def lengths(z: Tensor, found: Found, half: Half) -> Tensor:
    """The factors (m,) of z at which the loss on `half` is least; 0 or less if none lowers it.

    z : (m, N), of the signs that were found.
    """
    if half.level is None:
        codes = z * (z > found.threshold[:, None])
        along = (codes * (found.column @ half.r.mT)).sum(1)
        return along / codes.square().sum(1).clamp(min=1e-30)
    return _lengths_of_top_k(z, found.column, half)


def _lengths_of_top_k(z: Tensor, columns: Tensor, half: Half) -> Tensor:
    """A Top-k latent fires where t z > level, and there r becomes won - t z column.

    Between the t at which it wins another sample the loss is a parabola in t.
    """
    assert half.level is not None and half.won is not None and half.change is not None
    wins = (half.level.clamp(min=0) / z).masked_fill(z <= 0, torch.inf)
    wins, order = wins.sort(dim=1)
    terms = torch.stack([half.change.expand_as(z), z * (columns @ half.won.mT), z.square()])
    constant, linear, square = terms.gather(2, order.expand(3, -1, -1)).cumsum(2)
    least, most = wins * (1 + ASIDE), F.pad(wins[:, 1:], (0, 1), value=torch.inf) * (1 - ASIDE)
    t = (linear / square.clamp(min=1e-30)).clamp(min=0)
    t = torch.minimum(torch.maximum(t, least), most)
    change = constant - 2 * t * linear + t.square() * square
    change, best = change.masked_fill((least > most) | wins.isinf(), torch.inf).min(1)
    t = t.gather(1, best[:, None])[:, 0]
    return t.masked_fill(~(change < 0), 0)
