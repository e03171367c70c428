"""torchrun itself: it goes on with a run, and when told to end leaves a checkpoint that goes on."""

import json
import os
import subprocess
import sys
import time

import pytest
from runs_for_tests import ROOT

from sdl_theory import setup, train_row
from sdl_theory.__main__ import main
from sdl_theory.files import read_tensors

SETTINGS = ["steps=60", "batch=128", "checkpoint_every=20", "log_every=10", "eval_every=0"]


def torchrun(*command) -> dict:
    """What begins two processes of this command, for subprocess.run or Popen."""
    launcher = "-m torch.distributed.run --nproc-per-node 2 --standalone -m sdl_theory"
    return dict(
        args=[sys.executable, *launcher.split(), *command],
        text=True,
        env=os.environ | dict(OMP_NUM_THREADS="1", GLOO_SOCKET_IFNAME="lo"),
        cwd=ROOT,
    )


def test_torchrun_goes_on_with_a_run_and_ends_where_one_process_does(tmp_path, capsys):
    command = ["train", "--preset", "demo", "--method", "batchtopk", "--anchors", "5"]
    command += ["--set", *SETTINGS, "--out"]
    assert main([*command, str(tmp_path / "one")]) == 0
    row = setup(
        "demo",
        "batchtopk",
        anchors=5,
        seeds=[0],
        instances=False,
        **{name: int(value) for name, value in (s.split("=") for s in SETTINGS)},
    )
    train_row(row, out=tmp_path / "two", callback=lambda row: row["step"] < 30, progress=False)
    begun = (tmp_path / "two/history.jsonl").read_text()
    both = torchrun(*command, str(tmp_path / "two"), "--resume")
    done = subprocess.run(**both, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("recovery") == capsys.readouterr().out.count("recovery"), (
        "one report, by the first process"
    )
    assert (tmp_path / "two/history.jsonl").read_text().startswith(begun) and begun.count("\n") == 3
    one, two = (
        json.loads((tmp_path / name / "report.json").read_text())["reports"][0]
        for name in ("one", "two")
    )
    assert two == pytest.approx(one, rel=1e-3, abs=1e-3)


def test_torchrun_told_to_end_leaves_a_checkpoint_that_goes_on(tmp_path):
    """torchrun hands SIGTERM on to its processes, which stop together at the next log."""
    folder = tmp_path / "run"
    command = ["train", "--preset", "demo", "--method", "topk", "--device", "cpu"]
    command += ["--set", "steps=100000", "batch=128", "log_every=10", "checkpoint_every=50"]
    command += ["n_q=80", "eval_every=0", "--out", str(folder)]
    process = subprocess.Popen(
        **torchrun(*command), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    checkpoint, deadline = folder / "checkpoint.safetensors", time.monotonic() + 90
    while not checkpoint.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    process.terminate()
    _, words = process.communicate(timeout=60)
    assert checkpoint.exists(), words
    step = read_tensors(checkpoint)[1]["step"]
    report = json.loads((folder / "report.json").read_text())
    assert step >= 50
    assert step % 10 == 0
    assert report["interrupted"] is True
    assert report["processes"] == 2
    assert sorted(path.name for path in folder.iterdir()) == [
        "checkpoint.safetensors",
        "history.jsonl",
        "report.json",
    ]
    assert json.loads((folder / "history.jsonl").read_text().splitlines()[-1])["step"] == step
    assert process.returncode != 0 and "exitcode" in words or "Signal" in words
