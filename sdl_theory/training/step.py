"""What one step is given and what it gives back: the knobs, the batch, the terms of the loss."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from ..checks import Tensor
from .world import World

if TYPE_CHECKING:
    from .model import SDLModel


@dataclass
class Knobs:
    """What the objective depends on beside the model and the batch.

    total : samples of the whole batch, over all processes.
    coef : the sparsity coefficient, a number or (instances,).
    bandwidth : width of JumpReLU's straight-through window.
    aux_coef, aux_k, dead : AuxK, `dead` a mask (n_q,) or None.
    aux_target : "residual" or "input", see `auxk.errors`.
    level_loss : "mean" or "sum" of Matryoshka's levels or ks, see Config.
    unit_norm : W_D's columns are held at model.decoder_norm.
    bf16 : do the large products in bfloat16.
    """

    total: int
    coef: float | Tensor = 0.0
    bandwidth: float = 0.5
    aux_coef: float = 0.0
    aux_k: int = 0
    dead: Tensor | None = None
    aux_target: str = "residual"
    level_loss: str | None = None
    unit_norm: bool = True
    bf16: bool = False
    world: World = field(default_factory=World)

    def __post_init__(self):
        self.share = 1 / self.total  # what one sample weighs


class Step(NamedTuple):
    """A step between encoder and decoder: `z` (batch, n_q) are the preactivations of `x_p`."""

    model: SDLModel
    x_p: Tensor
    x_r: Tensor
    z: Tensor
    knobs: Knobs

    def norms(self) -> float | Tensor:
        """The norms of W_D's columns, (1, n_q): one number where they are held at it."""
        if self.knobs.unit_norm:
            return self.model.decoder_norm
        return self.model.W_D.norm(dim=-2).unsqueeze(-2)


@dataclass
class Terms:
    """What a step gives back: the loss to differentiate, and figures per instance.

    loss : this process's share, summed over instances.
    mse : mean ||x_r - x_hat||^2, this process's share: add it over processes.
    l0 : how many fire per sample, likewise.
    fired : which latents did, (n_q,).
    threshold : BatchTopK's of this batch, or None.
    """

    loss: Tensor
    mse: Tensor
    l0: Tensor
    fired: Tensor
    threshold: Tensor | None = None
