"""Curves of what was trained, against counts by hand; their pictures draw."""

import json

import pytest

from sdl_theory import prevalence
from sdl_theory.estimate import interval, wilson
from widgets import charts
from widgets.live import png
from widgets.rows import absorbed_rows, chosen_rows, merged_rows, traps

PAIR = {"law": ["saddle"] * 2 + ["trap"], "line": -0.1, "rho": [-0.3, -0.11, 0.1], "S": 0.9}
PAIRS = [PAIR | {"merged": [0, 3, 10]}, PAIR | {"S": 0.8, "line": -0.2, "merged": [1, 1, 9]}]
TOGETHER = [{"what": "together", "line": 0.2, "at": [0.1, 0.4], "merged": [2, 10], "trap": [0, 1]}]


def test_shares_are_counts_over_all_rows_of_a_series():
    by = lambda curve: {(one["series"], one["x"]): one for one in curve}
    apart = by(merged_rows(PAIRS, lambda row: f"S = {row['S']}"))
    assert len(apart) == 6 and apart["S = 0.9", -0.01]["share"] == 0.3
    # the second row's cosines lie .1 farther from its line: -.1, +.09, +.3
    assert apart["S = 0.8", 0.3]["share"] == 0.9
    assert (apart["S = 0.8", 0.3]["low"], apart["S = 0.8", 0.3]["high"]) == wilson(9, 10)
    pooled = by(merged_rows([PAIRS[0], PAIRS[0]], lambda row: "all"))
    assert (pooled["all", -0.01]["low"], pooled["all", -0.01]["high"]) == wilson(6, 20)
    assert merged_rows(PAIRS, lambda row: "one" if row["S"] == 0.9 else None)[0]["series"] == "one"
    assert by(merged_rows(TOGETHER, lambda row: "r"))["r", 0.2]["share"] == 1.0
    lost = merged_rows(
        [PAIR | {"merged": [0] * 3, "lost": [9, 1, 0]}], lambda row: "", ended="lost"
    )
    assert [one["share"] for one in lost] == [0.9, 0.1, 0.0]


def test_absorbed_of_those_that_have_a_neuron_for_the_child():
    arm = {"what": "absorption", "children": 1, "start": "random", "sigma": "relu", "shrink": 0.1}
    counts = {"given": [0.1, 0.9], "absorbed": [1, 15], "apart": [9, 0], "held": [10, 5]}
    rows = [arm | counts, arm | counts, arm | counts | {"start": "truth"}, TOGETHER[0]]
    few, many, start, _ = absorbed_rows(rows, children=1)
    assert start["series"] == "ReLU, L1 (shrink 0.1), from the truth" and start["share"] == 0.1
    assert few == {"series": "ReLU, L1 (shrink 0.1)", "x": 0.1, "share": 0.1} | dict(
        zip(("low", "high"), wilson(2, 20))
    )
    assert many["share"] == 1.0 and many["low"] == wilson(30, 30)[0]
    assert absorbed_rows(rows, children=3) == []
    never = arm | counts | {"absorbed": [0, 0], "apart": [0, 0]}
    assert absorbed_rows([never], children=1) == []


def test_chosen_groups_beside_random_ones():
    read = {"shared": [4, 0, 6], "traps": [4, 0, 5], "random": [0.2, None, 0.4]}
    read["untrained"] = [1, 0, 1], [4, 2, 4]
    row = {"method": "relu", "n_p": 32, "S": 0.97, "fires": read}
    trained, before, random = chosen_rows([row, row | {"n_p": 16}], n_p=32)
    assert trained["share"] == 0.9 and trained["x"] == 0.03 and trained["panel"] == "ReLU"
    assert (trained["low"], trained["high"]) == wilson(9, 10)
    assert before["series"] == "before training" and before["share"] == 0.2
    mean = interval([0.2, 0.4])
    assert random["share"] == pytest.approx(0.3) and random["high"] == min(mean.high, 1)
    none = row | {"fires": {"shared": [0], "traps": [0], "random": [None], "untrained": [[0], [0]]}}
    assert chosen_rows([none], n_p=32) == []


def test_rows_are_read_by_the_name_of_their_experiment(tmp_path, monkeypatch):
    monkeypatch.setattr(traps, "RESULTS", tmp_path)
    (tmp_path / "traps_pairs.json").write_text(json.dumps({"rows": PAIRS}))
    assert traps.load_traps("pairs") == PAIRS


def test_curves_are_drawn_with_their_series_and_intervals():
    merged = merged_rows(PAIRS, lambda row: f"S = {row['S']}")
    table = prevalence(16, sizes=[2, 3], S=[0.9, 0.5], draws=20)
    read = {"shared": [4, 6], "traps": [4, 5], "random": [0.2, 0.4], "untrained": [[0], [4]]}
    chosen = [{"method": m, "n_p": 32, "S": 0.97, "fires": read} for m in traps.METHODS]
    for chart in (
        charts.merged_chart(merged, "a title", "off the line"),
        charts.prevalence_chart([{"n_p": 16, **vars(row)} for row in table]),
        charts.chosen_chart(chosen_rows(chosen, n_p=32)),
        charts.absorbed_chart([{"series": "ReLU", "x": 0.1, "share": 0.5, "low": 0.4, "high": 1}]),
    ):
        spec = chart.to_dict()
        assert "low" in json.dumps(spec) and len(png(spec)) > 2000
