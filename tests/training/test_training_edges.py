"""Where training meets an edge: empty samples, all features anchored, a row cut short, another
truth, words for numbers.
"""

import json
import math
import os
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
from strategies import randn, unit

from sdl_theory import (
    Anchors,
    CheckpointError,
    Config,
    LinearRepresentationBench,
    Samples,
    SDLModel,
    Trainer,
    TrainingError,
    Uniform,
    Verdict,
    diagnose,
    evaluate,
    fit,
    read_saelens,
    setup,
    table_1,
    write_saelens,
)
from sdl_theory.__main__ import main
from sdl_theory.experiments.presets import PRESETS
from sdl_theory.experiments.provenance import provenance
from sdl_theory.training.memory import training_bytes
from sdl_theory.training.resampling import resample

BENCH = LinearRepresentationBench(10, 8, 0.9, 0.5, seed=1)
TINY = replace(
    PRESETS["demo"],
    bench=dict(n=20, n_p=16, S=0.95, mu=0.5),
    n_q=48,
    k=2,
    anchors=3,
    seeds=2,
    config=replace(PRESETS["demo"].config, steps=40, batch=64, log_every=20, eval_every=0),
)


def model(n_q=24, bench=BENCH, **kwargs):
    return SDLModel(
        bench.n_p,
        n_q,
        bench.n_r,
        generator=torch.Generator().manual_seed(0),
        **dict(method="topk", k=2) | kwargs,
    )


def directions(rows):
    """The rows over their norms, each direction once."""
    unique = []
    for row in (rows / rows.norm(dim=1, keepdim=True)).double():
        if all(float(row @ other) <= 1 - 1e-6 for other in unique):
            unique.append(row)
    return torch.stack(unique)


@pytest.mark.parametrize("biases", [False, True])
def test_a_latent_is_never_begun_anew_at_an_empty_sample(biases):
    made = model(biases=biases)
    with torch.no_grad():
        if biases:
            made.b_D += 3  # so that empty samples are the ones reconstructed worst
    batch = BENCH.sample(64)
    empty = (batch.x == 0).all(1)
    assert 10 < empty.sum() < 50
    dead = torch.ones(24, dtype=torch.bool)
    which = resample(made, [], batch.x_p, batch.x_r, dead, torch.Generator().manual_seed(0))
    distinct = directions(batch.x_p[~empty])
    assert len(which) == min(24, len(distinct)) and made.W_E[which].norm(dim=1).min() > 0
    torch.testing.assert_close(made.W_D[:, which].norm(dim=0), torch.ones(len(which)))
    nothing = resample(made, [], torch.zeros(5, 8), torch.zeros(5, 8), dead, torch.Generator())
    assert nothing.shape == (0,)


@pytest.mark.parametrize("room", [1 << 24, 24 * 3])
@pytest.mark.parametrize("method", ["topk", "relu", "jumprelu", "gated"])
def test_latents_begun_anew_differ_from_one_another_and_from_the_living(method, room, monkeypatch):
    """Of samples with one feature each most are multiples of one another: as many directions as
    features. Three of them live already.
    """
    # all samples together, or three at a time
    monkeypatch.setattr("sdl_theory.training.resampling.ROOM", room)
    x = torch.eye(8)[torch.arange(200) % 5] * torch.rand(
        200, 1, generator=torch.Generator().manual_seed(1)
    ).add(0.5)
    made = model(n_q=24, method=method, k=2 if method == "topk" else None)
    with torch.no_grad():
        made.W_E[20:23] = torch.eye(8)[[0, 3, 6]] * 2
        made.W_E[5] = torch.eye(8)[1]  # of a dead one: no hindrance
    dead = torch.arange(24) < 20
    start = made.W_E.detach().clone()
    which = resample(made, [], x, x, dead, torch.Generator().manual_seed(0))
    assert which.tolist() == [0, 1, 2], "features 1, 2 and 4 are left"
    assert sorted(made.W_E[which].argmax(1).tolist()) == [1, 2, 4] and torch.equal(
        made.W_E[3:], start[3:]
    ), "the others sleep on"
    assert resample(
        made, [], x, x, torch.arange(24) == 5, torch.Generator().manual_seed(0)
    ).shape == (0,)


def test_resampling_again_and_again_makes_no_twins():
    bench = LinearRepresentationBench(12, 8, 0.9, 0.5, seed=0)
    made, begun = model(bench=bench, n_q=48, k=3), 0
    trainer = Trainer(made, bench, Config(steps=60, batch=32, lr=1e-2, warmup=5, dead_after=96))
    for t in range(60):
        trainer.step()
        if t % 6 == 5:
            x = bench.batch(100 + t, 32)
            new = resample(
                made, [], x.x_p, x.x_r, trainer.asleep >= 96, torch.Generator().manual_seed(t)
            )
            trainer.asleep[new] = 0
            begun += len(new)
            assert len(new) < 2 or len(directions(made.W_E[new].detach())) == len(new)
    assert begun > 40


