"""The same for lessons 11 to 14, from the records that these lessons read."""

import json
from pathlib import Path

import torch

from sdl_theory import LinearRepresentationBench, best_matches, null_baseline
from sdl_theory.experiments.language.compare import ended
from sdl_theory.experiments.paper import bound, sensitivity
from sdl_theory.experiments.paper.compare import FOUND, compare
from sdl_theory.experiments.paper.page import stored
from sdl_theory.experiments.paper.trials import Trials, kept_at
from sdl_theory.experiments.real.compare import compare as compare_real
from sdl_theory.experiments.real.compare import controls
from widgets.rows.language import load_language, of_kind
from widgets.rows.real import load_real, mean_rows, shipped
from widgets.rows.survey import load_survey, paired
from widgets.rows.training import NO_CLIP

RESULTS = Path(__file__).resolve().parents[1] / "notebooks/results"


def cell(**changed):
    return next(one for one in load_survey()["grid"] if one["changed"] == changed)


def points(estimate):
    return tuple(round(100 * one) for one in (estimate.value, estimate.low, estimate.high))


def null():
    weak = next(
        one
        for one in load_survey()["relu_grid"]
        if one["method"] == "relu" and one["sparsity"] == 0.003
    )
    mean = lambda name: sum(weak[name]) / len(weak[name])
    bench = LinearRepresentationBench(n=40, n_p=31, S=0.95, mu=0.3, samples=None)
    chance = null_baseline(80, bench.W_p).mip.value
    assert round(mean("decoder_mip"), 2) == 0.57 and round(chance, 2) == 0.46
    assert round(mean("explained_variance"), 2) == 0.99
    found = mean("decoder_recovery_95")
    return [found < 0.01 and 0 < mean("decoder_mip") - chance < 0.15, found > 0.5, False]


def sham():
    true, random = cell(lam_anchor=1.0, anchors=4), cell(lam_anchor=1.0, anchors=4, sham=True)
    leads = [paired(one, 0) for one in (true, random)]
    assert [points(one)[0] for one in leads] == [34, 26]
    return [None, None, leads[1].low > 0 and leads[1].value > leads[0].value / 2]


def clip():
    clipped, free = paired(cell(lam_anchor=1.0), 0), paired(cell(clip=NO_CLIP, lam_anchor=1.0), 0)
    assert points(clipped) == (36, 27, 45) and points(free) == (0, -5, 6)
    return [clipped.low > free.high, clipped.low < 0, free.high < 0]


def mean():
    least = bound.least_mip(1.0)
    return [least <= 0.436, least == 1, abs(least - 0.95) < 1e-12]


def oversham():
    rows = {row.line: row for row in compare({one.table: one for one in stored("demo")}[1], FOUND)}
    gain, over = rows["topk"].gain, rows["topk"].over_sham
    assert [round(100 * one, 1) for one in (gain.value, gain.low, gain.high)] == [-0.2, -1.4, 0.9]
    helps = {name for name, row in rows.items() if row.direction == "reproduced"}
    assert helps == {"matryoshka", "transcoder"}
    return [over.value >= 0.1 and gain.low < 0 < gain.high, gain.low > 0, not helps]


def plane():
    cells = json.loads((RESULTS / "figure_4.json").read_text(encoding="utf-8"))["rows"]
    end = lambda sparsity, name: next(
        one["ends"][name] / one["runs"]
        for one in cells
        if (one["features"], one["S"], one["sparsity"], one["start"])
        == ("cross", None, sparsity, "random")
    )
    shares = [end(0, name) for name in ("the truth", "opposite pairs", "zero loss, other")]
    assert shares == [0.015, 0.18, 0.645] and end(0.03, "the truth") == 0.945
    return [shares[0] > 0.5, 0 < shares[0] < 0.02, shares[0] == 0]


def recipe():
    trials = Trials("demo", range(5), kept_at("demo"))
    moved = {row.move: row for row in sensitivity.sensitivity(trials, "transcoder")}
    own, slow = moved["as it is"], moved["lr / 3"]
    turned = (own.found_verdict, slow.found_verdict) == ("reproduced", "not")
    return [None, None, turned and own.found_gain.low > 0 > slow.found_gain.high]


def one():
    raw, told = shipped("layer5")[0], mean_rows("layer5", 0.0)[1]
    assert raw.K == 200 and 0.7 < raw.mean_share < 0.8
    scores = [round(told[name], 2) for name in ("the mean alone", "relabelled alone")]
    assert scores == [0.92, 0.92]
    return [None, told["median"] > 0.8, None]


def nonsense():
    """Layer 5, TopK. Raw: no more gain on classes than on nonsense. Centred: little gain."""
    record = load_real()
    held = {row.case: row for row in controls(record, "encoder_mip_others") if row.method == "topk"}
    gain = {
        row.case: row.anchored.value - row.plain.value
        for row in compare_real(record, "encoder_mip_others")
        if row.method == "topk"
    }
    same = held["layer5, raw"].of_classes == "not higher"
    assert gain["layer5, centred"] < 0.3 * gain["layer5, raw"]
    return [None, not same, same]


def above_one():
    row, target = torch.tensor([[3.0, 0.0]]), torch.tensor([[1.0], [0.0]])
    best = best_matches(row, target, cosine=False).item()
    record = [r for r in compare_real(load_real(), "encoder_raw_mip_others") if r.method == "topk"]
    assert max(r.anchored.value for r in record) > 3
    return [best == 3, best_matches(row, target).item() > 1, None]


def asleep():
    rows = [r["figures"] for r in of_kind(load_language(), "sae") if r["arm"] == "nothing"]
    mean = lambda name: sum(r[name] for r in rows) / len(rows)
    strictly = mean("strictly_dead") / mean("silent")
    assert round(mean("lengthen"), 1) == 1.4
    return [strictly > 0.5, None, strictly < 0.05]


def samples():
    loss = {r.arm: r.loss.value for r in ended(of_kind(load_language(), "sae"))}
    assert loss["resampling"] > 3 * loss["nothing"]
    return [None, loss["residuals"] > loss["nothing"], None]


def count():
    rows = {r.arm: r for r in ended(of_kind(load_language(), "sae"))}
    aux, residuals = rows["auxk"], rows["residuals"]
    assert [round(100 * r.dead.value, 1) for r in (aux, residuals)] == [5.5, 24.2]
    assert [round(r.loss.value, 3) for r in (aux, residuals)] == [0.116, 0.115]
    apart = aux.loss.low > residuals.loss.high
    return [aux.loss.high < residuals.loss.low, apart, not apart]
