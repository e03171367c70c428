"""Ctrl-C, SIGTERM and a callback stop a run between two steps, and it goes on as if nobody had."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from runs_for_tests import ROOT, Interrupted, assert_same, go, holds, only_whole_files

from sdl_theory import Trainer


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
        assert go(tmp_path / name, callback=callback)[1].interrupted
        assert holds(tmp_path / name)[2] == 16
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
    assert holds(tmp_path)[2] == 15
    assert only_whole_files(tmp_path)
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("method", ["jumprelu", "batchtopk"])
def test_sigterm_saves_as_ctrl_c_does(method, tmp_path, monkeypatch):
    go(tmp_path / "whole", method)
    mine = lambda number, frame: pytest.fail("the handler from before heard it")
    before = signal.signal(signal.SIGTERM, mine)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(Trainer, "_descend", _interrupting("_descend", 12, signal.SIGTERM))
            _, history = go(tmp_path / "run", method)
        assert history.interrupted
        assert history.signal == signal.SIGTERM
        assert signal.getsignal(signal.SIGTERM) is mine
    finally:
        signal.signal(signal.SIGTERM, before)
    assert holds(tmp_path / "run")[2] == 13 and only_whole_files(tmp_path / "run")
    _, history = go(tmp_path / "run", method, resume=True)
    assert not history.interrupted
    assert history.signal is None
    assert signal.getsignal(signal.SIGTERM) is before
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
    assert ended.value.code == 143
    assert holds(tmp_path / "twice")[2] == 15
    assert only_whole_files(tmp_path / "twice")
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        assert not go(tmp_path / "ignored")[1].interrupted
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
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
    assert holds(tmp_path)[2] >= 10
    assert json.loads((tmp_path / "report.json").read_text())["interrupted"] is True


def wait_for(path, process):
    deadline = time.monotonic() + 60
    while not path.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert path.exists()


def test_training_in_a_thread_leaves_signals_alone(tmp_path):
    found = []
    thread = threading.Thread(target=lambda: found.append(go(None)[1].last[0]["step"]))
    thread.start()
    thread.join()
    assert found == [40]
