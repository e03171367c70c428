"""A run whose latents are cut over processes in the files of one that is whole, and back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch

from ...checks import Tensor
from ...files import in_file_order
from ..world import World

if TYPE_CHECKING:
    from ..model import SDLModel

BLOCK = 1 << 26  # bytes of a tensor that pass through a process at once
HELD_BY_ALL = ("b_D", "run/coef", "run/sums")  # and Adam's moments of them, and what is no vector


def axis(name: str, ndim: int) -> int | None:
    """Which axis of a run's tensor counts latents; None if every process holds the whole of it."""
    if ndim == 0 or name.removeprefix("adam/exp_avg_sq/").removeprefix("adam/exp_avg/") in (
        HELD_BY_ALL
    ):
        return None
    return 1 if name == "W_D" else 0  # Adam's moments of W_D lie as columns do, one a row


def whole_shapes(tensors: dict[str, Tensor], world: World) -> dict[str, Tensor]:
    """The tensors as if one process held them, on the device "meta": shapes without numbers."""
    shapes = {}
    for name, value in tensors.items():
        shape = list(value.shape)
        if (at := axis(name, value.ndim)) is not None:
            shape[at] *= world.shards
        shapes[name] = torch.empty(shape, dtype=value.dtype, device="meta")
    return shapes


def pieces(tensors: dict[str, Tensor], world: World) -> Iterator[Tensor]:
    """What the file of the whole tensors holds, piece by piece, in all processes of one group.

    None of them ever holds more than BLOCK bytes beside its own part. All must come here, with
    tensors of the same names, and take every piece.
    """
    for name, value in in_file_order(tensors).items():
        at = axis(name, value.ndim)
        value = value.detach()
        many = 1 if at is None else world.shards
        step = max(1, BLOCK // max(1, many * value[:1].nbytes)) if value.ndim else 1
        if at is None:
            yield value
        elif at == 1:  # a row of the file has a part of each
            for rows in value.split(step):
                yield world.beside(rows.contiguous())
        else:
            for shard in range(world.shards):
                for rows in value.split(step):
                    yield world.from_shard(shard, rows)


def part_of(model: SDLModel):
    """How `read_tensors` reads this process's part alone: a reader of one tensor of the file.

    A tensor that is not of the model's size is read whole, for `Trainer.load` to refuse.
    """

    def read(name: str, stored) -> Tensor:
        shape = stored.get_shape()
        at = axis(name, len(shape))
        if at is None or len(shape) <= at or shape[at] != model.n_q * model.world.shards:
            return stored[...]
        return stored[model.part] if at == 0 else stored[:, model.part].contiguous()

    return read


def whole_model(model: SDLModel) -> SDLModel | None:
    """The whole of a model whose latents are cut over processes, in the first, on its CPU.

    All processes must ask. None in the others.
    """
    world = model.world
    if world.shards == 1:
        return model
    if world.rank:
        return None
    state = model.state_dict()
    whole = {
        name: torch.empty(meta.shape, dtype=meta.dtype, device="cpu" if world.first else "meta")
        for name, meta in in_file_order(whole_shapes(state, world)).items()
    }
    stream = pieces(state, world)
    for value in whole.values():
        done = 0
        while done < value.numel():
            piece = next(stream).reshape(-1)
            value.view(-1)[done : done + len(piece)] = piece
            done += len(piece)
    if not world.first:
        return None
    one = type(model)(
        **model.settings, generator=torch.Generator(), dtype=model.W_E.dtype, device="cpu"
    )
    one.load_state_dict(whole)
    return one