def test_training_with_biases_and_resampling_stays_finite():
    row = setup(
        "demo",
        "topk",
        seeds=[0],
        instances=False,
        biases=True,
        resample_every=100,
        dead_after=5000,
        steps=220,
    )
    assert math.isfinite(fit(row.model, row.data[0], row.config, progress=False).column("loss")[-1])


def test_only_what_was_begun_anew_is_counted_awake():
    made = model(n_q=64)
    trainer = Trainer(
        made, BENCH, Config(steps=10, batch=4, resample_every=1, dead_after=1, resample_until=1)
    )
    trainer.asleep += 8
    trainer.step()
    # at most one a sample, and what fired
    assert 1 <= (trainer.asleep == 0).sum() <= 4 + 8 and (trainer.asleep > 0).sum() >= 52


def test_a_zero_column_stays_zero_and_nan_weights_never_leave_in_silence():
    made = model(method="relu", k=None)
    with torch.no_grad():
        made.W_D[:, 3] = 0
        made.W_E[3] = 0
    x = BENCH.sample(64).x_p
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
    "data, anchors", [(BENCH, 10), (BENCH, Anchors(None, BENCH.W_p.mT[:3], BENCH.W_r[:, :3]))]
)
def test_no_feature_held_out_no_figures_and_no_crash(data, anchors, tmp_path):
    history = fit(
        model(),
        data,
        Config(steps=4, batch=16, log_every=2, eval_every=2),
        anchors=anchors,
        out=tmp_path,
        progress=True,
    )
    assert (
        not any("recovery" in name for row in history.rows for name in row)
        and (tmp_path / "checkpoint.safetensors").exists()
    )
    assert history.anchored == [None if isinstance(anchors, Anchors) else history.anchored[0]] and (
        isinstance(anchors, Anchors) or sorted(history.anchored[0]) == list(range(10))
    )


def test_each_instance_is_measured_against_its_own_bench():
    history = fit(
        model(instances=2),
        [Samples(BENCH.sample(50).x_p), BENCH],
        Config(steps=2, batch=16),
        progress=False,
    )
    assert ["decoder_mip" in row for row in history.last] == [False, True]
    W_r = BENCH.problem.W_r.clone()
    W_r[:, 4] = 0  # nothing to recover, but no error either
    bench = LinearRepresentationBench(S=0.9, W_p=BENCH.problem.W_p, W_r=W_r, kind="transcoder")
    assert (
        0
        < fit(model(bench=bench), bench, Config(steps=2, batch=16), progress=False).column(
            "decoder_mip"
        )[-1]
        < 1
    )


def test_history_says_which_features_were_anchored():
    import numpy as np

    history = fit(
        model(), BENCH, Config(steps=1, batch=8, seed=1), anchors=np.int64(4), progress=False
    )
    assert history.anchored == [list(Anchors.of_truth(BENCH, 4, seed=1).features)]
    evaluate(model(), BENCH, anchored=history.anchored[0], samples=50)


def test_another_truth_or_fewer_benches_are_another_run(tmp_path):
    one, two = (
        LinearRepresentationBench(
            S=0.9, W_p=unit(randn(0, 8, 10)), W_r=unit(randn(seed, 6, 10)), kind="transcoder"
        )
        for seed in (1, 2)
    )
    assert (
        one.settings != two.settings
        and one.settings
        == LinearRepresentationBench(
            S=0.9, W_p=unit(randn(0, 8, 10)), W_r=unit(randn(1, 6, 10)), kind="transcoder"
        ).settings
    )
    one.save(tmp_path / "bench")
    assert LinearRepresentationBench.load(tmp_path / "bench").settings == one.settings
    fit(model(bench=one), one, Config(steps=2, batch=8), out=tmp_path / "own", progress=False)
    with pytest.raises(CheckpointError, match="own"):
        fit(
            model(bench=one),
            two,
            Config(steps=4, batch=8),
            out=tmp_path / "own",
            resume=True,
            progress=False,
        )
    benches = [BENCH, LinearRepresentationBench(10, 8, 0.9, 0.5, seed=2)]
    fit(model(instances=2), benches, Config(steps=2, batch=8), out=tmp_path / "two", progress=False)
    with pytest.raises(CheckpointError, match=r"data\[1\]"):
        fit(
            model(instances=2),
            benches[:1],
            Config(steps=2, batch=8),
            out=tmp_path / "two",
            resume=True,
            progress=False,
        )


