"""Lesson 14's rows say what the record says, and its charts can be drawn of them."""

import json

import altair as alt
import numpy as np
import pytest

from sdl_theory import interval
from sdl_theory.experiments.language.made_up import made_up
from sdl_theory.experiments.language.setting import ARMS, KINDS
from widgets.charts.language import NAMES, curves_chart, ends_chart
from widgets.charts.style import inline
from widgets.kinds import Remedy, Run
from widgets.rows.language import RESULTS, curve_rows, end_rows, load_language, of_kind


def row(kind, arm, seed, loss, held_out, centred=False):
    return dict(
        kind=kind,
        arm=arm,
        seed=seed,
        setting=dict(centred=centred, steps=12),
        n_q=50,
        curve=dict(step=[6, 12], loss=[1.0, loss], dead=[5, 10]),
        figures=dict(held_out_loss=held_out),
    )


ROWS = [
    row("sae", "nothing", 0, 0.2, 0.30),
    row("sae", "nothing", 1, 0.4, 0.50),
    row("sae", "auxk", 1, 0.3, 0.60),
    row("sae", "auxk", 0, 0.1, 0.20),
    row("sae", "auxk", 0, 9.0, 9.0, centred=True),
    row("transcoder", "nothing", 0, 0.2, 0.3),
    row("transcoder", "residuals", 0, 0.2, 0.3),  # one seed: no interval
]


def test_arms_have_the_codes_that_charts_name():
    assert len(Remedy) == len(ARMS) == len(NAMES)
    assert Remedy.NOTHING == ARMS.index("nothing") and Remedy.AUXK == ARMS.index("auxk")
    assert Remedy.SAMPLES == ARMS.index("resampling")
    assert Remedy.RESIDUALS == ARMS.index("residuals")


def test_curves():
    table = curve_rows(of_kind(ROWS, "sae"))
    of = lambda kind: {name: column[table["kind"] == kind] for name, column in table.items()}
    assert of(Run.WHEN)["x"].tolist() == [2]
    loss, dead = of(Run.LOSS), of(Run.DEAD)
    assert loss["y"] == pytest.approx([1, 0.2, 1, 0.4, 1, 0.3, 1, 0.1])
    assert dead["y"] == pytest.approx([0.1, 0.2] * 4)
    assert loss["x"].tolist() == [6, 12] * 4
    assert loss["value"].tolist() == [Remedy.NOTHING] * 4 + [Remedy.AUXK] * 4


def test_ends_are_differences_seed_by_seed():
    table = end_rows(ROWS)
    assert table["y"].tolist() == [0, 0] and table["value"].tolist() == [Remedy.AUXK] * 2
    assert table["held_out"].tolist() == [0, 1]
    expected = [interval([-0.1 / 0.3, -0.1 / 0.3]), interval([0.1 / 0.4, -0.1 / 0.4])]
    for i, one in enumerate(expected):
        got = [float(table[name][i]) for name in ("x", "low", "high")]
        assert got == pytest.approx([one.value, one.low, one.high], abs=1e-6)


def test_the_stored_record_is_of_figure_7():
    rows = load_language()
    assert json.loads(RESULTS.read_text())["figure"] == 7
    assert len({(r["kind"], r["arm"], r["seed"], json.dumps(r["setting"])) for r in rows}) == len(
        rows
    )
    for one in rows:
        assert one["kind"] in KINDS and one["arm"] in ARMS
        assert one["n_q"] == one["setting"]["wide"] * 576 >= 16 * 576
        assert one["curve"]["step"][-1] == one["setting"]["steps"] <= 60 * 60
        assert one["made_with"]["commit"]
    assert RESULTS.stat().st_size < 300_000


@pytest.mark.parametrize("chart", ["curves", "ends"])
def test_charts_can_be_drawn(chart):
    rows = load_language()
    if chart == "curves":
        drawn = curves_chart(inline(curve_rows(of_kind(rows, "sae"))), "Loss")
    else:
        drawn = ends_chart(inline(end_rows(rows)), list(KINDS))
    assert isinstance(drawn, alt.HConcatChart)
    assert len(drawn.to_dict()["hconcat"]) == 2


@pytest.mark.parametrize("share", [0.0, 0.6])
def test_made_up_activations_have_the_mean_that_was_asked_for(share):
    x = made_up(share, rows=500)["residual_2"].rows(slice(None)).double()
    assert float(x.mean(0).square().sum() / x.square().sum(1).mean()) == pytest.approx(
        share, abs=1e-6
    )
    assert np.array_equal(made_up(share, rows=500).text, np.arange(500) // 10)


def test_made_up_refuses():
    with pytest.raises(ValueError, match="mean_share must be a finite number >= 0 and < 1"):
        made_up(1.0)
    with pytest.raises(ValueError, match="rows"):
        made_up(0.5, rows=10)
