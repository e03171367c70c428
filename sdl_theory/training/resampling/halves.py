"""Two halves of the samples, as a model leaves them: what sign rows are found and measured on."""

from __future__ import annotations

from typing import NamedTuple

import torch

from ...checks import Tensor
from ..model import SDLModel
from .samples import look


class Half(NamedTuple):
    """Samples x (N, n_p), and what is missing of them, r (N, n_r): written to as rows are added.

    Of Top-k's family alone, else None:
    level : what a code must exceed to win a place (N,).
    won : r if it does, before the new latent adds its own: what else had that place is gone
        (N, n_r).
    change : ||won||^2 - ||r||^2 (N,).
    """

    x: Tensor
    r: Tensor
    level: Tensor | None = None
    won: Tensor | None = None
    change: Tensor | None = None

    def take(self, z: Tensor, column: Tensor, threshold: Tensor) -> None:
        """Write down what a new latent leaves, of preactivations z (N,)."""
        if self.level is None:
            self.r.addr_(z * (z > threshold), column, alpha=-1)
            return
        assert self.won is not None and self.change is not None
        on = ((z > self.level) & (z > 0)).nonzero()[:, 0]
        self.r[on] = self.won[on] = self.won[on] - z[on, None] * column
        self.change[on] = 0


def halves(model: SDLModel, x_p: Tensor, x_r: Tensor) -> tuple[Half, Half]:
    """Samples of even and of odd place."""
    # 1024: an even number, so that places in a part are places in all
    parts = [_half(model, *part) for part in zip(x_p.split(1024), x_r.split(1024))]
    first, second = (
        Half(*(torch.cat([one[i::2] for one in some]) for some in zip(*parts))) for i in (0, 1)
    )
    return first, second


def _half(model: SDLModel, x_p: Tensor, x_r: Tensor) -> tuple[Tensor, ...]:
    seen = look(model, x_p, x_r)
    r = seen.residual
    if not model.way.takes_k:
        return x_p, r
    if not model.by_sample:
        # below the threshold of them all no other latent gives way
        assert seen.threshold is not None
        return x_p, r, seen.threshold.expand(len(x_p)), r, r.new_zeros(len(r))
    assert model.k is not None
    level, latent = seen.last(model.k)
    lost = model.rectify(level)[:, None] * model.W_D[:, latent].mT
    return x_p, r, level, r + lost, 2 * (r * lost).sum(1) + lost.square().sum(1)
