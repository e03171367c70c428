"""Problems and weights: validated, frozen, dtype and device aware."""

import math

import numpy as np
import pytest
import torch
from strategies import randn, unit

from sdl_theory import (
    JumpReLU,
    Problem,
    ReLU,
    SparseFeatures,
    TopK,
    Weights,
    absorb,
    alternating_convex_search,
    approximate_loss,
    certify,
    diagnose_groups,
    group_minimum,
    hierarchy,
    levenshtein_bound,
    loss_ladder,
    partial_minimum,
    pattern,
    printed_recipe,
    realize,
    sampled_loss,
)


@pytest.mark.parametrize(
    "arguments, words",
    [
        ((torch.ones(3),), "W_p must be a non-empty matrix"),
        ((torch.ones(2, 2),), "unit norm"),
        ((torch.full((2, 2), math.nan),), "W_p must be finite"),
        ((torch.eye(2), torch.full((2, 2), math.inf)), "W_r must be finite"),
        ((torch.eye(2), torch.ones(2, 3)), "n = 2"),
        ((torch.eye(2), None, torch.ones(3)), r"M_d must have shape \(2,\)"),
        ((torch.eye(2), None, torch.tensor([1.0, -1.0])), r"M_d\[1\] = -1"),
        ((torch.eye(2), None, torch.tensor([1.0, math.nan])), r"M_d\[1\] = nan"),
        ((torch.eye(2), None, None, [1, 2]), "sum to n_p = 2"),
        ((torch.eye(2), None, None, [1, 1]), "block 0"),
    ],
)
def test_bad_problems_are_named(arguments, words):
    with pytest.raises(ValueError, match=words):
        Problem(*arguments)


