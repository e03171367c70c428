"""Of a new row's codes: their better sign, their best column and threshold, and how long they pay.

A pass of the rule `sign` asks this of up to n_p directions, one after the other, for each sees what
those before it left: it has to be quick.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F

from ...checks import Tensor
from .halves import Half

ASIDE = 1e-5  # how far from a length at which a Top-k latent wins one sample more
BLOCK = 32  # rows summed up together by one product


class Found(NamedTuple):
    """Codes c = max(s z, threshold) of sign s, their unit column, and the loss's fall, `gain`."""

    sign: int
    column: Tensor
    threshold: Tensor
    gain: Tensor


def best_column(z: Tensor, r: Tensor, *, jumps: bool) -> Found | None:
    """The sign, column and threshold at which codes s z 1{s z > threshold} gain most of r.

    z : (N,).  r : (N, n_r).
    jumps : the threshold is that of the largest gain: all are tried. Else it is 0.

    None where nothing is gained.
    """
    both = torch.stack([z, -z])
    if jumps:
        pulls, sizes, thresholds = (torch.stack(one) for one in zip(*(_jump(s, r) for s in both)))
    else:
        codes = both.relu_()
        pulls, sizes, thresholds = codes @ r, codes.square().sum(1), z.new_zeros(2)
    norms = pulls.norm(dim=1)
    gains = norms.square() / sizes.clamp(min=1e-30) / len(r)
    i = int(gains.argmax())
    if not gains[i] > 0:
        return None
    return Found(1 - 2 * i, pulls[i] / norms[i], threshold=thresholds[i], gain=gains[i])


def _jump(z: Tensor, r: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """sum c r and sum c^2 of the codes c = z 1{z > threshold} that gain most, and the threshold."""
    z, order = z.sort(descending=True)
    count = int((z > 0).sum())
    if not count:
        return r.new_zeros(r.shape[1]), z.new_zeros(()), z.new_zeros(())
    pulls = summed_up(z[:count, None] * r[order[:count]])
    sizes = z[:count].square().cumsum(0)
    best = int((pulls.square().sum(1) / sizes.clamp(min=1e-30)).argmax())
    # between the least code that counts and the next
    after = z[best + 1].clamp(min=0) if best + 1 < len(z) else 0
    return pulls[best], sizes[best], (z[best] + after) / 2


def summed_up(rows: Tensor) -> Tensor:
    """rows.cumsum(0), a few times as fast on a processor: by products within blocks of rows."""
    count, width = rows.shape
    blocks = F.pad(rows, (0, 0, 0, -count % BLOCK)).view(-1, BLOCK, width)
    sums = torch.ones(BLOCK, BLOCK, dtype=rows.dtype, device=rows.device).tril() @ blocks
    sums[1:] += sums[:-1, -1].cumsum(0)[:, None]
    return sums.view(-1, width)[:count]


def length(z: Tensor, found: Found, half: Half) -> Tensor:
    """The factor of z at which the loss on `half` is least; 0 or less if none lowers it.

    z : (N,), the preactivations of the row of the sign that was found.
    """
    if half.level is None:
        codes = z * (z > found.threshold)
        return codes @ (half.r @ found.column) / codes.square().sum().clamp(min=1e-30)
    return _length_of_top_k(z, found.column, half)


def _length_of_top_k(z: Tensor, column: Tensor, half: Half) -> Tensor:
    """A Top-k latent fires where t z > level, and there r becomes won - t z column.

    Between the t at which it wins another sample the loss is a parabola in t.
    """
    assert half.level is not None and half.won is not None and half.change is not None
    some = (z > 0).nonzero()[:, 0]
    if not len(some):
        return z.new_zeros(())
    wins, order = (half.level[some] / z[some]).clamp(min=0).sort()
    some = some[order]
    z = z[some]
    terms = torch.stack([half.change[some], z * (half.won @ column)[some], z.square()])
    constant, linear, square = terms.cumsum(1)
    least, most = wins * (1 + ASIDE), torch.cat([wins[1:], wins.new_full((1,), torch.inf)])
    most = most * (1 - ASIDE)
    t = (linear / square.clamp(min=1e-30)).clamp(min=0)
    t = torch.minimum(torch.maximum(t, least), most)
    change = constant - 2 * t * linear + t.square() * square
    change = change.masked_fill(least > most, torch.inf)
    best = int(change.argmin())
    return t[best] if change[best] < 0 else z.new_zeros(())
