"""One run to a folder: a second one is refused, and a killed one holds nothing."""

import fcntl
import os
import signal
import socket
import stat
import threading
import time
from contextlib import ExitStack

import pytest
import torch
from runs_for_tests import FORKS, only_whole_files, small

from sdl_theory import Trainer, lock
from sdl_theory.__main__ import main
from sdl_theory.experiments import gain
from sdl_theory.files import read_tensors
from sdl_theory.lock import InUse, locked


def _run(folder, begun, go_on):
    """A run that stops after its second log, and waits to be told to go on."""
    torch.set_num_threads(1)
    small(
        folder,
        callback=lambda row: (begun.set(), go_on.wait(60)) and None if row["step"] == 4 else None,
    )


@pytest.fixture
def running(tmp_path):
    """A folder to which another process writes, that process, and what lets it go on."""
    begun, go_on = FORKS.Event(), FORKS.Event()
    process = FORKS.Process(target=_run, args=(tmp_path / "run", begun, go_on))
    process.start()
    assert begun.wait(60)
    yield tmp_path / "run", process, go_on
    process.kill()
    process.join()


def test_a_second_run_in_one_folder_is_refused_and_harms_nothing(running):
    folder, process, go_on = running
    before = (folder / "checkpoint.safetensors").read_bytes()
    for resume in (False, True):
        with pytest.raises(
            InUse,
            match=rf"^{folder} is in use: process {process.pid} writes to it. Wait until that run "
            rf"ends, stop it \(kill {process.pid}\), or give",
        ):
            small(folder, resume=resume)
    assert (folder / "checkpoint.safetensors").read_bytes() == before
    go_on.set()
    process.join(60)
    assert process.exitcode == 0 and only_whole_files(folder)
    small(folder, steps=8, resume=True)


def test_a_killed_run_holds_nothing(running):
    folder, process, _ = running
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert (folder / ".lock").exists()
    assert read_tensors(folder / "checkpoint.safetensors")[1]["step"] == 4
    assert small(folder, resume=True).last[0]["step"] == 8
    assert only_whole_files(folder)


def test_a_second_run_in_the_same_process_is_refused(tmp_path):
    found = []

    def second(row):
        thread = threading.Thread(
            target=lambda: found.append(pytest.raises(InUse, small, tmp_path, resume=True))
        )
        thread.start()
        thread.join()
        small(tmp_path / "own", resume=True)

    small(tmp_path, steps=2, callback=second)
    assert f"another run of this very process ({os.getpid()})" in str(found[0].value)
    with pytest.raises(RuntimeError, match="boom"):
        small(tmp_path / "fails", callback=lambda row: (_ for _ in ()).throw(RuntimeError("boom")))
    assert not (tmp_path / "fails/.lock").exists()
    small(tmp_path / "fails", resume=True)


def _race(path, start, inside, worst):
    start.wait(60)
    for _ in range(200):
        try:
            with locked(path):
                with inside.get_lock():
                    inside.value += 1
                    worst.value = max(worst.value, inside.value)
                time.sleep(1e-4)
                with inside.get_lock():
                    inside.value -= 1
        except InUse:
            pass


def test_never_two_at_once(tmp_path):
    """The file goes with its holder, so who opened it just before must see that it is gone."""
    start, inside, worst = FORKS.Event(), FORKS.Value("i", 0), FORKS.Value("i", 0)
    racers = [
        FORKS.Process(target=_race, args=(tmp_path / "f", start, inside, worst)) for _ in range(4)
    ]
    [racer.start() for racer in racers]
    start.set()
    [racer.join(60) for racer in racers]
    assert [racer.exitcode for racer in racers] == [0] * 4
    assert worst.value == 1
    assert list(tmp_path.iterdir()) == []


