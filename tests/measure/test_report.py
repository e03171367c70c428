"""`evaluate`: its figures are those of the functions; how a report prints, flattens and refuses."""

import json
import math

import pytest
import torch
from handmade_for_tests import bench, model_of
from strategies import randn

from sdl_theory import ideal_weights
from sdl_theory.measure.firing import activation_f1, dead, explained_variance, l0
from sdl_theory.measure.latents import duplicate, mirrored_share, strictly_dead
from sdl_theory.measure.matching import best_matches, best_pairs, gt_recovery, mcc
from sdl_theory.measure.recovery import null_baseline
from sdl_theory.measure.report import evaluate
from sdl_theory.training.methods import METHODS
from sdl_theory.training.model import SDLModel


def a_model_with_mirrored_and_doubled_latents() -> SDLModel:
    model = SDLModel(
        12, 30, 9, "topk", k=4, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    model.W_E.data *= randn(0, 30, 1).abs()
    model.W_E.data[25:28] = -model.W_E.data[:3]
    model.W_D.data[:, 16:24] = model.W_D.data[:, :8]
    model.W_E.data[16:18] = 0
    return model


def check_recovery(one, rows, truth, taus):
    """A Recovery's figures are those of the functions that give them one by one."""
    raw = one.measure == "raw"
    matches = best_matches(rows, truth, cosine=not raw)
    assert torch.equal(one.matches, matches)
    assert one.recovery == {tau: gt_recovery(matches, tau) for tau in taus}
    null = null_baseline(
        len(rows),
        truth,
        draws=3,
        taus=taus,
        norms=rows.norm(dim=1) if raw else None,
        generator=torch.Generator().manual_seed(5),
    )
    assert one.null.mip.value == pytest.approx(null.mip.value)
    assert one.null.recovery[0.6].high == pytest.approx(null.recovery[0.6].high)
    assert one.mcc == (None if raw else mcc(rows, truth))


def test_figures_are_those_of_the_functions():
    lrb = bench(20, 12, mu=0.4, n_r=9, kind="transcoder")
    model, anchored, taus = a_model_with_mirrored_and_doubled_latents(), (3, 7), (0.6, 0.995)
    report = evaluate(
        model, lrb, anchored=anchored, samples=300, seed=5, taus=taus, batch=77, null_draws=3
    )
    batch = lrb.sample(300, seed=5)
    W_E, W_D, codes = model.W_E.detach(), model.W_D.detach(), model.encode(batch.x_p).detach()
    kept = [d for d in range(20) if d not in anchored]
    assert report.heldout.tolist() == kept
    for measure in ("cosine", "raw"):
        check_recovery(report.of("encoder", measure), W_E, lrb.W_p[:, kept], taus)
        check_recovery(report.of("decoder", measure), W_D.mT, lrb.W_r[:, kept], taus)
    scores = activation_f1(codes > 0, batch.x[:, kept] > 0, best_pairs(W_D.mT, lrb.W_r[:, kept])[1])
    assert report.f1_best == pytest.approx(scores.mean())
    assert report.f1_matched == pytest.approx(scores.mean("matched"))
    assert report.l0 == pytest.approx(l0(codes)) and report.dead == dead(codes).double().mean()
    guess = model(batch.x_p).detach()
    assert report.loss == pytest.approx((guess - batch.x_r).square().sum(1).mean().item())
    assert report.explained_variance == pytest.approx(explained_variance(batch.x_r, guess))
    assert report.strictly_dead == strictly_dead(W_E, lrb.W_p).double().mean()
    assert report.mirrored == mirrored_share(W_E) > 0
    assert report.duplicate == duplicate(W_D, ~dead(codes)) != duplicate(W_D)


class Bare:
    """The four things that `evaluate` asks of a model, and no more."""

    def __init__(self, W_E, W_D):
        self.W_E, self.W_D = W_E, W_D

    def encode(self, x_p):
        return (x_p @ self.W_E.mT).relu()

    def decode(self, codes):
        return codes @ self.W_D.mT


def test_a_model_needs_four_things():
    made = SDLModel(
        16, 30, method="relu", generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    made.W_E.data[:4] = -torch.linalg.pinv(bench().W_p).sum(0)  # no feature fires these
    bare = Bare(made.W_E.detach(), made.W_D.detach())
    report, same = (evaluate(one, bench(), samples=300) for one in (made, bare))
    assert report.summary() == same.summary() and str(report) == str(same)
    assert report.strictly_dead == 4 / 30
    bare.firing_level = torch.full((30,), 1e9)
    assert evaluate(bare, bench(), samples=300).strictly_dead == 1


@pytest.mark.parametrize("method", METHODS)
def test_instances_are_reported_as_if_each_were_alone(method):
    benches = [bench(10, 8, mu=0.5, seed=i) for i in range(3)]
    kwargs = dict(k=3) if method in ("topk", "batchtopk", "matryoshka") else {}
    model = SDLModel(
        8,
        14,
        method=method,
        instances=3,
        generator=torch.Generator().manual_seed(0),
        dtype=torch.float64,
        **kwargs,
    )
    if method in ("batchtopk", "matryoshka"):
        model.theta += torch.tensor([0.1, 0.3, 0.5])
    shown = [[1], [2, 3], []]
    reports = evaluate(model, benches, anchored=shown, samples=100, batch=16)
    for i, report in enumerate(reports):
        alone = evaluate(model.instance(i), benches[i], anchored=shown[i], samples=100)
        assert report.summary() == pytest.approx(alone.summary(), rel=1e-9, abs=1e-12)
    shared = evaluate(model, benches[1], anchored=[2, 3], samples=100)
    assert shared[1].summary() == pytest.approx(reports[1].summary(), rel=1e-9)
    assert len(shared[0].heldout) == 8


def a_report():
    lrb, anchored = bench(S=0.9), torch.tensor([0, 1])
    model = model_of(ideal_weights(lrb.problem, 14))
    return evaluate(model, lrb, anchored=anchored, samples=200, taus=(0.9, 0.995))


def test_report_prints_and_flattens():
    report = a_report()
    flat, table = report.summary(), report.table()
    assert json.loads(json.dumps(flat)) == flat
    assert all(isinstance(value, (int, float)) for value in flat.values())
    assert flat["decoder_recovery_99_5"] == 1 and flat["heldout"] == 10 and "mip" not in flat
    assert flat["null_mip"] == flat["decoder_null_mip"] < 1
    recovery = {"encoder_mip", "encoder_raw_recovery_90", "encoder_null_recovery_90", "decoder_mcc"}
    assert recovery | {"loss", "l0", "strictly_dead", "f1_best"} <= set(flat)
    assert table[2].recovery_90 == flat["decoder_recovery_90"]
    assert table[2].null_mip == flat["null_mip"] and table[3].mcc is None
    assert str(table) in str(report) and "<table>" in table._repr_html_()
    assert "10 held-out features (2 anchored ones left out), n_q = 14" in str(report)
    taus, shares = report.of("encoder").curve
    assert shares[taus <= 0.99].min() == 1 and shares[-1] == 0


def test_a_report_has_the_paper_s_own_metric_first():
    report = a_report()
    order = [(one.side, one.measure) for one in report.recoveries]
    measures = ("raw", "cosine", "cosine", "raw")
    assert order == list(zip(("encoder", "encoder", "decoder", "decoder"), measures))
    assert order == [(row.side, row.measure) for row in report.table()]
    mips = [name for name in report.summary() if name.endswith("_mip") and "null" not in name]
    assert mips == ["encoder_raw_mip", "encoder_mip", "decoder_mip", "decoder_raw_mip"]
    assert str(report).index("encoder  raw") < str(report).index("encoder  cosine")
    assert "encoder raw: the paper's metric (section 5.1, appendix B)" in str(report)


@pytest.mark.parametrize(
    "change, words",
    [
        (dict(anchored=range(12)), "none is left"),
        (dict(anchored=None), "None"),
        (dict(anchored=[12]), "outside"),
        (dict(anchored=[[0], [1]]), "2 lists of anchored features for 1"),
        (dict(bench=[bench(), bench()]), "2 benches for 1"),
        (dict(bench=bench(8, 10)), "n_p = 16 to n_r = 16, but the bench n_p = 10"),
        (dict(taus=[math.inf]), "tau"),
        (dict(samples=1), "samples"),
        (dict(null_draws=0), "draws"),
    ],
)
def test_evaluate_names_what_is_wrong(change, words):
    model = model_of(ideal_weights(bench().problem, 12))
    with pytest.raises(ValueError, match=words):
        evaluate(model, **dict(bench=bench()) | change)


@pytest.mark.parametrize("name", ["W_E", "W_D", "b_D"])
def test_a_diverged_model_is_named(name):
    lrb = bench()
    model = SDLModel(16, 12, biases=True, k=4, dtype=torch.float64)
    getattr(model, name).data[(0,) * getattr(model, name).ndim] = math.nan
    with pytest.raises(ValueError, match="finite"):
        evaluate(model, lrb, samples=50)
