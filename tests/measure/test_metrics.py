"""Recovery and latent metrics, against loops, scipy, and models made by hand."""

import itertools
import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import integrate, stats
from strategies import randn, unit

from sdl_theory import (
    Constant,
    Problem,
    Weights,
    ideal_weights,
    mirrored_weights,
    pseudo_inverse_weights,
)
from sdl_theory.estimate import interval
from sdl_theory.measure import matching
from sdl_theory.measure.firing import FiringCounts, activation_f1, dead, explained_variance, l0
from sdl_theory.measure.latents import duplicate, mirrored_share, strictly_dead
from sdl_theory.measure.matching import (
    best_matches,
    best_pairs,
    gt_recovery,
    hungarian,
    max_inner_product,
    mcc,
    recovery_curve,
)
from sdl_theory.measure.recovery import null_baseline, random_matches
from sdl_theory.measure.report import evaluate, firing_level
from sdl_theory.training.model import METHODS, SDLModel
from sdl_theory.truth.bench import LinearRepresentationBench


def bench(n=12, n_p=16, S=0.8, mu=0.3, **kwargs):
    return LinearRepresentationBench(
        n, n_p, S, mu, Constant(1.0), **dict(dtype=torch.float64) | kwargs
    )


def model_of(weights: Weights, method="relu", **kwargs) -> SDLModel:
    """A model that holds the given weights, (I, ...) ones too."""
    W_E, W_D = weights if isinstance(weights, tuple) else (weights.W_E, weights.W_D)
    model = SDLModel(
        W_E.shape[-1],
        W_E.shape[-2],
        W_D.shape[-2],
        method,
        dtype=W_E.dtype,
        instances=len(W_E) if W_E.ndim == 3 else None,
        **kwargs,
    )
    model.W_E.data, model.W_D.data = W_E.clone(), W_D.clone()
    return model


def cosines_by_loop(rows, truth):
    dot = lambda u, v: sum(a * b for a, b in zip(u, v))
    length = lambda u: math.sqrt(dot(u, u))
    return [
        [abs(dot(u, v)) / (length(u) * length(v)) if any(u) else 0.0 for u in rows.tolist()]
        for v in truth.mT.tolist()
    ]


# ---- matches


@pytest.mark.parametrize("chunk", [1, 7, 1 << 22])
@pytest.mark.parametrize("dtype, tolerance", [(torch.float64, 1e-14), (torch.float32, 1e-6)])
def test_best_matches_are_the_loop_s(monkeypatch, chunk, dtype, tolerance):
    monkeypatch.setattr(matching, "CHUNK", chunk)
    rows, truth = randn(0, 9, 4).to(dtype), 3 * randn(1, 4, 5).to(dtype)
    rows[3] = 0
    table = cosines_by_loop(rows, truth)
    matches, latents = best_pairs(rows, truth)
    assert matches.dtype == dtype and matches.tolist() == pytest.approx(
        [max(line) for line in table], abs=tolerance
    )
    assert latents.tolist() == [line.index(max(line)) for line in table]
    raw = [
        max(abs(sum(a * b for a, b in zip(u, v))) for u in rows.tolist())
        for v in unit(truth).mT.tolist()
    ]
    assert best_matches(rows, truth, cosine=False).tolist() == pytest.approx(
        raw, rel=10 * tolerance
    )


def test_signs_order_and_scale_of_rows_do_not_matter_to_cosines():
    rows, truth = randn(0, 30, 6), unit(randn(1, 6, 8))
    changed = (rows * randn(2, 30, 1).sign() * (10.0 ** randn(3, 30, 1)))[
        torch.randperm(30, generator=torch.Generator().manual_seed(0))
    ]
    assert torch.allclose(best_matches(rows, truth), best_matches(changed, truth), rtol=1e-13)
    assert not torch.allclose(
        best_matches(rows, truth, cosine=False), best_matches(changed, truth, cosine=False)
    )
    assert mcc(rows, truth) == pytest.approx(mcc(changed, truth), rel=1e-13)


