"""Data-parallel training by torch.distributed: the few sums that are taken over all processes."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch

from ..checks import Tensor


@dataclass(frozen=True)
class World:
    """`size` processes, of which this is `rank`; World() is one process alone.

    `World.start` reads torchrun's environment.
    """

    rank: int = 0
    size: int = 1

    @classmethod
    def start(cls, device: torch.device) -> World:
        """Join the processes that torchrun started; World() if it started none.

        By NCCL on CUDA, by gloo on the CPU.
        """
        if "RANK" not in os.environ or int(os.environ.get("WORLD_SIZE", 1)) == 1:
            return cls()
        import torch.distributed as dist

        if not dist.is_initialized():
            dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
        return cls(dist.get_rank(), dist.get_world_size())

    def stop(self) -> None:
        """Leave the group."""
        if self.size > 1:
            torch.distributed.destroy_process_group()

    def add(self, tensor: Tensor) -> Tensor:
        """The sum over all processes, in place."""
        if self.size > 1:
            torch.distributed.all_reduce(tensor)
        return tensor

    def any(self, flag: bool, device: torch.device) -> bool:
        """Whether `flag` is set in one process at least.

        The same answer in all, once all have come here.
        """
        if self.size == 1:
            return bool(flag)
        return float(self.add(torch.tensor(float(flag), device=device))) > 0

    def alike(self, figure: float, device: torch.device) -> bool:
        """Whether all processes hold the same number."""
        mine = torch.tensor([figure], dtype=torch.float64, device=device)
        return len(set(self.gather(mine, 1).tolist())) == 1

    def gather(self, values: Tensor, count: int) -> Tensor:
        """The values (..., at most `count`) of every process, joined along the last axis.

        The missing are -inf.
        """
        if self.size == 1:
            return values
        padded = torch.full(
            (*values.shape[:-1], count), -torch.inf, dtype=values.dtype, device=values.device
        )
        padded[..., : values.shape[-1]] = values
        parts = [torch.empty_like(padded) for _ in range(self.size)]
        torch.distributed.all_gather(parts, padded)
        return torch.cat(parts, -1)
