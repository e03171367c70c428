"""Charts without a browser."""

import json

import numpy as np
import pytest
import torch

from sdl_theory import Problem, imagenet_directions
from sdl_theory.theory.counterexamples import three_features
from widgets import charts, rows
from widgets.live import LiveChart, png


def test_names_agree_between_rows_and_charts():
    assert [str(v) for v in rows.VERDICTS] == charts.style.VERDICT_NAMES
    assert len(charts.style.ARROW_NAMES) == 4


def test_live_chart_takes_new_data_in_one_message_and_refuses_wrong_columns():
    data, _ = rows.pair_rows(0.6)
    chart = LiveChart(charts.pair_chart(charts.live()), data)
    before = chart.revision
    chart.set_data(rows.pair_rows(0.1)[0], "a trap", "new")
    assert chart.revision == before + 1 and (chart.headline, chart.alt) == ("a trap", "new")
    sent = np.frombuffer(chart.buffer, "<f4").reshape(len(chart.columns), -1)
    assert np.array_equal(sent[1], rows.pair_rows(0.1)[0]["x"])
    with pytest.raises(ValueError, match="columns"):
        chart.set_data({"x": [1.0]})
    bundle, _ = chart._repr_mimebundle_()
    assert bundle["image/png"] and bundle["text/plain"] == "<LiveChart: new>"
    assert "http" not in chart._esm[:2000]
    assert "esm.sh" not in chart._esm
    assert "jsdelivr.net/npm/vega@" not in chart._esm


def test_pictures_have_titles_and_draw():
    d = imagenet_directions()
    share = rows.share_rows(
        Problem(d.W_p), d, ["spaniel"], [2, 3], 20, torch.Generator().manual_seed(0)
    )
    for chart in (
        charts.pair_chart(charts.inline(rows.pair_rows(0.3)[0])),
        charts.three_chart(charts.inline(rows.three_rows(three_features((1, 3, 1)))[0])),
        charts.share_chart(share),
    ):
        spec = chart.to_dict()
        text = json.dumps(spec)
        assert text.count('"title"') >= 3 and 2_000 < len(png(spec)) < 60_000
        assert "#0072B2" in text or "#D55E00" in text
