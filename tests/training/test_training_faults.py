"""Training that is killed, interrupted, starved of disk or memory, or fed NaN: nothing good is
lost, and the error says what to do.
"""

import errno
import json
import multiprocessing
import os
import random
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from sdl_theory import (
    Anchors,
    CheckpointError,
    Config,
    LinearRepresentationBench,
    Samples,
    SDLModel,
    Trainer,
    TrainingError,
    fit,
)
from sdl_theory import files as checkpoint
from sdl_theory.__main__ import main
from sdl_theory.files import read_tensors, write_tensors
from sdl_theory.training import trainer as train

ROOT = Path(__file__).resolve().parents[2]
EVERY = 5  # steps between checkpoints
KILLS = 20
FORKS = multiprocessing.get_context("forkserver")
# what the first step would import
FORKS.set_forkserver_preload(
    ["torch._dynamo", "sdl_theory", "safetensors.torch", "tqdm.auto", "pytest"]
)


class Interrupted(Exception):
    """A KeyboardInterrupt that left `fit`."""


def tiny(method: str, steps: int = 40, **changes):
    """A run in which all that a checkpoint holds matters: Adam, anchors, dead counts, resampling,
    and the method's own state.
    """
    bench = LinearRepresentationBench(40, 30, 0.9, 0.3, seed=2, samples=500)
    model = SDLModel(
        30,
        64,
        method=method,
        k=4 if method == "batchtopk" else None,
        biases=True,
        generator=torch.Generator().manual_seed(1),
    )
    with torch.no_grad():
        # dead until they are resampled; AuxK can wake the small ones
        model.W_E[-6:] *= 0.01 if method == "batchtopk" else 0
    config = Config(
        steps=steps,
        batch=64,
        lr=3e-2,
        warmup=5,
        seed=3,
        dead_after=640,
        resample_every=12,
        resample_until=0.8,
        log_every=4,
        checkpoint_every=EVERY,
        lam_anchor=0.2,
        **(
            dict(aux_coef=0.1, aux_k=8) if method == "batchtopk" else dict(target_l0=2.0, gain=0.05)
        ),
    )
    return model, bench, replace(config, **changes)


def go(folder, method="jumprelu", *, steps=40, resume=False, callback=None, **changes):
    model, bench, config = tiny(method, steps, **changes)
    try:
        return model, fit(
            model,
            bench,
            config,
            anchors=4,
            out=folder,
            resume=resume,
            callback=callback,
            progress=False,
        )
    except KeyboardInterrupt as error:
        raise Interrupted from error  # pytest itself would stop at a KeyboardInterrupt


def holds(folder):
    """All that a run left behind: tensors and history."""
    tensors, metadata = read_tensors(folder / "checkpoint.safetensors")
    rows = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    for row in rows:
        del row["samples_per_s"]
    return tensors, rows, metadata["step"]


def assert_same(ours, theirs):
    """Bit for bit."""
    assert ours[1:] == theirs[1:] and set(ours[0]) == set(theirs[0])
    assert [
        name for name, value in ours[0].items() if not torch.equal(value, theirs[0][name])
    ] == []


def only_whole_files(folder):
    return sorted(path.name for path in folder.iterdir()) == [
        "checkpoint.safetensors",
        "history.jsonl",
    ]


