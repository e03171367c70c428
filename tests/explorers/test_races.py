"""Lesson 11's races and survey, against `fit` and by hand."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from sdl_theory import (
    Anchors,
    Config,
    LinearRepresentationBench,
    SDLModel,
    best_matches,
    fit,
    ideal_weights,
    interval,
    pseudo_inverse_weights,
)
from widgets import rows
from widgets.explorers import training_explorer
from widgets.kinds import Line, Panel, Vector
from widgets.rows import survey, training
from widgets.rows.training import Race

TINY = Race(anchors=4, n=12, n_p=9, n_q=20, S=0.8, mu=0.5, steps=60, batch=64, seeds=(0, 1, 2))


def test_a_race_is_two_fits_on_the_same_held_out_features():
    """The other road: `fit`, one set at a time, with its own record of recovery."""
    curves = TINY.train()
    benches = [
        LinearRepresentationBench(12, 9, 0.8, 0.5, seed=seed, samples=None) for seed in TINY.seeds
    ]
    anchors = [Anchors.of_truth(bench, 4) for bench in benches]
    torch.manual_seed(5)  # must not matter
    for half, lam in enumerate((0.0, TINY.lam_anchor)):
        both = SDLModel(9, 20, k=3, instances=6, generator=torch.Generator().manual_seed(0))
        model = SDLModel(9, 20, k=3, instances=3)
        with torch.no_grad():
            for W, start in zip(model.parameters(), both.parameters()):
                W.copy_(start[:3])
        history = fit(
            model,
            benches,
            Config(
                steps=60, batch=64, lr=3e-3, warmup=50, lam_anchor=lam, eval_every=25, log_every=25
            ),
            anchors=anchors,
            progress=False,
        )
        for seed in range(3):
            for side, name in enumerate(("decoder", "encoder")):
                for measure, figure in enumerate(("recovery_95", "mip")):
                    ours = [one[side, measure, half, seed] for one in curves.figures[1:]]
                    assert history.column(f"{name}_{figure}", seed) == pytest.approx(ours, abs=1e-4)
    assert curves.steps == [0, 25, 50, 60] and curves.samples[-1] == 60 * 64 and curves.done


def test_without_a_pull_both_sets_are_the_same_training():
    for race in (TINY, training_explorer().race):
        curves = replace(race, lam_anchor=0.0, steps=30).train()
        assert not curves.paired(0).any() and not curves.paired(1).any()
    pulled = replace(TINY, lam_anchor=3.0).train()
    assert pulled.paired(1).any() and not pulled.paired(1)[0].any()  # alike at the start


def test_anchored_features_are_left_out():
    trainer, truth = TINY.start()
    assert truth.shape == (6, 9, 8) and torch.equal(truth[:3], truth[3:])
    for bench, held_out in zip([shared.bench for shared in trainer.data[:3]], truth):
        shown = Anchors.of_truth(bench, 4).W_D
        assert best_matches(held_out.mT, shown).max() < 0.95  # none of them is an anchor
    assert trainer.data[0] is trainer.data[3]
    assert torch.equal(trainer.batch(7)[0][:3], trainer.batch(7)[0][3:])


def test_controls_change_what_they_say_and_nothing_else():
    losses = {
        name: replace(TINY, **{name: value}).start()[0]
        for name, value in (("sham", True), ("both", False), ("anchors", 4))
    }
    usual = losses.pop("anchors")
    for trainer in losses.values():
        assert all(
            torch.equal(*pair) for pair in zip(trainer.model.parameters(), usual.model.parameters())
        )
        assert torch.equal(trainer.batch(0)[0], usual.batch(0)[0])
    shown, sham = usual.anchor_loss.columns, losses["sham"].anchor_loss.columns
    assert sham.norm(dim=-2) == pytest.approx(1, abs=1e-6)
    assert not torch.allclose(shown, sham)
    assert torch.equal(replace(TINY, sham=True).start()[1], TINY.start()[1])
    for trainer, rows_too in ((usual, True), (losses["both"], False)):
        trainer.anchor_loss(trainer.model).backward()
        W_E, W_D = trainer.model.W_E.grad, trainer.model.W_D.grad
        assert (W_E is not None and bool(W_E[3:, :4].any())) is rows_too
        assert W_D[3:, :, :4].any()
        assert not W_D[:3].any()
        assert not W_D[..., 4:].any()
    assert replace(TINY, clip=training.NO_CLIP, lr=0.01).start()[0].config == replace(
        usual.config, clip=training.NO_CLIP, lr=0.01
    )


def test_rows_are_means_and_intervals():
    curves = TINY.train()
    data = rows.race_rows(curves)
    pick = lambda kind, line: {
        name: column[(data["kind"] == kind) & (data["value"] == line)]
        for name, column in data.items()
    }
    last = curves.figures[-1]
    for kind, line, seeds in (
        (Panel.FOUND, Line.PLAIN_D, last[0, 0, 0]),
        (Panel.COSINE, Line.ANCHORED_E, last[1, 1, 1]),
        (Panel.DIFFERENCE, Line.PAIRED, last[0, 0, 1] - last[0, 0, 0]),
    ):
        drawn, one = pick(kind, line), interval(seeds)
        assert [drawn[name][-1] for name in ("y", "low", "high")] == pytest.approx(
            [one.value, one.low, one.high], abs=1e-6
        )
        assert drawn["x"].tolist() == curves.samples
    assert pick(Panel.COSINE, Line.NULL)["y"] == pytest.approx(curves.null[1])
    assert curves.null[1] > 0.5
    assert curves.difference(60).value == pytest.approx(curves.paired()[-1].mean())
    assert curves.difference().value == pytest.approx(curves.paired().mean())


def test_encoder_rows_sit_where_the_theory_puts_them():
    bench = LinearRepresentationBench(6, 8, 0.9, 0.4, seed=3)
    for make, place in ((ideal_weights, Vector.IDEAL), (pseudo_inverse_weights, Vector.DUAL)):
        weights = make(bench.problem, 10)
        data = rows.encoder_rows(weights.W_E, weights.W_D, bench.W_p)
        points = lambda kind: np.stack([data[c][data["kind"] == kind] for c in "xy"])
        assert points(Vector.TRAINED) == pytest.approx(points(place), abs=1e-6)
        assert points(Vector.COLUMN)[0] == pytest.approx(1, abs=1e-6)
    assert points(Vector.IDEAL)[1] == pytest.approx(points(Vector.DUAL)[0], abs=1e-6)
    assert points(Vector.RANDOM)[0].max() < 0.99


def test_the_survey_on_disk_is_whole_and_says_how_it_was_made():
    found = survey.load_survey()
    assert found["setting"]["seeds"] == list(range(10))
    assert found["wall_time_s"] > 60
    assert found["torch"]
    assert found["python"]
    assert not re.search(r"/work|/home|/tmp|@|[0-9a-f]{12}", survey.RESULTS.read_text())
    cells = found["grid"]
    assert [cell["changed"] for cell in cells] == survey.CHANGES
    setting = [cell for cell in cells if replace(survey.LONG, **cell["changed"]) == survey.LONG]
    assert len(setting) == 7 and all(cell["found"] == setting[0]["found"] for cell in setting)
    for cell in cells:
        counts = np.array(cell["found"])
        assert counts.shape == (3, 2, 10) and 0 <= counts.min() and counts.max() <= cell["of"]
        # no anchors: the same training
        assert (counts[:, 0] == counts[:, 1]).all() or cell["changed"] != {"anchors": 0}
    data = survey.survey_rows(cells)
    for kind in range(3):
        here = data["kind"] == kind
        assert data["y"][here].tolist() == list(range(len(cells)))
        for i, cell in enumerate(cells):
            plain, anchored = np.array(cell["found"][kind]) / cell["of"]
            assert data["x"][here][i] == pytest.approx((anchored - plain).mean(), abs=1e-6)
            assert data["value"][here][i] == (data["low"][here][i] > 0) - float(
                data["high"][here][i] < 0
            )
    assert len(set(survey.cell_names(cells))) == len(cells)
    relu = rows.survey.relu_rows(found["relu_grid"])
    assert len(found["relu_grid"]) == 2 * len(survey.L1)
    assert len(relu["x"]) == 3 * len(found["relu_grid"])


def test_one_cell_of_the_survey_again():
    cell = next(cell for cell in survey.load_survey()["grid"] if cell["changed"] == {"k": 2})
    again = replace(survey.LONG, k=2).train(upto=survey.TIMES[0])
    counts = np.rint(again.figures[-1][0, 0] * 24)
    assert np.abs(counts - np.array(cell["found"][0])).max() <= 3
