"""Figures 4 and 6: how ends are told apart, counts against thresholds, and the files of both."""

import json
from dataclasses import replace

import pytest
import torch

from sdl_theory import Problem, SDLModel, approximate_loss, gt_recovery, mirrored_weights
from sdl_theory.__main__ import main
from sdl_theory.experiments import presets
from sdl_theory.experiments.paper import plane, runs, thresholds
from sdl_theory.experiments.paper.kept import Kept
from sdl_theory.experiments.paper.lines import lines
from sdl_theory.experiments.paper.plane import CROSS, ENDS, Plane, in_plane
from sdl_theory.weights import Weights

PROBLEM = Problem(in_plane(*CROSS))


def judged(*points, sparsity=0.0):
    """What `plane` makes of these weights."""
    model = SDLModel(2, 4, method="relu", instances=len(points), dtype=torch.float64)
    with torch.no_grad():
        for name in ("W_E", "W_D"):
            getattr(model, name).copy_(torch.stack([getattr(one, name) for one in points]))
    W_p = PROBLEM.W_p.expand(len(points), 2, 4)
    return plane._judged(Plane(sparsity=sparsity), W_p, model)


def test_four_ends_are_told_apart():
    truth = Weights(PROBLEM.W_p.mT, PROBLEM.W_p)
    turned = mirrored_weights(PROBLEM, 4, in_plane(55, 145).mT)
    # the first row tilted: it fires for feature 2 as well, which the fitted decoder makes good
    rows = in_plane(10 + 60, 100, 190, 280).mT.contiguous()
    other = Weights(rows, PROBLEM.W_p @ torch.linalg.inv(torch.relu(rows @ PROBLEM.W_p)))
    nothing = Weights(
        torch.zeros(4, 2, dtype=torch.float64), torch.zeros(2, 4, dtype=torch.float64)
    )
    seen = judged(truth, turned, other, nothing)
    assert [ENDS[place] for place in seen.ends] == list(ENDS)
    assert seen.loss[-1] == pytest.approx(4 * PROBLEM.M_d[0].item())
    # an L1 term leaves a little loss everywhere, and is allowed it
    little = judged(Weights(PROBLEM.W_p.mT * 0.99, PROBLEM.W_p))
    assert ENDS[little.ends[0]] == "loss left"
    assert ENDS[replace(little, cell=Plane(sparsity=0.03)).ends[0]] == "the truth"


def test_loss_and_stream_are_those_of_the_theory():
    start, *_, end = plane.course(Plane(), runs=6, steps=40, every=20)
    for one in (start, end):
        for i in range(6):
            point = Weights(one.W_E[i], one.W_D[i])
            assert one.loss[i].item() == pytest.approx(approximate_loss(PROBLEM, point))
    assert end.loss.mean() < 0.5 * start.loss.mean()
    x = plane.Stream(PROBLEM.W_p.expand(3, 2, 4), 0.75, 0).batch(2, 400).x_p
    assert x.shape == (3, 400, 2) and not torch.equal(x[0], x[1])
    silent = (x == 0).all(-1).double().mean().item()
    assert silent == pytest.approx(0.75**4, abs=0.05)


def test_the_truth_stays_and_the_same_seed_is_the_same_training():
    ideal = plane.train(Plane(start="ideal"), runs=5, steps=400)
    assert (ideal.ends == 0).all() and ideal.loss.max() < 1e-20
    again = [plane.train(Plane(features="random"), runs=5, steps=30).W_E for _ in range(2)]
    assert torch.equal(*again)
    kept = plane.kept(ideal)
    assert kept["ends"] == {name: 5 * (name == "the truth") for name in ENDS}
    (row,) = plane.ended([kept])
    assert (row.truth.value, row.truth.high, row.loss_left.value) == (1, 1, 0)
    assert 0.5 < row.truth.low < 0.6  # Wilson's, of five


@pytest.fixture
def tiny(monkeypatch):
    own = presets.PRESETS["demo"]
    config = replace(own.config, steps=60, batch=32, log_every=20, checkpoint_every=0, eval_every=0)
    small = replace(
        own, bench=dict(n=16, n_p=12, S=0.9, mu=0.5), n_q=24, anchors=3, config=config, rows={}
    )
    monkeypatch.setitem(presets.PRESETS, "demo", small)
    monkeypatch.setattr(runs, "SAMPLES", 50)


@pytest.mark.parametrize("method, arm", [("topk", "anchored"), ("transcoder", "plain")])
@pytest.mark.parametrize("batched", [True, False])
def test_the_curve_at_95_is_the_tables_figure(tiny, monkeypatch, method, arm, batched):
    for module in (runs, thresholds):
        monkeypatch.setattr(module, "together", lambda preset, seeds, device="cpu": batched)
    curve = thresholds.run(method, arm, preset="demo", seeds=[0, 1])
    line = next(line for line in lines(1) if line.method == method)
    figures = runs.run(line, arm, "demo", [0, 1], progress=False)["figures"]
    at = thresholds.TAUS.index(0.95)
    for measure in ("encoder_raw", "encoder", "decoder"):
        share = [found[at] / curve["heldout"] for found in curve["found"][measure]]
        assert share == pytest.approx(figures[f"{measure}_recovery_95"], abs=1e-6)
    assert curve["heldout"] == 13
    for found in sum(curve["found"].values(), []):
        assert found == sorted(found, reverse=True) and len(found) == len(thresholds.TAUS)


def test_counts_are_the_recovery_at_each_threshold():
    matches = torch.rand(40, generator=torch.Generator().manual_seed(0), dtype=torch.float64) + 0.2
    shares = [gt_recovery(matches, tau) for tau in thresholds.TAUS]
    assert [count / 40 for count in thresholds.above(matches)] == pytest.approx(shares)


def test_a_figure_goes_on_with_its_file(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(plane, "CELLS", [Plane(), Plane(start="ideal")])
    monkeypatch.setattr(plane, "RUNS", 4)
    monkeypatch.setattr(plane, "STEPS", 6)
    train = plane.train
    monkeypatch.setattr(plane, "train", lambda cell: train(cell, runs=4, steps=6))
    out = tmp_path / "figure_4.json"
    assert main(["figure", "4", "--out", str(out)]) == 0
    whole = json.loads(out.read_text())
    assert [row["start"] for row in whole["rows"]] == ["random", "ideal"]
    out.write_text(json.dumps(whole | dict(rows=whole["rows"][:1])))
    assert main(["figure", "4", "--out", str(out)]) == 0
    assert json.loads(out.read_text())["rows"] == whole["rows"]
    assert "opposite_pairs" in capsys.readouterr().out
    out.write_text(json.dumps(whole | dict(steps=7)))
    assert main(["figure", "4", "--out", str(out)]) == 1
    assert "holds other runs (figure 4, starts 4, steps 7)" in capsys.readouterr().err
    for damage in ("{", "[]", '{"figure": 4}'):
        out.write_text(damage)
        with pytest.raises(ValueError, match="is no record of a figure"):
            Kept(out, dict(figure=4))