def test_zero_and_tiny_rows_give_no_nan():
    truth = unit(randn(0, 5, 3)).float()
    assert (
        best_matches(torch.zeros(4, 5), truth).tolist()
        == best_matches(torch.zeros(4, 5), truth, cosine=False).tolist()
        == [0, 0, 0]
    )
    for size in (1e-30, 1e30):  # their squares under- and overflow float32
        assert torch.allclose(best_matches(truth.mT * size, truth), torch.ones(3), atol=1e-6)
    many = unit(randn(0, 50, 400)).float()
    assert (many.mT @ many).diagonal().max() > 1 >= best_matches(many.mT, many).max(), (
        "rounding makes no cosine above 1"
    )


def test_instances_are_matched_one_by_one():
    rows, truths = randn(0, 3, 7, 4), randn(1, 3, 4, 5)
    one_truth, own_truth = best_matches(rows, truths[0]), best_matches(rows, truths)
    for i in range(3):
        assert torch.equal(one_truth[i], best_matches(rows[i], truths[0])) and torch.equal(
            own_truth[i], best_matches(rows[i], truths[i])
        )
    assert gt_recovery(own_truth, 0.5).tolist() == [gt_recovery(one, 0.5) for one in own_truth]
    assert max_inner_product(own_truth).tolist() == [max_inner_product(one) for one in own_truth]


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


# ---- figures of the matches


def test_recovery_is_strict_and_the_curve_is_exact():
    matches = torch.tensor([0.5, 0.95, 1, 0.95, 0], dtype=torch.float64)
    assert (
        gt_recovery(matches) == 0.2
        and gt_recovery(matches, 0.94) == 0.6
        and gt_recovery(matches, 0) == 0.8
        and max_inner_product(matches) == pytest.approx(0.68)
    )
    taus, shares = recovery_curve(matches)
    assert taus.tolist() == [0, 0.5, 0.95, 1] and shares.tolist() == pytest.approx(
        [0.8, 0.6, 0.2, 0]
    )
    matches = best_matches(randn(0, 40, 5), randn(1, 5, 30)).float()
    taus, shares = recovery_curve(matches)
    assert shares[0] == 1 and shares[-1] == 0 and (shares.diff() < 0).all()
    between = torch.cat([taus, (taus[1:] + taus[:-1]) / 2, torch.tensor([1.5])]).sort().values
    assert recovery_curve(matches, between)[1].tolist() == pytest.approx(
        [gt_recovery(matches, tau) for tau in between.tolist()], abs=1e-15
    )
    held = torch.searchsorted(taus, between, right=True) - 1  # constant between its points
    assert torch.equal(recovery_curve(matches, between)[1], shares[held])


def test_interval_is_student_s():
    values = randn(0, 5).tolist()
    estimate = interval(values)
    low, high = stats.t.interval(0.95, 4, np.mean(values), stats.sem(values))
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx(
        (np.mean(values), low, high), rel=1e-12
    )
    alone = interval([0.7])
    assert (alone.value, alone.low, alone.high) == (0.7, None, None) and alone.within(0, 1) == alone
    shares = interval([0.0, 1, 1, 1])
    assert (
        shares.low < 0
        and shares.high > 1
        and shares.within(0, 1) == replace(shares, low=0, high=1)
        and shares.within(-9, 9) == shares
    )
    assert interval([0.5, 0.5]).low == interval(torch.tensor([0.5, 0.5])).high == 0.5


# ---- chance


def test_null_of_the_bench_s_size_is_the_figure_of_the_theory():
    """16,000 random rows in R^768: mean best |cos| .148, nothing recovered."""
    null = null_baseline(16_000, unit(randn(0, 768, 1000)).float(), draws=2)
    assert (
        0.147 < null.mip.value < 0.149
        and null.mip.high - null.mip.low < 0.01
        and null.recovery[0.95].value == 0
    )