def test_your_own_directions_are_taken_or_refused():
    single = LinearRepresentationBench(W_p=unit(randn(0, 8, 10)).float(), S=0.9)
    assert single.problem.W_p.dtype == torch.float64 and "features" in str(
        diagnose(model(bench=single), single, samples=50)
    )
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
    reading = diagnose(model(n_q=4, k=1, bench=bench), bench, samples=20)
    assert (
        reading.certificate is None
        and not reading.groups
        and Verdict.UNDECIDED in reading.neurons
        and str(reading)
    )


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


def test_anchors_that_do_not_fit_together_are_named():
    with pytest.raises(ValueError, match=r"W_D \(8, 1\)"):
        Anchors(None, torch.ones(3, 8), torch.ones(8, 1))
    with pytest.raises(ValueError, match="3 weights for 2 models"):
        fit(
            model(instances=2),
            BENCH,
            Config(steps=1, lam_anchor=(1.0, 1.0, 1.0)),
            anchors=2,
            progress=False,
        )
    with pytest.raises(ValueError, match="classes is empty"):
        Anchors.of_class_means(torch.ones(3, 8), [0, 1, 2], classes=[])


def test_float64_takes_twice_the_memory():
    half, whole = training_bytes(model()), training_bytes(model(dtype=torch.float64))
    assert whole.total == 2 * half.total and whole.weights == 8 * 24 * 16


def test_reading_a_model_leaves_the_random_stream_alone(tmp_path):
    made = model(instances=2)
    made.save(tmp_path / "model.safetensors")
    before = torch.get_rng_state()
    made.instance(1)
    SDLModel.load(tmp_path / "model.safetensors")
    assert torch.equal(torch.get_rng_state(), before)


def test_half_a_row_is_no_row_of_the_table(monkeypatch):
    steps, table, step = [], [], Trainer.step
    monkeypatch.setattr(
        Trainer,
        "step",
        lambda self: (
            step(self),
            steps.append(1),
            len(steps) == 60 and signal.raise_signal(signal.SIGINT),
        ),
    )
    with pytest.raises(KeyboardInterrupt, match="row topk, anchored"):
        table_1(TINY, ["topk"], progress=False, callback=lambda rows: table.append(len(rows)))
    assert table == [1]


def test_the_table_keeps_the_rows_of_other_methods(tmp_path, capsys):
    words = [
        "table",
        "--seeds",
        "0",
        "--device",
        "cpu",
        "--out",
        str(tmp_path / "t.json"),
        "--set",
        "steps=2",
        "n=20",
        "n_p=16",
        "n_q=32",
        "mu=.5",
        "batch=16",
        "unit_norm=false",
    ]
    for method in ("topk", "relu"):
        assert main([*words, "--methods", method]) == 0
    rows = json.loads((tmp_path / "t.json").read_text())["rows"]
    assert sorted((row["method"], row["anchored"]) for row in rows) == [
        ("relu", 0),
        ("relu", 10),
        ("topk", 0),
        ("topk", 10),
    ]
    for foreign in ("{", "[]", "{}", '{"rows": [{"method": "topk"}]}'):
        (tmp_path / "t.json").write_text(foreign)
        assert (
            main([*words, "--methods", "topk"]) == 1
            and "no table's JSON" in capsys.readouterr().err
        )
    assert (
        main(["train", "--device", "cpu", "--seeds", "0", "1", "--saelens", str(tmp_path / "s")])
        == 1
        and "one model" in capsys.readouterr().err
    )
    assert (
        main(["train", "--device", "cpu", "--set", "lr=abc"]) == 1
        and "lr must be a number" in capsys.readouterr().err
    )


