"""Where a network's blocks and MLPs are: blocks cut away for a while, and taps on what is left."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from torch import nn

from ..checks import Tensor

PARTS = ("residual", "mlp_in", "mlp_out")


@dataclass(frozen=True)
class Anatomy:
    """Where the parts of a network are.

    owner : the module whose attribute `name` is the list of blocks.
    places : what of a block is called with the MLP's input ("mlp_in"), and what of it answers the
        MLP's output, before that is added to the residual ("mlp_out").
    """

    owner: nn.Module
    name: str
    places: dict[str, str]

    @property
    def blocks(self) -> nn.ModuleList:
        return getattr(self.owner, self.name)


def anatomy(model) -> Anatomy:
    """The parts of a Llama (pre-norm: the MLP reads a normed residual, and its output is added to
    the residual) or a BERT (post-norm: LayerNorm(mlp_in + mlp_out) is the next residual).

    ValueError for a network that is built otherwise.
    """
    core = getattr(model, "base_model", model)
    for owner, name, *places in (
        (core, "layers", "mlp", "mlp"),
        (getattr(core, "encoder", core), "layer", "intermediate", "output.dense"),
    ):
        blocks = getattr(owner, name, None)
        if isinstance(blocks, nn.ModuleList) and len(blocks):
            inner = {path for path, _ in blocks[0].named_modules()}
            if set(places) <= inner:
                return Anatomy(owner, name, dict(zip(("mlp_in", "mlp_out"), places)))
    raise ValueError(
        f"model is a {type(model).__name__}, in which no list of blocks with an MLP was found; "
        f"give a Llama (model.layers[i].mlp) or a BERT (model.encoder.layer[i].intermediate)"
    )


@contextmanager
def cut(skeleton: Anatomy, count: int):
    """Without the blocks above the `count`-th, and with them again afterwards."""
    blocks = skeleton.blocks
    setattr(skeleton.owner, skeleton.name, blocks[:count])
    try:
        yield
    finally:
        setattr(skeleton.owner, skeleton.name, blocks)


@contextmanager
def taps(skeleton: Anatomy, layers: Sequence[int], parts: Sequence[str]):
    """A dict that after every forward pass holds what was asked for, by "part_layer"."""
    seen: dict[str, Tensor] = {}
    hooks = []
    for one in layers:
        block = skeleton.blocks[one - 1]
        for part in parts:
            inner = block if part == "residual" else block.get_submodule(skeleton.places[part])
            tap = _Tap(seen, f"{part}_{one}")
            hooks.append(
                inner.register_forward_pre_hook(tap.before)
                if part == "mlp_in"
                else inner.register_forward_hook(tap.after)
            )
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


@dataclass
class _Tap:
    """Keeps what a module was given, or what it answered, in `seen` under `name`."""

    seen: dict[str, Tensor]
    name: str

    def before(self, module, given) -> None:
        self.seen[self.name] = given[0]

    def after(self, module, given, answer) -> None:
        self.seen[self.name] = answer[0] if isinstance(answer, tuple) else answer
