"""Resampling: where dead latents begin anew, how loud, and whether they wake."""

import pytest
import torch
from models_for_tests import BENCH, begun_anew, model, seeded

from sdl_theory import Anchors, Config, LinearRepresentationBench, SDLModel, Trainer, fit
from sdl_theory.training.methods import METHODS, WITH_K
from sdl_theory.training.methods.topk import TopK
from sdl_theory.training.resampling import resample


def test_resampling_starts_dead_latents_at_bad_samples_with_a_clean_adam():
    made = model("jumprelu", theta=0.4)
    trainer = Trainer(made, BENCH, Config(steps=100, batch=64, warmup=0))
    for _ in range(5):
        trainer.step()
    before = {name: value.clone() for name, value in trainer.tensors().items()}
    dead = torch.zeros(64, dtype=torch.bool)
    dead[[3, 10, 50]] = True
    batch = BENCH.sample(200)
    which = resample(trainer.descent, (batch.x_p, batch.x_r), dead, seeded())
    assert which.tolist() == [3, 10, 50]
    rows = made.W_E[dead].detach()
    # some samples have no feature at all
    inputs = batch.x_p / batch.x_p.norm(dim=1, keepdim=True).clamp(min=1e-9)
    # each new row is one of the inputs
    assert (rows @ inputs.mT / rows.norm(dim=1, keepdim=True)).amax(1).min() > 1 - 1e-5
    alive = before["W_E"][~dead].norm(dim=1).mean()
    torch.testing.assert_close(rows.norm(dim=1), (0.2 * alive).expand(3))
    torch.testing.assert_close(made.W_D[:, dead], (rows / rows.norm(dim=1, keepdim=True)).mT)
    after = trainer.tensors()
    for moment in ("exp_avg", "exp_avg_sq"):
        for name, at in (("W_E", dead), ("W_D", dead), ("theta", dead)):
            value = after[f"adam/{moment}/{name}"]
            assert not value[at].any()
            kept = torch.ones_like(value, dtype=torch.bool)
            kept[at] = False
            assert torch.equal(value[kept], before[f"adam/{moment}/{name}"][kept]) and value.any()
    assert torch.equal(made.W_E[~dead], before["W_E"][~dead])
    fires = made.encode(batch.x_p)[:, dead] > 0
    assert fires.any(0).all()  # none is born asleep on its own sample


def test_resampling_wakes_latents_in_training_and_never_the_anchored():
    made = model("relu")
    with torch.no_grad():
        made.W_E[:40] = 0  # no gradient will ever reach these
    asleep = Anchors((0, 1), torch.zeros(2, 30), BENCH.W_r[:, :2])  # and two are told to stay so
    history = fit(
        made,
        BENCH,
        Config(
            steps=60, batch=64, dead_after=600, resample_every=20, log_every=5, lam_anchor=100.0
        ),
        anchors=asleep,
        progress=False,
    )
    dead = history.column("dead")
    assert max(dead) == 40 and dead[-1] < 10
    assert not made.W_E[:2].any() and (made.W_E[2:].norm(dim=1) > 0).all()


def woken(scale, seed, monkeypatch):
    """How many latents a TopK run begins anew, and how many of these fire before the next turn.

    scale : norm of a new row over the mean live one.
    """
    from sdl_theory.training import trainer as train

    bench = LinearRepresentationBench(60, 40, 0.95, 0.4, seed=seed)
    seen = dict(begun=0, woken=0, last=[])
    made = SDLModel(40, 120, k=2, generator=torch.Generator().manual_seed(seed))
    trainer = Trainer(
        made,
        bench,
        Config(
            steps=400,
            batch=64,
            lr=1e-2,
            warmup=20,
            dead_after=3200,
            resample_every=50,
            resample_until=1,
            seed=seed,
        ),
    )

    def counted(*arguments):
        seen["woken"] += int((trainer.asleep[seen["last"]] < 50 * 64).sum())
        seen["last"] = resample(*arguments)
        seen["begun"] += len(seen["last"])
        return seen["last"]

    monkeypatch.setattr(train, "resample", counted)
    if scale:
        monkeypatch.setattr(TopK, "row_scale", scale)
    for _ in range(400):
        trainer.step()
    return seen["begun"] - len(seen["last"]), seen["woken"]


@pytest.mark.parametrize("seed", [0, 1])
def test_new_topk_rows_wake_at_full_norm_and_hardly_at_a_fifth(seed, monkeypatch):
    with monkeypatch.context() as patch:
        begun, awake = woken(None, seed, patch)
    assert begun > 40 and awake > 0.9 * begun
    with monkeypatch.context() as patch:
        begun, awake = woken(0.2, seed, patch)
    assert begun > 40 and awake < 0.6 * begun


@pytest.mark.parametrize("method", METHODS)
def test_a_new_row_has_the_norm_of_its_method(method):
    made, x = model(method), BENCH.sample(200)
    dead = torch.arange(64) < 5
    usual = made.W_E[5:].norm(dim=1).mean().item()
    which = begun_anew(made, x.x_p, x.x_r, dead)
    assert made.W_E[which].norm(dim=1).tolist() == pytest.approx(
        [usual * (1 if method in WITH_K else 0.2)] * 5, rel=1e-5
    )
