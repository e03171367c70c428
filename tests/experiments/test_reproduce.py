"""Presets, the table, and the command line: small runs of the real thing."""

import json
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from sdl_theory import (
    LinearRepresentationBench,
    SDLModel,
    ShiftedExponential,
    Uniform,
    evaluate,
    read_saelens,
    setup,
    table_1,
)
from sdl_theory.__main__ import main
from sdl_theory.experiments.presets import PRESETS, ROWS, TABLE_1
from sdl_theory.experiments.tables import TableRow, _table_row
from sdl_theory.files import read_tensors

TINY = replace(
    PRESETS["demo"],
    bench=dict(n=20, n_p=16, S=0.95, mu=0.5),
    n_q=48,
    k=2,
    anchors=3,
    seeds=2,
    config=replace(PRESETS["demo"].config, steps=40, batch=64, log_every=20, eval_every=0),
    rows={
        name: {key: value for key, value in row.items() if key != "bench"}
        for name, row in PRESETS["demo"].rows.items()
    },
)


@pytest.mark.parametrize(
    "preset, method",
    [("demo", method) for method in ROWS]
    + [("paper", method) for method in ("topk", "crosscoder", "matryoshka")],
)
def test_every_row_of_every_preset_can_be_set_up(preset, method):
    row = setup(preset, method, anchors=None, seeds=[7], instances=False)
    want = PRESETS[preset]
    assert (
        row.model.n_q == want.n_q
        and row.data[0].n == want.bench["n"]
        and row.anchors[0].k == want.anchors
    )
    assert (
        row.data[0].kind == ROWS[method][1]
        and row.model.method == ROWS[method][0]
        and row.model.biases == (method == "relu_biased")
    )
    assert (row.config.target_l0 is not None) == (
        method in ("jumprelu", "gated")
    ) and row.config.seed == 7


def test_paper_preset_is_the_papers_setting():
    row = setup("paper", seeds=[0], instances=False)
    bench = row.data[0]
    assert (bench.n, bench.n_p, bench.S, bench.mu, bench.samples, row.model.n_q) == (
        1000,
        768,
        0.99,
        0.1,
        100_000,
        16_000,
    )


def test_overrides_and_their_limits():
    row = setup(TINY, "matryoshka", k=1, lr=1e-4, n_q=32, bench=dict(S=0.9), seeds=[3, 5])
    assert (
        row.model.k == 1
        and row.config.lr == 1e-4
        and row.model.n_q == 32
        and row.data[1].S == 0.9
        and row.data[1].seed == 5
        and row.model.instances == 2
    )
    for arguments, words in [
        (dict(preset="huge"), "preset must be one of"),
        (dict(method="vae"), "method must be one of"),
        (dict(seeds=[1, 2], instances=False), "one model: seeds must name one; got .1, 2."),
        (dict(seeds=[]), "at least one; got"),
    ]:
        with pytest.raises(ValueError, match=words):
            setup(**arguments)


def test_both_rows_of_a_method_are_judged_on_the_same_held_out_features(monkeypatch):
    import sdl_theory.experiments.tables as reproduce

    asked = []
    monkeypatch.setattr(
        reproduce,
        "evaluate",
        lambda model, data, **how: asked.append(how["anchored"]) or evaluate(model, data, **how),
    )
    table = table_1(TINY, ["topk", "relu"], progress=False)
    assert [(row.method, row.anchored, row.seeds) for row in table] == [
        ("topk", 0, 2),
        ("topk", 3, 2),
        ("relu", 0, 2),
        ("relu", 3, 2),
    ]
    assert asked[0] == asked[1] and all(len(features) == 3 for features in asked[0])
    assert (
        all(row.decoder_mip.low <= row.decoder_mip.value <= row.decoder_mip.high for row in table)
        and table[0].null_mip.value > 0.3
    )
    assert "[" in str(table)
    order = [
        "literal_recovery",
        "literal_mip",
        "encoder_recovery",
        "encoder_mip",
        "decoder_recovery",
        "decoder_mip",
        "literal_null_recovery",
        "literal_null_mip",
        "null_mip",
    ]
    assert table.columns()[3:12] == order and str(table).splitlines()[0].split()[3:12] == order, (
        "the paper's own metric first"
    )
    assert len(TABLE_1) == 7


