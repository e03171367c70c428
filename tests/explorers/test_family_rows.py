"""Families of real directions as rows and a picture: what the table says, drawn."""

import json

import pytest

from sdl_theory.estimate import Estimate
from sdl_theory.experiments.real.family_tables import Followed, summary
from widgets.charts import inline
from widgets.charts.families import families_chart
from widgets.kinds import Layer
from widgets.live import png
from widgets.rows.families import family_names, family_rows


@pytest.fixture(scope="module")
def lines() -> list[Followed]:
    ladder = dict(what="ladder", parent="dog", rank=[2, 4, 1, 3], cosine=[0.3, 0.4, 0.1, 0.2])
    rows = [ladder]
    for seed, stays in enumerate([[10, 40, 0, 20], [40, 10, 20, 0]]):
        for k in (1, 2):
            told = dict(start="0101", own=[1, 2, 3, 4], end=0.5)
            rows.append(dict(what="run", parent="dog", k=k, seed=seed, stays=stays) | told)
    rows[2] = rows[2] | dict(start="1111")  # before training all are there: no order
    rows[4] = rows[4] | dict(start="1111")
    return summary(rows)


def test_marks_are_the_correlations_of_the_table(lines):
    data = family_rows(lines)
    assert family_names(lines) == ["4 dogs, Top-1", "4 dogs, Top-2"]
    marks = data["kind"] == Layer.POINT
    for y, line in enumerate(lines):
        for value, seen in enumerate((line.ladder, line.cosine, line.start)):
            here = marks & (data["y"] == y) & (data["value"] == value)
            if seen is None:
                assert not here.any()
                continue
            assert data["x"][here] == pytest.approx(seen.value, abs=1e-6)
            assert data["low"][here] == pytest.approx(seen.low, abs=1e-6)
        band = (data["kind"] == Layer.REGION) & (data["y"] == y)
        assert data["high"][band] == pytest.approx(line.shuffled.high, abs=1e-6)
    assert lines[1].start is None and isinstance(lines[0].start, Estimate)


def test_the_picture_says_what_is_compared(lines):
    chart = families_chart(inline(family_rows(lines)), family_names(lines))
    spec = chart.to_dict()
    for words in ("rank correlation over the children", "grey: 95% of shuffled ladders"):
        assert words in json.dumps(spec)
    assert 2_000 < len(png(spec)) < 60_000
