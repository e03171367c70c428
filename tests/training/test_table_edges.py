"""The table and the command line at an edge: a row cut short, foreign files, no git."""

import json
import signal
from dataclasses import replace

import pytest

from sdl_theory import Trainer, table_1
from sdl_theory.__main__ import main
from sdl_theory.experiments.presets import PRESETS
from sdl_theory.experiments.provenance import provenance

TINY = replace(
    PRESETS["demo"],
    bench=dict(n=20, n_p=16, S=0.95, mu=0.5),
    n_q=48,
    k=2,
    anchors=3,
    seeds=2,
    config=replace(PRESETS["demo"].config, steps=40, batch=64, log_every=20, eval_every=0),
)


def test_half_a_row_is_no_row_of_the_table(monkeypatch):
    steps, table, step = [], [], Trainer.step
    monkeypatch.setattr(
        Trainer,
        "step",
        lambda self: (
            step(self),
            steps.append(1),
            len(steps) == 60 and signal.raise_signal(signal.SIGINT),
        ),
    )
    with pytest.raises(KeyboardInterrupt, match="row topk, anchored"):
        table_1(TINY, ["topk"], progress=False, callback=lambda rows: table.append(len(rows)))
    assert table == [1]


def test_the_table_keeps_the_rows_of_other_methods(tmp_path, capsys):
    words = [
        "table",
        "--seeds",
        "0",
        "--device",
        "cpu",
        "--out",
        str(tmp_path / "t.json"),
        "--set",
        "steps=2",
        "n=20",
        "n_p=16",
        "n_q=32",
        "mu=.5",
        "batch=16",
        "unit_norm=false",
    ]
    for method in ("topk", "relu"):
        assert main([*words, "--methods", method]) == 0
    rows = json.loads((tmp_path / "t.json").read_text())["rows"]
    assert sorted((row["method"], row["anchored"]) for row in rows) == [
        ("relu", 0),
        ("relu", 10),
        ("topk", 0),
        ("topk", 10),
    ]
    for foreign in ("{", "[]", "{}", '{"rows": [{"method": "topk"}]}'):
        (tmp_path / "t.json").write_text(foreign)
        assert main([*words, "--methods", "topk"]) == 1
        assert "no table's JSON" in capsys.readouterr().err
    assert (
        main(["train", "--device", "cpu", "--seeds", "0", "1", "--saelens", str(tmp_path / "s")])
        == 1
    )
    assert "one model" in capsys.readouterr().err
    assert main(["train", "--device", "cpu", "--set", "lr=abc"]) == 1
    assert "lr must be a number" in capsys.readouterr().err


def test_a_report_without_git_and_one_of_a_stopped_run(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    assert provenance()["commit"] is None
    step = Trainer.step
    monkeypatch.setattr(
        Trainer,
        "step",
        lambda self: (step(self), self.steps_done == 3 and signal.raise_signal(signal.SIGINT)),
    )
    assert (
        main(["train", "--device", "cpu", "--out", str(tmp_path), "--set", "steps=9", "batch=16"])
        == 130
    )
    assert json.loads((tmp_path / "report.json").read_text())["interrupted"] is True


@pytest.mark.parametrize("command", ["train --anchors 20", "table --methods topk"])
def test_anchors_that_leave_no_feature_are_refused_before_training(command, monkeypatch, capsys):
    monkeypatch.setattr(Trainer, "step", lambda self: pytest.fail("a step was made"))
    n = "20" if command.startswith("train") else "10"  # the demo's table anchors ten
    assert (
        main(
            [
                *command.split(),
                "--device",
                "cpu",
                "--seeds",
                "0",
                "--set",
                f"n={n}",
                "n_p=16",
                "mu=.5",
                "n_q=40",
                "steps=5",
                "batch=16",
            ]
        )
        == 1
    )
    assert f"anchors = {n} are all the n = {n} features" in capsys.readouterr().err
