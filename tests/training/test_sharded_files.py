"""Files of a run whose latents are cut over two processes: those of one, whole or not there."""

import errno
import json
import os
import signal
from pathlib import Path

import pytest
import torch
from processes_for_tests import processes
from sharded_for_tests import METHODS, assert_as_one, command, go, peak, said, stop_at_8

from sdl_theory import LinearRepresentationBench, SDLModel, Trainer, fit
from sdl_theory.files import read_tensors
from sdl_theory.training.sharded import files
from sdl_theory.training.world import World


def with_files(folder: Path, world: World) -> dict:
    answers = {}
    if os.path.exists("/proc/self/clear_refs"):
        answers["peak"] = peak(world)
    files.BLOCK = 4096  # so that the larger tensors pass in several blocks
    for method in METHODS:
        go(folder / f"two-{method}", world, method)
        go(folder / f"begun-by-one-{method}", world, method, resume=True)
        go(folder / f"begun-by-two-{method}", world, method, callback=stop_at_8)

    answers["refused"] = [
        said(SDLModel, 30, 65, world=world),
        said(SDLModel, 30, 64, method="gated", world=world),
        said(SDLModel, 30, 64, instances=2, world=world),
        said(SDLModel(30, 64, world=world).save, folder / "part"),
        said(lambda: SDLModel(30, 64, world=world).weights),
        said(fit, SDLModel(30, 64), LinearRepresentationBench(40, 30, 0.9, 0.3), world=world),
    ]
    answers["bad part"] = said(go, folder / "bad-part", world, resume=True)
    fsync = os.fsync
    if world.first:
        os.fsync = lambda _: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left"))
    answers["full"] = said(go, folder / "begun-by-two-topk", world, resume=True)
    os.fsync = fsync
    batch, descend = Trainer.batch, Trainer._descend

    def pressed(self, t):
        if (t, self.world.shard) == (5, 1):
            signal.raise_signal(signal.SIGINT)
        return batch(self, t)

    Trainer.batch = pressed
    stopped = go(folder / "stopped", world)
    Trainer.batch = batch
    answers["stopped"] = stopped.interrupted, stopped.signal, stopped.last[0]["step"]

    def overflow(self):
        descend(self)
        if self.steps_done == 9 and self.world.shard == 1:
            self.model.W_E.data[3, 3] = torch.inf

    Trainer._descend = overflow
    answers["overflow"] = said(go, folder / "overflow", world)
    Trainer._descend = descend
    answers["command"] = command(folder / "command-two", "--shard-latents", "2")
    return answers


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """What each of the two processes heard, and their files."""
    folder = tmp_path_factory.mktemp("two")
    for method in METHODS:
        go(folder / f"begun-by-one-{method}", World(), method, callback=stop_at_8)
    bad = folder / "bad-part"
    go(bad, World(), callback=stop_at_8)
    checkpoint = bad / "checkpoint.safetensors"
    content = bytearray(checkpoint.read_bytes())
    place = read_place(content, "adam/exp_avg/W_E")
    content[place - 8 : place] = b"\xff" * 8  # NaN in the last row, the second process's
    checkpoint.write_bytes(content)
    return processes(with_files, folder, shards=2), folder


def read_place(content: bytes, name: str) -> int:
    """Where a tensor of a safetensors file ends."""
    size = int.from_bytes(content[:8], "little")
    return 8 + size + json.loads(content[8 : 8 + size])[name]["data_offsets"][1]


@pytest.mark.parametrize("method", METHODS)
def test_one_and_two_processes_go_on_with_one_another(method, both, tmp_path):
    """Whoever began, whoever went on: the files of one process that did it all."""
    folder = both[1]
    go(tmp_path / "one", World(), method)
    assert_as_one(folder / f"two-{method}", tmp_path / "one")
    assert_as_one(folder / f"begun-by-one-{method}", tmp_path / "one")
    ends = folder / f"begun-by-two-{method}"
    go(ends, World(), method, resume=True)
    assert_as_one(ends, tmp_path / "one")
    assert SDLModel.load(folder / f"two-{method}").n_q == 64


def test_what_cannot_be_cut_is_refused_by_name(both):
    words = [
        "n_q = 65 latents cannot be cut evenly among 2 processes; make it a multiple of 2",
        "the latents of method='gated' are not cut over processes; those of relu, jumprelu, topk",
        "latents are cut over processes in single models; got instances = 2",
        "this process holds 32 of 64 latents, and save is of all",
        "this process holds 32 of 64 latents, and weights is of all",
        "the model's latents are cut over 1 processes, this run's over 2",
    ]
    for results in both[0]:
        for error, word in zip(results["refused"], words, strict=True):
            assert error.startswith("ValueError: ") and word in error


def test_latents_are_cut_under_torchrun_only():
    with pytest.raises(ValueError, match="cannot be cut among shards = 2 of 1 processes; start a"):
        World.start(torch.device("cpu"), 2)


def test_the_command_cuts_latents_and_reports_on_all_of_them(both, tmp_path):
    """Float32, and 12 steps: figures of the report to 1e-3."""
    assert command(tmp_path)[0] == 0
    (code, words), other = (results["command"] for results in both[0])
    assert code == 0 and "recovery" in words and other == (0, ""), "the first process speaks"
    two, one = (
        json.loads((folder / "report.json").read_text())
        for folder in (both[1] / "command-two", tmp_path)
    )
    assert two["processes"] == 2
    assert two["reports"] == [pytest.approx(report, rel=1e-3) for report in one["reports"]]


def test_each_process_needs_the_memory_of_its_part(both):
    for results in both[0]:
        if "peak" not in results:
            pytest.skip("resets the peak as Linux lets it")
        found, need = results["peak"]
        assert need == 12 * 16_384 * 512 + 4 * 1024 * (4 * 256) + int(1.1 * 4 * 1024 * 16_384)
        assert found == pytest.approx(need, rel=0.25), f"{found / need:.2f}"


def test_what_stops_one_process_stops_both(both):
    for results in both[0]:
        assert results["stopped"] == (True, signal.SIGINT, 8)
        assert results["full"].startswith("OSError: ")
        assert results["overflow"].startswith(
            "TrainingError: a weight is not finite at step 10: nothing was written"
        )
        assert results["bad part"].startswith("CheckpointError: ")
    assert "its adam/exp_avg/W_E is not finite" in both[0][1]["bad part"]
    assert read_tensors(both[1] / "overflow/checkpoint.safetensors")[1]["step"] == 5


def killed(folder: Path, world: World) -> dict:
    """The second process dies in the middle of the checkpoint of step 10."""
    stepped, from_shard = Trainer.step, World.from_shard

    def dying(self, shard, part):
        os.kill(os.getpid(), signal.SIGKILL)

    def step(self):
        stepped(self)
        if self.steps_done == 10 and self.world.shard == 1:
            World.from_shard = dying

    Trainer.step = step
    error = said(go, folder / "run", world)
    Trainer.step, World.from_shard = stepped, from_shard
    return dict(error=error)


def test_a_process_that_is_killed_leaves_the_last_good_checkpoint(tmp_path):
    (results,) = processes(killed, tmp_path, shards=2, exits=(0, -signal.SIGKILL))
    assert results["error"].startswith("RuntimeError: ")
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        "checkpoint.safetensors",
        "history.jsonl",
    ]
    assert read_tensors(tmp_path / "run/checkpoint.safetensors")[1]["step"] == 5
    go(tmp_path / "run", World(), resume=True)
    go(tmp_path / "one", World())
    assert_as_one(tmp_path / "run", tmp_path / "one")
