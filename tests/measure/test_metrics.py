"""What the metrics say of models made by hand; and bad input is named."""

import math

import pytest
import torch
from handmade_for_tests import bench, model_of
from strategies import randn

from sdl_theory import Problem, Weights, ideal_weights, mirrored_weights, pseudo_inverse_weights
from sdl_theory.estimate import interval
from sdl_theory.measure.firing import activation_f1, explained_variance
from sdl_theory.measure.latents import strictly_dead
from sdl_theory.measure.matching import best_matches, gt_recovery, max_inner_product, recovery_curve
from sdl_theory.measure.recovery import null_baseline
from sdl_theory.measure.report import evaluate


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: best_matches(torch.ones(2, 3), torch.ones(4, 2)), "agree on d"),
        (
            lambda: best_matches(torch.full((2, 3), torch.nan), torch.ones(3, 2)),
            "rows must be finite",
        ),
        (lambda: best_matches(torch.ones(2, 3), torch.zeros(3, 2)), "column 0 of truth is zero"),
        (lambda: best_matches(torch.ones(2, 2, 3), torch.ones(5, 3, 2)), "5 instances"),
        (lambda: gt_recovery(torch.tensor([0.5, torch.nan])), "matches must be finite"),
        (lambda: gt_recovery(torch.tensor([0.5]), math.nan), "tau"),
        (lambda: gt_recovery(torch.zeros(0)), "shape"),
        (lambda: recovery_curve(torch.ones(2, 3)), "shape"),
        (lambda: null_baseline(3, torch.eye(3), draws=0), "draws"),
        (lambda: null_baseline(3, torch.eye(3), norms=torch.ones(2)), r"\(3,\)"),
        (lambda: interval([]), "at least one"),
        (lambda: interval([1.0, math.inf]), "finite"),
        (lambda: strictly_dead(torch.ones(2, 3), torch.ones(3, 2), math.nan), "theta"),
        (lambda: explained_variance(torch.ones(4, 3), torch.ones(4, 3)), "varies by 0"),
        (
            lambda: explained_variance(randn(0, 4, 3), torch.full((4, 3), torch.nan)),
            "x_hat must be finite",
        ),
        (lambda: explained_variance(randn(0, 4, 3), torch.ones(4, 2)), "shape"),
        (
            lambda: activation_f1(torch.ones(4, 2), torch.ones(4, 3, dtype=torch.bool)),
            "fired must be bool",
        ),
        (
            lambda: activation_f1(
                torch.ones(4, 2, dtype=torch.bool), torch.ones(5, 3, dtype=torch.bool)
            ),
            "active must be bool",
        ),
        (
            lambda: activation_f1(
                torch.ones(4, 2, dtype=torch.bool), torch.zeros(4, 3, dtype=torch.bool)
            ).mean(),
            "no feature was active",
        ),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_the_pseudo_inverse_scores_everything_in_its_decoder_and_less_in_its_encoder():
    lrb = bench()
    report = evaluate(
        model_of(pseudo_inverse_weights(lrb.problem, 15), "jumprelu", theta=0.5), lrb, samples=500
    )
    decoder, encoder, x = report.of("decoder"), report.of("encoder"), lrb.sample(500, seed=1).x
    assert decoder.recovery == {0.9: 1, 0.95: 1}
    assert decoder.mip == pytest.approx(1) == decoder.mcc
    assert decoder.latents.tolist() == list(range(12))
    dual = torch.linalg.pinv(lrb.problem.W_p)
    assert encoder.mip == pytest.approx((1 / dual.norm(dim=1)).mean().item()) and encoder.mip < 0.98
    assert (
        report.of("encoder", "raw").mip
        == pytest.approx((dual @ lrb.problem.W_p).abs().amax(0).mean().item())
        == pytest.approx(1)
    )
    assert report.loss < 1e-25
    assert report.explained_variance == pytest.approx(1)
    assert report.f1_best == report.f1_matched == 1
    assert report.l0 == pytest.approx((x > 0).sum().item() / 500)
    assert report.dead == pytest.approx(3 / 15)
    assert report.duplicate == report.mirrored == 0
    assert report.strictly_dead == report.dead, "under JumpReLU a zero row is strictly dead"


def test_the_truth_as_encoder_is_recovered_and_the_mirrored_zero_loss_is_not():
    lrb = bench(10, 24, mu=0.1)
    ideal = evaluate(model_of(ideal_weights(lrb.problem, 12)), lrb, samples=200)
    assert all(one.recovery[0.95] == 1 and one.mip == pytest.approx(1) for one in ideal.recoveries)
    mirrored = evaluate(
        model_of(mirrored_weights(lrb.problem, 48, torch.linalg.qr(randn(0, 24, 24)).Q)),
        lrb,
        samples=200,
    )
    assert mirrored.loss < 1e-25
    assert mirrored.mirrored == 1
    assert mirrored.l0 == pytest.approx(24, rel=0.2)
    assert all(one.recovery[0.9] == 0 and one.mip < 0.8 for one in mirrored.recoveries)
    assert mirrored.of("decoder").null.mip.value == pytest.approx(
        mirrored.of("decoder").mip, abs=0.1
    )


