"""How much memory a training process needs, from a formula."""

from __future__ import annotations

from dataclasses import dataclass

from .models import WITH_K, SDLModel


@dataclass(frozen=True)
class TrainingBytes:
    """Bytes by purpose: `weights`, `gradients`, `adam` (two moments), `batch` (inputs and outputs), `latents` (batch x n_q). `.total` is their sum."""

    weights: int
    gradients: int
    adam: int
    batch: int
    latents: int

    @property
    def total(self) -> int:
        return self.weights + self.gradients + self.adam + self.batch + self.latents

    def __str__(self):
        parts = ((name, getattr(self, name)) for name in ("weights", "gradients", "adam", "batch", "latents"))
        return ", ".join(f"{name} {size / 2**30:.2f}" for name, size in parts)


def training_bytes(model: SDLModel | None = None, batch: int = 1024, *, n_p: int = 0, n_q: int = 0, n_r: int = 0, method: str = "topk") -> TrainingBytes:
    """Peak bytes of one process that trains in float32 with `batch` samples of its own, activations' workspace included.

    W_E and W_D hold p = n_q (n_p + n_r) numbers: weights 4 p, gradients 4 p, Adam 8 p. Data-parallel processes each hold all of them.
    The latents cost 4 batch n_q for z, once for the top-k family (only pairs are kept beside it), about eight times for the dense methods
    (z, codes, their gradients and the masks between). Give a model, or its dimensions.
    """
    if model is not None:
        n_p, n_q, n_r, method = model.n_p, model.n_q * (model.instances or 1), model.n_r, model.method
        dense = model.instances is not None
    else:
        dense = False
    p = n_q * (n_p + (n_r or n_p))
    copies = 1.25 if method in WITH_K and not dense else 8
    return TrainingBytes(4 * p, 4 * p, 8 * p, 4 * batch * 6 * (n_p + (n_r or n_p)), int(4 * batch * n_q * copies))
