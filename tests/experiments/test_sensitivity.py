"""Our choices, each moved once: a move changes what it says and nothing else, a record goes on."""

import json
from dataclasses import replace

import pytest
import torch

from sdl_theory.__main__ import main
from sdl_theory.experiments import presets
from sdl_theory.experiments.paper import runs, trials
from sdl_theory.experiments.paper.choices import CHOICES, MOVES, UNMOVED, moves
from sdl_theory.experiments.paper.compare import FOUND, MIP
from sdl_theory.experiments.paper.lines import lines
from sdl_theory.experiments.paper.sensitivity import nearest, sensitivity, summary
from sdl_theory.experiments.paper.trials import FIGURES, Trials, changed

LINES = {line.method: line for line in lines(1)}
CHANGES = {  # what a move may change, by the start of the setting's name
    "lr": "config.lr",
    "beta_": "config.betas",
    "steps": "config.steps",
    "endless": "bench.samples",
    "k ": "model.k",
    "biases": "model.biases",
    "lambda": "config.lam_anchor",
    "no clipping": "config.clip",
    "columns": "config.unit_norm",
    "c_min": "bench.magnitudes",
    "AuxK": "config.aux_coef",
    "window": "config.bandwidth",
    "theta": "start.theta",
    "anchors": "anchors",
}


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """The demo preset, but tiny, and no record of Table 1."""
    own = presets.PRESETS["demo"]
    config = replace(own.config, steps=6, batch=16, log_every=4, checkpoint_every=0, eval_every=0)
    small = replace(own, bench=dict(n=16, n_p=12, S=0.9, mu=0.5), n_q=24, anchors=3, config=config)
    monkeypatch.setitem(presets.PRESETS, "demo", small)
    monkeypatch.setattr(runs, "SAMPLES", 50)
    monkeypatch.setattr(trials, "RESULTS", tmp_path / "no results")
    return small


@pytest.mark.parametrize("method", LINES)
def test_a_move_changes_what_it_names_and_nothing_else(method):
    for move in moves(method):
        now = changed(LINES[method], move, "anchored", "demo")
        assert now, f"{move.name} changes nothing of {method}"
        for word, setting in CHANGES.items():
            if move.name.startswith(word):
                assert {name[: len(setting)] for name in now} == {setting}, (move.name, now)
    assert changed(LINES[method], UNMOVED, "anchored", "demo") == {}
    assert len({move.name for move in moves(method)}) == len(moves(method))


def test_settings_that_a_method_has_not_are_not_moved():
    names = {method: {move.name for move in moves(method)} for method in LINES}
    assert "theta = .5" in names["jumprelu"] and "theta = .5" not in names["relu"]
    assert "sparsity x 3" in names["relu"] and "sparsity x 3" not in names["topk"]
    assert "not steered" in names["jumprelu"] and "not steered" not in names["relu"]
    # BatchTopK's k of 1 has no third
    assert "k / 3" in names["topk"] and "k / 3" not in names["batchtopk"]
    assert sum(len(choice.moves) for choice in CHOICES) == len(MOVES)


def test_a_moved_start_is_another_start(tiny):
    start = lambda name: runs.prepare(LINES["jumprelu"], "plain", "demo", [0, 1], move=MOVES[name])
    usual = runs.prepare(LINES["jumprelu"], "plain", "demo", [0, 1])[0].model
    torch.testing.assert_close(start("rows x 3")[0].model.W_E, 3 * usual.W_E)
    assert torch.equal(start("rows x 3")[0].model.W_D, usual.W_D)
    loose = start("not tied")[0].model.W_E
    assert (loose.norm(dim=-1) - 1).abs().max() < 1e-6
    assert (loose * usual.W_E).sum(-1).max() < 0.99
    assert start("both .001")[0].model.theta.unique().tolist() == pytest.approx([0.001])
    assert start("both .001")[0].config.bandwidth == 0.001