@pytest.mark.parametrize(
    "W_E, W_D, words",
    [
        (torch.ones(2, 3), torch.ones(3, 3), "agree on n_q"),
        (torch.ones(2, 3), torch.full((3, 2), math.nan), "W_D must be finite"),
        (torch.ones(2), torch.ones(3, 2), "W_E must be a non-empty matrix"),
        (torch.ones(2, 3), torch.ones(3, 2).double(), "share dtype"),
    ],
)
def test_bad_weights_are_named(W_E, W_D, words):
    with pytest.raises(ValueError, match=words):
        Weights(W_E, W_D)


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: Problem(None), "W_p must be a tensor"),
        (lambda: Problem(torch.eye(2, dtype=torch.complex64)), "W_p must be real"),
        (lambda: Problem(torch.eye(3), blocks=(3.9,)), "row count"),
        (lambda: Problem(torch.eye(2), blocks=2), "blocks must be a sequence"),
        (lambda: pattern([[0.5]], 2, 1), "feature index"),
        (lambda: pattern([[math.inf]], 2, 1), "feature index"),
        (lambda: levenshtein_bound(5, 0), "n_p must be"),
        (lambda: levenshtein_bound(math.nan, 1), "n must be"),
        (lambda: TopK(math.inf), "k must be"),
        (lambda: TopK(None), "k must be"),
        (lambda: SparseFeatures(3, 0.5, 1.0), "Constant"),
        (lambda: hierarchy(2, 2.5, 8, 0.5), "children_per_parent"),
        (lambda: loss_ladder(Problem(torch.eye(2)), [0, 1], rungs=-1), "rungs"),
        (lambda: certify(Problem(torch.eye(2)), None), "see answer.reason"),
        (lambda: partial_minimum(torch.eye(2), pattern([[0, 1]], 2, 1)), "build Problem"),
        (
            lambda: partial_minimum(Problem(torch.eye(2)), pattern([[0, 1]], 2, 1), ReLU),
            "with brackets",
        ),
        (lambda: realize(Problem(torch.eye(2)), pattern([[0]], 2, 1), "relu"), "with brackets"),
        (lambda: partial_minimum(Problem(torch.eye(2)), [[0], [0, 1]]), r"pattern\(groups"),
        (lambda: pattern([0, 1], 2, 2), r"One feature d is \[d\]"),
        (lambda: group_minimum(Problem(torch.eye(2)), ["a"]), "feature index"),
        (lambda: Problem(torch.eye(2).half()), "too coarse"),
        (lambda: partial_minimum(Problem(torch.eye(3)), pattern([[0, 1]], 3, 2)), r"Add \[2\]"),
        (lambda: JumpReLU("high"), "theta must be"),
        (
            lambda: printed_recipe(
                Problem(torch.eye(2)), pattern([[0, 1]], 2, 1), torch.full((1, 2), math.nan)
            ),
            "W_E must be finite",
        ),
        (lambda: diagnose_groups(Problem(torch.eye(2)), {"g": [0]}, sigma=TopK(1)), "one theta"),
        (
            lambda: alternating_convex_search(
                Problem(torch.eye(2)), pattern([[0, 1]], 2, 1), tol=math.nan
            ),
            "tol",
        ),
        (
            lambda: sampled_loss(
                Problem(torch.eye(2)),
                Weights(torch.eye(2), torch.eye(2)),
                ReLU(),
                SparseFeatures(2, 0.5),
                math.nan,
            ),
            "samples",
        ),
        (
            lambda: absorb(
                Problem(torch.eye(2)), Weights(torch.ones(2, 2), torch.eye(2)), JumpReLU(0.1), 0.5
            ),
            "neuron",
        ),
    ],
)
def test_wrong_types_and_numbers_are_value_errors(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_lists_and_arrays_are_welcome():
    assert JumpReLU([0.1, 0.2]).theta.tolist() == pytest.approx([0.1, 0.2])
    assert len(hierarchy(2, 2, 8, 0.5).names) == 4
    assert Problem([[1.0, 0.0], [0.0, 1.0]]).W_p.dtype is torch.float64
    assert JumpReLU([0.1, 0.2]).theta[0].item() == 0.1


def test_mismatch_is_named():
    problem = Problem(torch.eye(3, dtype=torch.float64))
    for weights, words in (
        (Weights(randn(0, 2, 4), randn(1, 3, 2)), "n_p is 3"),
        (Weights(randn(0, 2, 3), randn(1, 4, 2)), "n_r is 3"),
        (Weights(randn(0, 2, 3).float(), randn(1, 3, 2).float()), "convert one"),
    ):
        with pytest.raises(ValueError, match=words):
            approximate_loss(problem, weights)


def test_columns_are_renormalized_in_float64_and_dtype_is_kept():
    W = unit(randn(0, 7, 9)) * (1 + 5e-7)
    assert (Problem(W).W_p.norm(dim=0) - 1).abs().max() < 1e-15
    assert Problem(W.float()).M_d.dtype is torch.float32
    assert Problem(torch.eye(2, dtype=torch.int64)).W_p.dtype is torch.float64
    assert Problem(W).to(torch.float32).W_p.dtype is torch.float32
    with pytest.raises(ValueError, match="1e-06"):
        Problem(W * (1 + 2e-6))


def test_properties():
    problem = Problem(
        torch.eye(3, dtype=torch.float64)[:, :2],
        torch.tensor([[1.0, 2.0]], dtype=torch.float64),
        torch.tensor([3.0, 1.0]),
    )
    assert (problem.n, problem.n_p, problem.n_r, problem.mu, problem.scale) == (2, 3, 1, 0.0, 7.0)
    assert Problem(torch.ones(1, 1)).mu == -math.inf
    with pytest.raises(Exception):
        problem.W_p = None


def test_the_dual_basis_is_the_pseudo_inverse_where_it_saves_projections():
    large = Problem(unit(randn(0, 140, 130)))
    assert np.allclose(large.dual_basis @ large.W_p_array, np.eye(130), atol=1e-10)
    assert large.clearly_independent and large.dual_basis is large.dual_basis
    assert Problem(unit(randn(0, 140, 10))).dual_basis is None  # small
    assert Problem(unit(randn(0, 130, 140))).dual_basis is None  # dependent
