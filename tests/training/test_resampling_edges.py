"""Resampling where samples are empty, or multiples of one another."""

import math

import pytest
import torch
from models_for_tests import SMALL, begun_anew, small

from sdl_theory import Config, LinearRepresentationBench, Trainer, fit, setup


def directions(rows):
    """The rows over their norms, each direction once."""
    unique = []
    for row in (rows / rows.norm(dim=1, keepdim=True)).double():
        if all(float(row @ other) <= 1 - 1e-6 for other in unique):
            unique.append(row)
    return torch.stack(unique)


@pytest.mark.parametrize("biases", [False, True])
def test_a_latent_is_never_begun_anew_at_an_empty_sample(biases):
    made = small(biases=biases)
    with torch.no_grad():
        if biases:
            made.b_D += 3  # so that empty samples are the ones reconstructed worst
    batch = SMALL.sample(64)
    empty = (batch.x == 0).all(1)
    assert 10 < empty.sum() < 50
    dead = torch.ones(24, dtype=torch.bool)
    which = begun_anew(made, batch.x_p, batch.x_r, dead)
    distinct = directions(batch.x_p[~empty])
    assert len(which) == min(24, len(distinct)) and made.W_E[which].norm(dim=1).min() > 0
    torch.testing.assert_close(made.W_D[:, which].norm(dim=0), torch.ones(len(which)))
    nothing = begun_anew(made, torch.zeros(5, 8), torch.zeros(5, 8), dead)
    assert nothing.shape == (0,)


@pytest.mark.parametrize("room", [1 << 24, 24 * 3])
@pytest.mark.parametrize("method", ["topk", "relu", "jumprelu", "gated"])
def test_latents_begun_anew_differ_from_one_another_and_from_the_living(method, room, monkeypatch):
    """Of samples with one feature each most are multiples of one another: as many directions as
    features. Three of them live already.
    """
    # all samples together, or three at a time
    monkeypatch.setattr("sdl_theory.training.resampling.bricken.ROOM", room)
    x = torch.eye(8)[torch.arange(200) % 5] * torch.rand(
        200, 1, generator=torch.Generator().manual_seed(1)
    ).add(0.5)
    made = small(n_q=24, method=method, k=2 if method == "topk" else None)
    with torch.no_grad():
        made.W_E[20:23] = torch.eye(8)[[0, 3, 6]] * 2
        made.W_E[5] = torch.eye(8)[1]  # of a dead one: no hindrance
    dead = torch.arange(24) < 20
    start = made.W_E.detach().clone()
    which = begun_anew(made, x, x, dead)
    assert which.tolist() == [0, 1, 2], "features 1, 2 and 4 are left"
    assert sorted(made.W_E[which].argmax(1).tolist()) == [1, 2, 4] and torch.equal(
        made.W_E[3:], start[3:]
    ), "the others sleep on"
    assert begun_anew(made, x, x, torch.arange(24) == 5).shape == (0,)


def test_resampling_again_and_again_makes_no_twins():
    bench = LinearRepresentationBench(12, 8, 0.9, 0.5, seed=0)
    made, begun = small(bench=bench, n_q=48, k=3), 0
    trainer = Trainer(made, bench, Config(steps=60, batch=32, lr=1e-2, warmup=5, dead_after=96))
    for t in range(60):
        trainer.step()
        if t % 6 == 5:
            x = bench.batch(100 + t, 32)
            new = begun_anew(made, x.x_p, x.x_r, trainer.asleep >= 96, seed=t)
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
    made = small(n_q=64)
    trainer = Trainer(
        made, SMALL, Config(steps=10, batch=4, resample_every=1, dead_after=1, resample_until=1)
    )
    trainer.asleep += 8
    trainer.step()
    # at most one a sample, and what fired
    assert 1 <= (trainer.asleep == 0).sum() <= 4 + 8 and (trainer.asleep > 0).sum() >= 52