def test_a_lock_file_removed_between_its_opening_and_its_locking_is_not_taken(
    tmp_path, monkeypatch
):
    """Its holder ended just then: another may have made and taken a new one."""
    path, flock, others = tmp_path / ".f.lock", lock._flock, []

    def late(number):
        if not others:
            path.unlink()
            others.append(os.open(path, os.O_RDWR | os.O_CREAT))
            flock(others[0])
        flock(number)

    monkeypatch.setattr(lock, "_flock", late)
    with pytest.raises(InUse), locked(tmp_path / "f"):
        pytest.fail("held by two")
    os.close(others[0])


def test_a_lock_that_somebody_removed_and_another_took_is_left_alone(tmp_path):
    with ExitStack() as first, ExitStack() as second:
        first.enter_context(locked(tmp_path / "f"))
        (tmp_path / ".f.lock").unlink()
        second.enter_context(locked(tmp_path / "f"))
        first.close()
        with pytest.raises(InUse), locked(tmp_path / "f"):
            pytest.fail("held by two")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "holder, words",
    [
        (f"4711 {socket.gethostname()}", r"process 4711 writes to it.*\(kill 4711\)"),
        ("4711 elsewhere", r"process 4711 on elsewhere.*\(kill 4711 there\)"),
        ("", "another process writes to it.*, stop it, or"),
        ("nonsense", "another process"),
    ],
)
def test_the_holder_is_named_as_far_as_it_is_known(holder, words, tmp_path):
    path = tmp_path / ".lock"
    path.write_text(holder)
    with open(path) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(InUse, match=words):
            small(tmp_path)
    assert path.exists()


@pytest.mark.parametrize("without", ["platform", "disk"])
def test_where_there_are_no_locks_a_warning_says_so_and_the_run_goes_on(
    without, tmp_path, monkeypatch
):
    if without == "platform":
        monkeypatch.setattr(lock, "fcntl", None)
    else:
        monkeypatch.setattr(
            fcntl,
            "flock",
            lambda number, how: (_ for _ in ()).throw(
                OSError(lock.errno.ENOLCK, "No locks available")
            ),
        )
    with pytest.warns(UserWarning, match="has no file locks .*so nothing keeps a second run out"):
        small(tmp_path)
    assert only_whole_files(tmp_path)


def test_the_table_and_the_gain_hold_their_file(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(Trainer, "step", lambda self: pytest.fail("a step was made"))
    with locked(tmp_path / "t.json"):
        assert main(["table", "--device", "cpu", "--out", str(tmp_path / "t.json")]) == 1
        assert "t.json is in use: another run" in capsys.readouterr().err
        assert gain.main(["--out", str(tmp_path / "t.json")]) == 1
        assert "t.json is in use" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["train", "table", "gain"])
@pytest.mark.parametrize("kind", ["device", "pipe", "folder"])
def test_an_out_that_cannot_be_written_is_refused_before_training(
    command, kind, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(Trainer, "step", lambda self: pytest.fail("a step was made"))
    os.mkfifo(tmp_path / "pipe")
    out = {"device": "/dev/null", "pipe": str(tmp_path / "pipe"), "folder": str(tmp_path)}[kind]
    if (command, kind) == ("train", "folder"):
        (tmp_path / "file").touch()
        out = str(tmp_path / "file")
    before = stat.S_IFMT(os.stat(out).st_mode)
    assert (
        gain.main(["--out", out])
        if command == "gain"
        else main([command, "--device", "cpu", "--out", out])
    ) == 1
    error = capsys.readouterr().err
    assert out in error
    assert (
        "out must be a folder" in error
        if command == "train"
        else "this is a" in error and "name another" in error
    )
    assert stat.S_IFMT(os.stat(out).st_mode) == before and not os.path.exists("/dev/.null.lock")


def test_an_interrupted_arm_is_no_arm(tmp_path, monkeypatch):
    step = Trainer.step
    monkeypatch.setattr(
        Trainer,
        "step",
        lambda self: (step(self), self.steps_done == 3 and signal.raise_signal(signal.SIGTERM)),
    )
    assert (
        gain.main(["--methods", "topk", "--seeds", "0", "--out", str(tmp_path / "g.json")]) == 130
    )
    assert list(tmp_path.iterdir()) == []
