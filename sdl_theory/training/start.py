"""Where a dictionary starts: random columns, and rows tied to them where they can be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from ..checks import Tensor

if TYPE_CHECKING:
    from .model import SDLModel

BLOCK = 1024  # rows that are drawn at once: a multiple of 16


def first_weights(model: SDLModel, generator, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Random rows of W_E and columns of W_D, tied where they can be.

    Drawn on the CPU, so that a seed gives the same start on every device; of latents that are cut
    over processes each draws all, and keeps its own.
    """
    draw = lambda width: _normal(model, width, generator=generator, dtype=dtype)
    columns = draw(model.n_r)
    columns = model.decoder_norm * columns / columns.norm(dim=-1, keepdim=True)
    if model.n_r == model.n_p:
        return columns / model.decoder_norm**2, columns
    rows = draw(model.n_p)
    return rows / rows.norm(dim=-1, keepdim=True), columns


def _normal(model: SDLModel, width: int, *, generator, dtype: torch.dtype) -> Tensor:
    """The model's rows of a normal matrix with a row of `width` numbers for every latent."""
    n_q = model.n_q * model.world.shards
    if model.world.shards == 1:
        lead = () if model.instances is None else (model.instances,)
        return torch.randn(*lead, n_q, width, generator=generator, dtype=dtype)
    kept = torch.empty(model.n_q, width, dtype=dtype)
    # block by block: PyTorch draws 16 numbers at a time, so these are the numbers of the whole
    starts = range(0, max(1, n_q - BLOCK + 1), BLOCK)
    for start, end in zip(starts, [*starts[1:], n_q]):
        block = torch.randn(end - start, width, generator=generator, dtype=dtype)
        low, high = max(start, model.part.start), min(end, model.part.stop)
        if low < high:
            kept[low - model.part.start : high - model.part.start] = block[
                low - start : high - start
            ]
    return kept
