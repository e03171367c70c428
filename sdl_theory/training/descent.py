"""Adam on clipped gradients, with W_D's columns held at their norm."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Protocol

import torch

from ..checks import Tensor
from .config import Config
from .model import SDLModel
from .world import World

MOMENTS = ("step", "exp_avg", "exp_avg_sq")  # Adam's state of a parameter


class Latents(Protocol):
    """What resampling is given: a single model, its settings, and how Adam forgets latents.

    anchored : the first so many latents are held by anchors.
    """

    model: SDLModel
    config: Config
    anchored: int

    def forget(self, which: Tensor) -> None:
        """Zero Adam's moments of the latents `which`."""


class Descent:
    """The optimizer of a run.

    leaves : what Adam is handed, by name. W_D lies column by column, and Adam's fused kernel copies
        what is not contiguous: it is handed the same memory as columns.
    """

    def __init__(self, model: SDLModel, config: Config, world: World):
        self.model, self.config, self.world = model, config, world
        columns = torch.nn.Parameter(model.W_D.detach().mT)
        self.leaves = dict(model.named_parameters()) | {"W_D": columns}
        self.optimizer = torch.optim.Adam(
            self.leaves.values(),
            lr=config.lr,
            betas=config.betas,
            fused=model.W_E.device.type in ("cpu", "cuda"),
        )
        self.anchored = 0
        self._forget_gradients()

    def _forget_gradients(self) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        self.model.W_D.grad = None

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """One step of size `rate` along the gradients that `backward` left, which are then gone."""
        model, columns = self.model, self.leaves["W_D"]
        assert model.W_D.grad is not None
        columns.grad = pull = model.W_D.grad.mT
        leaves = [(leaf, leaf.grad) for leaf in self.leaves.values() if leaf.grad is not None]
        for _, grad in leaves:
            self.world.add(grad)
        if self.config.unit_norm:
            # einsum, since vecdot is slower and makes a copy
            along = torch.einsum("...j,...j->...", columns, pull) / model.decoder_norm**2
            pull.addcmul_(columns, along.unsqueeze(-1), value=-1)
        self._clip([grad for _, grad in leaves])
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self._forget_gradients()  # now, so that the next step's z finds their memory free
        if self.config.unit_norm:
            # a zero column stays zero
            columns.mul_(model.decoder_norm / columns.norm(dim=-1, keepdim=True).clamp(min=1e-30))
        model.way.settle(model)

    def _clip(self, grads: list[Tensor]) -> None:
        """Each model's whole gradient, scaled down to `clip` if it is longer."""
        if self.model.instances is None:
            norms = [torch.linalg.vector_norm(grad) for grad in grads]
            if self.world.shards > 1:
                norms = [self._over_latents(norms)]
        else:
            norms = [grad.flatten(1).norm(dim=-1) for grad in grads]
        norm = torch.stack(norms).norm(dim=0).clamp(min=1e-30)
        scale = (self.config.clip / norm).clamp(max=1.0)
        for grad in grads:
            grad.mul_(scale.view(*scale.shape, *[1] * (grad.ndim - scale.ndim)))

    def _over_latents(self, norms: list[Tensor]) -> Tensor:
        """The norm of what all processes hold, from those of this one; b_D, held by all, is one."""
        names = [name for name, leaf in self.leaves.items() if leaf.grad is not None]
        first = self.world.shard == 0
        mine = [norm for name, norm in zip(names, norms) if name != "b_D" or first]
        return self.world.over_latents(torch.stack(mine).square().sum()).sqrt()

    def forget(self, which: Tensor, instance: int | None = None) -> None:
        """Zero Adam's moments of the latents `which`, of one instance if there are several."""
        for name, leaf in self.leaves.items():
            state = self.optimizer.state.get(leaf, {}) if name != "b_D" else {}
            for moment in MOMENTS[1:]:
                if moment in state:
                    whole = state[moment]
                    (whole if instance is None else whole[instance])[which] = 0

    def single(self, i: int) -> Latents:
        """Model i alone, in the same memory; of one model itself."""
        return self if self.model.instances is None else OfInstance(self, i)

    def tensors(self) -> dict[str, Tensor]:
        """Adam's state, by name; empty before the first step."""
        return {
            f"adam/{moment}/{name}": value
            for name, leaf in self.leaves.items()
            for moment, value in self.optimizer.state.get(leaf, {}).items()
        }

    def wanted(self) -> Iterator[tuple[str, Tensor]]:
        """What `load` asks for after the first step: names, and tensors of that shape and dtype."""
        for name, leaf in self.leaves.items():
            for moment in MOMENTS:
                yield f"adam/{moment}/{name}", leaf if moment != "step" else torch.zeros(())

    def load(self, tensors: dict[str, Tensor]) -> None:
        """Take over what `tensors` gave."""
        for name, leaf in self.leaves.items():
            state = {
                moment: torch.empty_like(leaf).copy_(tensors[f"adam/{moment}/{name}"])
                for moment in MOMENTS[1:]
            }
            step = tensors[f"adam/step/{name}"].clone().to(leaf.device if leaf.is_cuda else "cpu")
            self.optimizer.state[leaf] = state | {"step": step}


class OfInstance:
    """One instance of a batched descent, for resampling: what is written to it is written there."""

    def __init__(self, descent: Descent, i: int):
        whole = descent.model
        self.model = copy.copy(whole)
        self.model.instances = None
        self.model._parameters = {
            name: None if one is None else torch.nn.Parameter(one.detach()[i])
            for name, one in whole._parameters.items()
        }
        self.model._buffers = {
            name: None if one is None else one[i] for name, one in whole._buffers.items()
        }
        self.config, self.anchored = descent.config, descent.anchored
        self._descent, self._i = descent, i

    def forget(self, which: Tensor) -> None:
        self._descent.forget(which, self._i)
