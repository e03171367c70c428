"""Presets and the table: small runs of the real thing."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from sdl_theory import ShiftedExponential, Uniform, evaluate, setup, table_1
from sdl_theory.__main__ import main
from sdl_theory.experiments import tables
from sdl_theory.experiments.presets import PRESETS, ROWS, TABLE_1
from sdl_theory.experiments.tables import TableRow, _table_row

STORED = Path(__file__).resolve().parents[2] / "notebooks" / "results" / "table_1_demo.json"
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
    bench, model = row.data[0], row.model
    assert (model.n_q, bench.n, row.anchors[0].k) == (want.n_q, want.bench["n"], want.anchors)
    assert (model.method, bench.kind) == ROWS[method]
    assert model.biases == (method == "relu_biased")
    assert (row.config.target_l0 is not None) == (method in ("jumprelu", "gated"))
    assert row.config.seed == 7


def test_paper_preset_is_the_papers_setting():
    row = setup("paper", seeds=[0], instances=False)
    bench = row.data[0]
    assert (bench.n, bench.n_p, bench.S, bench.mu) == (1000, 768, 0.99, 0.1)
    assert (bench.samples, row.model.n_q) == (100_000, 16_000)


def test_overrides_and_their_limits():
    row = setup(TINY, "matryoshka", k=1, lr=1e-4, n_q=32, bench=dict(S=0.9), seeds=[3, 5])
    assert (row.model.k, row.model.n_q, row.model.instances) == (1, 32, 2)
    assert (row.config.lr, row.data[1].S, row.data[1].seed) == (1e-4, 0.9, 5)
    for arguments, words in [
        (dict(preset="huge"), "preset must be one of"),
        (dict(method="vae"), "method must be one of"),
        (dict(seeds=[1, 2], instances=False), "one model: seeds must name one; got .1, 2."),
        (dict(seeds=[]), "at least one; got"),
    ]:
        with pytest.raises(ValueError, match=words):
            setup(**arguments)


def test_both_rows_of_a_method_are_judged_on_the_same_held_out_features(monkeypatch):
    asked = []
    listen = lambda *them, **how: asked.append(how["anchored"]) or evaluate(*them, **how)
    monkeypatch.setattr(tables, "evaluate", listen)
    table = table_1(TINY, ["topk", "relu"], progress=False)
    assert [(row.method, row.anchored, row.seeds) for row in table] == [
        ("topk", 0, 2),
        ("topk", 3, 2),
        ("relu", 0, 2),
        ("relu", 3, 2),
    ]
    assert asked[0] == asked[1] and all(len(features) == 3 for features in asked[0])
    for row in table:
        assert row.decoder_mip.low <= row.decoder_mip.value <= row.decoder_mip.high
    assert table[0].null_mip.value > 0.3
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
    # the metric of section 5.1 and appendix B first
    assert table.columns()[3:12] == order
    assert str(table).splitlines()[0].split()[3:12] == order
    assert len(TABLE_1) == 7


def test_intervals_of_a_row_stay_where_the_figure_can_lie():
    row = setup(TINY, "topk")
    figures = evaluate(row.model, row.data, samples=200)[0].summary()
    own = _table_row("topk", row, [SimpleNamespace(summary=lambda: figures)], 0.0)
    mips = dict(
        literal_mip="encoder_raw_mip",
        encoder_mip="encoder_mip",
        decoder_mip="decoder_mip",
        literal_null_mip="encoder_raw_null_mip",
        null_mip="null_mip",
    )
    others = dict(
        literal_recovery="encoder_raw_recovery_95", explained="explained_variance", l0="l0"
    )
    for name, figure in (mips | others).items():
        assert getattr(own, name).value == figures[figure], name
    assert len({figures[name] for name in mips.values()}) >= 4
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
    one = setup(TINY, "topk")
    row = _table_row("topk", one, evaluate(one.model, one.data, samples=200), 1.0)
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
    said = capsys.readouterr().err
    assert "lacks literal_recovery" in said and "a file of its own" in said


def test_the_stored_table_can_be_gone_on_with():
    stored = json.loads(STORED.read_text(encoding="utf-8"))
    rows = [TableRow.from_json(row) for row in stored["rows"]]
    assert [(row.method, row.anchored) for row in rows] == [
        (method, k)
        for method in (*TABLE_1[2:5], *TABLE_1[:2], *TABLE_1[5:], "relu_biased")
        for k in (0, 10)
    ]
    settings = [stored[name] for name in ("preset", "seeds", "overrides", "tau")]
    assert settings == ["demo", None, [], 0.95] and len(stored["commit"]) == 7
    found = {row.method: row.literal_recovery.value for row in rows if not row.anchored}
    assert found["crosscoder"] == 0 < found["topk"]
    assert all(row.literal_null_recovery.value < 0.05 for row in rows)


def test_c_min_and_beta_are_those_of_the_law_of_magnitudes():
    law = lambda **bench: setup(TINY, "topk", bench=bench).data[1].magnitudes
    assert law(c_min=0.5, beta=0.25) == ShiftedExponential(0.5, 0.25)
    assert law(beta=2.0) == ShiftedExponential(0.0, 2.0)
    assert setup(TINY).data[0].magnitudes == ShiftedExponential()
    with pytest.raises(ValueError, match="c_min and beta are those of ShiftedExponential"):
        law(c_min=1.0, magnitudes=Uniform(0, 1))


def test_ks_and_plain_are_settings_of_a_row():
    row = setup(TINY, "matryoshka", ks=(1, 3), aux_target="input", aux_coef=0.1, level_loss="mean")
    assert row.model.ks == (1, 3) and row.model.k == 3 and row.model.levels is None
    assert row.config.aux_target == "input" and row.config.level_loss == "mean"
    assert setup(TINY, "topk", plain=True).model.plain
    assert setup(TINY, "matryoshka").model.levels and not setup(TINY, "topk").model.plain