def test_null_in_the_plane_is_the_closed_form():
    """In R^2, P(best |cos| <= c) = (1 - 2 arccos(c)/pi)^n_q."""
    law = lambda c: (1 - 2 / math.pi * math.acos(c)) ** 3
    mean = 1 - integrate.quad(law, 0, 1)[0]
    null = null_baseline(3, unit(randn(0, 2, 50)), draws=400, taus=(0.8, 0.95))
    assert null.mip.low < mean < null.mip.high and null.mip.high - null.mip.low < 0.02
    for tau in (0.8, 0.95):
        assert null.recovery[tau].low < 1 - law(tau) < null.recovery[tau].high


def test_null_is_seeded_and_raw_nulls_carry_the_norms():
    truth, seeded = unit(randn(0, 4, 6)), lambda seed: torch.Generator().manual_seed(seed)
    assert (
        null_baseline(9, truth, generator=seeded(1))
        == null_baseline(9, truth, generator=seeded(1))
        != null_baseline(9, truth, generator=seeded(2))
    )
    norms = torch.stack(
        [torch.ones(9), torch.full((9,), 2.5), torch.cat([torch.ones(4), torch.zeros(5)])]
    )
    plain, scaled, few = random_matches(truth, norms, generator=seeded(1))
    assert torch.allclose(scaled, 2.5 * plain) and (few <= plain).all() and (few < plain).any()
    assert null_baseline(9, truth, norms=norms[1], generator=seeded(1)).mip.value == pytest.approx(
        scaled.mean().item()
    )
    assert null_baseline(9, truth, draws=1).mip.low is None
    assert null_baseline(9, 3 * truth).mip.value == pytest.approx(null_baseline(9, truth).mip.value)


# ---- one-to-one


@pytest.mark.parametrize("n_q, n", [(5, 3), (4, 4), (3, 5)])
def test_mcc_is_the_best_of_all_assignments(n_q, n):
    rows, truth = randn(0, n_q, 4), randn(1, 4, n)
    table = torch.tensor(cosines_by_loop(rows, truth), dtype=torch.float64)  # (n, n_q)
    small, large = min(n, n_q), max(n, n_q)
    table = table if n <= n_q else table.mT
    best = (
        max(
            sum(table[i, j].item() for i, j in enumerate(chosen))
            for chosen in itertools.permutations(range(large), small)
        )
        / small
    )
    assert mcc(rows, truth) == pytest.approx(best, rel=1e-12)
    latents, features, cosines = hungarian(rows, truth)
    assert len(set(latents.tolist())) == len(set(features.tolist())) == small
    assert cosines.tolist() == pytest.approx(
        [cosines_by_loop(rows, truth)[d][i] for i, d in zip(latents.tolist(), features.tolist())]
    )
    assert n_q < n or mcc(rows, truth) <= max_inner_product(best_matches(rows, truth))


def test_two_features_may_not_share_a_latent():
    truth = unit(torch.tensor([[1.0, 1], [0.1, -0.1]], dtype=torch.float64))
    rows = torch.tensor([[1.0, 0], [0, 1]], dtype=torch.float64)
    assert max_inner_product(best_matches(rows, truth)) == pytest.approx(1 / math.sqrt(1.01))
    assert mcc(rows, truth) == pytest.approx(1.1 / 2 / math.sqrt(1.01))


# ---- latents on samples


def f1_by_loop(fired, active):
    """F1 of latent i as a detector of feature d, table[d][i], from precision and recall."""

    def f1(i, d):
        hits = sum(1 for f, a in zip(fired, active) if f[i] and a[d])
        precision, recall = (
            hits / max(1, sum(bool(row[k]) for row in mask))
            for mask, k in ((fired, i), (active, d))
        )
        return 2 * precision * recall / (precision + recall) if hits else 0.0

    return [[f1(i, d) for i in range(len(fired[0]))] for d in range(len(active[0]))]


