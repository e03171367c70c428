"""What a model leaves of samples, and which latents fire: what the rules of resampling look at."""

from __future__ import annotations

from typing import NamedTuple

import torch

from ...checks import Tensor
from ..model import SDLModel
from ..objective import LARGE, SPARSE_BELOW
from ..pairs import Pairs, top_k
from ..step import Knobs, Step


class Seen(NamedTuple):
    """Samples as a model leaves them.

    residual : (N, n_r), x_r - x_hat.
    z : (N, n_q).
    threshold : BatchTopK's of these samples, or None.
    codes : as at training, (N, n_q); of `pairs` alone, (pairs,), where these are not None.
    """

    residual: Tensor
    z: Tensor
    threshold: Tensor | None
    codes: Tensor
    pairs: Pairs | None

    def fires(self) -> Tensor:
        """Which latents fire on which samples, (N, n_q) bool."""
        if self.pairs is None:
            return self.codes != 0
        mask = torch.zeros_like(self.z, dtype=torch.bool)
        mask[self.pairs.rows, self.pairs.latents] = self.codes != 0
        return mask

    def last(self, k: int) -> tuple[Tensor, Tensor]:
        """Of each sample the k-th largest z and its latent, (N,), for a Top-k of each sample."""
        if self.pairs is None:
            values, latents = top_k(self.z, k)
        else:
            latents = self.pairs.latents.view(-1, k)
            values = self.z.gather(1, latents)
        level, place = values.min(1)
        return level, latents.gather(1, place[:, None])[:, 0]


@torch.no_grad()
def look(model: SDLModel, x_p: Tensor, x_r: Tensor) -> Seen:
    """One batch: products with W_E and, of those that fire, with W_D."""
    z = model.preactivations(x_p)
    step = Step(model=model, x_p=x_p, x_r=x_r, z=z, knobs=Knobs(len(x_p), bandwidth=0.0))
    pairs = None
    if z.numel() >= LARGE:
        pairs, threshold = model.way.pairs(step, SPARSE_BELOW)
    if pairs is None:
        codes, threshold, _ = model.way.codes(step)
        x_hat = model.decode(codes)
    else:
        codes, _ = model.way.pair_codes(step, z[pairs.rows, pairs.latents], pairs)
        x_hat = model.way.pair_fit(step, codes, pairs).x_hat
    return Seen(x_r - x_hat, z, threshold=threshold, codes=codes, pairs=pairs)
