"""Where a dictionary starts: random columns, and rows tied to them where they can be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from ..checks import Tensor

if TYPE_CHECKING:
    from .model import SDLModel


def first_weights(model: SDLModel, generator, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Random rows of W_E and columns of W_D, tied where they can be.

    Drawn on the CPU, so that a seed gives the same start on every device.
    """
    lead = () if model.instances is None else (model.instances,)
    columns = torch.randn(*lead, model.n_q, model.n_r, generator=generator, dtype=dtype)
    columns = model.decoder_norm * columns / columns.norm(dim=-1, keepdim=True)
    if model.n_r == model.n_p:
        return columns / model.decoder_norm**2, columns
    rows = torch.randn(*lead, model.n_q, model.n_p, generator=generator, dtype=dtype)
    return rows / rows.norm(dim=-1, keepdim=True), columns
