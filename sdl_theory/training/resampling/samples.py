"""What a model leaves of samples, and which latents fire: what the rules of resampling look at."""

from __future__ import annotations

from typing import NamedTuple

import torch

from ...checks import Tensor
from ..model import SDLModel
from ..objective import LARGE, SPARSE_BELOW
from ..step import Knobs, Step


class Seen(NamedTuple):
    """Samples as a model leaves them.

    x_p, residual : (N, n_p) and (N, n_r), x_r - x_hat.
    codes : (N, n_q), as at training.
    threshold : BatchTopK's of these samples, or None.
    z : (N, n_q).
    """

    x_p: Tensor
    residual: Tensor
    codes: Tensor
    threshold: Tensor | None
    z: Tensor


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
        return Seen(x_p, x_r - model.decode(codes), codes=codes, threshold=threshold, z=z)
    values, _ = model.way.pair_codes(step, z[pairs.rows, pairs.latents], pairs)
    codes = torch.zeros_like(z)
    codes[pairs.rows, pairs.latents] = values
    x_hat = model.way.pair_fit(step, values, pairs).x_hat
    return Seen(x_p, x_r - x_hat, codes=codes, threshold=threshold, z=z)
