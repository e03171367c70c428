"""M_IP >= tau M_GT: by brute force; and the printed lines that cannot hold."""

import json
from pathlib import Path

import pytest
import torch

from sdl_theory import gt_recovery, max_inner_product
from sdl_theory.experiments.paper import bound
from sdl_theory.experiments.paper.bound import contradictions, least_mip, thresholds

PRINTED = json.loads(Path(bound.__file__).with_name("figures.json").read_text())["lines"]


def test_no_scores_break_the_bound_and_some_come_near_it():
    noise = torch.Generator().manual_seed(0)
    for tau in (0.1, 0.5, 0.95):
        for _ in range(200):
            scores = torch.rand(50, generator=noise, dtype=torch.float64) * 2
            scores[torch.rand(50, generator=noise) < 0.5] = 0
            assert max_inner_product(scores) >= least_mip(gt_recovery(scores, tau), tau)
        worst = torch.zeros(50, dtype=torch.float64)
        worst[:20] = tau + 1e-9
        share = gt_recovery(worst, tau)
        assert share == 0.4
        assert max_inner_product(worst) - least_mip(share, tau) == pytest.approx(0, abs=1e-8)


def test_five_lines_of_table_4_cannot_hold_and_no_other_line():
    """All found, and a mean of .436, at tau = .95: and four more."""
    found = {(one.table, one.line.split("= ")[1], one.arm) for one in contradictions()}
    assert found == {(4, str(n), "anchored") for n in (800, 900, 1000, 1100, 1200)}
    by_hand = [
        (one["table"], one["value"], arm)
        for one in PRINTED
        for arm in ("plain", "anchored")
        if one[arm][1] < 0.95 * one[arm][0] - 0.001
    ]
    assert len(by_hand) == 5 and {table for table, *_ in by_hand} == {4}
    worst = contradictions()[0]
    assert (worst.mip_above, worst.found_below, worst.tau_below) == (0.95, 0.459, 0.436)


def test_no_threshold_serves_all_of_table_4():
    ranges = {one.table: one for one in thresholds()}
    assert [table for table, one in ranges.items() if not one.some] == [4]
    # nothing found at n = 800, plain, so every score is at most tau; .855 found at n = 1000
    assert ranges[4].least == 0.361 > ranges[4].most == round(0.292 / 0.855, 3)
    assert all(ranges[table].least < 0.95 < ranges[table].most for table in (1, 5, 6, 7))


def test_a_line_that_holds_is_not_listed():
    assert len(contradictions(tau=0.3)) == 0 and len(contradictions(tau=0.4)) == 2
    with pytest.raises(ValueError, match="found is a share"):
        least_mip(1.2)
    with pytest.raises(ValueError, match="tau must be >= 0"):
        least_mip(0.5, -1.0)
