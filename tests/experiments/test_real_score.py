"""Figures of a dictionary on class means: against brute force, and where they must not move."""

import copy

import numpy as np
import pytest
import torch

from sdl_theory import SDLModel
from sdl_theory.experiments.real.cases import both
from sdl_theory.experiments.real.score import behaviour, score_model, score_rows
from sdl_theory.representations.store import Representations

K, N_P = 5, 8


@pytest.fixture(scope="module")
def case():
    draw = np.random.default_rng(1)
    centres = 3 * draw.normal(size=(K, N_P))
    labels = np.repeat(np.arange(K), 8)
    x = centres[labels] + 0.3 * draw.normal(size=(len(labels), N_P)) + 1
    return both("x", Representations(x.astype(np.float32), labels))[1]


@pytest.fixture
def model():
    return SDLModel(N_P, 16, k=2, generator=torch.Generator().manual_seed(0))


OTHERS = torch.tensor([False, True, True, True, False])


def test_figures_are_those_of_brute_force(case, model):
    figures = score_model(model, case, OTHERS, seed=0)
    products = (model.W_E.detach() @ case.truth).abs()
    cosines = products / model.W_E.detach().norm(dim=1, keepdim=True)
    for name, best in (("encoder_raw", products.amax(0)), ("encoder", cosines.amax(0))):
        assert figures[f"{name}_mip"] == pytest.approx(best.mean().item(), abs=1e-6)
        kept = best[OTHERS]
        assert figures[f"{name}_mip_others"] == pytest.approx(kept.mean().item(), abs=1e-6)
        for tau in (95, 90, 80):
            share = (kept > tau / 100).double().mean().item()
            assert figures[f"{name}_found_{tau}_others"] == pytest.approx(share)
    columns = model.W_D.detach().mT
    decoder = (columns @ case.truth).abs() / columns.norm(dim=1, keepdim=True)
    assert figures["decoder_mip"] == pytest.approx(decoder.amax(0).mean().item(), abs=1e-6)


def test_the_literal_metric_has_a_scale_that_cosines_have_not(case, model):
    """W_E -> 10 W_E, W_D -> W_D / 10 is the same function under Top-k."""
    scaled = copy.deepcopy(model)
    with torch.no_grad():
        scaled.W_E.mul_(10)
        scaled.W_D.div_(10)
    one, ten = (score_model(each, case, OTHERS, seed=0) for each in (model, scaled))
    assert ten["encoder_raw_mip"] == pytest.approx(10 * one["encoder_raw_mip"], rel=1e-5)
    assert ten["relabelled_raw_mip"] == pytest.approx(10 * one["relabelled_raw_mip"], rel=1e-5)
    for name in ("encoder_mip", "decoder_mip", "relabelled_mip", "loss", "dead", "l0", "null_mip"):
        assert ten[name] == pytest.approx(one[name], rel=1e-5), name


def test_the_class_means_themselves_score_one_and_two_of_them_two_fifths(case):
    figures = score_rows(case.truth.mT, case, OTHERS)
    assert figures["encoder_raw_found_95"] == figures["encoder_found_95"] == 1
    assert figures["encoder_raw_mip"] == pytest.approx(1)
    two = score_rows(case.truth.mT[~OTHERS], case, OTHERS)
    assert two["encoder_raw_found_95"] == pytest.approx(2 / 5)
    assert two["encoder_raw_found_95_others"] == 0


class MeanAlone:
    """Answers the mean whatever it sees. One latent fires always, one never, one for some rows."""

    def __init__(self, mean):
        self.W_E, self.mean, self.n_q = mean, mean, 3

    def encode(self, x):
        return torch.stack([torch.ones(len(x)), torch.zeros(len(x)), x[:, 0] > x[:, 1]], 1)

    def decode(self, codes):
        return codes[:, :1] * self.mean


@pytest.mark.parametrize("which", [0, 1])
def test_loss_one_is_the_mean_predictor(which):
    draw = np.random.default_rng(2).normal(size=(40, 3)).astype(np.float32) + 2
    case = both("x", Representations(draw, np.repeat(np.arange(4), 10)))[which]
    found = behaviour(MeanAlone(case.seen_mean), case)
    assert found["loss"] == pytest.approx(1, abs=1e-6)
    assert found["dead"] == pytest.approx(1 / 3) and 1 < found["l0"] < 2
