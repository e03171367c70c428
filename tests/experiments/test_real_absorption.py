"""Absorption in the wild: what is read off a dictionary, against cases made by hand."""

import pytest
import torch

from sdl_theory.experiments.real.absorption import correlations, dogs_of, ladder_ranks, own_latents
from sdl_theory.experiments.real.cases import both
from sdl_theory.representations.fixture import fixture


def test_the_child_farthest_from_the_others_leaves_first():
    """Three near together, and one apart."""
    W = torch.tensor([[1.0, 1.0, 1.0, 0.2], [0.1, 0.0, -0.1, 1.0]])
    ranks = ladder_ranks(W / W.norm(dim=0))
    assert sorted(ranks) == [0, 1, 2, 3] and ranks[3] == 0


def test_own_latents_and_the_commonest():
    breed = torch.tensor([0, 0, 1, 1, 2, 2])
    fired = torch.tensor(
        [  # latent 0 fires for breeds 0 and 2 and half of 1; latent 1 for breed 1; 2 never
            [1, 0, 0],
            [1, 0, 0],
            [1, 1, 0],
            [0, 1, 0],
            [1, 0, 0],
            [1, 0, 0],
        ],
        dtype=torch.bool,
    )
    own, stays = own_latents(fired, breed, 3)
    assert own.tolist() == pytest.approx([4 / 7, 1, 4 / 7])
    assert stays.tolist() == [1, 0.5, 1]


def test_the_shipped_embeddings_hold_all_dogs():
    case = both("final", fixture()["final"])[1]
    places, x, breed = dogs_of(case)
    assert len(places) == 118 and len(x) == len(breed) == 118 * 6
    assert breed.bincount().tolist() == [6] * 118
    mean = x[breed == 5].mean(0)
    cosine = (mean / mean.norm()) @ case.truth[:, places[5]]
    assert cosine.item() == pytest.approx(1, abs=1e-4)


def test_correlations_are_over_the_breeds():
    found = dict(rank=[0, 1, 2, 3], own=[4.0, 3.0, 2.0, 1.0], stays=[1.0, 2.0, 3.0, 4.5])
    found["cosine"] = [0.1, 0.2, 0.3, 0.4]
    values = {pair: one.value for pair, one in correlations(found).items()}
    assert values["rank", "own"] == pytest.approx(-1)
    assert "stays" not in " ".join(map(str, correlations(found | dict(stays=[1.0] * 4))))
    assert values["rank", "stays"] == values["cosine", "stays"] == pytest.approx(1)
