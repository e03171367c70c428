"""Resampling of batched models is that of single ones; and what rules are refused, where."""

import pytest
import torch

from sdl_theory import Anchors, Config, LinearRepresentationBench, SDLModel, Trainer, fit
from sdl_theory.files import CheckpointError
from sdl_theory.training.methods import METHODS, WITH_K
from sdl_theory.training.world import World

f64 = torch.float64
RULES = ("bricken", "sign", "split")
CASES = [(m, r) for m in METHODS for r in RULES if not (r == "split" and m in WITH_K)]
BENCHES = [LinearRepresentationBench(40, 30, 0.9, 0.3, seed=s, dtype=f64) for s in (2, 3)]


def made(method, instances=2, biases=True):
    model = SDLModel(
        30,
        48,
        method=method,
        k=4 if method in WITH_K else None,
        theta=0.3 if method == "jumprelu" else None,
        biases=biases,
        instances=instances,
        generator=torch.Generator().manual_seed(1),
        dtype=f64,
    )
    with torch.no_grad():  # dead until they are begun anew: not the same, nor as many
        if instances:
            model.W_E[0, 40:] = model.W_E[1, 30:35] = 0
            model.W_E[:, 5] = 0
        else:
            model.W_E[40:] = 0
    return model


def config(rule, **more):
    settings = dict(
        steps=40, batch=64, lr=1e-2, warmup=5, seed=3, dead_after=640, resample_every=12,
        resample_until=0.8, lam_anchor=0.2,
    )  # fmt: skip
    return Config(**settings | dict(resample=rule) | more)


def run(model, data, rule, anchors):
    trainer, woken = Trainer(model, data, config(rule), anchors), 0
    for _ in range(40):
        before = trainer.asleep.clone()
        trainer.step()
        if trainer.steps_done in (12, 24):
            woken += int(((before >= 576) & (trainer.asleep == 0)).sum())
    return trainer, woken


@pytest.mark.parametrize("method, rule", CASES)
def test_every_instance_is_resampled_as_a_model_of_its_own(method, rule):
    """To rounding, though products of a batched model may be summed in another order."""
    model = made(method)
    singles = [model.instance(i) for i in (0, 1)]
    anchors = [Anchors.of_truth(bench, 2) for bench in BENCHES]
    trainer, woken = run(model, BENCHES, rule, anchors)
    assert woken > 6
    for i, single in enumerate(singles):
        alone, _ = run(single, BENCHES[i], rule, anchors[i])
        for name, value in alone.tensors().items():
            ours = trainer.tensors()[name]
            ours = ours[i] if ours.ndim > value.ndim else ours
            if name != "run/sums":
                torch.testing.assert_close(ours, value, rtol=1e-6, atol=1e-8, msg=f"{name} of {i}")


def test_clones_are_never_of_anchored_latents():
    model = made("relu", None)
    trainer = Trainer(model, BENCHES[0], config("split"), Anchors.of_truth(BENCHES[0], 30))
    for _ in range(11):
        trainer.step()
    held = model.W_E[:30].detach().clone()
    trainer.step()
    assert (trainer.asleep[40:] == 0).any() and (model.W_E[:30] - held).abs().max() < 0.1


@pytest.mark.parametrize("rule", RULES)
def test_a_run_is_gone_on_with_bit_for_bit(rule, tmp_path):
    whole, parts = (made("jumprelu", None) for _ in range(2))
    fit(whole, BENCHES[0], config(rule), progress=False)
    go = dict(out=tmp_path / "run", progress=False)
    stop = lambda row: row["step"] < 20
    c = config(rule, log_every=4, checkpoint_every=5)
    assert fit(parts, BENCHES[0], c, callback=stop, **go).interrupted
    again = made("jumprelu", None)
    fit(again, BENCHES[0], c, resume=True, **go)
    for name, value in whole.state_dict().items():
        assert torch.equal(again.state_dict()[name], value), name
    other = config("bricken" if rule == "sign" else "sign")
    with pytest.raises(CheckpointError, match="config.resample is"):
        fit(made("jumprelu", None), BENCHES[0], other, resume=True, **go)


@pytest.mark.parametrize("method", WITH_K)
def test_clones_are_refused_under_top_k(method):
    with pytest.raises(ValueError, match=f"resample = 'split' under method = '{method}'"):
        Trainer(made(method, None), BENCHES[0], config("split"))
    Trainer(made(method, None), BENCHES[0], config("split", resample_every=0))  # never asked for


@pytest.mark.parametrize("rule", RULES)
def test_latents_cut_over_processes_have_brickens_rule_alone(rule):
    model = made("relu", None)
    model.world = World(shards=2)
    if rule == "bricken":
        with pytest.raises(ValueError, match="cut over 2 processes, this run's over 1"):
            Trainer(model, BENCHES[0], config(rule))
        return
    with pytest.raises(ValueError, match=f"resample = '{rule}' looks at all latents"):
        Trainer(model, BENCHES[0], config(rule), world=World(shards=2))


@pytest.mark.parametrize("bad", ["brickens", "", 3, None])
def test_a_rule_that_is_none_is_named(bad):
    with pytest.raises(ValueError, match="resample"):
        Config(resample=bad)
