"""Runs of a table's lines: their arms, and the file that keeps them."""

import json
from dataclasses import replace

import pytest
import torch

from sdl_theory.__main__ import main
from sdl_theory.experiments import presets
from sdl_theory.experiments.paper import runs
from sdl_theory.experiments.paper.compare import FOUND, compare, difference, others
from sdl_theory.experiments.paper.lines import lines
from sdl_theory.experiments.paper.record import Record, load, merge
from sdl_theory.experiments.paper.runs import together
from sdl_theory.experiments.rows import train_row

LINE = lines(7)[0]


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    """The demo preset, but tiny."""
    own = presets.PRESETS["demo"]
    config = replace(own.config, steps=12, batch=16, log_every=4, checkpoint_every=4, eval_every=0)
    small = replace(
        own, bench=dict(n=16, n_p=12, S=0.9, mu=0.5), n_q=24, anchors=3, config=config, rows={}
    )
    monkeypatch.setitem(presets.PRESETS, "demo", small)
    monkeypatch.setattr(runs, "SAMPLES", 50)


def made(line, arm, folder=None):
    return runs.run(line, arm, "demo", [0, 1], progress=False, folder=folder)


def test_all_arms_are_judged_on_the_features_that_none_is_shown():
    prepared = {arm: runs.prepare(LINE, arm, "demo", [0, 1]) for arm in runs.arms(1)}
    shown = prepared["anchored"][1]
    assert all(features == shown and len(shown[0]) == 3 for _, features in prepared.values())
    true, sham = prepared["anchored"][0], prepared["sham"][0]
    for seed, (one, other) in enumerate(zip(true.anchors, sham.anchors)):
        W_p = true.data[seed].W_p
        assert torch.allclose(one.W_E.mT, W_p[:, list(one.features)].to(one.W_E))
        cosines = (other.W_E.to(W_p) @ W_p).abs()
        assert (
            other.k == 3
            and cosines.max() < 0.999
            and other.W_E.norm(dim=1).allclose(torch.ones(3, dtype=other.W_E.dtype))
        )
    assert prepared["plain"][0].anchors is None
    assert prepared["plain, unclipped"][0].config.clip > 1e6 > prepared["plain"][0].config.clip
    starts = [row.model.W_E for row, _ in prepared.values()]
    assert all(torch.equal(starts[0], one) for one in starts)


def test_a_difference_is_taken_seed_by_seed(tmp_path):
    record = Record(7, "demo", [0, 1], tmp_path / "runs.json")
    for arm in runs.ARMS:
        record.keep(made(LINE, arm))
    plain, anchored = (record.runs[1, arm]["figures"]["loss"] for arm in ("plain", "anchored"))
    gain = difference(record, LINE, "loss", arm="anchored", other="plain")
    mean = sum(b - a for a, b in zip(plain, anchored)) / 2
    assert gain.value == pytest.approx(mean) and gain.low < gain.value < gain.high
    (row,) = compare(record, FOUND)
    assert row.line == "topk, k = 32" and row.printed == "1 -> 1"
    assert row.direction == "none printed"
    assert [one.arm for one in others(record)] == ["anchored", "plain", "sham"]
    again = Record(7, "demo", [0, 1], tmp_path / "runs.json")
    assert again.runs == record.runs and again.missing(lines(7)[:1]) == []
    assert [(line.number, arm) for line, arm in again.missing(lines(7)[:2])] == [
        (2, arm) for arm in runs.ARMS
    ]


def test_a_run_that_another_table_has_is_taken_from_there(tmp_path):
    first = lines(7)[0]
    seven = Record(7, "demo", [0, 1], tmp_path / "table_7_runs_demo.json")
    seven.keep(made(first, "plain"))
    one = Record(1, "demo", [0, 1], tmp_path / "table_1_runs_demo.json")
    topk = next(line for line in lines(1) if line.method == "topk")
    taken = one.elsewhere(topk, "plain")
    own = made(topk, "plain")
    assert taken["figures"] == own["figures"] and taken["settings"] == own["settings"]
    assert (taken["line"], taken["name"]) == (topk.number, "topk")
    assert taken["same_run_as"] == "Table 7, topk, k = 32"
    others = [line for line in lines(1) if line.method in ("relu", "transcoder")]
    assert [one.elsewhere(line, "plain") for line in others] == [None, None]
    assert one.elsewhere(topk, "anchored") is None
    other_seeds = Record(1, "demo", [0, 2], tmp_path / "table_1_runs_demo.json")
    assert other_seeds.elsewhere(topk, "plain") is None