def test_intervals_of_a_row_stay_where_the_figure_can_lie():
    row = setup(TINY, "topk")
    figures = evaluate(row.model, row.data, samples=200)[0].summary()
    own = _table_row("topk", row, [SimpleNamespace(summary=lambda: figures)], 0.0)
    for name, figure in dict(
        literal_recovery="encoder_raw_recovery_95",
        literal_mip="encoder_raw_mip",
        encoder_mip="encoder_mip",
        decoder_mip="decoder_mip",
        literal_null_mip="encoder_raw_null_mip",
        null_mip="null_mip",
        explained="explained_variance",
        l0="l0",
    ).items():
        assert getattr(own, name).value == figures[figure], name
    assert (
        len(
            {
                figures[name]
                for name in (
                    "encoder_raw_mip",
                    "encoder_mip",
                    "decoder_mip",
                    "encoder_raw_null_mip",
                    "null_mip",
                )
            }
        )
        >= 4
    )
    two = [
        SimpleNamespace(summary=lambda value=value: {name: value for name in figures})
        for value in (0.0, 1.0)
    ]
    row = _table_row("topk", row, two, 0.0)
    shares = [
        row.literal_recovery,
        row.decoder_recovery,
        row.decoder_mip,
        row.encoder_recovery,
        row.encoder_mip,
        row.null_mip,
        row.mirrored,
        row.literal_null_recovery,
    ]
    assert all((one.low, one.value, one.high) == (0, 0.5, 1) for one in shares)
    assert (
        row.literal_mip.low == row.literal_null_mip.low == 0
        and row.literal_mip.high > 1 < row.literal_null_mip.high
    ), "an inner product may exceed 1"
    assert row.l0.low == 0 and row.l0.high > 1 and row.explained.low < 0 and row.explained.high == 1


def test_rows_of_tables_without_the_literal_metric_are_refused(tmp_path, capsys):
    row = _table_row(
        "topk", one := setup(TINY, "topk"), evaluate(one.model, one.data, samples=200), 1.0
    )
    stored = json.loads(json.dumps(asdict(row)))
    assert TableRow.from_json(stored) == row
    old = {name: value for name, value in stored.items() if not name.startswith("literal")}
    with pytest.raises(
        ValueError,
        match="'topk' lacks literal_recovery, literal_mip, literal_null_recovery, "
        "literal_null_mip, as tables did before",
    ):
        TableRow.from_json(old)
    for bad, words in [
        (stored | dict(bogus=1), "bogus, which no row"),
        ([], "a row is a dict"),
        ({"method": "topk"}, "lacks anchored, seeds, literal_recovery"),
    ]:
        with pytest.raises(ValueError, match=words):
            TableRow.from_json(bad)
    (tmp_path / "t.json").write_text(
        json.dumps(dict(preset="demo", seeds=None, overrides=[], tau=0.95, rows=[old]))
    )
    assert main(["table", "--device", "cpu", "--out", str(tmp_path / "t.json")]) == 1
    assert (
        "lacks literal_recovery" in (said := capsys.readouterr().err)
        and "a file of its own" in said
    )


def test_the_stored_table_can_be_gone_on_with():
    stored = json.loads(
        (Path(__file__).resolve().parents[2] / "notebooks/results/table_1_demo.json").read_text(
            encoding="utf-8"
        )
    )
    rows = [TableRow.from_json(row) for row in stored["rows"]]
    assert [(row.method, row.anchored) for row in rows] == [
        (method, k)
        for method in (*TABLE_1[2:5], *TABLE_1[:2], *TABLE_1[5:], "relu_biased")
        for k in (0, 10)
    ]
    assert (stored["preset"], stored["seeds"], stored["overrides"], stored["tau"]) == (
        "demo",
        None,
        [],
        0.95,
    ) and len(stored["commit"]) == 7
    found = {row.method: row.literal_recovery.value for row in rows if not row.anchored}
    assert found["crosscoder"] == 0 < found["topk"] and all(
        row.literal_null_recovery.value < 0.05 for row in rows
    )


def test_the_law_of_magnitudes_is_set_by_name(tmp_path, capsys):
    row = setup(TINY, "topk", bench=dict(c_min=0.5, beta=0.25))
    assert all(bench.magnitudes == ShiftedExponential(0.5, 0.25) for bench in row.data)
    assert (
        setup(TINY, "topk", bench=dict(beta=2.0)).data[0].magnitudes == ShiftedExponential(0.0, 2.0)
        and setup(TINY).data[0].magnitudes == ShiftedExponential()
    )
    with pytest.raises(ValueError, match="c_min and beta are those of ShiftedExponential"):
        setup(TINY, "topk", bench=dict(c_min=1.0, magnitudes=Uniform(0, 1)))
    words = [
        "train",
        "--device",
        "cpu",
        "--out",
        str(tmp_path / "run"),
        "--set",
        "steps=4",
        "n=20",
        "n_p=16",
        "n_q=32",
        "mu=.5",
        "batch=32",
        "k=2",
    ]
    assert main([*words, "c_min=.5", "beta=.25"]) == 0
    law = read_tensors(tmp_path / "run" / "checkpoint.safetensors")[1]["data"][0]["magnitudes"]
    assert law == dict(law="ShiftedExponential", c_min=0.5, beta=0.25)
    assert json.loads((tmp_path / "run" / "report.json").read_text())["overrides"][-2:] == [
        "c_min=.5",
        "beta=.25",
    ]
    assert (
        main([*words, "beta=.3", "c_min=.5", "--resume"]) == 1
        and "magnitudes.beta is 0.25" in capsys.readouterr().err
    )
    assert main([*words, "c_min=-1"]) == 1 and "c_min" in capsys.readouterr().err
    table = [
        "table",
        "--methods",
        "topk",
        "--seeds",
        "0",
        "--device",
        "cpu",
        "--out",
        str(tmp_path / "t.json"),
        *words[words.index("--set") :],
        "c_min=.5",
    ]
    assert (
        main(table) == 0
        and "c_min=.5" in json.loads((tmp_path / "t.json").read_text())["overrides"]
    )
    assert "found by the paper's metric (encoder, raw)" in capsys.readouterr().err


