"""What chance scores, against closed forms; intervals over seeds, against scipy."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import integrate, stats
from strategies import randn, unit

from sdl_theory.estimate import interval
from sdl_theory.measure.recovery import null_baseline, random_matches


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
    assert shares.low < 0
    assert shares.high > 1
    assert shares.within(0, 1) == replace(shares, low=0, high=1)
    assert shares.within(-9, 9) == shares
    assert interval([0.5, 0.5]).low == interval(torch.tensor([0.5, 0.5])).high == 0.5


def test_null_of_the_bench_s_size_is_the_figure_of_the_theory():
    """16,000 random rows in R^768: mean best |cos| .148, nothing recovered."""
    null = null_baseline(16_000, unit(randn(0, 768, 1000)).float(), draws=2)
    assert 0.147 < null.mip.value < 0.149
    assert null.mip.high - null.mip.low < 0.01
    assert null.recovery[0.95].value == 0


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