@pytest.mark.parametrize("rate", [0, 0.1, 0.7, 1])
def test_f1_is_the_loop_s_in_one_batch_or_many(rate):
    g = torch.Generator().manual_seed(0)
    fired, active = torch.rand(50, 6, generator=g) < 0.3, torch.rand(50, 4, generator=g) < rate
    active[:, 2] = fired[:, 4] = False
    matched = torch.tensor([5, 0, 3, 3])
    table = f1_by_loop(fired.tolist(), active.tolist())
    counts = FiringCounts(6, 4)
    for part in range(0, 50, 13):
        counts.update(fired[part : part + 13], active[part : part + 13])
    for scores in (activation_f1(fired, active, matched), counts.f1(matched)):
        assert scores.best.tolist() == pytest.approx([max(line) for line in table], abs=1e-15)
        assert scores.matched.tolist() == pytest.approx(
            [line[i] for line, i in zip(table, matched.tolist())], abs=1e-15
        )
        assert [table[d][i] for d, i in enumerate(scores.latent.tolist())] == pytest.approx(
            scores.best.tolist()
        )
        assert scores.seen.tolist() == [rate > 0, rate > 0, False, rate > 0]
        if rate:
            # a feature never seen is not counted against anyone
            assert scores.mean() == pytest.approx(np.mean([max(table[d]) for d in (0, 1, 3)]))
    assert (
        counts.samples == 50
        and counts.fired.tolist() == fired.sum(0).tolist()
        and counts.active.tolist() == active.sum(0).tolist()
    )


def test_l0_dead_and_explained_variance():
    codes = torch.tensor([[0, 1.0, 0], [0, 2, 0.5]])
    assert l0(codes) == 1.5 and dead(codes).tolist() == dead(codes > 0).tolist() == [
        True,
        False,
        False,
    ]
    x_r, x_hat = 3 + randn(0, 40, 5), 3 + randn(1, 40, 5)
    assert explained_variance(x_r, x_hat) == pytest.approx(
        1 - ((x_r - x_hat).numpy() ** 2).sum() / (40 * x_r.numpy().var(axis=0)).sum(), rel=1e-12
    )
    assert explained_variance(x_r, x_r) == 1 and explained_variance(
        x_r, x_r.mean(0).expand(40, 5)
    ) == pytest.approx(0, abs=1e-12)


# ---- rows by themselves


def test_strictly_dead_rows_never_fire_and_at_theta_above_zero_may():
    W_p, W_E = unit(randn(0, 3, 5) + 1), randn(1, 200, 3)
    mask = strictly_dead(W_E, W_p)
    assert mask.tolist() == [
        all(sum(a * b for a, b in zip(w, column)) < 0 for column in W_p.mT.tolist())
        for w in W_E.tolist()
    ]
    mixtures = W_p @ randn(2, 5, 2000).abs()
    assert (
        0 < mask.sum() < 200
        and (W_E[mask] @ mixtures).max() < 0
        and ((W_E[~mask] @ W_p).amax(1) >= 0).all()
    )
    theta = torch.full((200,), 0.3, dtype=torch.float64)
    quiet = strictly_dead(W_E, W_p, theta)
    assert (
        torch.equal(quiet, strictly_dead(W_E, W_p, 0.3))
        and quiet.sum() > mask.sum()
        and (W_E[quiet] @ W_p).max() < 0.3 < (W_E[quiet] @ mixtures).max()
    )
    assert not strictly_dead(torch.zeros(1, 3), W_p).any(), (
        "a zero row sits on the wall: descent may leave it"
    )


def test_duplicates_and_mirrors_are_the_loop_s():
    base = randn(0, 6, 8)
    W = torch.cat(
        [
            base,
            base[:2] * 3 + 0.01 * randn(1, 2, 8),
            -0.5 * base[3:4],
            torch.zeros(2, 8, dtype=torch.float64),
        ]
    )
    # across a chunk's border
    W = W[torch.randperm(len(W), generator=torch.Generator().manual_seed(1))].repeat(300, 1)[:1500]
    unit_W = torch.nn.functional.normalize(W, dim=1).numpy()
    cosine = unit_W @ unit_W.T
    copies = [any(cosine[j, :j] > 0.95) for j in range(len(W))]
    assert duplicate(W.mT) == pytest.approx(np.mean(copies)) and 0.5 < duplicate(W.mT) < 1
    live = torch.arange(len(W)) % 7 == 0
    assert duplicate(W.mT, live) == pytest.approx(
        np.mean([any(cosine[j, :j][live[:j].numpy()] > 0.95) for j in range(len(W)) if live[j]])
    )
    assert duplicate(W.mT, torch.zeros(len(W), dtype=torch.bool)) == 0
    # the outer two are not close to each other
    left, middle, right = torch.tensor([[1, 0.3], [1, 0], [1, -0.3]])
    assert duplicate(torch.stack([middle, left, right], 1)) == pytest.approx(2 / 3) and duplicate(
        torch.stack([left, right, middle], 1)
    ) == pytest.approx(1 / 3)
    mirrored = (cosine < -0.95).any(1)
    assert (
        mirrored_share(W) == pytest.approx(mirrored.sum() / (unit_W != 0).any(1).sum())
        and 0 < mirrored_share(W) < 1
    )
    assert mirrored_share(torch.zeros(3, 2)) == 0 and mirrored_share(base) == 0