def test_a_report_without_git_and_one_of_a_stopped_run(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    assert provenance()["commit"] is None
    step = Trainer.step
    monkeypatch.setattr(
        Trainer,
        "step",
        lambda self: (step(self), self.steps_done == 3 and signal.raise_signal(signal.SIGINT)),
    )
    assert (
        main(["train", "--device", "cpu", "--out", str(tmp_path), "--set", "steps=9", "batch=16"])
        == 130
    )
    assert json.loads((tmp_path / "report.json").read_text())["interrupted"] is True


def test_a_flag_that_only_topk_folders_have_is_left_alone_elsewhere(tmp_path):
    made = model(method="jumprelu", k=None)
    with torch.no_grad():
        made.W_D *= 2
        made.theta += 0.3
    write_saelens(made, tmp_path)
    cfg = json.loads((tmp_path / "cfg.json").read_text())
    (tmp_path / "cfg.json").write_text(json.dumps(cfg | {"rescale_acts_by_decoder_norm": True}))
    x = BENCH.sample(50).x_p
    torch.testing.assert_close(read_saelens(tmp_path)(x), made(x))


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
    assert (
        config.betas == (0.9, 0.5)
        and config.lam_anchor == (0.5,)
        and all(type(value) is float for value in (*config.betas, *config.lam_anchor))
    )
    known = Anchors.of_truth(BENCH, 2)
    known = Anchors(np.array(known.features), known.W_E, known.W_D)
    assert known.features == Anchors.of_truth(BENCH, 2).features and type(known.features[0]) is int
    for resume in (False, True):
        fit(
            model(n_q=kind(24), k=kind(2), decoder_norm=np.float32(1)),
            BENCH,
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
    assert (
        json.loads(json.dumps(bench.settings)) == bench.settings
        and type(bench.S) is type(bench.mu) is float
    )
    fit(model(bench=bench), bench, Config(steps=1, batch=8), out=tmp_path / "bench", progress=False)
    fit(
        model(),
        Samples(BENCH.sample(20).x_p, seed=np.int64(4)),
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
        fit(model(), Own(torch.ones(9, 8)), Config(steps=1, batch=8), out=tmp_path, progress=False)
    assert list(tmp_path.iterdir()) == []


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


@pytest.mark.parametrize("command", ["train --anchors 20", "table --methods topk"])
def test_anchors_that_leave_no_feature_are_refused_before_training(command, monkeypatch, capsys):
    monkeypatch.setattr(Trainer, "step", lambda self: pytest.fail("a step was made"))
    n = "20" if command.startswith("train") else "10"  # the demo's table anchors ten
    assert (
        main(
            [
                *command.split(),
                "--device",
                "cpu",
                "--seeds",
                "0",
                "--set",
                f"n={n}",
                "n_p=16",
                "mu=.5",
                "n_q=40",
                "steps=5",
                "batch=16",
            ]
        )
        == 1
    )
    assert f"anchors = {n} are all the n = {n} features" in capsys.readouterr().err


HUGE = 10**11


@pytest.mark.parametrize(
    "ask, words",
    [
        (lambda: BENCH.batch(0, HUGE), "batch = 100,000,000,000 would take at least .*GiB"),
        (
            lambda: LinearRepresentationBench(10, 8, 0.9, 0.5, samples=None).batch(0, HUGE),
            "batch = 100,000,000,000",
        ),
        (lambda: BENCH.sample(HUGE), "count = 100,000,000,000"),
        (
            lambda: LinearRepresentationBench(10, 8, 0.9, 0.5, samples=HUGE).batch(0, 5),
            "samples = 100,000,000,000",
        ),
        (lambda: Samples(torch.ones(9, 8)).batch(0, HUGE), "batch = 100,000,000,000"),
        (
            lambda: fit(model(), BENCH, Config(steps=1, batch=HUGE), progress=False),
            "batch = 100,000,000,000 .*n_q = 24 latents; this machine has .*GiB in all. Take a "
            "smaller number",
        ),
        (lambda: BENCH.batch(0, 10**18), "batch = "),
        (lambda: BENCH.batch(0, 10**40), "size must be .* below"),
    ],
)
def test_a_batch_beyond_the_machine_is_refused_before_it_is_drawn(ask, words, monkeypatch):
    monkeypatch.setattr(
        "sdl_theory.truth.bench.draw_codes", lambda *args: pytest.fail("something was drawn")
    )
    with pytest.raises(ValueError, match=words):
        ask()


def test_what_fits_is_drawn_and_a_system_that_does_not_say_is_trusted(monkeypatch):
    from sdl_theory import machine

    bench = LinearRepresentationBench(10, 8, 0.9, 0.5, samples=None)
    monkeypatch.setattr(machine, "machine_bytes", lambda device: 100_000)
    assert len(bench.batch(0, 500).x_p) == 500  # 500 (1 x 28 + 8 x 4 + 8) = 34,000 bytes
    with pytest.raises(ValueError, match="batch = 5,000 would take at least 0.324 MiB"):
        bench.batch(0, 5_000)
    monkeypatch.setattr(machine, "machine_bytes", lambda device: None)
    assert len(bench.batch(0, 5_000).x_p) == 5_000
    monkeypatch.undo()
    assert machine.machine_bytes() == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    monkeypatch.setattr(os, "sysconf", lambda name: (_ for _ in ()).throw(ValueError(name)))
    assert machine.machine_bytes() is None
