"""Runs with the options of Eqs. 7, 8 and 9 of arXiv:2512.05534: they reach the step and files."""

import json
import math

import pytest
import torch
from options_for_tests import BENCH, KINDS, NEW, config, made, seeded

from sdl_theory import Config, LinearRepresentationBench, SDLModel, Trainer, evaluate, fit
from sdl_theory.files import read_tensors, write_tensors


@pytest.mark.parametrize("kind", NEW)
def test_instances_are_single_runs_and_dead_latents_of_one_do_not_touch_another(kind):
    benches = [
        LinearRepresentationBench(40, 30, 0.9, 0.4, seed=s, dtype=torch.float64) for s in range(2)
    ]
    many = made(kind, biases=True, instances=2)
    with torch.no_grad():
        many.W_E[0, -8:] *= 0.01  # only the first has dead latents
    singles = [many.instance(i) for i in range(2)]
    assert all(one.settings == many.settings | dict(instances=None) for one in singles)
    history = fit(many, benches, config(dead_after=256), progress=False)
    for i, single in enumerate(singles):
        alone = fit(single, benches[i], config(dead_after=256), progress=False)
        for name, value in single.state_dict().items():
            torch.testing.assert_close(many.state_dict()[name][i], value, rtol=1e-6, atol=1e-8)
        assert history.column("dead", i) == alone.column("dead")


def test_a_run_follows_its_config():
    """The options reach the step: each changes what is learned, and a `Trainer` hands them on as
    given.
    """
    ended = {}
    for changes in (dict(), dict(aux_target="input"), dict(level_loss="mean")):
        fit(
            model := made("matryoshka with ks"),
            BENCH,
            config(**dict(aux_target="residual") | changes),
            progress=False,
        )
        knobs = Trainer(model, BENCH, config(**dict(aux_target="residual") | changes)).knobs()
        assert (knobs.aux_target, knobs.level_loss) == (
            changes.get("aux_target", "residual"),
            changes.get("level_loss"),
        )
        ended[str(changes)] = model.W_D.detach().clone()
    first, *others = ended.values()
    assert all((first - other).abs().max() > 1e-4 for other in others)


@pytest.mark.parametrize("kind", NEW)
def test_a_resumed_run_is_the_uninterrupted_one(kind, tmp_path):
    bench = LinearRepresentationBench(40, 30, 0.9, 0.4, seed=1)
    fresh = lambda: SDLModel(30, 64, generator=seeded(), **KINDS[kind])
    fit(whole := fresh(), bench, config(), out=tmp_path / "whole", progress=False)
    fit(
        fresh(),
        bench,
        config(),
        out=tmp_path / "parts",
        progress=False,
        callback=lambda row: row["step"] < 12,
    )
    assert read_tensors(tmp_path / "parts" / "checkpoint.safetensors")[1]["step"] == 12
    history = fit(
        resumed := fresh(), bench, config(), out=tmp_path / "parts", resume=True, progress=False
    )
    assert all(
        torch.equal(value, resumed.state_dict()[name]) for name, value in whole.state_dict().items()
    )
    assert history.column("step") == [6, 12, 18, 24]
    assert history.column("encoder_raw_mip")
    assert math.isfinite(history.column("loss")[-1])
    loaded = SDLModel.load(tmp_path / "parts" / "checkpoint.safetensors")
    assert loaded.settings == whole.settings == json.loads(json.dumps(whole.settings))
    assert torch.equal(loaded(bench.W_p.mT), whole(bench.W_p.mT))
    other = (
        SDLModel(30, 64, generator=seeded(), method="matryoshka", ks=(1, 2))
        if "matryoshka" in kind
        else SDLModel(30, 64, k=5, generator=seeded())
    )
    with pytest.raises(
        Exception, match=r"its model\.k is 9" if "matryoshka" in kind else "its model.plain is True"
    ):
        fit(other, bench, config(), out=tmp_path / "parts", resume=True, progress=False)


def test_runs_from_before_the_options_can_still_be_resumed(tmp_path):
    """A checkpoint whose config lacks them had what is now their default, and that only."""
    bench = LinearRepresentationBench(40, 30, 0.9, 0.4, seed=1)
    path = tmp_path / "checkpoint.safetensors"
    fit(
        SDLModel(30, 64, k=4, generator=seeded()),
        bench,
        config(aux_target="residual"),
        out=tmp_path,
        progress=False,
    )
    tensors, metadata = read_tensors(path)
    del metadata["config"]["aux_target"], metadata["config"]["level_loss"]
    assert not {"ks", "plain"} & set(metadata["model"])
    write_tensors(path, tensors, metadata)
    fit(
        SDLModel(30, 64, k=4, generator=seeded()),
        bench,
        config(aux_target="residual"),
        out=tmp_path,
        resume=True,
        progress=False,
    )
    write_tensors(path, tensors, metadata)
    with pytest.raises(Exception, match="config.aux_target is 'residual', this one's is 'input'"):
        fit(
            SDLModel(30, 64, k=4, generator=seeded()),
            bench,
            config(),
            out=tmp_path,
            resume=True,
            progress=False,
        )


@pytest.mark.parametrize("kind", NEW)
def test_training_learns(kind):
    bench = LinearRepresentationBench(20, 24, 0.95, 0.5, seed=2)
    model = SDLModel(
        24,
        60,
        generator=seeded(),
        **KINDS[kind] | (dict(ks=(1, 2, 4)) if "matryoshka" in kind else dict(k=2)),
    )
    history = fit(
        model,
        bench,
        Config(
            steps=500,
            batch=256,
            lr=5e-3,
            warmup=20,
            log_every=100,
            aux_coef=1 / 32,
            aux_target="input",
        ),
        progress=False,
    )
    assert history.column("loss")[-1] < 0.3 * history.column("loss")[0]
    assert evaluate(model, bench, samples=1000).of("decoder").recovery[0.95] >= 0.7


def test_history_carries_the_literal_metric_first():
    bench = LinearRepresentationBench(40, 30, 0.9, 0.4, seed=1)
    model = SDLModel(30, 64, k=4, generator=seeded())
    history = fit(model, bench, Config(steps=30, batch=64, lr=1e-2), anchors=3, progress=False)
    row = history.last[0]
    names = [name for name in row if name.startswith(("encoder", "decoder"))]
    assert names == [
        f"{side}_{figure}"
        for side in ("encoder_raw", "encoder", "decoder")
        for figure in ("recovery_95", "recovery_90", "mip")
    ]
    report = evaluate(model, bench, anchored=history.anchored[0], samples=100).summary()
    assert {name: row[name] for name in names} == pytest.approx(
        {name: report[name] for name in names}, rel=1e-6
    )
    assert len({row["encoder_raw_mip"], row["encoder_mip"], row["decoder_mip"]}) == 3


def test_the_progress_bar_says_whose_features_it_counts(capsys):
    fit(
        SDLModel(30, 64, k=4, generator=seeded()),
        LinearRepresentationBench(40, 30, 0.9, 0.4, seed=1),
        Config(steps=4, batch=16, log_every=2),
        progress=True,
    )
    said = capsys.readouterr().err
    assert "W_E found, raw=" in said
    assert "W_D found, cos=" in said
    assert said.index("W_E found") < said.index("W_D found")
