"""Of two processes the first alone writes, and both stop, fail and go on together."""

import errno
import json
import os
import signal
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from processes_for_tests import two_processes

from sdl_theory import Config, LinearRepresentationBench, SDLModel, Trainer, fit
from sdl_theory.files import read_tensors
from sdl_theory.lock import locked
from sdl_theory.training.world import World


def small(folder, world: World, *, bench=None, steps: int = 20, **how):
    """A run in float32 with files."""
    bench = bench or LinearRepresentationBench(40, 30, 0.9, 0.3, seed=2)
    model = SDLModel(30, 64, method="batchtopk", k=4, generator=torch.Generator().manual_seed(1))
    config = Config(steps=steps, batch=64, warmup=5, log_every=4, checkpoint_every=5)
    return fit(model, bench, config, out=folder, progress=False, world=world, **how)


class Poisoned:
    """A bench that gives one process NaN in batch 6."""

    def __init__(self, rank: int):
        self.bench, self.rank = LinearRepresentationBench(40, 30, 0.9, 0.3, seed=2), rank

    def batch(self, t, size, *, rank, world):
        batch = self.bench.batch(t, size, rank=rank, world=world)
        batch.x_p[:] = torch.nan if (t, rank) == (6, self.rank) else batch.x_p
        return batch


def said(call, *arguments, **how) -> str:
    """The error that a call ends with."""
    try:
        call(*arguments, **how)
    except (ValueError, RuntimeError, OSError) as error:
        return f"{type(error).__name__}: {error}"
    return "no error"


def no_space(_):
    raise OSError(errno.ENOSPC, "No space left on device")


def with_files(folder: Path, world: World) -> dict:
    """What fit does that processes must agree on."""
    answers, batch, descend = {}, Trainer.batch, Trainer._descend
    small(folder / f"own{world.rank}", world)

    def pressed(self, t):
        if (t, self.world.rank) == (5, 1):
            signal.raise_signal(signal.SIGINT)
        return batch(self, t)

    Trainer.batch = pressed
    stopped = small(folder / "shared", world)
    Trainer.batch = batch
    answers["stopped"] = (
        stopped.interrupted,
        stopped.signal,
        stopped.last[0]["step"],
        read_tensors(folder / "shared/checkpoint.safetensors")[1]["step"],
    )
    small(folder / "shared", world, resume=True)
    with locked(folder / "held", folder=True) if world.rank == 0 else nullcontext():
        answers["held"] = said(small, folder / "held", world)
    answers["not shared"] = said(small, folder / f"own{world.rank}", world, resume=True)
    fsync = os.fsync
    answers["full"] = said(
        small,
        folder / "full",
        world,
        callback=lambda row: setattr(os, "fsync", no_space) if world.rank == 0 else None,
    )
    answers["still full"] = said(small, folder / "still full", world)
    os.fsync = fsync
    answers["nan"] = said(small, folder / "nan", world, bench=Poisoned(1))
    Trainer._descend = lambda self: (
        descend(self),
        self.model.W_E.data.fill_(torch.inf) if self.steps_done == 9 else None,
    )
    answers["overflow"] = said(small, folder / "overflow", world)
    Trainer._descend = descend
    return answers


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """What each of the two processes heard, and their files."""
    folder = tmp_path_factory.mktemp("two")
    return two_processes(with_files, folder), folder


def test_processes_write_the_files_of_one(both, tmp_path):
    """Float32, 20 steps: sums in another order differ by 1e-7 of their size, and Adam's first steps
    magnify that of a tiny gradient.
    """
    small(tmp_path, World())
    folder = both[1]
    assert not (folder / "own1").exists()
    assert sorted(path.name for path in (folder / "own0").iterdir()) == [
        "checkpoint.safetensors",
        "history.jsonl",
    ]
    wanted, _ = read_tensors(tmp_path / "checkpoint.safetensors")
    rows = [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    for run in ("own0", "shared"):
        tensors, metadata = read_tensors(folder / run / "checkpoint.safetensors")
        assert metadata == read_tensors(tmp_path / "checkpoint.safetensors")[1]
        for name, value in wanted.items():
            torch.testing.assert_close(
                tensors[name],
                value,
                rtol=1e-4,
                atol=1e-5,
                msg=lambda text: f"{run}, {name}: {text}",
            )
        for ours, theirs in zip(
            [
                json.loads(line)
                for line in (folder / run / "history.jsonl").read_text().splitlines()
            ],
            rows,
            strict=True,
        ):
            assert ours == pytest.approx(
                theirs | dict(samples_per_s=ours["samples_per_s"]), rel=1e-5
            )


def test_a_ctrl_c_that_one_process_hears_stops_both_at_the_next_log(both):
    assert [results["stopped"] for results in both[0]] == [(True, signal.SIGINT, 8, 8)] * 2


def test_a_folder_that_another_run_holds_is_refused_by_both(both):
    first, second = (results["held"] for results in both[0])
    assert first.startswith("InUse: ")
    assert "held is in use: another run of this very process" in first
    assert second.startswith("OSError: the first process could not write")
    assert not list((both[1] / "held").iterdir())


def test_processes_that_begin_apart_are_told(both):
    """One sees a checkpoint, the other a folder of its own that is empty."""
    for results in both[0]:
        error = results["not shared"]
        assert error.startswith("ValueError: the processes begin from different weights")
        assert "a folder `out` that all see" in error


def test_what_stops_one_process_stops_both(both):
    assert not (both[1] / "full/checkpoint.safetensors").exists()
    for results in both[0]:
        assert results["full"].startswith("OSError: ")
        assert results["still full"].startswith("OSError: ")
        assert results["nan"].startswith("TrainingError: the loss is not finite at step 7 ")
        assert results["overflow"].startswith(
            "TrainingError: a weight is not finite at step 10: nothing was written"
        )
    for run in ("nan", "overflow"):
        tensors, metadata = read_tensors(both[1] / run / "checkpoint.safetensors")
        assert metadata["step"] == 5
        assert all(torch.isfinite(value).all() for value in tensors.values())