def in_child(target, *arguments):
    """What `target(pipe, ...)` sends from a process of its own."""
    ours, theirs = FORKS.Pipe(duplex=False)
    process = FORKS.Process(target=target, args=(theirs, *arguments))
    process.start()
    theirs.close()
    try:
        return ours.recv() if ours.poll(60) else pytest.fail("the child said nothing")
    finally:
        process.kill()
        process.join()


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
    """Start the run anew and kill it: some steps later, or while it writes a checkpoint. Whether a
    half-written one is there.
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
    monkeypatch.setattr(train, "resample", lambda *args: begun.append(resample(*args)))
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
    assert (
        number == errno.EFBIG
        and "disk is full" in message
        and "Free some space and resume" in message
    )
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


def rewrite(folder, change):
    """The checkpoint with its tensors and metadata changed by hand."""
    tensors, metadata = read_tensors(folder / "checkpoint.safetensors")
    tensors = {name: value.clone() for name, value in tensors.items()}
    change(tensors, metadata)
    write_tensors(folder / "checkpoint.safetensors", tensors, metadata)


@pytest.fixture(scope="module")
def run_of_ten(tmp_path_factory):
    """A finished run, to be copied and damaged."""
    folder = tmp_path_factory.mktemp("ten") / "run"
    go(folder, steps=10)
    return folder


@pytest.fixture
def damaged(run_of_ten, tmp_path):
    for path in run_of_ten.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


LOST = [
    "W_E",
    "b_D",
    "theta",
    "run/asleep",
    "run/coef",
    "run/sums",
    "adam/exp_avg/W_D",
    "adam/exp_avg_sq/W_E",
    "adam/step/b_E",
]


@pytest.mark.parametrize(
    "change, words",
    [
        *[
            (lambda t, m, name=name: t.pop(name), f"does not fit this run: it has no tensor {name}")
            for name in LOST
        ],
        (
            lambda t, m: t.update(W_E=t["W_E"][:5]),
            r"its W_E is \(\(5, 30\), torch.float32\), not \(\(64, 30\), torch.float32\)",
        ),
        (lambda t, m: t.update(W_D=t["W_D"].double()), r"its W_D is \(\(30, 64\), torch.float64\)"),
        (lambda t, m: t["adam/exp_avg/W_E"].fill_(torch.nan), "its adam/exp_avg/W_E is not finite"),
        (lambda t, m: m.pop("step"), "no training checkpoint: it lacks step"),
        (
            lambda t, m: m.clear(),
            "no training checkpoint: it lacks anchors, config, data, model, step",
        ),
        (
            lambda t, m: m["config"].update(lr=0.5),
            r"another run: its config.lr is 0.5, this one's is 0.03",
        ),
        (lambda t, m: m["model"].update(n_q=63), r"its model.n_q is 63, this one's is 64"),
        (lambda t, m: m["data"][0].update(seed=9), r"its data\[0\].seed is 9, this one's is 2"),
        (lambda t, m: m["anchors"][0].reverse(), r"its anchors is"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_checkpoint_that_does_not_fit_is_refused_and_nothing_changes(change, words, damaged):
    rewrite(damaged, change)
    model, bench, config = tiny("jumprelu", 10)
    start = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(CheckpointError, match=f"^{damaged}/checkpoint.safetensors .*{words}"):
        fit(model, bench, config, anchors=4, out=damaged, resume=True, progress=False)
    assert all(torch.equal(value, start[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("kept", [0, 5, 200, -1])
def test_a_truncated_checkpoint_is_named(kept, damaged):
    path = damaged / "checkpoint.safetensors"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(CheckpointError, match=f"^{path} is truncated or no safetensors file"):
        go(damaged, steps=10, resume=True)


def test_a_foreign_safetensors_file_is_named(damaged):
    from safetensors.torch import save_file

    save_file(dict(W=torch.ones(3)), damaged / "checkpoint.safetensors")
    with pytest.raises(
        CheckpointError, match=f"^{damaged}/checkpoint.safetensors was not written by sdl_theory"
    ):
        go(damaged, steps=10, resume=True)


def test_other_anchors_of_which_nobody_knows_the_features_are_told_apart(tmp_path):
    model, bench, config = tiny("jumprelu", 10)
    known = Anchors.of_truth(bench, 4)
    anchors = lambda order: Anchors(None, known.W_E[order], known.W_D[:, order])
    fit(model, bench, config, anchors=anchors([0, 1, 2, 3]), out=tmp_path, progress=False)
    fit(
        tiny("jumprelu", 10)[0],
        bench,
        config,
        anchors=anchors([0, 1, 2, 3]),
        out=tmp_path,
        resume=True,
        progress=False,
    )
    with pytest.raises(CheckpointError, match=r"its anchors is"):
        fit(
            tiny("jumprelu", 10)[0],
            bench,
            config,
            anchors=anchors([0, 1, 3, 2]),
            out=tmp_path,
            resume=True,
            progress=False,
        )


def test_a_history_torn_in_its_last_line_is_gone_on_with(tmp_path):
    go(tmp_path / "whole")
    go(tmp_path / "torn", callback=lambda row: row["step"] < 20)
    path = tmp_path / "torn" / "history.jsonl"
    path.write_text(path.read_text() + '{"step": 24, "samp')
    go(tmp_path / "torn", resume=True)
    assert_same(holds(tmp_path / "torn"), holds(tmp_path / "whole"))


@pytest.mark.parametrize(
    "line, words",
    [
        ('{"step": 8, "sa', "is not JSON"),
        ("3", "is no row of a history: it needs a step"),
        ('{"loss": 1}', "is no row"),
    ],
)
def test_a_history_damaged_before_its_end_is_named(line, words, damaged):
    path = damaged / "history.jsonl"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], line, *lines[2:]]))
    with pytest.raises(ValueError, match=f"^{path}, line 2, {words}"):
        go(damaged, steps=10, resume=True)


class Poisoned:
    """A bench whose batch `t` holds one NaN."""

    def __init__(self, bench, t, where):
        self.bench, self.t, self.where, self.settings = bench, t, where, bench.settings

    def batch(self, t, size, **how):
        batch = self.bench.batch(t, size, **how)
        if t == self.t:
            getattr(batch, self.where)[3, 4] = torch.nan
        return batch


@pytest.mark.parametrize("method", ["relu", "jumprelu", "batchtopk", "topk", "matryoshka", "gated"])
@pytest.mark.parametrize("biases", [False, True])
def test_a_nan_stops_the_run_at_its_step_and_the_last_checkpoint_is_good(method, biases, tmp_path):
    _, bench, config = tiny("topk", steps=30, resample_every=0)
    known = Anchors.of_truth(bench, 4)
    new = lambda: SDLModel(
        30, 64, method=method, biases=biases, generator=torch.Generator().manual_seed(1)
    )
    with pytest.raises(
        TrainingError,
        match=f"not finite at step 14 .*lr = 0.03, batch = 64.*NaN in the data.*checkpoint is "
        f"{tmp_path}",
    ):
        fit(new(), Poisoned(bench, 13, "x_p"), config, anchors=known, out=tmp_path, progress=False)
    assert only_whole_files(tmp_path) and holds(tmp_path)[2] == 10
    assert all(torch.isfinite(value).all() for value in holds(tmp_path)[0].values())
    assert (
        fit(
            new(),
            Poisoned(bench, 99, "x_p"),
            config,
            anchors=known,
            out=tmp_path,
            resume=True,
            progress=False,
        ).last[0]["step"]
        == 30
    )


def test_a_nan_in_an_input_that_no_latent_sees_is_seen(tmp_path, monkeypatch):
    """The sparse step looks at the pairs that fire; NaN > theta is False, and the target of a
    transcoder is another tensor.
    """
    from sdl_theory.training import objective as objectives

    bench = LinearRepresentationBench(40, 30, 0.9, 0.3, seed=2, kind="transcoder")
    model = SDLModel(30, 64, method="batchtopk", k=4, generator=torch.Generator().manual_seed(1))
    dense = objectives.objective
    monkeypatch.setattr(train, "objective", lambda *args: dense(*args, sparse=True))
    with pytest.raises(TrainingError, match="not finite at step 3 "):
        fit(model, Poisoned(bench, 2, "x_p"), Config(steps=5, batch=64), progress=False)


def test_a_weight_that_overflows_is_not_written(tmp_path, monkeypatch):
    """The loss of the step that spoils a weight is still finite."""
    descend = Trainer._descend

    def spoil(self):
        descend(self)
        if self.steps_done == 14:
            self.model.W_E.data[3, 4] = torch.inf

    monkeypatch.setattr(Trainer, "_descend", spoil)
    with pytest.raises(
        TrainingError,
        match=f"a weight is not finite at step 15: nothing was written. The last good checkpoint "
        f"is {tmp_path}",
    ):
        go(tmp_path)
    assert (
        only_whole_files(tmp_path)
        and holds(tmp_path)[2] == 10
        and torch.isfinite(holds(tmp_path)[0]["W_E"]).all()
    )


def test_nan_in_your_own_samples_is_refused():
    with pytest.raises(ValueError, match=r"x_p must be finite; entry \(2, 1\) is nan"):
        Samples(
            torch.ones(4, 3).index_put((torch.tensor(2), torch.tensor(1)), torch.tensor(torch.nan))
        )
    with pytest.raises(ValueError, match=r"x_r must be finite; entry \(0, 0\) is inf"):
        Samples(torch.ones(4, 3), torch.full((4, 2), torch.inf))


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
        r"out of memory: this needs about [\d.]+ [GM]iB a process \(weights .*latents .*\). Use a "
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


def _interrupting(where: str, step: int, number=signal.SIGINT):
    """`go` with a Ctrl-C at one step, before or after the weights move, or in the callback."""
    method = getattr(Trainer, where, None)

    def interrupted(self, *args):
        answer = method(self, *args)
        if self.steps_done == step:
            signal.raise_signal(number)
        return answer

    return interrupted


@pytest.mark.parametrize("method", ["jumprelu", "batchtopk"])
@pytest.mark.parametrize("where", ["batch", "_descend", "_resample"])
def test_a_ctrl_c_within_a_step_waits_for_its_end(where, method, tmp_path, monkeypatch):
    go(tmp_path / "whole", method)
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, where, _interrupting(where, 12))
        before = signal.getsignal(signal.SIGINT)
        _, history = go(tmp_path / "run", method)
        assert history.interrupted and signal.getsignal(signal.SIGINT) is before
    assert holds(tmp_path / "run")[2] == (12 if where == "_resample" else 13)
    assert history.rows[-1]["step"] == 12
    _, history = go(tmp_path / "run", method, resume=True)
    assert not history.interrupted
    assert_same(holds(tmp_path / "run"), holds(tmp_path / "whole"))


def test_a_callback_stops_the_run_by_false_or_by_ctrl_c(tmp_path):
    def press(row):
        if row["step"] == 16:
            raise KeyboardInterrupt

    go(tmp_path / "whole")
    for name, callback in (("false", lambda row: row["step"] < 16), ("pressed", press)):
        assert (
            go(tmp_path / name, callback=callback)[1].interrupted
            and holds(tmp_path / name)[2] == 16
        )
        assert not go(tmp_path / name, resume=True, callback=lambda row: row["step"] < 40)[
            1
        ].interrupted, "the last step is the end, not a stop"
        assert_same(holds(tmp_path / name), holds(tmp_path / "whole"))


def test_a_second_ctrl_c_stops_at_once_and_saves_nothing(tmp_path, monkeypatch):
    def twice(self, t):
        if t == 17:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
        return batch(self, t)

    batch = Trainer.batch
    monkeypatch.setattr(Trainer, "batch", twice)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(Interrupted):
        go(tmp_path)
    assert (
        holds(tmp_path)[2] == 15
        and only_whole_files(tmp_path)
        and signal.getsignal(signal.SIGINT) is before
    )


@pytest.mark.parametrize("method", ["jumprelu", "batchtopk"])
def test_sigterm_saves_as_ctrl_c_does(method, tmp_path, monkeypatch):
    go(tmp_path / "whole", method)
    mine = lambda number, frame: pytest.fail("the handler from before heard it")
    before = signal.signal(signal.SIGTERM, mine)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(Trainer, "_descend", _interrupting("_descend", 12, signal.SIGTERM))
            _, history = go(tmp_path / "run", method)
        assert (
            history.interrupted
            and history.signal == signal.SIGTERM
            and signal.getsignal(signal.SIGTERM) is mine
        )
    finally:
        signal.signal(signal.SIGTERM, before)
    assert holds(tmp_path / "run")[2] == 13 and only_whole_files(tmp_path / "run")
    _, history = go(tmp_path / "run", method, resume=True)
    assert (
        not history.interrupted
        and history.signal is None
        and signal.getsignal(signal.SIGTERM) is before
    )
    assert_same(holds(tmp_path / "run"), holds(tmp_path / "whole"))


def test_a_second_sigterm_ends_at_once_and_an_ignored_one_stays_ignored(tmp_path, monkeypatch):
    def twice(self, t):
        if t == 17:
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGTERM)
        return batch(self, t)

    batch = Trainer.batch
    monkeypatch.setattr(Trainer, "batch", twice)
    with pytest.raises(SystemExit) as ended:
        go(tmp_path / "twice")
    assert (
        ended.value.code == 143
        and holds(tmp_path / "twice")[2] == 15
        and only_whole_files(tmp_path / "twice")
    )
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        assert (
            not go(tmp_path / "ignored")[1].interrupted
            and signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
        )
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("number, code", [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_training_from_the_shell_that_is_told_to_end_ends_with_its_code(number, code, tmp_path):
    """A process of its own, as a job scheduler meets it."""
    settings = ["steps=100000", "batch=16", "checkpoint_every=10", "log_every=10", "n_q=64"]
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "sdl_theory",
            "train",
            "--device",
            "cpu",
            "--out",
            str(tmp_path),
            "--set",
            *settings,
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | dict(OMP_NUM_THREADS="1"),
        cwd=ROOT,
    )
    wait_for(tmp_path / "checkpoint.safetensors", process)
    process.send_signal(number)
    assert process.wait(60) == code
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "checkpoint.safetensors",
        "history.jsonl",
        "report.json",
    ]
    assert (
        holds(tmp_path)[2] >= 10
        and json.loads((tmp_path / "report.json").read_text())["interrupted"] is True
    )


def wait_for(path, process):
    deadline = time.monotonic() + 60
    while not path.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert path.exists()


@pytest.mark.parametrize("method", ["relu", "jumprelu", "batchtopk", "topk", "matryoshka", "gated"])
@pytest.mark.parametrize("every", [0, 1, 5])
def test_a_run_that_diverges_is_an_error_and_the_last_good_checkpoint_stays(
    method, every, tmp_path
):
    """It used to end well, at a loss of 2e19. A checkpoint written at each step is the hardest: the
    loss of the first step is that of the good start.
    """
    bench = LinearRepresentationBench(40, 30, 0.9, 0.3, seed=2, samples=500)
    new = lambda: SDLModel(30, 64, method=method, generator=torch.Generator().manual_seed(1))
    good = Config(steps=60, batch=64, warmup=0, log_every=4, checkpoint_every=5)
    if every:
        fit(new(), bench, good, out=tmp_path, callback=lambda row: row["step"] < 8, progress=False)
        kept = (tmp_path / "checkpoint.safetensors").read_bytes()
        tensors, metadata = read_tensors(tmp_path / "checkpoint.safetensors")
        far = replace(good, lr=1e9, checkpoint_every=every)
        # the same run, had it had that lr from the start
        write_tensors(
            tmp_path / "checkpoint.safetensors", tensors, metadata | dict(config=asdict(far))
        )
        before = (tmp_path / "checkpoint.safetensors").read_bytes()
    with pytest.raises(
        TrainingError,
        match=r"not finite|training diverges: at step \d+ the loss is .*answers 0 has .*\(lr = "
        r"1e\+09\): try a smaller lr",
    ):
        fit(
            new(),
            bench,
            replace(good, lr=1e9, checkpoint_every=every),
            out=tmp_path,
            resume=True,
            progress=False,
        )
    if every:
        assert (tmp_path / "checkpoint.safetensors").read_bytes() == before and len(before) - len(
            kept
        ) < 20
    else:
        assert not (tmp_path / "checkpoint.safetensors").exists()


def test_a_divergence_is_noticed_at_the_next_log():
    with pytest.raises(TrainingError, match="diverges: at step 4 the loss is"):
        fit(
            SDLModel(30, 64, k=4, generator=torch.Generator().manual_seed(1)),
            BENCH,
            Config(steps=60, batch=64, lr=1e9, warmup=0, log_every=4),
            progress=False,
        )


def test_the_instance_that_diverges_is_named():
    model = SDLModel(30, 64, k=4, instances=3, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        model.W_E[1] *= 1e6**0.5
    trainer = Trainer(
        model,
        LinearRepresentationBench(40, 30, 0.9, 0.3, seed=2),
        Config(steps=60, batch=64, log_every=4),
    )
    trainer.step()
    loss = trainer.sums[0].clone()
    assert trainer.diverged(loss).tolist() == [False] * 3, "its start is its own yardstick"
    loss[2] = 1001 * trainer.ceiling[2]
    assert (
        trainer.diverged(loss).tolist() == [False, False, True]
        and trainer.diverged(loss / 1.01).tolist() == [False] * 3
    )
    loss[0] = torch.nan
    assert trainer.diverged(loss).tolist() == [True, False, True]
    trainer.ceiling.zero_()
    assert not trainer.diverged(loss).any(), (
        "where all samples were empty, nothing says what is far"
    )
    with pytest.raises(TrainingError, match="the loss of instance 1 is"):
        fit(
            SDLModel(30, 64, k=4, instances=2, generator=torch.Generator().manual_seed(1)),
            [BENCH, Growing()],
            Config(steps=9, batch=64, lr=1e-3, warmup=0),
            progress=False,
        )


BENCH = LinearRepresentationBench(40, 30, 0.9, 0.3, seed=2)


class Growing:
    """x_p is 1e4 times x_r from the second batch on: no model of the first says anything of it."""

    def batch(self, t, size, **how):
        batch = BENCH.batch(t, size, **how)
        return replace(batch, x_p=batch.x_p * (1e4 if t else 1))


class Scaled:
    def __init__(self, scale, empty=lambda t: False):
        self.scale, self.empty = scale, empty

    def batch(self, t, size, **how):
        batch = BENCH.batch(t, size, **how)
        scale = 0.0 if self.empty(t) else self.scale(t) if callable(self.scale) else self.scale
        return replace(batch, x_p=batch.x_p * scale, x_r=batch.x_r * scale)


@pytest.mark.parametrize("method", ["topk", "relu", "jumprelu"])
@pytest.mark.parametrize(
    "data",
    [
        Scaled(1e12),
        Scaled(1e-12),
        Scaled(1.0, lambda t: True),
        Scaled(1.0, lambda t: t % 3 > 0),
        Scaled(1.0, lambda t: t < 9),
        Scaled(lambda t: 10.0**t),
        Scaled(lambda t: 10.0**-t),
    ],
    ids=["huge", "tiny", "empty", "often empty", "empty at first", "growing", "shrinking"],
)
def test_a_run_that_does_not_diverge_is_no_error(method, data, tmp_path):
    # a bias of lr's size would be 1e9 times the data
    model = SDLModel(
        30,
        64,
        method=method,
        biases=data.scale != 1e-12,
        generator=torch.Generator().manual_seed(1),
    )
    config = Config(
        steps=15, batch=8, lr=1e-3, warmup=3, sparsity=100.0, log_every=1, checkpoint_every=2
    )
    assert fit(model, data, config, out=tmp_path, progress=False).last[0]["step"] == 15


def test_a_wide_relu_whose_start_is_far_above_the_data_is_no_divergence():
    model = SDLModel(4, 4096, method="relu", generator=torch.Generator().manual_seed(1))
    bench = LinearRepresentationBench(5, 4, 0.5, 0.5, seed=2)
    losses = fit(
        model, bench, Config(steps=200, batch=64, lr=1e-4, warmup=10, log_every=1), progress=False
    ).column("loss")
    zero = bench.sample(2000).x_r.square().sum(1).mean().item()
    assert losses[0] > 1e4 * zero and losses[-1] < losses[0]


def test_a_training_from_the_shell_that_diverges_is_an_error(tmp_path, capsys):
    assert (
        main(
            [
                "train",
                "--device",
                "cpu",
                "--out",
                str(tmp_path),
                "--set",
                "steps=40",
                "batch=32",
                "lr=1e9",
                "n_q=64",
            ]
        )
        == 1
    )
    assert (
        "error: training diverges" in capsys.readouterr().err
        and not (tmp_path / "checkpoint.safetensors").exists()
    )


def test_training_in_a_thread_leaves_signals_alone(tmp_path):
    found = []
    thread = threading.Thread(target=lambda: found.append(go(None)[1].last[0]["step"]))
    thread.start()
    thread.join()
    assert found == [40]


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
