r"""Dead latents begun anew as clones of the latents that are pulled apart the most (ours).

Half of latent i's codes, on every input, to a spare latent of the same column: the function is that
of before. Of latent i the samples that fire it pull on row and column by

.. math:: S_i = E[r\, x_p^\top\, 1\{i\ \text{fires}\}], \qquad r = x_r - \hat x,

with top singular pair u, sigma_1, v. Where the two move apart, rows by +-a v and columns by +-b u,
x_hat moves by 2 a b u <v, x_p> where i fires, and the loss E ||r||^2 by

.. math:: -4 ab\,\sigma_1 + 4 (ab)^2\, E[\langle v, x_p\rangle^2\, 1\{i\ \text{fires}\}] ,

exactly, as long as the same samples fire both: the theory's `escape`, where a = b = eps and samples
stand for its single features (a test compares). Of all latents together a pair (u, v) is held and
improved by turns, u from v and v from u, by sums over samples; no S_i is ever written down.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F

from ...checks import Tensor
from ..blocks import ENTRIES, ENTRIES_ELSEWHERE, NARROWEST
from ..descent import Latents
from ..model import SDLModel
from ..objective import SPARSE_BELOW
from ..pairs import Pairs
from .samples import look

# turns for all latents, on batches that fire each OFTEN times or more; and for twice those wanted
ROUGH, OFTEN, FINE = 1, 16, 10
# how far two clones start apart, of the norms of row and column: the loss sees its square
NUDGE = 0.1


class Pull(NamedTuple):
    """Of m latents: sigma_1 (m,), v (m, n_p), u (m, n_r), spread = E[<v, x>^2 1{fires}] (m,)."""

    sigma: Tensor
    v: Tensor
    u: Tensor
    spread: Tensor


@torch.no_grad()
def split(
    descent: Latents, pair: tuple[Tensor, Tensor], dead: Tensor, generator: torch.Generator
) -> Tensor:
    """Begin the latents `dead` (n_q,) of a model anew as clones, of the largest sigma_1 first.

    pair : x_p and x_r.
    generator : of the first v.

    Each live latent is cloned once, anchored ones never; where fewer are alive than dead, the
    others sleep on. Columns keep their norms, so the codes are halved: row, bias and threshold (a
    gated latent's magnitude). The nudge is NUDGE of the norms, or what lowers the loss most on the
    samples where that is less. Adam forgets both. ReLU, JumpReLU, gated; of k places a clone takes
    a second one.
    """
    model, spare, alive = descent.model, dead.nonzero()[:, 0], ~dead
    alive[: descent.anchored] = False
    live = int(alive.sum())
    if not len(spare) or not live:
        return spare[:0]
    batch, parts = descent.config.batch, []
    for x_p, x_r in zip(pair[0].split(batch), pair[1].split(batch)):
        seen = look(model, x_p, x_r)
        parts.append((x_p, seen.residual, seen.fires()))
    often = torch.stack([torch.count_nonzero(fires) for _, _, fires in parts]).cumsum(0)
    some = int((often < OFTEN * live).sum()) + 1
    v = torch.randn(len(alive), model.n_p, generator=generator, dtype=model.W_E.dtype)
    rough = pulls(*_joined(parts[:some]), v=v.to(model.W_E), turns=ROUGH)
    place = rough.sigma.masked_fill(~alive, -1).topk(min(live, 2 * len(spare))).indices
    parts = [(x, r, fires[:, place]) for x, r, fires in parts]
    pull = pulls(*_joined(parts), v=rough.v[place], turns=FINE)
    best = pull.sigma.topk(min(len(place), len(spare))).indices
    best = best[pull.sigma[best] > 0]
    of, spare = place[best], spare[: len(best)]
    clone(model, of, spare)
    nudge(model, of, spare, Pull(*(one[best] for one in pull)))
    descent.forget(torch.cat([of, spare]))
    return spare


def _joined(parts: list[tuple[Tensor, Tensor, Tensor]]) -> tuple[Tensor, Tensor, Tensor]:
    """x_p, what is missing, and which of some latents fire, of several batches."""
    x, r, fires = zip(*parts)
    return torch.cat(x), torch.cat(r), torch.cat(fires)


def _many(fires: Tensor) -> bool:
    """Do so many fire that sums over pairs are no faster, and one batch says enough?"""
    most = SPARSE_BELOW if fires.device.type == "cpu" else 0
    return bool(torch.count_nonzero(fires) > most * fires.numel())


@torch.no_grad()
def clone(model: SDLModel, of: Tensor, spare: Tensor) -> None:
    """Half of the codes of the latents `of` to `spare`, as many: on every input the same sum."""
    model.way.scale(model, of, model.W_E.new_full((len(of),), 0.5))
    model.W_E[spare], model.W_D[:, spare] = model.W_E[of], model.W_D[:, of]
    if model.b_E is not None:
        model.b_E[spare] = model.b_E[of]
    for name in model.way.vectors:
        getattr(model, name)[spare] = getattr(model, name)[of]


@torch.no_grad()
def nudge(model: SDLModel, of: Tensor, spare: Tensor, pull: Pull) -> None:
    """Move clones apart along (v, u), columns brought back to their norms, and codes with them."""
    rows, columns = model.W_E[of].norm(dim=1), model.W_D[:, of].norm(dim=0)
    steep = model.r_mag[of].exp() if "r_mag" in model.way.vectors else 1.0
    product = NUDGE**2 * rows * columns * steep
    most = pull.sigma / (2 * pull.spread).clamp(min=1e-30)
    eps = NUDGE * (most / product.clamp(min=1e-30)).clamp(max=1).sqrt()
    for which, sign in ((of, 1), (spare, -1)):
        model.W_E[which] += (sign * eps * rows)[:, None] * pull.v
        moved = model.W_D[:, which] + sign * eps * columns * pull.u.mT
        longer = moved.norm(dim=0) / columns.clamp(min=1e-30)
        model.W_D[:, which] = moved / longer
        model.way.scale(model, which, longer)


def pulls(x: Tensor, r: Tensor, fires: Tensor, *, v: Tensor, turns: int) -> Pull:
    """The top singular pair of E[r x^T 1{i fires}] for m latents, nearly: after `turns` from v on.

    x, r : (N, n_p) and (N, n_r).  fires : (N, m).  v : (m, n_p), not zero.

    Few that fire go as pairs (sample, latent), many in blocks of latents.
    """
    if not _many(fires):
        pairs = Pairs.where(fires)
        return _turned(_OfPairs(pairs, len(x)), (x, r), v=v, turns=turns)
    entries = ENTRIES if x.device.type == "cpu" else ENTRIES_ELSEWHERE
    width, found = max(NARROWEST, entries // max(1, len(x))), []
    for mask, part in zip(fires.split(width, 1), v.split(width)):
        found.append(_turned(_OfMask(mask.to(x)), (x, r), v=part, turns=turns))
    return Pull(*(torch.cat(one) for one in zip(*found)))


def _turned(sums: _OfMask | _OfPairs, of: tuple[Tensor, Tensor], *, v: Tensor, turns: int) -> Pull:
    x, r = of
    unit = lambda rows: rows / rows.norm(dim=1, keepdim=True).clamp(min=1e-30)
    v = unit(v)
    for _ in range(turns):
        u = unit(sums.over_samples(sums.along(x, v), r))
        v = unit(sums.over_samples(sums.along(r, u), x))
    along = sums.along(x, v)
    u = sums.over_samples(along, r)
    return Pull(u.norm(dim=1), v, unit(u), spread=sums.mean_square(along))


class _OfMask:
    """Sums over the samples that fire each latent, from a mask (N, m) of 0 and 1."""

    def __init__(self, mask: Tensor):
        self.mask = mask

    def along(self, vectors: Tensor, rows: Tensor) -> Tensor:
        """<vectors[b], rows[i]> where b fires i."""
        return (vectors @ rows.mT) * self.mask

    def over_samples(self, values: Tensor, vectors: Tensor) -> Tensor:
        """Of each latent, the mean over all samples of value * vectors[b], (m, d)."""
        return values.mT @ vectors / len(vectors)

    def mean_square(self, values: Tensor) -> Tensor:
        return values.square().mean(0)


class _OfPairs:
    """The same from the pairs that fire, in the order of their latents."""

    def __init__(self, pairs: Pairs, count: int):
        self.pairs, self.count = pairs, count
        self.latents = pairs.latents[pairs.by_latent]

    def along(self, vectors: Tensor, rows: Tensor) -> Tensor:
        pairs = self.pairs
        return torch.ops.aten._embedding_bag_per_sample_weights_backward(
            rows, vectors, pairs.rows_by_latent, pairs.latent_offsets, self.latents, 0, -1
        )

    def over_samples(self, values: Tensor, vectors: Tensor) -> Tensor:
        pairs = self.pairs
        sums = F.embedding_bag(
            pairs.rows_by_latent,
            vectors,
            pairs.latent_offsets,
            mode="sum",
            per_sample_weights=values,
        )
        return sums / self.count

    def mean_square(self, values: Tensor) -> Tensor:
        zero = values.new_zeros(self.pairs.n_q)
        return zero.index_add(0, self.latents, values.square()) / self.count
