"""A method is one class: what the registry says of the six, and a seventh from a class alone."""

from dataclasses import fields
from inspect import signature

import pytest
import torch
from models_for_tests import BENCH, model, seeded

from sdl_theory import Config, SDLModel, Trainer, training_bytes, write_saelens
from sdl_theory.activations import ReLU
from sdl_theory.training.methods import METHODS, WITH_K
from sdl_theory.training.methods.base import OF_K, OF_SPARSITY, KLargest, Method


def test_the_registry_names_six_in_their_order():
    assert list(METHODS) == ["relu", "jumprelu", "topk", "batchtopk", "matryoshka", "gated"]
    assert WITH_K == ("topk", "batchtopk", "matryoshka")


class Squared(Method):
    """ReLU with an L2 term."""

    name = "squared"
    dense_copies = 4.0

    def activate(self, model, z):
        return z.relu()

    def sigma(self, model):
        return ReLU()

    def firing_level(self, model):
        return torch.zeros_like(model.W_E[..., 0])

    def penalty(self, step, coded):
        return step.knobs.coef * coded.codes.square().sum((-1, -2))


@pytest.mark.parametrize("instances", [None, 2])
def test_a_seventh_method_is_a_class_and_a_line(instances, monkeypatch):
    monkeypatch.setitem(METHODS, "squared", Squared)
    made = SDLModel(30, 64, method="squared", instances=instances, generator=seeded())
    trainer = Trainer(made, BENCH, Config(steps=60, batch=64, lr=5e-3, warmup=5, target_l0=4.0))
    losses = []
    for _ in range(60):
        trainer.step()
        losses.append(trainer.loss_now().sum().item())
    assert losses[-1] < losses[0] and (trainer.coef != 0.1).all()
    assert training_bytes(made, 64).latents == 4 * 4 * 64 * 64 * (instances or 1)
    assert repr(made).endswith("squared: n_p=30, n_q=64, n_r=30)") and made.settings["k"] is None
    with pytest.raises(ValueError, match="k is for topk, batchtopk, matryoshka; method='squared'"):
        SDLModel(30, 64, method="squared", k=3)


def test_a_method_that_saelens_has_not_is_refused_by_name(monkeypatch, tmp_path):
    monkeypatch.setitem(METHODS, "squared", Squared)
    with pytest.raises(ValueError, match="no architecture for method='squared'; .* relu, jumprelu"):
        write_saelens(SDLModel(6, 12, method="squared"), tmp_path / "folder")
    assert not (tmp_path / "folder").exists()


@pytest.mark.parametrize("lacking", ["dense_copies", "activate", "sigma", "firing_level"])
def test_a_method_that_lacks_something_is_no_class(lacking):
    whole = {one: vars(Squared)[one] for one in vars(Squared) if one != "__dict__"}
    assert type("Whole", (Method,), whole).name == "squared"
    with pytest.raises(TypeError, match=f"the method 'squared' lacks {lacking}"):
        type("Part", (Method,), {one: value for one, value in whole.items() if one != lacking})
    with pytest.raises(TypeError, match="lacks sparse_copies"):
        type("OfK", (KLargest,), whole)


def test_settings_of_a_method_are_there():
    there = {one.name for one in fields(Config)} | set(signature(SDLModel).parameters)
    assert there.issuperset(OF_K + OF_SPARSITY)
    assert all(there.issuperset(kind.settings) for kind in METHODS.values())
    having = lambda name: [method for method, kind in METHODS.items() if kind.has_setting(name)]
    assert having("bandwidth") == ["jumprelu"] and having("lr") == []
    assert having("levels") == having("ks") == having("level_loss") == ["matryoshka"]
    assert having("plain") == ["topk", "matryoshka"]
    assert having("sparsity") == ["relu", "jumprelu", "gated"] and having("aux_k") == [*WITH_K]


@pytest.mark.parametrize("method", METHODS)
def test_what_a_method_takes_is_what_the_model_says(method):
    made = model(method)
    assert made.method == method and (made.k is None) is (method not in WITH_K)
    assert (made.levels is None) is (method != "matryoshka") and made.ks is None
    assert (made.way.vectors.keys() | made.way.scalars) <= made.state_dict().keys()
    with pytest.raises(AttributeError):
        made.k = 5
    z = made.preactivations(BENCH.sample(20).x_p)
    assert torch.equal(made.activate(z), made.way.activate(made, z))
