"""A run whose loss goes far beyond that of a model that answers 0 is an error; no other run is."""

from dataclasses import asdict, replace

import pytest
import torch
from runs_for_tests import BENCH

from sdl_theory import Config, LinearRepresentationBench, SDLModel, Trainer, TrainingError, fit
from sdl_theory.__main__ import main
from sdl_theory.files import read_tensors, write_tensors


class Growing:
    """x_p is 1e4 times x_r from the second batch on: no model of the first says anything of it."""

    def batch(self, t, size, **how):
        batch = BENCH.batch(t, size, **how)
        return replace(batch, x_p=batch.x_p * (1e4 if t else 1))


class Scaled:
    def __init__(self, scale, empty=lambda t: False):
        self.scale, self.empty = scale, empty

    def batch(self, t, size, **how):
        batch = BENCH.batch(t, size, **how)
        scale = 0.0 if self.empty(t) else self.scale(t) if callable(self.scale) else self.scale
        return replace(batch, x_p=batch.x_p * scale, x_r=batch.x_r * scale)


@pytest.mark.parametrize("method", ["relu", "jumprelu", "batchtopk", "topk", "matryoshka", "gated"])
@pytest.mark.parametrize("every", [0, 1, 5])
def test_a_run_that_diverges_is_an_error_and_the_last_good_checkpoint_stays(
    method, every, tmp_path
):
    """It used to end well, at a loss of 2e19.

    A checkpoint written at each step is the hardest: the loss of the first step is that of the good
    start.
    """
    bench = LinearRepresentationBench(40, 30, 0.9, 0.3, seed=2, samples=500)
    new = lambda: SDLModel(30, 64, method=method, generator=torch.Generator().manual_seed(1))
    good = Config(steps=60, batch=64, warmup=0, log_every=4, checkpoint_every=5)
    if every:
        fit(new(), bench, good, out=tmp_path, callback=lambda row: row["step"] < 8, progress=False)
        kept = (tmp_path / "checkpoint.safetensors").read_bytes()
        tensors, metadata = read_tensors(tmp_path / "checkpoint.safetensors")
        far = replace(good, lr=1e9, checkpoint_every=every)
        # the same run, had it had that lr from the start
        write_tensors(
            tmp_path / "checkpoint.safetensors", tensors, metadata | dict(config=asdict(far))
        )
        before = (tmp_path / "checkpoint.safetensors").read_bytes()
    with pytest.raises(
        TrainingError,
        match=r"not finite|training diverges: at step \d+ the loss is .*answers 0 has .*\(lr = "
        r"1e\+09\): try a smaller lr",
    ):
        fit(
            new(),
            bench,
            replace(good, lr=1e9, checkpoint_every=every),
            out=tmp_path,
            resume=True,
            progress=False,
        )
    if every:
        assert (tmp_path / "checkpoint.safetensors").read_bytes() == before
        assert len(before) - len(kept) < 20
    else:
        assert not (tmp_path / "checkpoint.safetensors").exists()


def test_a_divergence_is_noticed_at_the_next_log():
    with pytest.raises(TrainingError, match="diverges: at step 4 the loss is"):
        fit(
            SDLModel(30, 64, k=4, generator=torch.Generator().manual_seed(1)),
            BENCH,
            Config(steps=60, batch=64, lr=1e9, warmup=0, log_every=4),
            progress=False,
        )


def test_the_instance_that_diverges_is_named():
    model = SDLModel(30, 64, k=4, instances=3, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        model.W_E[1] *= 1e6**0.5
    trainer = Trainer(
        model,
        LinearRepresentationBench(40, 30, 0.9, 0.3, seed=2),
        Config(steps=60, batch=64, log_every=4),
    )
    trainer.step()
    loss = trainer.sums[0].clone()
    assert trainer.diverged(loss).tolist() == [False] * 3, "its start is its own yardstick"
    loss[2] = 1001 * trainer.ceiling[2]
    assert trainer.diverged(loss).tolist() == [False, False, True]
    assert trainer.diverged(loss / 1.01).tolist() == [False] * 3
    loss[0] = torch.nan
    assert trainer.diverged(loss).tolist() == [True, False, True]
    trainer.ceiling.zero_()
    assert not trainer.diverged(loss).any(), (
        "where all samples were empty, nothing says what is far"
    )
    with pytest.raises(TrainingError, match="the loss of instance 1 is"):
        fit(
            SDLModel(30, 64, k=4, instances=2, generator=torch.Generator().manual_seed(1)),
            [BENCH, Growing()],
            Config(steps=9, batch=64, lr=1e-3, warmup=0),
            progress=False,
        )


@pytest.mark.parametrize("method", ["topk", "relu", "jumprelu"])
@pytest.mark.parametrize(
    "data",
    [
        Scaled(1e12),
        Scaled(1e-12),
        Scaled(1.0, lambda t: True),
        Scaled(1.0, lambda t: t % 3 > 0),
        Scaled(1.0, lambda t: t < 9),
        Scaled(lambda t: 10.0**t),
        Scaled(lambda t: 10.0**-t),
    ],
    ids=["huge", "tiny", "empty", "often empty", "empty at first", "growing", "shrinking"],
)
def test_a_run_that_does_not_diverge_is_no_error(method, data, tmp_path):
    # a bias of lr's size would be 1e9 times the data
    model = SDLModel(
        30,
        64,
        method=method,
        biases=data.scale != 1e-12,
        generator=torch.Generator().manual_seed(1),
    )
    config = Config(
        steps=15, batch=8, lr=1e-3, warmup=3, sparsity=100.0, log_every=1, checkpoint_every=2
    )
    assert fit(model, data, config, out=tmp_path, progress=False).last[0]["step"] == 15


def test_a_wide_relu_whose_start_is_far_above_the_data_is_no_divergence():
    model = SDLModel(4, 4096, method="relu", generator=torch.Generator().manual_seed(1))
    bench = LinearRepresentationBench(5, 4, 0.5, 0.5, seed=2)
    losses = fit(
        model, bench, Config(steps=200, batch=64, lr=1e-4, warmup=10, log_every=1), progress=False
    ).column("loss")
    zero = bench.sample(2000).x_r.square().sum(1).mean().item()
    assert losses[0] > 1e4 * zero and losses[-1] < losses[0]


def test_a_training_from_the_shell_that_diverges_is_an_error(tmp_path, capsys):
    assert (
        main(
            [
                "train",
                "--device",
                "cpu",
                "--out",
                str(tmp_path),
                "--set",
                "steps=40",
                "batch=32",
                "lr=1e9",
                "n_q=64",
            ]
        )
        == 1
    )
    assert "error: training diverges" in capsys.readouterr().err
    assert not (tmp_path / "checkpoint.safetensors").exists()
