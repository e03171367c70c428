"""Files that runs write: one run to a folder, and a file that replaces another keeps its mode, its
links, and never a device's place.
"""

import fcntl
import json
import multiprocessing
import os
import signal
import socket
import stat
import threading
import time
import warnings
from contextlib import ExitStack

import pytest
import torch

from sdl_theory import Config, LinearRepresentationBench, SDLModel, Trainer, fit, lock
from sdl_theory.__main__ import main
from sdl_theory.experiments import gain
from sdl_theory.files import alive, read_tensors, replacing, sweep, write_atomically, write_tensors
from sdl_theory.lock import InUse, locked

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    ["torch._dynamo", "sdl_theory", "safetensors.torch", "tqdm.auto", "pytest"]
)
BENCH = LinearRepresentationBench(40, 30, 0.9, 0.3, seed=2)


def small(folder, steps=8, **how):
    model = SDLModel(30, 64, k=4, generator=torch.Generator().manual_seed(1))
    return fit(
        model,
        BENCH,
        Config(steps=steps, batch=16, log_every=2, checkpoint_every=2),
        out=folder,
        progress=False,
        **how,
    )


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
    assert process.exitcode == 0 and sorted(path.name for path in folder.iterdir()) == [
        "checkpoint.safetensors",
        "history.jsonl",
    ]
    small(folder, steps=8, resume=True)


def test_a_killed_run_holds_nothing(running):
    folder, process, _ = running
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert (folder / ".lock").exists() and read_tensors(folder / "checkpoint.safetensors")[1][
        "step"
    ] == 4
    assert small(folder, resume=True).last[0]["step"] == 8
    assert sorted(path.name for path in folder.iterdir()) == [
        "checkpoint.safetensors",
        "history.jsonl",
    ]


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
    assert (
        [racer.exitcode for racer in racers] == [0] * 4
        and worst.value == 1
        and list(tmp_path.iterdir()) == []
    )


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
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "checkpoint.safetensors",
        "history.jsonl",
    ]


def test_the_table_and_the_gain_hold_their_file(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(Trainer, "step", lambda self: pytest.fail("a step was made"))
    with locked(tmp_path / "t.json"):
        assert (
            main(["table", "--device", "cpu", "--out", str(tmp_path / "t.json")]) == 1
            and "t.json is in use: another run" in capsys.readouterr().err
        )
        assert (
            gain.main(["--out", str(tmp_path / "t.json")]) == 1
            and "t.json is in use" in capsys.readouterr().err
        )
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
    assert out in error and (
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


@pytest.fixture
def mask():
    before = os.umask(0o027)
    yield
    os.umask(before)


def test_a_new_file_has_the_umask_and_a_replaced_one_its_mode(tmp_path, mask):
    path = tmp_path / "f"
    write_atomically(path, b"1")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    for mode in (0o600, 0o664, 0o777, 0o604):
        path.chmod(mode)
        write_atomically(path, b"2")
        assert stat.S_IMODE(path.stat().st_mode) == mode and path.read_bytes() == b"2"
        write_tensors(path, dict(W=torch.ones(2)), {})
        assert stat.S_IMODE(path.stat().st_mode) == mode
    assert [one.name for one in tmp_path.iterdir()] == ["f"]


@pytest.mark.parametrize("relative", [False, True])
def test_a_link_stays_and_its_target_is_written(relative, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    target, link, second = tmp_path / "a/target", tmp_path / "b/link", tmp_path / "second"
    target.write_bytes(b"old")
    link.symlink_to("../a/target" if relative else target)
    second.symlink_to(link)
    for path in (link, second):
        write_atomically(path, path.name.encode())
        assert (
            path.is_symlink()
            and target.read_bytes() == path.name.encode()
            and not target.is_symlink()
        )
    dangling = tmp_path / "dangling"
    dangling.symlink_to(tmp_path / "new/file")
    write_atomically(dangling, b"there")
    assert dangling.is_symlink() and (tmp_path / "new/file").read_bytes() == b"there"
    assert sorted(path.name for path in tmp_path.rglob("*")) == [
        "a",
        "b",
        "dangling",
        "file",
        "link",
        "new",
        "second",
        "target",
    ]


def test_a_run_in_a_linked_folder_with_linked_files(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "disk")
    small(tmp_path / "run", callback=lambda row: row["step"] < 4)
    (tmp_path / "disk/history.jsonl").rename(tmp_path / "history")
    (tmp_path / "disk/history.jsonl").symlink_to(tmp_path / "history")
    small(tmp_path / "disk", resume=True)
    assert (tmp_path / "run").is_symlink() and (tmp_path / "run/history.jsonl").is_symlink()
    assert [
        json.loads(line)["step"] for line in (tmp_path / "history").read_text().splitlines()
    ] == [2, 4, 6, 8]


@pytest.mark.parametrize("kind", ["device", "pipe", "folder", "loop", "socket"])
def test_what_is_no_file_is_not_written_over(kind, tmp_path):
    path = tmp_path / kind
    listening = socket.socket(socket.AF_UNIX)
    {
        "device": lambda: path.symlink_to("/dev/null"),
        "pipe": lambda: os.mkfifo(path),
        "folder": path.mkdir,
        "loop": lambda: path.symlink_to(path),
        "socket": lambda: listening.bind(str(path)),
    }[kind]()
    with pytest.raises(
        OSError, match="in a circle: name another" if kind == "loop" else "this is a .*name another"
    ):
        write_atomically(path, b"x")
    listening.close()
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode) and [
        one.name for one in tmp_path.iterdir()
    ] == [kind]


def _sleep():
    time.sleep(60)


def test_a_sweep_takes_what_the_dead_left_and_nothing_else(tmp_path):
    other = FORKS.Process(target=_sleep)
    other.start()
    dead = FORKS.Process(target=int)
    dead.start()
    dead.join()
    left = {
        name: tmp_path / f".f.{name}.tmp"
        for name in (
            f"{other.pid}.0",
            f"{dead.pid}.3",
            f"{dead.pid}",
            f"{os.getpid()}.1",
            "strange",
        )
    }
    others = [tmp_path / f".g.{dead.pid}.0.tmp", tmp_path / f"f.{dead.pid}.0.tmp", tmp_path / "f"]
    for path in (*left.values(), *others):
        path.touch()
    sweep(tmp_path / "f", False)
    assert [name for name, path in left.items() if not path.exists()] == [
        f"{dead.pid}.3",
        f"{dead.pid}",
    ] and all(path.exists() for path in others)
    sweep(tmp_path / "f", True)
    assert not any(path.exists() for path in left.values()) and all(
        path.exists() for path in others
    )
    other.kill()
    other.join()
    assert alive(os.getpid()) and alive(1) and not alive(dead.pid) and not alive(10**30)


def test_a_name_that_is_a_pattern_is_only_itself(tmp_path):
    for name in ("[ab]", "a"):
        (tmp_path / f".{name}.999999999.0.tmp").touch()
    sweep(tmp_path / "[ab]", True)
    assert [path.name for path in tmp_path.iterdir()] == [".a.999999999.0.tmp"]


def test_two_threads_that_write_one_file_do_not_meet(tmp_path):
    with (
        warnings.catch_warnings(),
        replacing(tmp_path / "f") as first,
        replacing(tmp_path / "f") as second,
    ):
        assert first != second
        first.write_bytes(b"1")
        second.write_bytes(b"2")
    assert (tmp_path / "f").read_bytes() == b"1" and [path.name for path in tmp_path.iterdir()] == [
        "f"
    ]