def test_a_record_goes_on_and_refuses_other_settings(tiny, tmp_path, capsys, monkeypatch):
    out = tmp_path / "moved.json"
    words = ["sensitivity", "--device", "cpu", "--seeds", "2", "--out", str(out)]
    words += ["--methods", "topk", "--moves"]
    assert main([*words, "lambda = 1"]) == 0
    first = json.loads(out.read_text())
    made = [(one["move"], one["arm"]) for one in first["runs"]]
    # plain runs do not know lambda
    assert made == [
        ("as it is", "plain"),
        ("as it is", "anchored"),
        ("lambda = 1", "anchored"),
    ]
    assert first["runs"][2]["changed"] == {"config.lam_anchor": 1.0}
    assert main([*words, "lambda = 1", "lr x 3"]) == 0
    again = json.loads(out.read_text())
    assert again["runs"][:2] == first["runs"][:2] and len(again["runs"]) == 5
    said = capsys.readouterr().out
    assert "nearest to the printed figures" in said and "lr x 3" in said

    assert main([*words, "lr x 4"]) == 1 and "there are 'lr / 30'" in capsys.readouterr().err
    again["runs"][2]["changed"] = {"config.lr": 7}
    out.write_text(json.dumps(again))
    assert main([*words, "lr x 3"]) == 1
    said = capsys.readouterr().err
    assert "topk, 'lr x 3', plain, was made with {'config.lr': 7}" in said
    with pytest.raises(ValueError, match="holds other runs"):
        Trials("demo", [0, 1, 2], out)
    out.write_text('{"preset": "demo"}')
    with pytest.raises(ValueError, match="no record of the sensitivity table"):
        Trials("demo", [0, 1], out)


def with_figures(plain, anchored, move=UNMOVED, method="topk", to=None):
    """A record's runs from M_GT of each seed."""
    to = to or Trials("demo", [0, 1, 2])
    for arm, found in (("plain", plain), ("anchored", anchored)):
        if arm == "plain" and move.anchored_only:
            continue
        figures = {name: list(found) for name in FIGURES} | {MIP: [x + 0.1 for x in found]}
        run = dict(figures=figures, seconds=1.0, made_with=dict(torch="0"))
        to.keep(LINES[method], move, arm, run)
    return to


def test_verdicts_follow_the_intervals_and_say_when_a_move_changes_them():
    record = with_figures([0.80, 0.81, 0.82], [0.85, 0.86, 0.88])
    with_figures([0.80, 0.81, 0.82], [0.70, 0.73, 0.72], MOVES["lr x 3"], to=record)
    with_figures([0.50, 0.51, 0.52], [0.55, 0.56, 0.58], MOVES["biases"], to=record)
    with_figures([], [0.85, 0.86, 0.88], MOVES["lambda = 1"], to=record)
    rows = {row.move: row for row in sensitivity(record, "topk")}
    assert list(rows) == ["as it is", "lr x 3", "biases", "lambda = 1"]
    verdicts = {name: (row.found_verdict, row.same) for name, row in rows.items()}
    assert verdicts == {
        "as it is": ("reproduced", None),
        "lr x 3": ("not", False),
        "biases": ("reproduced", True),
        "lambda = 1": ("reproduced", True),
    }
    assert rows["lambda = 1"].found_gain == rows["as it is"].found_gain
    (line,) = summary(record)
    assert (line.method, line.recipes, line.found_verdict) == ("topk", 4, "reproduced")
    assert line.turned_by == "lr x 3" and line.nearest.endswith("(as it is)")
    assert line.least == "51.0% (biases)" and line.most.startswith("81.0%")


def test_the_nearest_recipe_is_nearest_in_both_figures():
    """Table 1's transcoder: 23.6%, .838."""
    record = with_figures([0.90, 0.91, 0.92], [1, 1, 1], method="transcoder")
    with_figures([0.20, 0.236, 0.27], [1, 1, 1], MOVES["lr x 3"], "transcoder", record)
    first, *_ = near = nearest(record, "transcoder")
    assert first.move == "lr x 3" and first.printed == "23.6%, 0.838" and not first.gives
    assert first.distance == pytest.approx(0.838 - 0.1 - 0.706 / 3)
    figures = record.runs["transcoder", "lr x 3", "plain"]["figures"]
    figures[MIP] = [0.83, 0.838, 0.845]
    assert nearest(record, "transcoder")[0].gives and len(near) == 2
    assert summary(record)[0].given_by == "lr x 3"
    # whichever recipe is the nearest, those that give both are named
    other = record.runs["transcoder", "as it is", "plain"]["figures"]
    other[FOUND], other[MIP] = [0.236, 0.236, 0.237], [0.838, 0.838, 0.839]
    assert summary(record)[0].given_by == "as it is, lr x 3"
    figures[FOUND] = [0.30, 0.301, 0.302]
    other[MIP] = [0.9, 0.9, 0.901]
    assert not any(one.gives for one in nearest(record, "transcoder"))
    assert summary(record)[0].given_by == "none"
