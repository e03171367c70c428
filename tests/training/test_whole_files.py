"""A file that replaces another keeps its mode, its links, and never a device's place.

What the dead left half-written is swept away.
"""

import json
import os
import socket
import stat
import time
import warnings

import pytest
import torch
from runs_for_tests import FORKS, small

from sdl_theory.files import alive, replacing, sweep, write_atomically, write_tensors


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
        assert path.is_symlink()
        assert target.read_bytes() == path.name.encode()
        assert not target.is_symlink()
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
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    assert [one.name for one in tmp_path.iterdir()] == [kind]


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
    ]
    assert all(path.exists() for path in others)
    sweep(tmp_path / "f", True)
    assert not any(path.exists() for path in left.values())
    assert all(path.exists() for path in others)
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
    assert (tmp_path / "f").read_bytes() == b"1"
    assert [path.name for path in tmp_path.iterdir()] == ["f"]