@pytest.mark.parametrize(
    "method, options", [("relu", {}), ("topk", dict(k=3)), ("topk", dict(k=3, plain=True))]
)
def test_the_literal_metric_is_not_invariant_and_cosines_are(method, options):
    """(t W_E, W_D / t) is the same function under ReLU and Top-k.

    Section 5.1's M_IP is t times as large, and M_GT goes from 0% to 100%.
    """
    lrb = bench()
    weights, found = ideal_weights(lrb.problem, 15), {}
    for t in (0.9, 1.0):
        made = model_of(Weights(t * weights.W_E, weights.W_D / t), method, **options)
        found[t] = evaluate(made, lrb, samples=500).summary() | dict(
            literal=best_matches(made.W_E, lrb.W_p, cosine=False)
        )
    small, large = found[0.9], found[1.0]
    assert small["loss"] == pytest.approx(large["loss"], rel=1e-12)
    assert small["l0"] == large["l0"]
    assert large["loss"] > 0
    assert (small["encoder_raw_recovery_95"], large["encoder_raw_recovery_95"]) == (0, 1)
    assert small["encoder_raw_mip"] == pytest.approx(0.9 * large["encoder_raw_mip"], rel=1e-12)
    assert torch.equal(small["literal"] > 0.95, torch.zeros(12, dtype=torch.bool))
    assert (large["literal"] > 0.95).all()
    assert (
        small["decoder_raw_recovery_95"]
        == large["decoder_raw_recovery_95"]
        == 1
        < small["decoder_raw_mip"]
    )
    for name in ("encoder_recovery_95", "decoder_recovery_95", "encoder_mip", "decoder_mip"):
        assert (
            small[name] == pytest.approx(large[name], rel=1e-12) == pytest.approx(1, rel=1e-12)
        ), name


@pytest.mark.parametrize("blocks", [2, 3])
def test_a_crosscoder_of_unit_blocks_cannot_reach_95_by_the_literal_metric(blocks):
    """Rows w_p^d / m against truth columns of norm sqrt(m), normalized whole: 1 / sqrt(m).

    That is <w_p / m, w_p / sqrt(m)>, .707 for two blocks.
    """
    lrb = bench(12, 12 * blocks, mu=0.5, kind="crosscoder", blocks=blocks)
    W = lrb.problem.W_p
    assert torch.allclose(W.norm(dim=0), torch.tensor(blocks, dtype=W.dtype).sqrt(), rtol=1e-12)
    ideal = ideal_weights(lrb.problem, 12)
    assert torch.allclose(ideal.W_E, W.mT / blocks, rtol=1e-12)
    assert torch.allclose((ideal.W_E @ W).diagonal(), torch.ones(12, dtype=W.dtype), rtol=1e-12)
    literal = best_matches(ideal.W_E, W, cosine=False)
    assert literal.tolist() == pytest.approx([1 / math.sqrt(blocks)] * 12, rel=1e-12)
    assert gt_recovery(literal, 0.95) == 0
    if blocks == 2:
        assert round(max_inner_product(literal), 3) == 0.707
    assert gt_recovery(best_matches(ideal.W_E, W), 0.95) == 1, "by cosine W* is found whole"
    assert (ideal.W_E @ W).abs().amax(0).tolist() == pytest.approx([1] * 12, rel=1e-12), (
        "with columns as they are it would score 1"
    )


def test_anchored_features_do_not_count():
    """A model that holds the anchored features alone has recovered nothing.

    One that holds the others has recovered all.
    """
    lrb, shown = bench(10, 24, mu=0.1), [0, 4, 9]
    others = [d for d in range(10) if d not in shown]
    for held, score in ((shown, 0), (others, 1)):
        rows = torch.zeros(10, 24, dtype=torch.float64)
        rows[held] = lrb.W_p.mT[held]
        model = model_of(Weights(rows, rows.mT))
        report = evaluate(model, lrb, anchored=shown, samples=200)
        assert report.of("decoder").recovery[0.95] == score == report.of("encoder").recovery[0.95]
        assert evaluate(model, lrb, samples=200).of("decoder").recovery[0.95] == len(held) / 10
    assert "(3 anchored ones left out)" in str(report)


def test_a_crosscoder_is_compared_in_whole_stacked_columns():
    lrb = bench(12, 20, mu=0.5, kind="crosscoder", blocks=(8, 12))
    report = evaluate(model_of(ideal_weights(lrb.problem, 12)), lrb, samples=200)
    assert report.of("encoder").mip == pytest.approx(1) == report.of("decoder", "cosine").mip
    assert report.of("encoder", "raw").mip == pytest.approx(1 / math.sqrt(2))
    assert report.of("decoder", "raw").mip == pytest.approx(math.sqrt(2))
    half = lrb.W_p.mT.clone()
    half[:, 8:] = 0  # the right first block alone is half a feature
    assert evaluate(model_of(Weights(half, half.mT)), lrb, samples=200).of("decoder").mip < 0.95


def test_a_report_of_float32_is_that_of_float64():
    weights = pseudo_inverse_weights(Problem(bench().problem.W_p), 15)
    double = evaluate(model_of(weights, "jumprelu", theta=0.5), bench(), samples=300).summary()
    single = evaluate(
        model_of(weights.to(torch.float32), "jumprelu", theta=0.5), bench(), samples=300
    ).summary()
    nulls = {name for name in double if "null" in name}  # other random numbers are drawn in float32
    assert {k: v for k, v in single.items() if k not in nulls} == pytest.approx(
        {k: v for k, v in double.items() if k not in nulls}, rel=1e-5, abs=1e-6
    )
