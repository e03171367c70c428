"""Where training meets an edge: empty samples, all features anchored, another truth."""

import json
import math

import numpy as np
import pytest
import torch
from models_for_tests import SMALL, small
from strategies import randn, unit

from sdl_theory import (
    Anchors,
    CheckpointError,
    Config,
    LinearRepresentationBench,
    Samples,
    SDLModel,
    TrainingError,
    Verdict,
    diagnose,
    evaluate,
    fit,
    read_saelens,
    write_saelens,
)


def test_a_zero_column_stays_zero_and_nan_weights_never_leave_in_silence():
    made = small(method="relu", k=None)
    with torch.no_grad():
        made.W_D[:, 3] = 0
        made.W_E[3] = 0
    x = SMALL.sample(64).x_p
    fit(made, Samples(x), Config(steps=3, batch=64), progress=False)
    assert torch.isfinite(made.W_D).all() and not made.W_D[:, 3].any()

    class Poisoned(Samples):
        def batch(self, t, size, **share):
            with torch.no_grad():
                made.W_E[0, 0] = math.nan if t == 2 else 0.0
            return super().batch(t, size, **share)

    with pytest.raises(TrainingError, match="finite"):
        fit(made, Poisoned(torch.zeros(64, 8)), Config(steps=3, batch=64), progress=False)


@pytest.mark.parametrize(
    "data, anchors", [(SMALL, 10), (SMALL, Anchors(None, SMALL.W_p.mT[:3], SMALL.W_r[:, :3]))]
)
def test_no_feature_held_out_no_figures_and_no_crash(data, anchors, tmp_path):
    history = fit(
        small(),
        data,
        Config(steps=4, batch=16, log_every=2, eval_every=2),
        anchors=anchors,
        out=tmp_path,
        progress=True,
    )
    assert not any("recovery" in name for row in history.rows for name in row)
    assert (tmp_path / "checkpoint.safetensors").exists()
    assert history.anchored == [None if isinstance(anchors, Anchors) else history.anchored[0]]
    assert isinstance(anchors, Anchors) or sorted(history.anchored[0]) == list(range(10))


def test_each_instance_is_measured_against_its_own_bench():
    history = fit(
        small(instances=2),
        [Samples(SMALL.sample(50).x_p), SMALL],
        Config(steps=2, batch=16),
        progress=False,
    )
    assert ["decoder_mip" in row for row in history.last] == [False, True]
    W_r = SMALL.problem.W_r.clone()
    W_r[:, 4] = 0  # nothing to recover, but no error either
    bench = LinearRepresentationBench(S=0.9, W_p=SMALL.problem.W_p, W_r=W_r, kind="transcoder")
    assert (
        0
        < fit(small(bench=bench), bench, Config(steps=2, batch=16), progress=False).column(
            "decoder_mip"
        )[-1]
        < 1
    )


def test_history_says_which_features_were_anchored():

    history = fit(
        small(), SMALL, Config(steps=1, batch=8, seed=1), anchors=np.int64(4), progress=False
    )
    assert history.anchored == [list(Anchors.of_truth(SMALL, 4, seed=1).features)]
    evaluate(small(), SMALL, anchored=history.anchored[0], samples=50)


def test_another_truth_or_fewer_benches_are_another_run(tmp_path):
    one, two = (
        LinearRepresentationBench(
            S=0.9, W_p=unit(randn(0, 8, 10)), W_r=unit(randn(seed, 6, 10)), kind="transcoder"
        )
        for seed in (1, 2)
    )
    assert one.settings != two.settings
    assert (
        one.settings
        == LinearRepresentationBench(
            S=0.9, W_p=unit(randn(0, 8, 10)), W_r=unit(randn(1, 6, 10)), kind="transcoder"
        ).settings
    )
    one.save(tmp_path / "bench")
    assert LinearRepresentationBench.load(tmp_path / "bench").settings == one.settings
    fit(small(bench=one), one, Config(steps=2, batch=8), out=tmp_path / "own", progress=False)
    with pytest.raises(CheckpointError, match="own"):
        fit(
            small(bench=one),
            two,
            Config(steps=4, batch=8),
            out=tmp_path / "own",
            resume=True,
            progress=False,
        )
    benches = [SMALL, LinearRepresentationBench(10, 8, 0.9, 0.5, seed=2)]
    fit(small(instances=2), benches, Config(steps=2, batch=8), out=tmp_path / "two", progress=False)
    with pytest.raises(CheckpointError, match=r"data\[1\]"):
        fit(
            small(instances=2),
            benches[:1],
            Config(steps=2, batch=8),
            out=tmp_path / "two",
            resume=True,
            progress=False,
        )


def test_your_own_directions_are_taken_or_refused():
    single = LinearRepresentationBench(W_p=unit(randn(0, 8, 10)).float(), S=0.9)
    assert single.problem.W_p.dtype == torch.float64
    assert "features" in str(diagnose(small(bench=single), single, samples=50))
    for given, words in [
        (dict(W_r=unit(randn(0, 8, 10))), "W_r without W_p"),
        (dict(W_p=unit(randn(0, 8, 10)), kind="transcoder"), "no W_r"),
        (dict(W_p=unit(randn(0, 8, 10)), W_r=unit(randn(1, 8, 10))), "kind='transcoder'"),
        (dict(W_p=unit(randn(0, 8, 10)), n_r=5), "8 rows"),
    ]:
        with pytest.raises(ValueError, match=words):
            LinearRepresentationBench(**given)


def test_where_no_feature_is_ever_alone_the_theory_is_silent():
    bench = LinearRepresentationBench(10, 8, 0.0, 0.5)
    reading = diagnose(small(n_q=4, k=1, bench=bench), bench, samples=20)
    assert reading.certificate is None
    assert not reading.groups
    assert Verdict.UNDECIDED in reading.neurons
    assert str(reading)


def test_reading_a_model_leaves_the_random_stream_alone(tmp_path):
    made = small(instances=2)
    made.save(tmp_path / "model.safetensors")
    before = torch.get_rng_state()
    made.instance(1)
    SDLModel.load(tmp_path / "model.safetensors")
    assert torch.equal(torch.get_rng_state(), before)


def test_a_flag_that_only_topk_folders_have_is_left_alone_elsewhere(tmp_path):
    made = small(method="jumprelu", k=None)
    with torch.no_grad():
        made.W_D *= 2
        made.theta += 0.3
    write_saelens(made, tmp_path)
    cfg = json.loads((tmp_path / "cfg.json").read_text())
    (tmp_path / "cfg.json").write_text(json.dumps(cfg | {"rescale_acts_by_decoder_norm": True}))
    x = SMALL.sample(50).x_p
    torch.testing.assert_close(read_saelens(tmp_path)(x), made(x))
