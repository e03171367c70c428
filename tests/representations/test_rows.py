"""Rows: what training reads of representations is what Samples would hand out."""

import numpy as np
import pytest
import torch

from sdl_theory import CheckpointError, Config, Samples, SDLModel, fit
from sdl_theory.representations.means import class_means
from sdl_theory.representations.rows import Rows
from sdl_theory.representations.store import Representations, open_representations

GENERATOR = np.random.default_rng(2)
X = GENERATOR.normal(size=(50, 6)).astype(np.float16)
Y = GENERATOR.normal(size=(50, 4)).astype(np.float32)


@pytest.fixture()
def mine(tmp_path):
    np.save(tmp_path / "x.npy", X)
    return open_representations(tmp_path / "x.npy")


def test_batches_are_those_of_samples(mine):
    ours = Rows(mine, targets=Representations(Y), seed=3)
    theirs = Samples(torch.tensor(X).float(), torch.tensor(Y), seed=3)
    for t, size in ((0, 50), (3, 16), (1, 120)):
        one, two = ours.batch(t, size), theirs.batch(t, size)
        assert torch.equal(one.x_p, two.x_p) and torch.equal(one.x_r, two.x_r)
    parts = [ours.batch(2, 12, rank=rank, world=3).x_p for rank in range(3)]
    assert torch.equal(torch.cat(parts), ours.batch(2, 12).x_p)
    with pytest.raises(ValueError, match="multiple of 3"):
        ours.batch(0, 10, rank=0, world=3)


def test_an_epoch_shows_each_row_once_in_a_new_order(mine):
    data = Rows(mine)
    rows = torch.cat([data.batch(t, 20).x_p for t in range(5)])
    first, second = rows[:50], rows[50:]
    order = lambda x: x[x[:, 0].sort().indices]
    assert torch.equal(order(first), order(torch.tensor(X).float()))
    assert torch.equal(order(first), order(second)) and not torch.equal(first, second)
    assert data.batch(0, 5).x_r is data.batch(0, 5).x_p or torch.equal(
        data.batch(0, 5).x_r, data.batch(0, 5).x_p
    )


def test_mean_and_scale_are_taken_from_the_rows(mine):
    found = class_means(Representations(X, np.zeros(50, int)))
    whole = Rows(mine, mean=found.mean, scale=10.0).batch(0, 50).x_p
    assert whole.dtype is torch.float32 and whole.mean(0).abs().max() < 1e-5
    plain = Rows(mine).batch(0, 50).x_p
    torch.testing.assert_close(whole, (plain - found.mean.float()) * 10)
    both = Rows(
        mine,
        targets=Representations(Y),
        mean=found.mean,
        target_mean=torch.tensor(Y).mean(0),
        target_scale=0.5,
    ).batch(0, 50)
    torch.testing.assert_close(both.x_r.mean(0), torch.zeros(4), atol=1e-6, rtol=0)
    assert both.x_r.std() < torch.tensor(Y).std() * 0.6


def test_a_model_trains_on_rows_and_goes_on(mine, tmp_path):
    """A checkpoint goes on with the same rows bit for bit, and refuses others."""
    mean = torch.tensor(X).double().mean(0)

    def run(steps, data, folder, resume=True):
        model = SDLModel(6, 12, method="topk", k=2, generator=torch.Generator().manual_seed(0))
        config = Config(steps=10, batch=16, checkpoint_every=5)
        stop = lambda row: row["step"] < steps
        more = dict(config=config, out=folder, resume=resume, progress=False, callback=stop)
        fit(model, data, **more)
        return model

    whole = run(10, Rows(mine, mean=mean), tmp_path / "whole")
    run(5, Rows(mine, mean=mean), tmp_path / "run")
    again = run(10, Rows(mine, mean=mean), tmp_path / "run")
    assert torch.equal(whole.W_D, again.W_D)
    others = [Rows(mine), Rows(mine, mean=mean, seed=1), Rows(Representations(-X), mean=-mean)]
    for other in [*others, Rows(mine, mean=mean, scale=2.0)]:
        with pytest.raises(CheckpointError, match="is of another run: its data"):
            run(10, other, tmp_path / "run")


@pytest.mark.parametrize(
    "more, words",
    [
        (dict(targets=Representations(Y[:40])), "one row for each of the 50 rows; got 40"),
        (dict(mean=torch.zeros(5)), r"mean must have shape \(6,\).* got \(5,\)"),
        (dict(mean=torch.full((6,), torch.nan)), "mean must be finite"),
        (dict(mean=torch.full((6,), torch.inf)), "mean must be finite"),
        (dict(scale=0.0), "scale must be a finite number > 0"),
        (dict(target_scale=2.0), "pass targets="),
        (dict(targets=Representations(Y), target_mean=torch.zeros(6)), "target_mean must have"),
        (dict(seed=-1), "seed"),
    ],
)
def test_what_does_not_fit_the_rows_is_refused(more, words, mine):
    with pytest.raises(ValueError, match=words):
        Rows(mine, **more)


def test_rows_that_are_not_finite_stop_training_by_name():
    x = X.copy()
    x[31, 4] = np.inf
    data = Rows(Representations(x))
    with pytest.raises(ValueError, match="row 31, entry 4 is inf"):
        data.batch(0, 50)
