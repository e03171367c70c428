"""Training that is killed, twenty times over.

What goes on is bit for bit the run that nobody killed.
"""

import os
import random
import signal
import time

import pytest
import torch
from runs_for_tests import EVERY, FORKS, assert_same, go, holds, only_whole_files

from sdl_theory import Trainer
from sdl_theory import files as checkpoint
from sdl_theory.files import read_tensors
from sdl_theory.training import trainer as train

KILLS = 20


def _life(folder, method, steps, done):
    """One life of a training run that will be killed: it tells its steps, and writes slowly."""
    torch.set_num_threads(1)
    step, fsync = Trainer.step, os.fsync

    def counted(self):
        step(self)
        done.value = self.steps_done

    Trainer.step, checkpoint.os.fsync = counted, lambda number: (fsync(number), time.sleep(0.005))
    go(folder, method, steps=steps, resume=True)


def _kill(folder, method, steps, done, chance) -> bool:
    """Start the run anew and kill it: some steps later, or while it writes a checkpoint.

    Answers whether a half-written one is there.
    """
    life = FORKS.Process(target=_life, args=(folder, method, steps, done))
    before, after, in_write = done.value, chance.randint(1, 2 * EVERY), chance.random() < 0.4
    life.start()
    deadline = time.monotonic() + 30
    half_written = lambda: list(folder.glob(".checkpoint*.tmp"))
    while (
        life.is_alive()
        and not (half_written() if in_write else done.value >= before + after)
        and time.monotonic() < deadline
    ):
        time.sleep(2e-4)
    time.sleep(chance.random() * 0.004)
    os.kill(life.pid, signal.SIGKILL)
    life.join()
    assert life.exitcode == -signal.SIGKILL, "the run ended before it was killed"
    return bool(half_written())


@pytest.mark.parametrize("method", ["jumprelu", "batchtopk"])
def test_a_run_killed_twenty_times_is_bit_for_bit_the_uninterrupted_one(
    method, tmp_path, monkeypatch
):
    steps, chance, begun = 2 * EVERY * KILLS, random.Random(5), []
    resample = train.resample
    monkeypatch.setattr(train, "resample", lambda *args: begun.append(resample(*args)) or begun[-1])
    go(tmp_path / "whole", method, steps=steps)
    wanted = holds(tmp_path / "whole")
    moved = (
        wanted[0]["theta"].item() > 0
        if method == "batchtopk"
        else wanted[0]["run/coef"].item() != pytest.approx(0.1, rel=0.01)
    )
    assert sum(len(which) > 0 for which in begun) >= 6 and moved, (
        "nothing was resampled, or the state that should matter does not"
    )

    killed, done, lost, halves = tmp_path / "killed", FORKS.Value("i", 0), [], 0
    killed.mkdir()
    for _ in range(KILLS):
        halves += _kill(killed, method, steps, done, chance)
        kept = (
            read_tensors(killed / "checkpoint.safetensors")[1]["step"]
            if (killed / "checkpoint.safetensors").exists()
            else 0
        )
        lost.append(done.value - kept)
        done.value = kept
    assert (
        kept < steps
        and max(lost) <= EVERY
        and min(lost) >= 0
        and sum(loss > 0 for loss in lost) >= 3
    ), lost
    assert halves >= 3, "no kill landed in a write"
    go(killed, method, steps=steps, resume=True)
    assert_same(holds(killed), wanted)
    assert only_whole_files(killed)
