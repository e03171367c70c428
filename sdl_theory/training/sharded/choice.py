"""The k largest z of each sample among the latents of all processes."""

from __future__ import annotations

import torch

from ...checks import Tensor
from ..pairs import top_k
from ..world import World


@torch.no_grad()
def largest_of_all(z: Tensor, k: int, world: World) -> tuple[Tensor, Tensor]:
    """What this process holds of each sample's k largest over all latents; of equal, the lowest.

    z : (batch, n), of the latents of this process; n may differ between processes.

    The k largest of each process are enough: they are joined, k numbers a sample and process, and
    the k-th largest of them is the k-th largest of all. Of the latents that are equal to it those
    of lowest index are taken, as many as there is room for, so those of earlier processes first.
    Exact; among zeros, which give nothing, any will do.

    Returns latents (batch, min(k, n)), ascending, and which of them to keep, a mask of that shape:
    k a sample over all processes, or all that there are. A NaN is kept, to be found.
    """
    latents = _largest_here(z, min(k, z.shape[1]))
    values = z.gather(1, latents)
    padded = z.new_full((len(z), k), -torch.inf)
    padded[:, : values.shape[1]] = values
    joined = world.beside(padded)
    level = joined.topk(k, dim=1).values[:, -1:]
    room = k - (joined > level).sum(1, keepdim=True)
    room -= (joined[:, : k * world.shard] == level).sum(1, keepdim=True)
    ties = values == level
    return latents, (values > level) | ties & (ties.cumsum(1) <= room) | values.isnan()


def pairs_of_largest(z: Tensor, k: int, world: World) -> tuple[Tensor, Tensor]:
    """The same as pairs: samples ascending, and latents, (pairs,) each."""
    latents, keep = largest_of_all(z, k, world)
    return keep.nonzero()[:, 0], latents[keep]


def _largest_here(z: Tensor, k: int) -> Tensor:
    """Each row's k largest, of equal those of lowest index: latents (batch, k), ascending."""
    if k == z.shape[1]:
        return torch.arange(k, device=z.device).expand(len(z), -1)
    values, latents = top_k(z, k + 1)  # one more shows whether there is a choice
    values, order = values.sort(dim=1, descending=True)
    latents = latents.gather(1, order)[:, :k]
    least = values[:, k - 1]
    tied = (values[:, k] == least) & (least != 0) & least.isfinite()
    if tied.any():
        latents[tied] = z[tied].sort(dim=1, descending=True, stable=True).indices[:, :k]
    return latents.sort(dim=1).values
