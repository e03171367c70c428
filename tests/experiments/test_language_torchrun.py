"""Figure 7 by two processes is figure 7 by one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from language_for_tests import made, words_of

from sdl_theory.__main__ import main

ROOT = Path(__file__).resolve().parents[2]
ASKED = ["--kind", "sae", "--arms", "nothing", "residuals", "--seeds", "1"]


def torchrun(words):
    launcher = "-m torch.distributed.run --nproc-per-node 2 --standalone -m sdl_theory".split()
    return subprocess.run(
        [sys.executable, *launcher, *words],
        capture_output=True,
        text=True,
        env=os.environ | dict(OMP_NUM_THREADS="1", GLOO_SOCKET_IFNAME="lo"),
        cwd=ROOT,
        timeout=120,
    )


def test_two_processes_make_the_rows_that_one_makes(tmp_path):
    place = made(tmp_path)
    two = words_of(place, *ASKED, "--out", place / "two.json")
    early = torchrun(two)
    assert early.returncode and "no finished harvest" in early.stderr
    assert main(words_of(place, *ASKED, "--out", place / "one.json")) == 0
    done = torchrun(two)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Against nothing") == 1, "the first process alone prints"
    ours, theirs = (json.loads((place / f"{n}.json").read_text())["rows"] for n in ("one", "two"))
    assert [row["arm"] for row in theirs] == ["nothing", "residuals"]
    for one, other in zip(ours, theirs):
        assert other["curve"]["loss"] == pytest.approx(one["curve"]["loss"], rel=0.02)
        assert other["resampled"] == one["resampled"]
