"""Settings: numbers of any library are kept as plain ones, and what is no setting is named."""

import json

import numpy as np
import pytest
import torch
from models_for_tests import SMALL, small

from sdl_theory import Anchors, Config, LinearRepresentationBench, Samples, Trainer, Uniform, fit


@pytest.mark.parametrize(
    "bad, words",
    [
        (dict(unit_norm="false"), "unit_norm must be True or False"),
        (dict(compile=1), "compile"),
        (dict(lr="abc"), "lr must be a number; got 'abc'"),
        (dict(aux_k=0), "aux_k"),
        (dict(dead_after=0), "dead_after"),
        (dict(betas=(2, 3)), "betas"),
        (dict(target_l0="4"), "target_l0 must be a number"),
    ],
)
def test_settings_of_the_wrong_kind_are_named(bad, words):
    with pytest.raises(ValueError, match=words):
        Config(**bad)


@pytest.mark.parametrize(
    "bad",
    [
        dict(lr=object()),
        dict(betas=0.9),
        dict(betas=("a", 0.9)),
        dict(steps=1j),
        dict(lam_anchor={}),
        dict(seed=-1),
        dict(seed=None),
    ],
)
def test_what_is_no_setting_is_named(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        Config(**bad)


def test_anchors_that_do_not_fit_together_are_named():
    with pytest.raises(ValueError, match=r"W_D \(8, 1\)"):
        Anchors(None, torch.ones(3, 8), torch.ones(8, 1))
    with pytest.raises(ValueError, match="3 weights for 2 models"):
        fit(
            small(instances=2),
            SMALL,
            Config(steps=1, lam_anchor=(1.0, 1.0, 1.0)),
            anchors=2,
            progress=False,
        )
    with pytest.raises(ValueError, match="classes is empty"):
        Anchors.of_class_means(torch.ones(3, 8), [0, 1, 2], classes=[])


SCALARS = [np.int64, np.int32, torch.tensor, lambda value: np.asarray(value)]


@pytest.mark.parametrize("kind", SCALARS, ids=["int64", "int32", "tensor", "array"])
def test_numbers_from_numpy_and_torch_do_not_lose_a_training(kind, tmp_path):
    """The run used to train, and fail at the save: int64 is not JSON serializable."""
    counts = dict(
        steps=4,
        batch=16,
        warmup=1,
        seed=3,
        log_every=2,
        checkpoint_every=2,
        eval_every=2,
        dead_after=99,
        aux_k=2,
        resample_every=0,
    )
    config = Config(
        **{name: kind(value) for name, value in counts.items()},
        lr=np.float32(0.5),
        betas=[np.float64(0.9), 0.5],
        unit_norm=np.bool_(True),
        clip=torch.tensor(2.0),
        lam_anchor=np.array([0.5]),
        precision=np.str_("float32"),
        target_l0=np.float16(2),
    )
    assert {name: (type(getattr(config, name)), getattr(config, name)) for name in counts} == {
        name: (int, value) for name, value in counts.items()
    }
    assert [
        type(value)
        for value in (config.lr, config.clip, config.unit_norm, config.target_l0, config.precision)
    ] == [float, float, bool, float, str]
    assert config.betas == (0.9, 0.5)
    assert config.lam_anchor == (0.5,)
    assert all(type(value) is float for value in (*config.betas, *config.lam_anchor))
    known = Anchors.of_truth(SMALL, 2)
    known = Anchors(np.array(known.features), known.W_E, known.W_D)
    assert known.features == Anchors.of_truth(SMALL, 2).features and type(known.features[0]) is int
    for resume in (False, True):
        fit(
            small(n_q=kind(24), k=kind(2), decoder_norm=np.float32(1)),
            SMALL,
            config,
            anchors=known,
            out=tmp_path,
            resume=resume,
            progress=False,
        )
    assert (tmp_path / "checkpoint.safetensors").exists()


def test_settings_of_a_bench_are_plain(tmp_path):
    bench = LinearRepresentationBench(
        np.int64(10),
        torch.tensor(8),
        np.float32(0.9),
        np.float32(0.5),
        Uniform(np.float32(0.5), np.float32(1)),
        np.int64(1),
        samples=np.int32(50),
    )
    assert json.loads(json.dumps(bench.settings)) == bench.settings
    assert type(bench.S) is type(bench.mu) is float
    fit(small(bench=bench), bench, Config(steps=1, batch=8), out=tmp_path / "bench", progress=False)
    fit(
        small(),
        Samples(SMALL.sample(20).x_p, seed=np.int64(4)),
        Config(steps=1, batch=8),
        out=tmp_path / "samples",
        progress=False,
    )
    bench.save(tmp_path / "saved")
    assert LinearRepresentationBench.load(tmp_path / "saved").settings == bench.settings


@pytest.mark.parametrize(
    "settings, words",
    [
        (
            dict(law=dict(kind=np.int64(3))),
            r"data\[0\].law.kind = .*3.* cannot be written into a checkpoint",
        ),
        (dict(a=1, x=object()), r"data\[0\].x = <object"),
        (dict(x={2j: 3}), r"data\[0\].x.2j = 3|data = .*keys must be"),
    ],
)
def test_settings_that_no_checkpoint_can_hold_are_found_before_the_first_step(
    settings, words, tmp_path, monkeypatch
):
    class Own(Samples):
        pass

    Own.settings = settings
    monkeypatch.setattr(Trainer, "step", lambda self: pytest.fail("a step was made"))
    with pytest.raises(ValueError, match=words):
        fit(small(), Own(torch.ones(9, 8)), Config(steps=1, batch=8), out=tmp_path, progress=False)
    assert list(tmp_path.iterdir()) == []
