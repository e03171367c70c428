"""The pictures of lesson 12: their rows are the records', their specs are whole."""

import altair as alt
import numpy as np
import pytest

from sdl_theory.experiments.paper import plane, thresholds
from sdl_theory.experiments.paper.bound import contradictions
from sdl_theory.experiments.paper.choices import MOVES, UNMOVED
from sdl_theory.experiments.paper.compare import FOUND, MIP, compare
from sdl_theory.experiments.paper.lines import TABLES, lines
from sdl_theory.experiments.paper.page import stored
from sdl_theory.experiments.paper.sensitivity import sensitivity
from sdl_theory.experiments.paper.trials import FIGURES, Trials
from widgets.charts import inline
from widgets.charts import paper as charts
from widgets.rows import paper as rows


def drawn(chart):
    """The picture's spec, checked against Vega-Lite's schema."""
    assert isinstance(chart, alt.TopLevelMixin)
    return chart.to_dict()


def test_every_printed_pair_is_drawn_and_the_broken_ones_stand_out():
    data = rows.bound_rows()
    assert len(data["x"]) == 2 * sum(len(lines(table)) for table in TABLES)
    low = data["y"] < 0.95 * data["x"] - 1e-3
    assert (low == (data["value"] == 1)).all() and low.sum() == len(contradictions())
    drawn(charts.bound_chart(inline(data)))


def test_changes_are_those_of_the_comparison():
    compared = compare(next(one for one in stored("demo") if one.table == 1), FOUND)
    data = rows.table_rows(compared)
    ours = data["x"][data["kind"] == rows.GAIN]
    assert ours == pytest.approx([one.gain.value for one in compared], abs=1e-6)
    topk = [one.line for one in compared].index("topk")
    printed = data["x"][(data["kind"] == rows.PRINTED) & (data["y"] == topk)]
    assert printed == pytest.approx([0.876 - 0.849], abs=1e-3)
    drawn(charts.table_chart(inline(data), [one.line for one in compared]))


def test_a_move_is_drawn_on_the_side_of_zero_where_its_interval_lies():
    trials, (line,) = Trials("demo", [0, 1, 2]), [one for one in lines(1) if one.method == "topk"]
    for move, gain in (UNMOVED, 0.0), (MOVES["lr x 3"], 0.1), (MOVES["lr / 3"], -0.1):
        for arm in ("plain", "anchored"):
            found = [0.5 + (arm == "anchored") * gain + noise for noise in (0, 0.01, 0.02)]
            figures = {name: found for name in FIGURES} | {MIP: [0.7, 0.71, 0.72]}
            figures["encoder_raw_null_mip"] = [0.3, 0.3, 0.3]
            trials.keep(line, move, arm, dict(figures=figures, seconds=1.0, made_with={}))
    moved = sensitivity(trials, "topk")
    data = rows.move_rows(moved)
    side = dict(zip([row.move for row in moved], data["value"][data["kind"] == 2]))
    assert side == {"as it is": 0, "lr x 3": 1, "lr / 3": -1}
    assert set(data["x2"][data["kind"] == 1].round(3)) == {np.float32(0.3)}
    drawn(charts.moves_chart(inline(data), [row.move for row in moved], line.plain))


def test_ends_fill_the_bar_and_vectors_have_length_one():
    cells = [
        plane.kept(plane.train(plane.Plane(start=s), runs=8, steps=30)) for s in ("random", "ideal")
    ]
    bars = rows.end_rows(cells)
    assert bars["x2"][bars["value"] == 3] == pytest.approx([1, 1], abs=1e-6)
    assert bars["x2"] - bars["x"] == pytest.approx(
        [cell["ends"][name] / 8 for cell in cells for name in plane.ENDS], abs=1e-6
    )
    drawn(charts.ends_chart(inline(bars), ["a", "b"]))
    arrows = rows.plane_rows(cells[1]["examples"])
    assert np.hypot(arrows["x"], arrows["y"]) == pytest.approx(np.ones(8), abs=1e-6)
    drawn(charts.plane_chart(inline(arrows)))


def test_curves_and_their_place_at_one_threshold_agree():
    found = {name: [[9 - i // 6 for i in range(51)]] * 2 for name in thresholds.MEASURES}
    runs = [dict(method="topk", arm=arm, heldout=10, found=found) for arm in ("plain", "anchored")]
    curve, at = rows.curve_rows(runs), rows.tau_rows(runs, 0.8)
    here = (np.abs(curve["x"] - 0.8) < 1e-6) & (curve["value"] < 2)
    assert curve["y"][here] == pytest.approx([0.4, 0.4]) == at["x"]
    assert set(curve["value"]) == {0, 1, 2}
    drawn(charts.threshold_chart(inline(curve), ["topk"]))
    drawn(charts.tau_chart(inline(at), ["topk"]))
