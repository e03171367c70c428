"""Processes begun as torchrun begins them: for the tests beside this file."""

import os
import socket

import torch
from runs_for_tests import FORKS

from sdl_theory.training.world import World


def two_processes(work, folder) -> list[dict]:
    """What `work(folder, world)` answers in each of two that share out the batch."""
    return processes(work, folder, shards=1)


def processes(work, folder, *, shards: int, exits=(0, 0)) -> list[dict]:
    """What `work(folder, world)`, a function of a test's module, answers in each process.

    shards : how many of them share out the latents.
    exits : how each is to end; one that is killed answers nothing.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    places = [(rank, len(exits), port) for rank in range(len(exits))]
    begun = [FORKS.Process(target=_process, args=(at, work, folder, shards)) for at in places]
    for process in begun:
        process.start()
    for process in begun:
        process.join(90)
        process.kill()
        process.join()
    assert [process.exitcode for process in begun] == list(exits)
    return [torch.load(folder / f"results{rank}") for rank in range(len(exits)) if not exits[rank]]


def _process(place: tuple[int, int, int], work, folder, shards: int) -> None:
    rank, count, port = place
    torch.set_num_threads(1)
    os.environ |= dict(
        RANK=str(rank),
        WORLD_SIZE=str(count),
        MASTER_ADDR="127.0.0.1",
        MASTER_PORT=str(port),
        GLOO_SOCKET_IFNAME="lo",
    )
    world = World.start(torch.device("cpu"), shards)
    assert (world.size, world.shards) == (count // shards, shards)
    assert (world.rank, world.shard) == divmod(rank, shards)
    torch.save(work(folder, world), folder / f"results{rank}")
    world.stop()
