"""Real embeddings as rows and pictures: against brute force on the shipped file."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from sdl_theory.experiments.real.compare import compare, controls
from sdl_theory.experiments.real.record import Record
from sdl_theory.experiments.real.runs import UNTRAINED
from widgets.charts import inline
from widgets.charts.real import layers_chart, mean_chart, verdicts_chart
from widgets.explorers import mean_explorer
from widgets.kinds import Real
from widgets.live import png
from widgets.rows import real

LESSON = Path(__file__).resolve().parents[2] / "notebooks" / "13_real_embeddings.ipynb"


def test_the_shipped_classes_share_a_direction_until_it_is_taken_away():
    truth, untrained = real.moved("layer5", 0.0)
    raw, centred = real.shipped("layer5")
    torch.testing.assert_close(truth, raw.truth)
    torch.testing.assert_close(real.moved("layer5", 1.0)[0], centred.truth)
    assert list(untrained) == list(UNTRAINED)
    for rows in untrained.values():
        assert rows.norm(dim=1).allclose(torch.ones(len(rows)), atol=1e-5)
    # a row that is the same for all classes tells none from another, and scores above .9
    one = untrained["the mean alone"]
    assert len(one) == 1 and (one @ truth).abs().mean() > 0.9
    medians = [real.mean_rows("layer5", taken)[1]["median"] for taken in (0.0, 0.5, 1.0)]
    assert medians[0] > 0.8 and medians == sorted(medians, reverse=True) and abs(medians[2]) < 0.05


def test_bars_and_scores_are_those_of_brute_force():
    data, told = real.mean_rows("final", 0.0)
    truth, untrained = real.moved("final", 0.0)
    bars = data["kind"] == Real.BAR
    assert data["y"][bars].sum() == pytest.approx(1, abs=1e-5)
    cosines = (truth.mT @ truth).numpy()[np.triu_indices(truth.shape[1], 1)]
    right = bars & (data["x"] > 0.199) & (data["high"] < 0.401)
    inside = ((cosines >= 0.2) & (cosines < 0.4)).mean()
    assert data["y"][right].sum() == pytest.approx(inside, abs=1e-3)
    for line, (name, rows) in enumerate(untrained.items()):
        best = (rows @ truth).abs().amax(0)
        here = (data["kind"] == Real.SCORE) & (data["y"] == line)
        assert data["x"][here & (data["value"] == 0)] == pytest.approx(best.mean().item(), abs=1e-5)
        share = (best > 0.9).double().mean().item()
        assert data["x"][here & (data["value"] == 1)] == pytest.approx(share, abs=1e-6)
        assert told[name] == pytest.approx(best.mean().item(), abs=1e-5)


def test_the_explorer_says_what_the_rows_say():
    shown = mean_explorer()
    assert (
        shown.headline
        == f"the mean alone: {real.mean_rows('layer5', 0.0)[1]['the mean alone']:.2f}"
    )
    shown.presets["layer 5, centred"].click()
    assert "100% of the mean taken away" in shown.words and shown.headline < "the mean alone: 0.2"


@pytest.fixture
def record():
    made = Record(dict(data={"a, raw": dict(mean_share=0.7), "a, centred": dict(mean_share=0.0)}))
    values = {"plain": 0.3, "anchored": 0.8}
    for case in ("a, raw", "a, centred"):
        for seed in (0, 1):
            keep = lambda method, arm, case=case, seed=seed, **figures: made.keep(
                dict(case=case, method=method, arm=arm, seed=seed, figures=figures)
            )
            for arm, value in values.items():
                nonsense, dead = value + 0.1 * seed, 0.5 + 0.1 * seed
                keep("topk", arm, encoder_mip=value, relabelled_mip=nonsense, dead=dead)
            for name in UNTRAINED:
                keep("untrained", name, encoder_mip=0.9)
    return made


def test_verdicts_are_drawn_as_they_are_computed(record):
    assert real.verdict_lines(record, ["topk"]) == []  # no raw figure there
    data = real.verdict_rows_real(record, ["encoder_mip"])
    gain, held = compare(record, "encoder_mip")[1].gain, controls(record, "encoder_mip")[1]
    for value, one in enumerate((gain, held.nonsense, held.over_control)):
        here = (data["y"] == 1) & (data["value"] == value)
        for column, bound in (("x", one.value), ("low", one.low), ("high", one.high)):
            assert data[column][here] == pytest.approx(bound, abs=1e-6)


def test_layers_are_dead_shares_by_the_share_of_the_mean(record):
    data = real.layer_rows(record)
    assert data["x"].tolist() == pytest.approx([0.7, 0.0])
    assert data["y"].tolist() == pytest.approx([0.55, 0.55]) and data["value"].tolist() == [0, 1]
    assert (data["low"] < data["y"]).all() and (data["high"] <= 1).all()


def test_pictures_draw_and_say_what_their_axes_are(record):
    means = mean_chart(inline(real.mean_rows("layer5", 0.0)[0]), list(UNTRAINED))
    lines = verdicts_chart(
        inline(real.verdict_rows_real(record, ["encoder_mip"])), ["a", "b"], ["Cosine"], [[-1, 1]]
    )
    for chart, words in (
        (means, "cosine of two class means"),
        (lines, "difference of mean best matches"),
        (layers_chart(inline(real.layer_rows(record))), "latents dead after training"),
    ):
        spec = chart.to_dict()
        assert words in json.dumps(spec) and 2_000 < len(png(spec)) < 60_000


def test_the_lesson_types_no_figure_that_a_run_gave():
    """Shares and decimals of its prose stand in cells, where they are computed or read."""
    cells = json.loads(LESSON.read_text(encoding="utf-8"))["cells"]
    sources = ["".join(c["source"]) for c in cells if c["cell_type"] == "markdown"]
    prose = "\n".join(one for one in sources if not one.startswith("<details>"))  # solutions
    typed = re.findall(r"\d*\.\d+|\d+%", prose)
    assert set(typed) == {"5.1", "5.2"}, typed  # sections of the paper
    raw = real.shipped("layer5")[0]
    assert f"{raw.K} ImageNet classes" in prose and "`118` breeds" in prose
