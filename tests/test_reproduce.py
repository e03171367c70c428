"""Presets, the table, and the command line: small runs of the real thing."""

import json
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from sdl_theory import LinearRepresentationBench, SDLModel, evaluate, read_saelens, setup, table_1
from sdl_theory.__main__ import main
from sdl_theory.reproduce import PRESETS, ROWS, TABLE_1, _table_row

TINY = replace(PRESETS["demo"], bench=dict(n=20, n_p=16, S=.95, mu=.5), n_q=48, k=2, anchors=3, seeds=2,
               config=replace(PRESETS["demo"].config, steps=40, batch=64, log_every=20, eval_every=0),
               rows={name: {key: value for key, value in row.items() if key != "bench"} for name, row in PRESETS["demo"].rows.items()})


@pytest.mark.parametrize("preset, method", [("demo", method) for method in ROWS] + [("paper", method) for method in ("topk", "crosscoder", "matryoshka")])
def test_every_row_of_every_preset_can_be_set_up(preset, method):
    row = setup(preset, method, anchors=None, seeds=[7], instances=False)
    want = PRESETS[preset]
    assert row.model.n_q == want.n_q and row.data[0].n == want.bench["n"] and row.anchors[0].k == want.anchors
    assert row.data[0].kind == ROWS[method][1] and row.model.method == ROWS[method][0] and row.model.biases == (method == "relu_biased")
    assert (row.config.target_l0 is not None) == (method in ("jumprelu", "gated")) and row.config.seed == 7


def test_paper_preset_is_the_papers_setting():
    row = setup("paper", seeds=[0], instances=False)
    bench = row.data[0]
    assert (bench.n, bench.n_p, bench.S, bench.mu, bench.samples, row.model.n_q) == (1000, 768, .99, .1, 100_000, 16_000)


def test_overrides_and_their_limits():
    row = setup(TINY, "matryoshka", k=1, lr=1e-4, n_q=32, bench=dict(S=.9), seeds=[3, 5])
    assert row.model.k == 1 and row.config.lr == 1e-4 and row.model.n_q == 32 and row.data[1].S == .9 and row.data[1].seed == 5 and row.model.instances == 2
    for arguments, words in [(dict(preset="huge"), "preset must be one of"), (dict(method="vae"), "method must be one of"), (dict(seeds=[1, 2], instances=False), "one model: seeds must name one; got .1, 2."), (dict(seeds=[]), "at least one; got")]:
        with pytest.raises(ValueError, match=words):
            setup(**arguments)


def test_both_rows_of_a_method_are_judged_on_the_same_held_out_features(monkeypatch):
    import sdl_theory.reproduce as reproduce

    asked = []
    monkeypatch.setattr(reproduce, "evaluate", lambda model, data, **how: asked.append(how["anchored"]) or evaluate(model, data, **how))
    table = table_1(TINY, ["topk", "relu"], progress=False)
    assert [(row.method, row.anchored, row.seeds) for row in table] == [("topk", 0, 2), ("topk", 3, 2), ("relu", 0, 2), ("relu", 3, 2)]
    assert asked[0] == asked[1] and all(len(features) == 3 for features in asked[0])
    assert all(row.decoder_mip.low <= row.decoder_mip.value <= row.decoder_mip.high for row in table) and table[0].null_mip.value > .3
    assert "[" in str(table) and "decoder_recovery" in str(table)
    assert len(TABLE_1) == 7


def test_intervals_of_a_row_stay_where_the_figure_can_lie():
    row = setup(TINY, "topk")
    figures = evaluate(row.model, row.data, samples=200)[0].summary()
    two = [SimpleNamespace(summary=lambda value=value: {name: value for name in figures}) for value in (0.0, 1.0)]
    row = _table_row("topk", row, two, 0.0)
    shares = [row.decoder_recovery, row.decoder_mip, row.encoder_recovery, row.encoder_mip, row.null_mip, row.mirrored]
    assert all((one.low, one.value, one.high) == (0, .5, 1) for one in shares)
    assert row.l0.low == 0 and row.l0.high > 1 and row.explained.low < 0 and row.explained.high == 1


def test_the_command_line_trains_resumes_and_writes(tmp_path, capsys):
    out, saelens = tmp_path / "run", tmp_path / "saelens"
    words = ["train", "--method", "jumprelu", "--anchors", "5", "--device", "cpu", "--out", str(out), "--saelens", str(saelens),
             "--set", "steps=30", "checkpoint_every=10", "n=30", "n_p=24", "n_q=60", "mu=.4", "batch=64", "target_l0=None"]
    assert main(words) == 0
    assert "25 held-out features (5 anchored ones left out)" in capsys.readouterr().out
    report = json.loads((out / "report.json").read_text())["reports"][0]
    made = SDLModel.load(out / "checkpoint.safetensors")
    bench = LinearRepresentationBench(30, 24, .99, .4)
    x = bench.sample(5).x_p
    torch.testing.assert_close(read_saelens(saelens).encode(x), made.encode(x))
    assert report["heldout"] == 25 and report["n_q"] == 60
    assert main(words) == 1 and "pass resume=True" in capsys.readouterr().err
    assert main([*words, "--resume"]) == 0
    assert main([*words[:-1], "target_l0=3", "--resume"]) == 1 and "config.target_l0 is None" in capsys.readouterr().err


def test_the_command_line_names_what_it_does_not_know(capsys):
    for words, message in [(["train", "--set", "learning_rate=1"], "no such setting"), (["train", "--device", "cuda"], "no CUDA device")]:
        if "cuda" in words and torch.cuda.is_available():
            continue
        with pytest.raises(SystemExit, match=message):
            main(words)
    assert main(["train", "--method", "vae"]) == 1 and "method must be one of" in capsys.readouterr().err


def test_table_command_writes_json_and_goes_on(tmp_path, capsys):
    out = tmp_path / "table.json"
    words = [sys.executable, "-m", "sdl_theory", "table", "--methods", "topk", "--seeds", "0", "1", "--device", "cpu", "--out", str(out),
             "--set", "steps=20", "n=20", "n_p=16", "n_q=32", "mu=.5", "batch=32"]
    assert "null_mip" in subprocess.run(words, check=True, capture_output=True, text=True).stdout
    stored = json.loads(out.read_text())
    rows = stored["rows"]
    assert stored["torch"] == torch.__version__ and stored["threads"] >= 1 and stored["preset"] == "demo"
    assert [row["anchored"] for row in rows] == [0, 10] and rows[0]["decoder_mip"]["low"] <= rows[0]["decoder_mip"]["value"]
    stored["rows"] = rows[:1]                                                                    # as if it had been stopped between the two
    out.write_text(json.dumps(stored))
    assert main(words[3:]) == 0
    again = json.loads(out.read_text())["rows"]
    assert again[0] == rows[0] and again[1]["decoder_mip"]["value"] == pytest.approx(rows[1]["decoder_mip"]["value"], abs=1e-5)
    assert main([*words[3:], "k=1"]) == 1 and "holds another table" in capsys.readouterr().err
