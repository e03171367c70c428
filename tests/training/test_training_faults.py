"""Training that is starved of disk or memory, or sent to a folder that is another's.

Nothing good is lost, and the error says what to do.
"""

import errno
import os
import re
import resource

import pytest
import torch
from runs_for_tests import assert_same, go, holds, in_child, only_whole_files

from sdl_theory import Config, Samples, SDLModel, Trainer, TrainingError, fit
from sdl_theory.files import read_tensors, write_tensors
from sdl_theory.training import trainer as train


def _fill_the_disk(pipe, folder, room):
    """From step 12 on no file may grow beyond `room` bytes, as on a full disk: the kernel itself
    cuts the write short.
    """
    torch.set_num_threads(1)

    def fill(row):
        if row["step"] == 12:
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

    try:
        go(folder, callback=fill)
        pipe.send((0, "nothing was noticed"))
    except OSError as error:
        pipe.send((error.errno, str(error)))


@pytest.mark.parametrize(
    "room",
    [0, 100, 30_000],
    ids=["in the history", "in the history's second line", "in the checkpoint"],
)
def test_a_full_disk_costs_nothing_good(room, tmp_path):
    number, message = in_child(_fill_the_disk, tmp_path / "run", room)
    assert number == errno.EFBIG
    assert "disk is full" in message
    assert "Free some space and resume" in message
    assert (
        str(tmp_path / "run" / ("checkpoint.safetensors" if room > 1000 else "history.jsonl"))
        in message
    )
    assert only_whole_files(tmp_path / "run") and holds(tmp_path / "run")[2] == 10
    go(tmp_path / "run", resume=True)
    go(tmp_path / "whole")
    assert_same(holds(tmp_path / "run"), holds(tmp_path / "whole"))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_no_space_is_noticed_when_the_disk_is_asked_for_the_truth(number, tmp_path, monkeypatch):
    """Some disks take every write, and fail at fsync."""
    write_tensors(tmp_path / "a.safetensors", dict(W=torch.ones(3)), {})

    def full(_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(
        OSError, match=f"disk is full.*{tmp_path}/a.safetensors.*Free some space"
    ) as caught:
        write_tensors(tmp_path / "a.safetensors", dict(W=torch.zeros(3)), {})
    assert caught.value.errno == number and list(tmp_path.iterdir()) == [tmp_path / "a.safetensors"]
    assert read_tensors(tmp_path / "a.safetensors")[0]["W"].tolist() == [1, 1, 1]


def test_a_folder_that_cannot_be_written_is_found_before_the_first_step(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("mine")
    monkeypatch.setattr(Trainer, "step", lambda self: pytest.fail("a step was made"))
    with pytest.raises(OSError, match=f"{tmp_path}/file"):
        go(tmp_path / "file" / "run")
    assert (tmp_path / "file").read_text() == "mine"


def test_an_existing_run_is_not_written_over(tmp_path):
    go(tmp_path, steps=10)
    before = holds(tmp_path)
    with pytest.raises(
        FileExistsError,
        match=f"{tmp_path}/checkpoint.safetensors exists: pass resume=True .--resume. to go on "
        f"with it, or another folder",
    ):
        go(tmp_path, steps=10)
    with pytest.raises(ValueError, match="resume=True .--resume. needs out="):
        go(None, resume=True)
    assert_same(holds(tmp_path), before)
    # a finished run has nothing left to do
    assert_same(holds(tmp_path), (go(tmp_path, steps=10, resume=True), before)[1])


def _run_out_of_memory(pipe, folder, batch):
    """A process that may grow by 300 MB is asked for a step that takes more."""
    torch.set_num_threads(1)
    go(folder, steps=10, callback=lambda row: row["step"] < 8)
    now = (
        int(
            next(line for line in open("/proc/self/status") if line.startswith("VmSize")).split()[1]
        )
        * 1024
    )
    resource.setrlimit(resource.RLIMIT_AS, (now + 300_000_000,) * 2)
    try:
        model = SDLModel(30, 4096, method="topk", k=4)
        fit(
            model,
            Samples(torch.ones(500, 30)),
            Config(steps=4, batch=batch),
            out=folder.with_name("large"),
            progress=False,
        )
    except TrainingError as error:
        pipe.send((str(error), type(error.__cause__).__name__))
    except BaseException as error:
        pipe.send((f"{type(error).__name__}: {error}", ""))


@pytest.mark.skipif(
    not os.path.exists("/proc/self/status"), reason="reads the size of a process as Linux tells it"
)
# the larger needs 3.6 GB: some machines have it, this process may not take it
@pytest.mark.parametrize("batch", [40_000, 200_000])
def test_out_of_memory_says_how_much_is_needed(batch, tmp_path):
    message, cause = in_child(_run_out_of_memory, tmp_path / "small", batch)
    assert re.match(
        r"out of memory: this needs about [\d.]+ [GM]iB \(weights .*latents .*\) a process. Use a "
        r"smaller batch or n_q",
        message,
    ), message
    assert "No checkpoint was written yet" in message and cause in ("RuntimeError", "MemoryError")
    assert holds(tmp_path / "small")[2] == 8


@pytest.mark.parametrize(
    "error, words",
    [
        (
            torch.OutOfMemoryError(
                "CUDA out of memory. Tried to allocate 7.81 GiB. GPU 0 has a total capacity of ..."
            ),
            "out of memory: this needs about",
        ),
        (
            RuntimeError(
                "DefaultCPUAllocator: can't allocate memory: you tried to allocate 16777216 bytes. "
                "Error code 12 (Cannot allocate memory)"
            ),
            "out of memory",
        ),
        (MemoryError(), "out of memory"),
        (
            RuntimeError(
                "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)"
            ),
            "out of memory",
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_every_way_to_run_out_of_memory_is_known(error, words, tmp_path, monkeypatch):
    def fail(*_):
        raise error

    go(tmp_path, callback=lambda row: row["step"] < 8)
    monkeypatch.setattr(train, "objective", fail)
    with pytest.raises(
        TrainingError, match=f"{words}.*The last good checkpoint is {tmp_path}"
    ) as caught:
        go(tmp_path, resume=True)
    assert caught.value.__cause__ is error and holds(tmp_path)[2] == 8


def test_other_errors_stay_what_they_are(monkeypatch):
    def fail(*_):
        raise RuntimeError("something else")

    monkeypatch.setattr(train, "objective", fail)
    with pytest.raises(RuntimeError, match="^something else$"):
        go(None)
