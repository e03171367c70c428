"""The lattice of partitions, and descents from its points, against the library."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sdl_theory import (
    JumpReLU,
    Verdict,
    activation_pattern,
    approximate_loss,
    certify,
    partial_minimum,
    pattern,
)
from widgets import rows
from widgets.kinds import Lattice
from widgets.rows import common, lattice


def test_the_lattice_has_all_partitions_and_all_mergers():
    assert [
        len(level)
        for level in ([g for g in lattice.PARTITIONS if len(g) == k] for k in (1, 2, 3, 4))
    ] == [1, 7, 6, 1]
    finer = lambda p, q: all(any(set(a) <= set(b) for b in q) for a in p)
    covers = sum(
        finer(p, q) and len(p) == len(q) + 1 for p in lattice.PARTITIONS for q in lattice.PARTITIONS
    )
    drawn = {(e["x"], e["y"], e["u"], e["v"]) for e in lattice.edges()}
    assert len(drawn) == len(lattice.edges()) == covers == 31


@pytest.mark.parametrize("rho, theta", [(0.5, 0.0), (-0.4, 0.3), (0.8, 0.1)])
def test_lattice_verdicts_are_partial_minima(rho, theta):
    problem, sigma = lattice.four_features(rho), JumpReLU(theta)
    data, _ = rows.lattice_rows(rho, 0, theta)
    data = {name: column[data["kind"] == Lattice.NODE] for name, column in data.items()}
    for k, groups in enumerate(lattice.PARTITIONS):
        answer = partial_minimum(problem, pattern(groups, 4, 5), sigma)
        assert common.VERDICTS[int(data["value"][k])] is answer.verdict
        assert data["x2"][k] == pytest.approx(answer.loss if answer.exists else -1, abs=1e-5)


def test_descents_stay_in_traps_and_leave_saddles():
    stories = [rows.lattice_rows(0.5, which, 0.0)[1] for which in range(15)]
    assert {left for minimum, left in stories if minimum.verdict is Verdict.TRAP} == {0}
    assert {left for minimum, left in stories if minimum.verdict is Verdict.SADDLE} == {6}


@given(st.floats(-0.9, 0.9), st.integers(0, 14), st.sampled_from([0.0, 0.05, 0.3, 0.9]))
@settings(max_examples=40)
def test_balancing_changes_neither_loss_nor_pattern_nor_verdict(rho, which, theta):
    problem, sigma = lattice.four_features(rho), JumpReLU(theta)
    answer = partial_minimum(problem, pattern(lattice.PARTITIONS[which], 4, 5), sigma)
    if answer.exists:
        start = lattice.balanced(problem, answer.weights, theta)
        assert torch.equal(
            activation_pattern(problem, start, sigma),
            activation_pattern(problem, answer.weights, sigma),
        )
        assert approximate_loss(problem, start, sigma).item() == pytest.approx(
            answer.loss, abs=1e-9
        )
        assert certify(problem, start, sigma).verdict is answer.verdict
