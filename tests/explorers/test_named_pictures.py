"""What stands in the pictures: names, weights, no empty panel; and a click on a partition."""

import re

import numpy as np
import pytest

from widgets.drawing import svg
from widgets.explorers import (
    dead_explorer,
    lattice_explorer,
    linear_explorer,
    pair_explorer,
    solution_explorer,
    three_explorer,
)
from widgets.kinds import Layer, Linear
from widgets.rows.lattice import PARTITIONS, label


def words_of(explorer) -> list[str]:
    """All words in the picture."""
    return re.findall(r"<text[^>]*>([^<]+)</text>", svg(explorer.chart.static_spec()))


@pytest.mark.parametrize("make, panels", [(pair_explorer, 1), (solution_explorer, 3)])
def test_features_have_names_and_one_entry_in_the_legend(make, panels):
    words = words_of(make())
    assert words.count("features") == 1
    # each name with its halo
    assert words.count("feature 1") == words.count("feature 2") == 2 * panels


def test_a_dead_rows_picture_names_its_features():
    words = words_of(dead_explorer())
    assert words.count("features") == 1 and words.count("feature 2") == 2
    assert "dead encoder row" in words


def test_where_there_is_no_stationary_point_none_is_said_to_be_drawn():
    pair = pair_explorer()
    pair.presets["none at all"].click()
    assert pair.headline == "none" and Layer.POINT not in pair.chart.data["kind"]
    assert not any("stationary point" in one for one in words_of(pair)[:2])
    assert any("if anywhere" in one for one in words_of(pair))


@pytest.mark.parametrize("t, weights", [(0, "(0.3, 1, 1)"), (1, "(1, 1, 1)"), (1.5, "(1, 2, 1)")])
def test_the_weights_stand_beside_their_path(t, weights):
    three = three_explorer(t)
    assert three.words.startswith(f"M = {weights}: ")
    assert f"M = {weights}" in words_of(three)
    assert any("first place: the top eigenvector" in one for one in words_of(three))


def test_the_impossible_leaves_no_panel_empty():
    linear = linear_explorer()
    linear.presets["impossible"].click()
    assert linear.headline == "impossible" and "random directions instead" in linear.words
    data = linear.chart.data
    for kind in (Linear.SILENT, Linear.ACTIVE):
        assert data["y"][data["kind"] == kind].sum() == pytest.approx(1, abs=1e-5)
    assert "impossible: random directions instead" in words_of(linear)
    linear.presets["room for all"].click()
    assert Linear.INSTEAD not in linear.chart.data["kind"]


def test_a_click_on_a_partition_chooses_it():
    lattice = lattice_explorer(partition=5)
    spec = lattice.chart.spec
    assert spec["usermeta"] == {"pick": "partition"} and "partition" in lattice.controls
    layers = spec["hconcat"][0]["layer"]
    rows = next(
        layer["data"]["values"]
        for layer in layers
        if "pick" in str(layer.get("data", {}).get("values", ""))
    )
    assert {row["pick"]: row["label"] for row in rows} == {
        number: label(groups) for number, groups in enumerate(PARTITIONS, 1)
    }
    for at, value in enumerate((3, 3, 15)):
        lattice.set(partition=1)
        lattice.chart.picked = {"name": "partition", "value": value, "at": at}
        assert lattice.state["partition"] == value
        assert lattice.headline.startswith(label(PARTITIONS[value - 1]))
    assert np.isfinite(lattice.chart.data["x"]).all()
