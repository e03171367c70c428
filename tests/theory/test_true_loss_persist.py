"""Partial minima of Lt followed into the true loss (ours)."""

from __future__ import annotations

import pytest
import torch

from sdl_theory import (
    Constant,
    Problem,
    ReLU,
    SparseFeatures,
    Verdict,
    Weights,
    certify,
    exact_loss,
    partial_minimum,
    pattern,
    persist,
    true_certificate,
)
from tests.strategies import randn, unit

f64 = torch.float64


def pairs(cosine, count, between=0.0):
    """`count` pairs at this cosine, orthogonal to one another; or features of two pairs at
    `between`, across.
    """
    G = torch.eye(2 * count, dtype=f64)
    for k in range(count):
        G[2 * k, 2 * k + 1] = G[2 * k + 1, 2 * k] = cosine
    G[0, 2:] = G[2:, 0] = between
    return Problem(torch.linalg.cholesky(G).mT)


def groups_of(problem, n_q):
    return pattern([[d, d + 1] for d in range(0, problem.n, 2)], problem.n, n_q)


def test_a_pair_turns_from_saddle_to_trap_where_the_law_says():
    problem = pairs(-0.2, 1)
    start = partial_minimum(problem, groups_of(problem, 1))
    found = persist(problem, start.weights, ReLU(), [0.95, 0.85, 0.81, 0.79, 0.7, 0.3])
    assert start.verdict is Verdict.SADDLE
    assert [one.verdict for one in found] == [Verdict.SADDLE] * 3 + [Verdict.TRAP] * 3
    assert all(one.same and not one.slid for one in found)


def test_the_loss_tends_to_lt_and_is_the_enumerated_one():
    """Unequal M_d are magnitudes."""
    M = torch.tensor([1.0, 1.3, 0.8], dtype=f64)
    problem = Problem(unit(randn(3, 3, 3).abs()), None, M)
    start = partial_minimum(problem, pattern([[0, 1, 2]], 3, 1))
    found = persist(problem, start.weights, ReLU(), [0.999999, 0.9])
    assert found[0].loss == pytest.approx(start.loss, rel=1e-4)
    even = Problem(problem.W_p)
    start = partial_minimum(even, pattern([[0, 1, 2]], 3, 1))
    found = persist(even, start.weights, ReLU(), [0.97, 0.9])[-1]
    law = SparseFeatures(3, 0.9, Constant(1.0))
    assert found.loss * 0.1 * 0.9**2 == pytest.approx(
        exact_loss(even, found.weights, ReLU(), law).item()
    )


def test_orthogonal_pairs_stay_traps_and_related_ones_leave():
    """Traps of Lt both. Mixtures see z at features of other groups, which Lt does not: unless a
    group's targets are orthogonal to the others' residuals, L pulls z over the wall at any S < 1.
    """
    apart, related = pairs(0.6, 2), pairs(0.6, 2, between=0.4)
    for problem, stays in ((apart, True), (related, False)):
        start = partial_minimum(problem, groups_of(problem, 2))
        assert start.verdict is Verdict.TRAP
        law = SparseFeatures(problem.n, 0.9999, Constant(1.0))
        found = persist(problem, start.weights, ReLU(), [0.9999, 0.99, 0.9])
        assert all(one.same for one in found) == stays
        if stays:
            assert [one.verdict for one in found] == [Verdict.TRAP] * 3
            end = found[0].weights
            assert true_certificate(problem, end, ReLU(), law).check().verdict is Verdict.TRAP
        else:
            assert len(found) == 1 and found[0].verdict is Verdict.NONE
            assert found[0].loss < start.loss
            # the pattern of single features that it came to show is no partition any more
            assert (certify(problem, found[0].weights).pattern.sum(0) > 1).any()


def test_it_ends_where_weights_were_no_minimum_at_all():
    problem = pairs(0.6, 1)
    loose = Weights([[1.0, -3.0]], [[0.1], [0.2]])
    found = persist(problem, loose, ReLU(), [0.9, 0.8])
    assert found and all(one.slid or not one.same for one in found[:1])


def test_a_long_step_ends_at_a_stationary_point_too():
    """Five orthogonal pairs, straight to S = .95: Newton's first way leaves the region, a descent
    stops short of the tolerance, and Newton's method has to have the last word.
    """
    problem = pairs(0.6, 5)
    start = partial_minimum(problem, groups_of(problem, 5))
    end = persist(problem, start.weights, ReLU(), [0.95])[0]
    assert end.slid and end.same and end.verdict is not Verdict.NOT_STATIONARY
    found = true_certificate(problem, end.weights, ReLU(), SparseFeatures(10, 0.95, Constant(1.0)))
    assert max(found.grad_E, found.grad_D) < 1e-10