def test_matryoshka_as_equation_9_and_plain_top_k_are_set_by_name(tmp_path):
    row = setup(TINY, "matryoshka", ks=(1, 3), aux_target="input", aux_coef=0.1, level_loss="mean")
    assert (
        row.model.ks == (1, 3)
        and row.model.k == 3
        and row.model.levels is None
        and row.config.aux_target == "input"
        and row.config.level_loss == "mean"
    )
    assert (
        setup(TINY, "topk", plain=True).model.plain
        and setup(TINY, "matryoshka").model.levels
        and not setup(TINY, "topk").model.plain
    )
    out = tmp_path / "run"
    assert (
        main(
            [
                "train",
                "--method",
                "matryoshka",
                "--device",
                "cpu",
                "--out",
                str(out),
                "--set",
                "steps=4",
                "n=20",
                "n_p=16",
                "n_q=32",
                "mu=.5",
                "batch=32",
                "ks=1,2,4",
                "plain=True",
                "aux_target=input",
                "aux_coef=.1",
            ]
        )
        == 0
    )
    made = SDLModel.load(out / "checkpoint.safetensors")
    assert (
        made.ks == (1, 2, 4)
        and made.plain
        and read_tensors(out / "checkpoint.safetensors")[1]["config"]["aux_target"] == "input"
    )


def test_the_command_line_trains_resumes_and_writes(tmp_path, capsys):
    out, saelens = tmp_path / "run", tmp_path / "saelens"
    words = [
        "train",
        "--method",
        "jumprelu",
        "--anchors",
        "5",
        "--device",
        "cpu",
        "--out",
        str(out),
        "--saelens",
        str(saelens),
        "--set",
        "steps=30",
        "checkpoint_every=10",
        "n=30",
        "n_p=24",
        "n_q=60",
        "mu=.4",
        "batch=64",
        "target_l0=None",
    ]
    assert main(words) == 0
    assert "25 held-out features (5 anchored ones left out)" in capsys.readouterr().out
    report = json.loads((out / "report.json").read_text())["reports"][0]
    made = SDLModel.load(out / "checkpoint.safetensors")
    bench = LinearRepresentationBench(30, 24, 0.99, 0.4)
    x = bench.sample(5).x_p
    torch.testing.assert_close(read_saelens(saelens).encode(x), made.encode(x))
    assert report["heldout"] == 25 and report["n_q"] == 60
    assert main(words) == 1 and "pass resume=True" in capsys.readouterr().err
    assert main([*words, "--resume"]) == 0
    assert (
        main([*words[:-1], "target_l0=3", "--resume"]) == 1
        and "config.target_l0 is None" in capsys.readouterr().err
    )


def test_the_command_line_names_what_it_does_not_know(capsys):
    for words, message in [
        (["train", "--set", "learning_rate=1"], "no such setting"),
        (["train", "--device", "cuda"], "no CUDA device"),
    ]:
        if "cuda" in words and torch.cuda.is_available():
            continue
        with pytest.raises(SystemExit, match=message):
            main(words)
    assert (
        main(["train", "--method", "vae"]) == 1
        and "method must be one of" in capsys.readouterr().err
    )


def test_table_command_writes_json_and_goes_on(tmp_path, capsys):
    out = tmp_path / "table.json"
    words = [
        sys.executable,
        "-m",
        "sdl_theory",
        "table",
        "--methods",
        "topk",
        "--seeds",
        "0",
        "1",
        "--device",
        "cpu",
        "--out",
        str(out),
        "--set",
        "steps=20",
        "n=20",
        "n_p=16",
        "n_q=32",
        "mu=.5",
        "batch=32",
    ]
    assert "null_mip" in subprocess.run(words, check=True, capture_output=True, text=True).stdout
    stored = json.loads(out.read_text())
    rows = stored["rows"]
    assert (
        stored["torch"] == torch.__version__
        and stored["threads"] >= 1
        and stored["preset"] == "demo"
    )
    assert [row["anchored"] for row in rows] == [0, 10] and rows[0]["decoder_mip"]["low"] <= rows[
        0
    ]["decoder_mip"]["value"]
    stored["rows"] = rows[:1]  # as if it had been stopped between the two
    out.write_text(json.dumps(stored))
    assert main(words[3:]) == 0
    again = json.loads(out.read_text())["rows"]
    assert again[0] == rows[0] and again[1]["decoder_mip"]["value"] == pytest.approx(
        rows[1]["decoder_mip"]["value"], abs=1e-5
    )
    assert main([*words[3:], "k=1"]) == 1 and "holds another table" in capsys.readouterr().err
