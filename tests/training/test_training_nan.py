"""Training that is fed NaN, or overflows: it stops at its step, and what it wrote is finite."""

import pytest
import torch
from runs_for_tests import go, holds, only_whole_files, tiny

from sdl_theory import (
    Anchors,
    Config,
    LinearRepresentationBench,
    Samples,
    SDLModel,
    Trainer,
    TrainingError,
    fit,
)
from sdl_theory.training import trainer as train


class Poisoned:
    """A bench whose batch `t` holds one NaN."""

    def __init__(self, bench, t, where):
        self.bench, self.t, self.where, self.settings = bench, t, where, bench.settings

    def batch(self, t, size, **how):
        batch = self.bench.batch(t, size, **how)
        if t == self.t:
            getattr(batch, self.where)[3, 4] = torch.nan
        return batch


@pytest.mark.parametrize("method", ["relu", "jumprelu", "batchtopk", "topk", "matryoshka", "gated"])
@pytest.mark.parametrize("biases", [False, True])
def test_a_nan_stops_the_run_at_its_step_and_the_last_checkpoint_is_good(method, biases, tmp_path):
    _, bench, config = tiny("topk", steps=30, resample_every=0)
    known = Anchors.of_truth(bench, 4)
    new = lambda: SDLModel(
        30, 64, method=method, biases=biases, generator=torch.Generator().manual_seed(1)
    )
    with pytest.raises(
        TrainingError,
        match=f"not finite at step 14 .*lr = 0.03, batch = 64.*NaN in the data.*checkpoint is "
        f"{tmp_path}",
    ):
        fit(new(), Poisoned(bench, 13, "x_p"), config, anchors=known, out=tmp_path, progress=False)
    assert only_whole_files(tmp_path) and holds(tmp_path)[2] == 10
    assert all(torch.isfinite(value).all() for value in holds(tmp_path)[0].values())
    assert (
        fit(
            new(),
            Poisoned(bench, 99, "x_p"),
            config,
            anchors=known,
            out=tmp_path,
            resume=True,
            progress=False,
        ).last[0]["step"]
        == 30
    )


def test_a_nan_in_an_input_that_no_latent_sees_is_seen(tmp_path, monkeypatch):
    """The sparse step looks at the pairs that fire; NaN > theta is False, and the target of a
    transcoder is another tensor.
    """
    from sdl_theory.training import objective as objectives

    bench = LinearRepresentationBench(40, 30, 0.9, 0.3, seed=2, kind="transcoder")
    model = SDLModel(30, 64, method="batchtopk", k=4, generator=torch.Generator().manual_seed(1))
    dense = objectives.objective
    monkeypatch.setattr(train, "objective", lambda *args: dense(*args, sparse=True))
    with pytest.raises(TrainingError, match="not finite at step 3 "):
        fit(model, Poisoned(bench, 2, "x_p"), Config(steps=5, batch=64), progress=False)


def test_a_weight_that_overflows_is_not_written(tmp_path, monkeypatch):
    """The loss of the step that spoils a weight is still finite."""
    descend = Trainer._descend

    def spoil(self):
        descend(self)
        if self.steps_done == 14:
            self.model.W_E.data[3, 4] = torch.inf

    monkeypatch.setattr(Trainer, "_descend", spoil)
    with pytest.raises(
        TrainingError,
        match=f"a weight is not finite at step 15: nothing was written. The last good checkpoint "
        f"is {tmp_path}",
    ):
        go(tmp_path)
    assert only_whole_files(tmp_path)
    assert holds(tmp_path)[2] == 10
    assert torch.isfinite(holds(tmp_path)[0]["W_E"]).all()


def test_nan_in_your_own_samples_is_refused():
    with pytest.raises(ValueError, match=r"x_p must be finite; entry \(2, 1\) is nan"):
        Samples(
            torch.ones(4, 3).index_put((torch.tensor(2), torch.tensor(1)), torch.tensor(torch.nan))
        )
    with pytest.raises(ValueError, match=r"x_r must be finite; entry \(0, 0\) is inf"):
        Samples(torch.ones(4, 3), torch.full((4, 2), torch.inf))
