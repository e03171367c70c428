"""A model before and after training: its start, files, place in the theory, and arguments."""

import math

import pytest
import torch
from models_for_tests import BENCH, model, problem

from sdl_theory import Config, SDLModel, TopK, Weights, fit
from sdl_theory.activations import JumpReLU
from sdl_theory.training.methods import METHODS


@pytest.mark.parametrize("norm", [1.0, 2**0.5])
def test_the_start_is_tied_and_each_row_meets_its_column_at_one(norm):
    made = model(decoder_norm=norm, dtype=torch.float64)
    assert (made.W_D.norm(dim=0) - norm).abs().max() < 1e-12
    assert ((made.W_E @ made.W_D).diagonal() - 1).abs().max() < 1e-12
    other = SDLModel(30, 64, 20, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert (other.W_E.norm(dim=1) - 1).abs().max() < 1e-12 and other.W_D.shape == (20, 64)


def test_a_trained_model_is_a_point_of_the_theory():
    made = model("batchtopk", k=4)
    fit(made, BENCH, Config(steps=400, batch=128, lr=5e-3), progress=False)
    assert isinstance(made.weights, Weights) and made.weights.W_E.dtype == torch.float64
    assert isinstance(made.sigma, JumpReLU) and made.theta > 0 and isinstance(model().sigma, TopK)
    x = BENCH.sample(2000).x_p
    l0 = (made.encode(x) > 0).sum(1).double().mean()
    assert 3.2 < l0 < 4.8  # the running threshold admits about k
    # and does not depend on the batch
    torch.testing.assert_close(made.encode(x[:5]), made.encode(x)[:5])
    for bad in (model("gated"), model(biases=True)):
        with pytest.raises(ValueError, match="bias-free"):
            bad.weights


def test_model_files_round_trip(tmp_path):
    for method in METHODS:
        made = model(method, biases=True, instances=2)
        made.save(tmp_path / "m.safetensors")
        again = SDLModel.load(tmp_path / "m.safetensors")
        assert again.settings == made.settings
        assert all(
            torch.equal(a, b)
            for a, b in zip(made.state_dict().values(), again.state_dict().values())
        )
        x = BENCH.sample(7).x_p
        torch.testing.assert_close(again.instance(1)(x), made(x)[1])


def test_bad_arguments_are_named():
    for arguments, words in [
        (dict(steps=0), "steps"),
        (dict(lr=math.nan), "lr"),
        (dict(decay=2), "decay"),
        (dict(precision="fp8"), "precision"),
        (dict(log_every=0), "log_every"),
    ]:
        with pytest.raises(ValueError, match=words):
            Config(**arguments)
    for arguments, words in [
        (dict(method="vae"), "method must be"),
        (dict(k=99), "k = 99 latents"),
        (dict(method="relu", theta=0.1), "theta is JumpReLU's"),
        (dict(instances=0), "instances"),
    ]:
        with pytest.raises(ValueError, match=words):
            SDLModel(30, 64, **arguments)
    with pytest.raises(ValueError, match="k is for"):
        SDLModel(30, 64, method="relu", k=3)
    with pytest.raises(ValueError, match="2 benches for 1 models"):
        fit(model(), [BENCH, BENCH], progress=False)
    with pytest.raises(ValueError, match="n_p is 30"):
        model().encode(torch.zeros(3, 29))
    with pytest.raises(ValueError, match="resume=True .--resume. needs out="):
        fit(model(), BENCH, resume=True, progress=False)


def test_matryoshka_prefixes_ascend():
    model, data, _ = problem("matryoshka", biases=False)
    assert model.levels == (6, 12, 24, 48, 96)
    with pytest.raises(ValueError, match="end with n_q = 8"):
        SDLModel(4, 8, method="matryoshka", levels=(4, 6))
