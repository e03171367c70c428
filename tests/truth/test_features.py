"""Feature directions and what is possible at all."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import randn, unit

from sdl_theory import (
    InterferenceNotReached,
    feature_matrix,
    gram,
    hierarchy,
    interference,
    levenshtein_bound,
    rankin_bound,
)


@pytest.mark.parametrize(
    "n, n_p, mu",
    [
        (1000, 768, 0.1),
        (1000, 768, 0.05),
        (100, 77, 0.3),
        (20, 10, 0.3),
        (6, 5, -0.2),
        (10, 5, 0.0),
        (4, 9, 0.0),
        (2, 1, -1.0),
        (3, 1, 1.0),
        (1, 3, 0.1),
        (7, 3, 0.6),
    ],
)
def test_interference_is_at_most_mu(n, n_p, mu):
    W = feature_matrix(n, n_p, mu, generator=torch.Generator().manual_seed(1))
    assert W.shape == (n_p, n) and (W.norm(dim=0) - 1).abs().max() < 1e-12
    assert n == 1 or interference(W) <= mu + 1e-12


def test_chunked_interference_is_the_largest_off_diagonal_entry():
    W = unit(randn(0, 3, 1500))
    G = gram(W)
    assert interference(W) == (G - 3 * torch.eye(1500, dtype=torch.float64)).max().item()


@given(st.integers(2, 9), st.integers(1, 6), st.integers(0, 10**6))
def test_no_vectors_beat_the_bounds(n, n_p, seed):
    mu = interference(unit(randn(seed, n_p, n)))
    assert mu >= rankin_bound(n, n_p) - 1e-12 and mu >= levenshtein_bound(n, n_p) - 1e-12


def test_levenshtein_is_tight_where_it_is_known_to_be():
    # Clebsch, Schlaefli and McLaughlin: optimal spherical codes
    for n, n_p, mu in ((16, 5, 1 / 5), (27, 6, 1 / 4), (275, 22, 1 / 6)):
        assert levenshtein_bound(n, n_p) == pytest.approx(mu)
    assert rankin_bound(27, 6) == 0
    assert rankin_bound(4, 3) == pytest.approx(-1 / 3)
    assert levenshtein_bound(4, 3) == rankin_bound(4, 3)
    end = (math.sqrt(11) - 1) / 10
    # beyond its range: the end of it, still a bound
    assert levenshtein_bound(240, 8) == pytest.approx(end)


def test_below_a_bound_is_an_error_that_names_it():
    for n, n_p, mu, name in (
        (4, 3, -0.4, "Rankin"),
        (6, 4, -0.01, "Rankin"),
        (16, 5, 0.19, "Levenshtein"),
        (240, 8, 0.23, "Levenshtein"),
    ):
        with pytest.raises(ValueError, match=f"below {name}'s bound"):
            feature_matrix(n, n_p, mu)


def test_above_the_bounds_it_gives_up_and_says_what_it_reached():
    with pytest.raises(InterferenceNotReached, match="best mu reached") as error:
        feature_matrix(239, 8, 0.51, generator=torch.Generator().manual_seed(0), max_steps=40)
    assert error.value.mu == pytest.approx(interference(error.value.W_p))
    assert isinstance(error.value, ValueError)


def test_seeded():
    a, b, c = (
        feature_matrix(9, 5, 0.5, generator=torch.Generator().manual_seed(s)) for s in (1, 1, 2)
    )
    assert torch.equal(a, b) and not torch.equal(a, c)


def test_hierarchy_cosines():
    tree = hierarchy(3, [2, 3, 4], 12, 0.8, generator=torch.Generator().manual_seed(0))
    G, same = gram(tree.W_p), torch.zeros(9, 9, dtype=torch.bool)
    for group in tree.groups:
        same[torch.tensor(group)[:, None], torch.tensor(group)] = True
    off = ~torch.eye(9, dtype=torch.bool)
    assert torch.allclose(G[same & off], torch.tensor(0.64, dtype=torch.float64))
    assert G[~same].abs().max() < 1e-12
    assert [len(g) for g in tree.groups] == [2, 3, 4] and len(tree.names) == 9
    crowded = hierarchy(3, 4, 5, 0.9, generator=torch.Generator().manual_seed(0))
    assert (crowded.W_p.norm(dim=0) - 1).abs().max() < 1e-12


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: feature_matrix(0, 3, 0.1), "n must be"),
        (lambda: feature_matrix(3, 2.5, 0.1), "n_p must be"),
        (lambda: feature_matrix(3, 3, math.nan), "mu must be"),
        (lambda: interference(torch.ones(3, 1)), "n >= 2"),
        (lambda: hierarchy(2, [1], 4, 0.5), "one per parent"),
        (lambda: hierarchy(2, 2, 4, 1.0), "strength"),
        (lambda: rankin_bound(1, 3), "n must be"),
        (lambda: gram(torch.tensor([[math.nan]])), "finite"),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()
