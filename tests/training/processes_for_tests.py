"""Two processes, begun as torchrun begins them: for the tests beside this file."""

import os
import socket

import torch
from runs_for_tests import FORKS

from sdl_theory.training.world import World


def two_processes(work, folder, shards: int = 1, exits=(0, 0)) -> list[dict]:
    """What `work(folder, world)`, a function of a test's module, answers in each.

    shards : 2, they share out the latents; 1, the batch.
    exits : how they are to end; one that is killed answers nothing.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    processes = [
        FORKS.Process(target=_process, args=(rank, port, work, folder, shards)) for rank in range(2)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(90)
        process.kill()
        process.join()
    assert [process.exitcode for process in processes] == list(exits)
    return [torch.load(folder / f"results{rank}") for rank in range(2) if exits[rank] == 0]


def _process(rank: int, port: int, work, folder, shards: int) -> None:
    torch.set_num_threads(1)
    os.environ |= dict(
        RANK=str(rank),
        WORLD_SIZE="2",
        MASTER_ADDR="127.0.0.1",
        MASTER_PORT=str(port),
        GLOO_SOCKET_IFNAME="lo",
    )
    world = World.start(torch.device("cpu"), shards)
    assert (world.rank, world.size, world.shard) == ((rank, 2, 0) if shards == 1 else (0, 1, rank))
    torch.save(work(folder, world), folder / f"results{rank}")
    world.stop()
