"""A table killed at any moment, ten times, gives the table that nobody killed."""

import json
import os
import subprocess
import sys

import pytest

SCRIPT = """
import os, random, signal, sys, time
from dataclasses import replace
from sdl_theory.__main__ import main
from sdl_theory.experiments import presets
from sdl_theory.experiments.paper import runs

own = presets.PRESETS["demo"]
config = replace(own.config, steps=100, batch=16, log_every=20, checkpoint_every=20, eval_every=50)
presets.PRESETS["demo"] = replace(
    own, bench=dict(n=16, n_p=12, S=0.9, mu=0.5), n_q=24, anchors=3, config=config, rows={}
)
runs.SAMPLES = 50


def table(out, *more):
    return main(["table", "7", "--device", "cpu", "--seeds", "2", "--out", out, *more])


def start(out):
    child = os.fork()
    if not child:
        os._exit(table(out))
    return child


def end(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


os.chdir(sys.argv[1])
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
assert table("warm.json", "--rows", "1", "--arms", "plain") == 0  # imports, for all who follow
begun = time.monotonic()
assert end(start("whole.json")) == 0
whole, draw, seen, halves = time.monotonic() - begun, random.Random(0), [], 0
for _ in range(10):
    child = start("killed.json")
    time.sleep(draw.uniform(0, whole / 11))  # ten lives are too short for all of it
    os.kill(child, signal.SIGKILL)
    assert end(child) == -signal.SIGKILL
    seen.append(open("killed.json").read().count("figures") if os.path.exists("killed.json") else 0)
    halves += any(files for *_, files in os.walk("killed.running"))
assert end(start("killed.json")) == 0
print([seen, halves], file=sys.stderr)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_ten_times_it_is_the_same_table(tmp_path):
    made = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)],
        capture_output=True,
        text=True,
        env=os.environ | dict(OMP_NUM_THREADS="1"),
    )
    assert made.returncode == 0, made.stderr
    kept, halves = json.loads(made.stderr.splitlines()[-1])
    assert halves >= 2, "hardly a run was killed half-way"
    assert kept == sorted(kept) and kept[-1] < 9, "a run that was there is gone, or all were there"
    whole, killed = (
        json.loads((tmp_path / f"{name}.json").read_text()) for name in ("whole", "killed")
    )
    of = lambda table: [(r["line"], r["arm"], r["settings"], r["figures"]) for r in table["runs"]]
    assert of(killed) == of(whole) and len(of(whole)) == 9
    left = {path.name for path in tmp_path.iterdir()} - {"whole.json", "killed.json", "warm.json"}
    assert left == {name for name in left if name.endswith(".tmp")}, "checkpoints are left over"