def test_a_stopped_run_goes_on_and_gives_the_same_figures(tmp_path, monkeypatch):
    whole = made(LINE, "anchored", tmp_path / "whole")
    stops = iter([4, 8])

    def stopped(row, **how):
        at = next(stops, None)
        stop = (lambda rows: rows[0]["step"] < at) if at else None
        return train_row(row, callback=stop, **how)

    monkeypatch.setattr(runs, "train_row", stopped)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt, match="stopped within Table 7, topk, k = 32"):
            made(LINE, "anchored", tmp_path / "half")
        assert (tmp_path / "half/seed_0/checkpoint.safetensors").exists()
    again = made(LINE, "anchored", tmp_path / "half")
    assert again["figures"] == whole["figures"] and again["settings"] == whole["settings"]
    assert not (tmp_path / "half").exists()


def test_large_models_train_seed_by_seed(tmp_path, monkeypatch):
    """And a stopped run goes on with the seed that it was stopped in."""
    monkeypatch.setattr(runs, "LARGE", 16 * 24)
    prepared = runs.prepare(LINE, "anchored", "demo", [1])[0]
    assert prepared.model.instances is None and prepared.config.seed == 1
    whole = made(LINE, "anchored")
    alone = runs.run(LINE, "anchored", "demo", [1], progress=False)
    assert all(whole["figures"][name][1:] == values for name, values in alone["figures"].items())
    trained = []

    def stopped(row, **how):
        trained.append(row.config.seed)
        stop = (lambda row: row["step"] < 8) if trained == [0, 1] else None
        return train_row(row, callback=stop, **how)

    monkeypatch.setattr(runs, "train_row", stopped)
    with pytest.raises(KeyboardInterrupt):
        made(LINE, "anchored", tmp_path / "half")
    again = made(LINE, "anchored", tmp_path / "half")
    assert trained == [0, 1, 1] and again["figures"] == whole["figures"]
    assert not (tmp_path / "half").exists()


def test_a_record_of_something_else_is_named(tmp_path):
    record = Record(7, "demo", [0, 1], tmp_path / "runs.json")
    record.keep(made(LINE, "plain"))
    with pytest.raises(ValueError, match=r"holds other runs \(table 7, preset demo, seeds \[0, 1"):
        Record(7, "demo", [0, 1, 2], tmp_path / "runs.json")
    stored = json.loads((tmp_path / "runs.json").read_text())
    stored["runs"][0]["settings"]["config"]["lr"] = 7
    (tmp_path / "other.json").write_text(json.dumps(stored))
    with pytest.raises(ValueError, match="topk, k = 32, plain, was made with another config"):
        Record(7, "demo", [0, 1], tmp_path / "other.json").missing([LINE])
    for damage in ("{", "[]", '{"table": 7}', '{"table": 3, "runs": []}'):
        (tmp_path / "bad.json").write_text(damage)
        with pytest.raises(ValueError, match="bad.json is no record of a table's runs"):
            load(tmp_path / "bad.json")


def test_two_machines_share_a_table(tmp_path, capsys):
    one, two, both = (tmp_path / name for name in ("one.json", "two.json", "both.json"))
    table = ["table", "7", "--device", "cpu", "--seeds", "2"]
    assert main([*table, "--rows", "1", "2", "--out", str(one)]) == 0
    assert main([*table, "--rows", "3", "--out", str(two)]) == 0
    assert not one.with_name("one.running").exists()
    capsys.readouterr()
    assert main([*table, "--merge", str(one), str(two), "--out", str(both)]) == 0
    words = capsys.readouterr().out
    assert "topk, k = 32" in words and "topk, k = 128" in words
    whole = tmp_path / "whole.json"
    assert main([*table, "--out", str(whole)]) == 0
    figures = lambda path: [one["figures"] for one in load(path)["runs"]]
    assert figures(both) == figures(whole) and len(figures(whole)) == 9
    stored = json.loads(two.read_text())
    stored["runs"][0]["figures"]["loss"][0] += 1
    two.write_text(json.dumps(stored))
    with pytest.raises(ValueError, match="different figures for topk, k = 128, plain"):
        merge([both, two], tmp_path / "mixed.json")


def test_settings_of_a_numbered_table_are_its_lines(tmp_path, capsys):
    words = ["table", "4", "--set", "lr=1", "--out", str(tmp_path / "t.json")]
    assert main(words) == 1
    assert "--set is for `table` without a number" in capsys.readouterr().err


def test_where_all_is_found_there_is_nothing_to_gain():
    record = Record(5, "demo", [0, 1])
    for arm in runs.ARMS:
        run = dict(line=3, arm=arm, figures={FOUND: [1.0, 1.0]}, seconds=0.0)
        record.keep(run)
    assert [row.direction for row in compare(record, FOUND)] == ["all found before"]
    record.runs[3, "plain"]["figures"][FOUND] = [1.0, 0.9]
    assert [row.direction for row in compare(record, FOUND)] != ["all found before"]


def test_a_gpu_takes_larger_runs_together_than_a_processor():
    assert not together("half", range(5)) and together("half", range(5), "cuda")
    assert together("demo", range(5)) and not together("demo", [0], "cuda")
    assert not together("paper", range(5), "cuda")  # there a step touches the latents that fire