# ---- a model on a bench


def test_the_pseudo_inverse_scores_everything_in_its_decoder_and_less_in_its_encoder():
    lrb = bench()
    report = evaluate(
        model_of(pseudo_inverse_weights(lrb.problem, 15), "jumprelu", theta=0.5), lrb, samples=500
    )
    decoder, encoder, x = report.of("decoder"), report.of("encoder"), lrb.sample(500, seed=1).x
    assert (
        decoder.recovery == {0.9: 1, 0.95: 1}
        and decoder.mip == pytest.approx(1) == decoder.mcc
        and decoder.latents.tolist() == list(range(12))
    )
    dual = torch.linalg.pinv(lrb.problem.W_p)
    assert encoder.mip == pytest.approx((1 / dual.norm(dim=1)).mean().item()) and encoder.mip < 0.98
    assert (
        report.of("encoder", "raw").mip
        == pytest.approx((dual @ lrb.problem.W_p).abs().amax(0).mean().item())
        == pytest.approx(1)
    )
    assert (
        report.loss < 1e-25
        and report.explained_variance == pytest.approx(1)
        and report.f1_best == report.f1_matched == 1
    )
    assert report.l0 == pytest.approx((x > 0).sum().item() / 500) and report.dead == pytest.approx(
        3 / 15
    )
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
    assert (
        mirrored.loss < 1e-25
        and mirrored.mirrored == 1
        and mirrored.l0 == pytest.approx(24, rel=0.2)
    )
    assert all(one.recovery[0.9] == 0 and one.mip < 0.8 for one in mirrored.recoveries)
    assert mirrored.of("decoder").null.mip.value == pytest.approx(
        mirrored.of("decoder").mip, abs=0.1
    )


