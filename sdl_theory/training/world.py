"""Training by several processes: which share out the batch, which the latents, and their sums."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from ..checks import Tensor, check_count

if TYPE_CHECKING:
    from torch.distributed.device_mesh import DeviceMesh


@dataclass(frozen=True)
class World:
    """`size` processes share out a batch, `shards` the latents; World() is one process alone.

    rank : this process's share of the batch, of `size`.
    shard : its share of the latents, of `shards`: see `training/sharded`.
    mesh : with shards > 1 all size * shards processes, as PyTorch's ("samples", "latents").

    `World.start` reads torchrun's environment.
    """

    rank: int = 0
    size: int = 1
    shard: int = 0
    shards: int = 1
    mesh: DeviceMesh | None = field(default=None, repr=False)

    @classmethod
    def start(cls, device: torch.device, shards: int = 1) -> World:
        """Join the processes that torchrun started; World() if it started none.

        shards : how many of them cut the latents of one dictionary among them. The others, if any,
            share out the batch: W processes are W / shards such groups.

        By NCCL on CUDA, by gloo on the CPU. ValueError if `shards` does not divide W.
        """
        count = int(os.environ.get("WORLD_SIZE", 1)) if "RANK" in os.environ else 1
        if count % check_count("shards", shards):
            raise ValueError(
                f"latents cannot be cut among shards = {shards} of {count} processes; "
                f"start a multiple of {shards}: torchrun --nproc-per-node {shards} ..."
            )
        if count == 1:
            return cls()
        import torch.distributed as dist

        if not dist.is_initialized():
            dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
        if shards == 1:
            return cls(dist.get_rank(), count)
        mesh = dist.device_mesh.init_device_mesh(
            device.type, (count // shards, shards), mesh_dim_names=("samples", "latents")
        )
        rank, shard = mesh.get_local_rank("samples"), mesh.get_local_rank("latents")
        return cls(rank, count // shards, shard=shard, shards=shards, mesh=mesh)

    def stop(self) -> None:
        """Leave the group."""
        if self.several:
            torch.distributed.destroy_process_group()
            # DTensor's caches keep the mesh, the mesh its groups, and these their threads, with
            # which gloo may abort a process that ends
            getattr(self.mesh, "_pg_registry", {}).clear()

    @property
    def several(self) -> bool:
        """Are there processes beside this one?"""
        return self.size * self.shards > 1

    @property
    def first(self) -> bool:
        """Is this the one that writes files and speaks?"""
        return self.rank == self.shard == 0

    # ---- over all processes

    def any(self, flag: bool, device: torch.device) -> bool:
        """Whether `flag` is set in one process at least.

        The same answer in all, once all have come here.
        """
        if not self.several:
            return bool(flag)
        count = torch.tensor(float(flag), device=device)
        torch.distributed.all_reduce(count)
        return float(count) > 0

    def alike(self, common: float, own: float, device: torch.device) -> bool:
        """Whether all have `common` alike, and those of the same latents `own`."""
        mine = torch.tensor([common, own], dtype=torch.float64, device=device)
        figures = self.gather(mine, 2).view(-1, self.shards, 2)
        commons, owns = figures.unbind(-1)
        return bool((commons == commons[0, 0]).all() and (owns == owns[0]).all())

    def gather(self, values: Tensor, count: int) -> Tensor:
        """The values (..., at most `count`) of every process, joined along the last axis.

        The missing are -inf.
        """
        if not self.several:
            return values
        padded = torch.full(
            (*values.shape[:-1], count), -torch.inf, dtype=values.dtype, device=values.device
        )
        padded[..., : values.shape[-1]] = values
        parts = [torch.empty_like(padded) for _ in range(self.size * self.shards)]
        torch.distributed.all_gather(parts, padded)
        return torch.cat(parts, -1)

    # ---- over those that share out the batch

    def add(self, tensor: Tensor) -> Tensor:
        """The sum over the processes that share out the batch, in place."""
        if self.size > 1:
            group = None if self.mesh is None else self.mesh.get_group("samples")
            torch.distributed.all_reduce(tensor, group=group)
        return tensor

    # ---- over those that share out the latents, by PyTorch's DTensor

    def part(self, n_q: int) -> slice:
        """Which of n_q latents this process holds: n_q / shards of them, in order."""
        if n_q % self.shards:
            raise ValueError(
                f"n_q = {n_q} latents cannot be cut evenly among {self.shards} processes; "
                f"make it a multiple of {self.shards}"
            )
        return slice(self.shard * n_q // self.shards, (self.shard + 1) * n_q // self.shards)

    def over_latents(self, term: Tensor, how: str = "sum") -> Tensor:
        """The sum (or how="max") of every shard's term, in all of them.

        Its gradient goes to each term as it is.
        """
        if self.shards == 1:
            return term
        from torch.distributed.tensor import Partial

        return self._whole(term, Partial(how))

    def mean_over_latents(self, values: Tensor) -> Tensor:
        """The mean of all shards' values (n,); NaN of none."""
        if self.shards == 1:
            return values.mean()
        total, count = self.over_latents(
            torch.stack([values.sum(), values.new_tensor(len(values))])
        )
        return total / count

    def beside(self, part: Tensor) -> Tensor:
        """Every shard's part, all of one shape, joined along the last axis."""
        if self.shards == 1:
            return part
        from torch.distributed.tensor import Shard

        return self._whole(part, Shard(part.ndim - 1))

    def from_shard(self, shard: int, part: Tensor) -> Tensor:
        """That shard's part, in all of them; each gives its own, all of one shape."""
        if self.shards == 1:
            return part
        assert self.mesh is not None
        taken = part.clone(memory_format=torch.contiguous_format)
        group = self.mesh.get_group("latents")
        torch.distributed.broadcast(taken, group=group, group_src=shard)
        return taken

    def _whole(self, part: Tensor, placement) -> Tensor:
        from torch.distributed.tensor import DTensor, Replicate

        placements = [Replicate(), placement]
        return DTensor.from_local(part, self.mesh, placements, run_check=False).full_tensor()
