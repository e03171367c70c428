"""Models with the options of Eqs. 7, 8 and 9 of arXiv:2512.05534: inference, theory, files."""

import json

import pytest
import torch
from options_for_tests import BENCH, NEW, made

from sdl_theory import (
    Config,
    SDLModel,
    TopK,
    diagnose,
    evaluate,
    read_saelens,
    training_bytes,
    write_saelens,
)
from sdl_theory.measure.latents import strictly_dead
from sdl_theory.measure.report import firing_level
from sdl_theory.training.objective import objective
from sdl_theory.training.step import Knobs


@pytest.mark.parametrize("kind", NEW)
def test_inference_is_the_top_k_of_the_theory_with_the_largest_k(kind):
    model = made(kind)
    codes, z = model.encode(BENCH.W_p.mT), model.preactivations(BENCH.W_p.mT)
    assert isinstance(model.sigma, TopK)
    assert model.sigma.k == model.k == max(model.ks or (5,))
    assert "theta" not in model.state_dict()
    assert torch.equal(codes, model.sigma(z, dim=-1))
    assert torch.equal(codes != 0, model.sigma.active(z, -1))
    assert bool((codes < 0).any()) == bool(((codes != 0).sum(1) == model.k).all()) == model.plain
    below = -1 - torch.arange(96, dtype=torch.float64)[None] / 96
    assert model.activate(below).count_nonzero() == (model.k if model.plain else 0)
    if model.plain:
        with pytest.raises(ValueError, match="plain"):
            diagnose(model, BENCH)
    else:
        assert len(diagnose(model, BENCH, samples=200).neurons) == 96


def test_plain_top_k_counts_what_fires_below_zero():
    model, data = made("plain topk"), BENCH.batch(0, 48)
    for sparse in (False, True):
        terms = objective(model, data.x_p, data.x_r, Knobs(48), sparse)
        assert terms.l0.item() == pytest.approx(model.encode(data.x_p).count_nonzero().item() / 48)
        assert terms.l0 > 4
        assert torch.equal(terms.fired, (model.encode(data.x_p) != 0).any(0))
    report, codes = evaluate(model, BENCH, samples=300), model.encode(BENCH.sample(300, seed=1).x_p)
    assert report.l0 == codes.count_nonzero().item() / 300
    assert report.dead == (codes == 0).all(0).double().mean()
    assert (codes < 0).sum() > 100
    assert report.strictly_dead == 0
    assert firing_level(model).isneginf().all()
    assert not firing_level(made("topk")).any()
    # below zero on feature 0; ReLU would silence it there, plain Top-k may not
    against = -BENCH.W_p.mT[:1]
    assert strictly_dead(against, BENCH.W_p[:, :1], firing_level(made("topk"))[:1])
    assert not strictly_dead(against, BENCH.W_p[:, :1], firing_level(model)[:1])


def test_saelens_gets_the_largest_k_and_no_plain_top_k(tmp_path):
    model = made("matryoshka with ks", biases=True, dtype=torch.float32)
    write_saelens(model, tmp_path / "a")
    cfg, back = json.loads((tmp_path / "a" / "cfg.json").read_text()), read_saelens(tmp_path / "a")
    assert cfg["architecture"] == "topk"
    assert cfg["k"] == 9
    assert "training_architecture" not in cfg["metadata"]
    x = BENCH.sample(50).x_p.float()
    assert back.method == "topk"
    assert back.k == 9
    assert torch.equal(back.encode(x), model.encode(x))
    assert torch.equal(back(x), model(x))
    for kind in ("plain topk", "plain matryoshka with ks"):
        with pytest.raises(ValueError, match="topk has a ReLU"):
            write_saelens(made(kind, dtype=torch.float32), tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_memory_of_several_k():
    """z once in the sparse step, however many k; in the dense one codes and mask of each."""
    need = lambda **options: (
        training_bytes(SDLModel(30, 96, **options), 20).latents
        / (4 * 20 * 96 * (options.get("instances") or 1))
    )
    # whole bytes
    assert (
        need(method="matryoshka", ks=(1, 4))
        == need(method="matryoshka", ks=(1, 2, 4))
        == need(k=4)
        == pytest.approx(1.1, rel=1e-4)
    )
    assert (
        need(method="matryoshka", ks=(1, 2, 4), instances=2)
        == pytest.approx(need(k=4, instances=2) + 3, rel=1e-4)
        == pytest.approx(8.2, rel=1e-4)
    )


@pytest.mark.parametrize(
    "options, words",
    [
        (dict(method="topk", ks=(1, 2)), "ks are Matryoshka's"),
        (dict(method="matryoshka", ks=(1, 2), levels=(4, 96)), "in place of levels"),
        (dict(method="matryoshka", ks=(2, 2)), "must increase"),
        (dict(method="matryoshka", ks=()), "must increase"),
        (dict(method="matryoshka", ks=5), "ks must"),
        (dict(method="matryoshka", ks="8,16"), "ks must"),
        (dict(method="matryoshka", ks=(0, 2)), "a k of ks"),
        (dict(method="matryoshka", ks=(1, 2), k=3), "k = 3"),
        (dict(method="matryoshka", ks=(1, 99)), "k = 99 latents cannot fire of n_q = 96"),
        (dict(method="matryoshka", plain=True), "plain=True is Top-k without a ReLU"),
        (dict(method="batchtopk", plain=True), "plain=True is Top-k without a ReLU"),
        (dict(method="topk", plain=1), "plain"),
    ],
)
def test_models_that_make_no_sense_are_named(options, words):
    with pytest.raises(ValueError, match=words):
        SDLModel(30, 96, **options)


def test_configs_that_make_no_sense_are_named():
    for options, words in [
        (dict(aux_target="x_p"), "aux_target must be 'residual'"),
        (dict(level_loss="max"), "level_loss must be"),
    ]:
        with pytest.raises(ValueError, match=words):
            Config(**options)