def test_figures_are_those_of_the_functions():
    lrb = bench(20, 12, mu=0.4, n_r=9, kind="transcoder")
    model = SDLModel(
        12, 30, 9, "topk", k=4, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    model.W_E.data *= randn(0, 30, 1).abs()
    model.W_E.data[25:28], model.W_D.data[:, 16:24], model.W_E.data[16:18] = (
        -model.W_E.data[:3],
        model.W_D.data[:, :8],
        0,
    )
    anchored = (3, 7)
    report, batch = (
        evaluate(
            model,
            lrb,
            anchored=anchored,
            samples=300,
            seed=5,
            taus=(0.6, 0.995),
            batch=77,
            null_draws=3,
        ),
        lrb.sample(300, seed=5),
    )
    W_E, W_D, codes = model.W_E.detach(), model.W_D.detach(), model.encode(batch.x_p).detach()
    kept = [d for d in range(20) if d not in anchored]
    assert report.heldout.tolist() == kept
    for side, rows, truth in (
        ("encoder", W_E, lrb.W_p[:, kept]),
        ("decoder", W_D.mT, lrb.W_r[:, kept]),
    ):
        for measure in ("cosine", "raw"):
            one, matches = (
                report.of(side, measure),
                best_matches(rows, truth, cosine=measure == "cosine"),
            )
            assert torch.equal(one.matches, matches) and one.recovery == {
                0.6: gt_recovery(matches, 0.6),
                0.995: gt_recovery(matches, 0.995),
            }
            norms = rows.norm(dim=1) if measure == "raw" else None
            null = null_baseline(
                30,
                truth,
                draws=3,
                taus=(0.6, 0.995),
                norms=norms,
                generator=torch.Generator().manual_seed(5),
            )
            assert one.null.mip.value == pytest.approx(null.mip.value) and one.null.recovery[
                0.6
            ].high == pytest.approx(null.recovery[0.6].high)
        assert report.of(side).mcc == mcc(rows, truth) and report.of(side, "raw").mcc is None
    scores = activation_f1(codes > 0, batch.x[:, kept] > 0, best_pairs(W_D.mT, lrb.W_r[:, kept])[1])
    assert (report.f1_best, report.f1_matched) == pytest.approx(
        (scores.mean(), scores.mean("matched"))
    )
    assert report.l0 == pytest.approx(l0(codes)) and report.dead == dead(codes).double().mean()
    assert report.loss == pytest.approx(
        (model(batch.x_p) - batch.x_r).square().sum(1).mean().item()
    )
    assert report.explained_variance == pytest.approx(
        explained_variance(batch.x_r, model(batch.x_p).detach())
    )
    assert (
        report.strictly_dead == strictly_dead(W_E, lrb.W_p).double().mean()
        and report.mirrored == mirrored_share(W_E) > 0
    )
    assert report.duplicate == duplicate(W_D, ~dead(codes)) != duplicate(W_D)


@pytest.mark.parametrize(
    "method, options", [("relu", {}), ("topk", dict(k=3)), ("topk", dict(k=3, plain=True))]
)
def test_the_literal_metric_is_not_invariant_and_cosines_are(method, options):
    """(t W_E, W_D / t) is the same function under ReLU and Top-k; section 5.1's M_IP is t times as
    large, and M_GT goes from 0% to 100%.
    """
    lrb = bench()
    weights, found = ideal_weights(lrb.problem, 15), {}
    for t in (0.9, 1.0):
        made = model_of(Weights(t * weights.W_E, weights.W_D / t), method, **options)
        found[t] = evaluate(made, lrb, samples=500).summary() | dict(
            literal=best_matches(made.W_E, lrb.W_p, cosine=False)
        )
    small, large = found[0.9], found[1.0]
    assert (
        small["loss"] == pytest.approx(large["loss"], rel=1e-12)
        and small["l0"] == large["l0"]
        and large["loss"] > 0
    )
    assert (small["encoder_raw_recovery_95"], large["encoder_raw_recovery_95"]) == (0, 1)
    assert small["encoder_raw_mip"] == pytest.approx(0.9 * large["encoder_raw_mip"], rel=1e-12)
    assert (
        torch.equal(small["literal"] > 0.95, torch.zeros(12, dtype=torch.bool))
        and (large["literal"] > 0.95).all()
    )
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
    """W* has rows w_p^d / m and truth columns of norm sqrt(m), normalized whole: <w_p / m, w_p /
    sqrt(m)> = 1 / sqrt(m), .707 for two blocks.
    """
    lrb = bench(12, 12 * blocks, mu=0.5, kind="crosscoder", blocks=blocks)
    W = lrb.problem.W_p
    assert torch.allclose(W.norm(dim=0), torch.tensor(blocks, dtype=W.dtype).sqrt(), rtol=1e-12)
    ideal = ideal_weights(lrb.problem, 12)
    assert torch.allclose(ideal.W_E, W.mT / blocks, rtol=1e-12) and torch.allclose(
        (ideal.W_E @ W).diagonal(), torch.ones(12, dtype=W.dtype), rtol=1e-12
    )
    literal = best_matches(ideal.W_E, W, cosine=False)
    assert (
        literal.tolist() == pytest.approx([1 / math.sqrt(blocks)] * 12, rel=1e-12)
        and gt_recovery(literal, 0.95) == 0
    )
    if blocks == 2:
        assert round(max_inner_product(literal), 3) == 0.707
    assert gt_recovery(best_matches(ideal.W_E, W), 0.95) == 1, "by cosine W* is found whole"
    assert (ideal.W_E @ W).abs().amax(0).tolist() == pytest.approx([1] * 12, rel=1e-12), (
        "with columns as they are it would score 1"
    )


def test_anchored_features_do_not_count():
    """A model that holds the anchored features alone has recovered nothing; one that holds the
    others has recovered all.
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
    assert report.of("encoder", "raw").mip == pytest.approx(1 / math.sqrt(2)) and report.of(
        "decoder", "raw"
    ).mip == pytest.approx(math.sqrt(2))
    half = lrb.W_p.mT.clone()
    half[:, 8:] = 0  # the right first block alone is half a feature
    assert evaluate(model_of(Weights(half, half.mT)), lrb, samples=200).of("decoder").mip < 0.95


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
    assert (
        shared[1].summary() == pytest.approx(reports[1].summary(), rel=1e-9)
        and len(shared[0].heldout) == 8
    )


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("instances", [None, 2])
def test_strict_death_is_what_the_model_does_on_single_features(method, biases, instances):
    kwargs = dict(k=40) if method in ("topk", "batchtopk", "matryoshka") else {}
    model = SDLModel(
        3,
        40,
        method=method,
        biases=biases,
        instances=instances,
        generator=torch.Generator().manual_seed(0),
        dtype=torch.float64,
        **kwargs,
    )
    for name, value in model.state_dict().items():
        if name not in ("W_E", "W_D"):
            value.copy_(randn(len(name), 80)[: value.numel()].view(value.shape) * 0.3)
            value.copy_(value.abs() if name == "theta" else value)
    W_p, level = unit(randn(1, 3, 5)), firing_level(model)
    silent = ~(model.encode(W_p.mT) > 0).any(-2)
    masks = (
        strictly_dead(model.W_E, W_p, level)
        if instances is None
        else torch.stack([strictly_dead(*one) for one in zip(model.W_E, [W_p] * 2, level)])
    )
    assert torch.equal(masks, silent) and 0 < masks.double().mean() < 1


def test_report_prints_and_flattens():
    lrb = bench(S=0.9)
    report = evaluate(
        model_of(ideal_weights(lrb.problem, 14)),
        lrb,
        anchored=torch.tensor([0, 1]),
        samples=200,
        taus=(0.9, 0.995),
    )
    flat = report.summary()
    assert json.loads(json.dumps(flat)) == flat and all(
        isinstance(value, (int, float)) for value in flat.values()
    )
    assert (
        flat["decoder_recovery_99_5"] == 1
        and flat["heldout"] == 10
        and flat["null_mip"] == flat["decoder_null_mip"] < 1
        and "mip" not in flat
    )
    assert {
        "encoder_mip",
        "encoder_raw_recovery_90",
        "encoder_null_recovery_90",
        "decoder_mcc",
        "loss",
        "l0",
        "strictly_dead",
        "f1_best",
    } <= set(flat)
    table = report.table()
    assert [(row.side, row.measure) for row in table] == [
        ("encoder", "raw"),
        ("encoder", "cosine"),
        ("decoder", "cosine"),
        ("decoder", "raw"),
    ]
    assert [(one.side, one.measure) for one in report.recoveries] == [
        (row.side, row.measure) for row in table
    ]
    order = [
        name.removesuffix("_mip") for name in flat if name.endswith("_mip") and "null" not in name
    ]
    assert order == ["encoder_raw", "encoder", "decoder", "decoder_raw"] and str(report).index(
        "encoder  raw"
    ) < str(report).index("encoder  cosine")
    assert "encoder raw: the paper's metric (section 5.1, appendix B)" in str(report)
    assert (
        table[2].recovery_90 == flat["decoder_recovery_90"]
        and table[2].null_mip == flat["null_mip"]
        and table[3].mcc is None
    )
    assert (
        str(table) in str(report)
        and "10 held-out features (2 anchored ones left out), n_q = 14" in str(report)
        and "<table>" in table._repr_html_()
    )
    taus, shares = report.of("encoder").curve
    assert shares[taus <= 0.99].min() == 1 and shares[-1] == 0


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
