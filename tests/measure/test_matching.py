"""Matches, recovery and the one-to-one matching, against loops and all assignments."""

import itertools
import math

import pytest
import torch
from strategies import randn, unit

from sdl_theory.measure import matching
from sdl_theory.measure.matching import (
    best_matches,
    best_pairs,
    gt_recovery,
    hungarian,
    max_inner_product,
    mcc,
    recovery_curve,
)


def cosines_by_loop(rows, truth):
    dot = lambda u, v: sum(a * b for a, b in zip(u, v))
    length = lambda u: math.sqrt(dot(u, u))
    return [
        [abs(dot(u, v)) / (length(u) * length(v)) if any(u) else 0.0 for u in rows.tolist()]
        for v in truth.mT.tolist()
    ]


@pytest.mark.parametrize("chunk", [1, 7, 1 << 22])
@pytest.mark.parametrize("dtype, tolerance", [(torch.float64, 1e-14), (torch.float32, 1e-6)])
def test_best_matches_are_the_loop_s(monkeypatch, chunk, dtype, tolerance):
    monkeypatch.setattr(matching, "CHUNK", chunk)
    rows, truth = randn(0, 9, 4).to(dtype), 3 * randn(1, 4, 5).to(dtype)
    rows[3] = 0
    table = cosines_by_loop(rows, truth)
    matches, latents = best_pairs(rows, truth)
    assert matches.dtype == dtype
    assert matches.tolist() == pytest.approx([max(line) for line in table], abs=tolerance)
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
        assert torch.equal(one_truth[i], best_matches(rows[i], truths[0]))
        assert torch.equal(own_truth[i], best_matches(rows[i], truths[i]))
    assert gt_recovery(own_truth, 0.5).tolist() == [gt_recovery(one, 0.5) for one in own_truth]
    assert max_inner_product(own_truth).tolist() == [max_inner_product(one) for one in own_truth]


def test_recovery_is_strict_and_the_curve_is_exact():
    matches = torch.tensor([0.5, 0.95, 1, 0.95, 0], dtype=torch.float64)
    assert gt_recovery(matches) == 0.2
    assert gt_recovery(matches, 0.94) == 0.6
    assert gt_recovery(matches, 0) == 0.8
    assert max_inner_product(matches) == pytest.approx(0.68)
    taus, shares = recovery_curve(matches)
    assert taus.tolist() == [0, 0.5, 0.95, 1]
    assert shares.tolist() == pytest.approx([0.8, 0.6, 0.2, 0])
    matches = best_matches(randn(0, 40, 5), randn(1, 5, 30)).float()
    taus, shares = recovery_curve(matches)
    assert shares[0] == 1 and shares[-1] == 0 and (shares.diff() < 0).all()
    between = torch.cat([taus, (taus[1:] + taus[:-1]) / 2, torch.tensor([1.5])]).sort().values
    assert recovery_curve(matches, between)[1].tolist() == pytest.approx(
        [gt_recovery(matches, tau) for tau in between.tolist()], abs=1e-15
    )
    held = torch.searchsorted(taus, between, right=True) - 1  # constant between its points
    assert torch.equal(recovery_curve(matches, between)[1], shares[held])


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
