"""Training: what a step does, what anchors, resampling and the target-L0 control do, and many
models in one loop.
"""

import math

import pytest
import torch

from sdl_theory import (
    Anchors,
    Config,
    History,
    LinearRepresentationBench,
    Samples,
    SDLModel,
    Trainer,
    Weights,
    evaluate,
    fit,
    gt_recovery,
)
from sdl_theory.activations import JumpReLU, TopK
from sdl_theory.measure.matching import best_matches
from sdl_theory.training.anchors import AnchorLoss
from sdl_theory.training.model import METHODS, WITH_K
from sdl_theory.training.resampling import SMALL_ROW, resample

BENCH = LinearRepresentationBench(40, 30, 0.9, 0.4, seed=1)


def model(method="topk", instances=None, n_q=64, seed=0, dtype=torch.float32, **kwargs):
    k = kwargs.pop("k", 4) if method in WITH_K else None
    return SDLModel(
        30,
        n_q,
        method=method,
        k=k,
        instances=instances,
        generator=torch.Generator().manual_seed(seed),
        dtype=dtype,
        **kwargs,
    )


@pytest.mark.parametrize("method", METHODS)
def test_one_step_is_adam_on_the_clipped_gradient_off_the_columns(method):
    """The first step against torch's plain Adam, the loss's own autograd gradient, its part along
    each column removed, clipped, columns renormalized.
    """
    from sdl_theory.training.objective import Knobs, objective

    config = Config(steps=10, batch=64, lr=0.01, warmup=0, decay=0, clip=0.05, sparsity=0.2)
    ours, twin = model(method, dtype=torch.float64), model(method, dtype=torch.float64)
    data = LinearRepresentationBench(40, 30, 0.9, 0.4, seed=1, dtype=torch.float64)
    Trainer(ours, data, config).step()
    batch = data.batch(0, 64)
    objective(
        twin, batch.x_p, batch.x_r, Knobs(64, torch.tensor(0.2)), sparse=False
    ).loss.backward()
    columns, grad = twin.W_D.detach(), twin.W_D.grad
    twin.W_D.grad = grad - columns * (columns * grad).sum(0)
    torch.nn.utils.clip_grad_norm_(twin.parameters(), 0.05)
    torch.optim.Adam(twin.parameters(), lr=0.01, foreach=False).step()
    with torch.no_grad():
        twin.W_D /= twin.W_D.norm(dim=0)
    for (name, got), (_, want) in zip(ours.named_parameters(), twin.named_parameters()):
        torch.testing.assert_close(got, want, msg=lambda m: f"{name}: {m}", rtol=1e-6, atol=1e-9)
    assert (ours.W_D.norm(dim=0) - 1).abs().max() < 1e-12


@pytest.mark.parametrize("norm", [1.0, 2**0.5])
def test_the_start_is_tied_and_each_row_meets_its_column_at_one(norm):
    made = model(decoder_norm=norm, dtype=torch.float64)
    assert (made.W_D.norm(dim=0) - norm).abs().max() < 1e-12 and (
        (made.W_E @ made.W_D).diagonal() - 1
    ).abs().max() < 1e-12
    other = SDLModel(30, 64, 20, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert (other.W_E.norm(dim=1) - 1).abs().max() < 1e-12 and other.W_D.shape == (20, 64)


def test_the_rate_warms_up_and_decays_to_zero():
    c = Config(steps=100, lr=2.0, warmup=10, decay=0.2)
    assert (
        c.rate(0) == 0.2
        and c.rate(9) == 2.0 == c.rate(79)
        and c.rate(90) == pytest.approx(1.0)
        and 0 < c.rate(99) <= 0.1
    )
    assert Config(steps=5, warmup=0, decay=0, lr=1.0).rate(4) == 1.0


@pytest.mark.parametrize("kind", ["sae", "transcoder", "crosscoder"])
def test_training_recovers_features_of_every_kind_in_the_decoder(kind):
    bench = LinearRepresentationBench(20, 24, 0.95, 0.5, seed=2, kind=kind)
    made = SDLModel(
        24,
        60,
        method="topk",
        k=2,
        decoder_norm=len(bench.blocks) ** 0.5,
        generator=torch.Generator().manual_seed(0),
    )
    history = fit(
        made, bench, Config(steps=700, batch=256, lr=5e-3, warmup=20, log_every=100), progress=False
    )
    report = evaluate(made, bench, samples=2000)
    assert (
        report.of("decoder").recovery[0.95] >= 0.9
        and report.of("decoder").null.recovery[0.95].value == 0
    )
    assert (
        history.last[0]["loss"] < 0.2 * (1 - 0.95) * 20 * 2
        and history.column("loss")[0] > history.column("loss")[-1]
    )


def test_instances_are_single_runs_side_by_side():
    """Three seeds at once, each on a bench of its own and one of them anchored, are the three
    single runs.
    """
    benches = [
        LinearRepresentationBench(40, 30, 0.9, 0.4, seed=s, dtype=torch.float64) for s in range(3)
    ]
    many = model(instances=3, dtype=torch.float64)
    anchors = [None, Anchors.of_truth(benches[1], 5), None]
    singles = [many.instance(i) for i in range(3)]
    config = Config(steps=30, batch=32, lr=1e-2, warmup=5, log_every=10, lam_anchor=0.5)
    history = fit(many, benches, config, anchors=anchors, progress=False)
    for i, single in enumerate(singles):
        alone = fit(single, benches[i], config, anchors=anchors[i], progress=False)
        torch.testing.assert_close(many.W_E[i], single.W_E, rtol=1e-6, atol=1e-8)
        torch.testing.assert_close(many.W_D[i], single.W_D, rtol=1e-6, atol=1e-8)
        torch.testing.assert_close(
            torch.tensor(history.column("loss", i)), torch.tensor(alone.column("loss"))
        )
        assert history.column("decoder_recovery_95", i) == alone.column("decoder_recovery_95")


@pytest.mark.parametrize("method", METHODS)
def test_anchors_hold_their_latents_whatever_the_method(method):
    anchors = Anchors.of_truth(BENCH, 6, seed=3)
    made = model(method)
    fit(
        made,
        BENCH,
        Config(steps=300, batch=64, lr=1e-2, warmup=10, sparsity=0.1, lam_anchor=5.0),
        anchors=anchors,
        progress=False,
    )
    columns = best_matches(made.W_D.mT[:6].detach(), BENCH.W_r[:, list(anchors.features)])
    paired = (made.W_D[:, :6] * BENCH.W_r[:, list(anchors.features)]).sum(0)
    assert (
        columns.min() > 0.95
        and torch.allclose(columns, paired, atol=1e-5)
        and gt_recovery(columns) == 1
    )


def test_the_anchor_loss_is_its_formula_and_leaves_other_latents_alone():
    made, anchors = model(dtype=torch.float64), Anchors.of_truth(BENCH, 3)
    loss = AnchorLoss(anchors, 0.7, made)(made)
    loss.backward()
    rows, columns = made.W_E[:3] - anchors.W_E, made.W_D[:, :3] - anchors.W_D
    assert loss.item() == pytest.approx(0.7 * (rows.square().sum() + columns.square().sum()).item())
    torch.testing.assert_close(made.W_E.grad[:3], 1.4 * rows.detach().double())
    assert not made.W_E.grad[3:].any() and not made.W_D.grad[:, 3:].any()
    cross = LinearRepresentationBench(40, 30, 0.9, 0.4, kind="crosscoder")
    ideal = Anchors.of_truth(cross, 40)
    # <w_E, w_D> = 1: reconstructs its feature once, not m times
    assert ((ideal.W_E @ ideal.W_D).diagonal() - 1).abs().max() < 1e-6
    with pytest.raises(ValueError, match="exceeds the model's n_q"):
        fit(model(n_q=8), BENCH, anchors=9, progress=False)
    with pytest.raises(ValueError, match="exceeds the bench's n = 40"):
        Anchors.of_truth(BENCH, 41)


def test_anchors_of_class_means_are_normalized_means():
    g = torch.Generator().manual_seed(0)
    x, labels = torch.randn(60, 5, generator=g) + 3, torch.arange(60) % 3
    raw, centred = (
        Anchors.of_class_means(x, labels),
        Anchors.of_class_means(x, labels, classes=[2, 0], centre=True),
    )
    mean = x[labels == 1].mean(0)
    torch.testing.assert_close(raw.W_E[1], mean / mean.norm())
    mean = (x - x.mean(0))[labels == 2].mean(0)
    torch.testing.assert_close(centred.W_D[:, 0], mean / mean.norm())
    # the common part, and without it
    assert (
        raw.W_E.shape == (3, 5)
        and (raw.W_E @ raw.W_E.mT).min() > 0.8 > (centred.W_E @ centred.W_E.mT).min()
    )
    with pytest.raises(ValueError, match="label 7"):
        Anchors.of_class_means(x, labels, classes=[7])


def test_target_l0_is_steered_to_and_the_coefficient_stays_in_reach():
    for method, biases in (("jumprelu", False), ("relu", True), ("gated", False)):
        made = model(method, biases=biases)
        config = Config(
            steps=600,
            batch=64,
            lr=5e-3,
            warmup=50,
            target_l0=4.0,
            sparsity=0.05,
            gain=0.02,
            log_every=50,
        )
        history = fit(made, BENCH, config, progress=False)
        assert 3 < sum(history.column("l0")[-4:]) / 4 < 5, method
        assert (
            config.sparsity / 100 <= history.column("coef")[-1] * 1.0001
            and history.column("coef")[-1] <= config.sparsity * 100.01
        )
    impossible = fit(
        model("relu"),
        BENCH,
        Config(steps=300, batch=64, target_l0=1e-3, sparsity=0.05, gain=0.1),
        progress=False,
    )
    assert impossible.column("coef")[-1] == pytest.approx(5.0)  # a factor 100, and no further


def test_resampling_starts_dead_latents_at_bad_samples_with_a_clean_adam():
    made = model("jumprelu", theta=0.4)
    trainer = Trainer(made, BENCH, Config(steps=100, batch=64, warmup=0))
    for _ in range(5):
        trainer.step()
    before = {name: value.clone() for name, value in trainer.tensors().items()}
    dead = torch.zeros(64, dtype=torch.bool)
    dead[[3, 10, 50]] = True
    batch = BENCH.sample(200)
    moments = [
        trainer.optimizer.state[leaf][moment]
        for leaf in trainer.leaves.values()
        for moment in ("exp_avg", "exp_avg_sq")
    ]
    assert resample(
        made, moments, batch.x_p, batch.x_r, dead, torch.Generator().manual_seed(0)
    ).tolist() == [3, 10, 50]
    rows = made.W_E[dead].detach()
    # some samples have no feature at all
    inputs = batch.x_p / batch.x_p.norm(dim=1, keepdim=True).clamp(min=1e-9)
    # each new row is one of the inputs
    assert (rows @ inputs.mT / rows.norm(dim=1, keepdim=True)).amax(1).min() > 1 - 1e-5
    alive = before["W_E"][~dead].norm(dim=1).mean()
    torch.testing.assert_close(rows.norm(dim=1), (SMALL_ROW * alive).expand(3))
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
    """How many latents a TopK run begins anew, and how many of these fire before the next
    resampling. scale: norm of a new row over the mean live one.
    """
    from sdl_theory.training import resampling
    from sdl_theory.training import trainer as train

    bench, seen = (
        LinearRepresentationBench(60, 40, 0.95, 0.4, seed=seed),
        dict(begun=0, woken=0, last=[]),
    )
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
        monkeypatch.setattr(resampling, "row_scale", lambda method: scale)
    for _ in range(400):
        trainer.step()
    return seen["begun"] - len(seen["last"]), seen["woken"]


@pytest.mark.parametrize("seed", [0, 1])
def test_new_topk_rows_wake_at_full_norm_and_hardly_at_a_fifth(seed, monkeypatch):
    with monkeypatch.context() as patch:
        begun, awake = woken(None, seed, patch)
    assert begun > 40 and awake > 0.9 * begun
    with monkeypatch.context() as patch:
        begun, awake = woken(SMALL_ROW, seed, patch)
    assert begun > 40 and awake < 0.6 * begun


@pytest.mark.parametrize("method", METHODS)
def test_a_new_row_has_the_norm_of_its_method(method):
    made, x = model(method), BENCH.sample(200)
    dead = torch.arange(64) < 5
    usual = made.W_E[5:].norm(dim=1).mean().item()
    which = resample(made, [], x.x_p, x.x_r, dead, torch.Generator().manual_seed(0))
    assert made.W_E[which].norm(dim=1).tolist() == pytest.approx(
        [usual * (1 if method in WITH_K else 0.2)] * 5, rel=1e-5
    )


def test_a_trained_model_is_a_point_of_the_theory():
    made = model("batchtopk", k=4)
    fit(made, BENCH, Config(steps=400, batch=128, lr=5e-3), progress=False)
    assert isinstance(made.weights, Weights) and made.weights.W_E.dtype == torch.float64
    assert isinstance(made.sigma, JumpReLU) and made.theta > 0 and isinstance(model().sigma, TopK)
    x = BENCH.sample(2000).x_p
    l0 = (made.encode(x) > 0).sum(1).double().mean()
    assert 3.2 < l0 < 4.8  # the running threshold admits about k
    # and does not depend on the batch
    torch.testing.assert_close(made.encode(x[:5]), made.encode(x)[:5])
    for bad in (model("gated"), model(biases=True)):
        with pytest.raises(ValueError, match="bias-free"):
            bad.weights


def test_bf16_products_train_too():
    made = model("topk")
    history = fit(
        made, BENCH, Config(steps=200, batch=128, lr=5e-3, precision="bf16"), progress=False
    )
    assert (
        made.W_E.dtype == torch.float32
        and history.column("loss")[-1] < 0.3 * history.column("loss")[0]
    )
    # large enough for the sparse path
    sparse = SDLModel(30, 1 << 14, k=4, generator=torch.Generator().manual_seed(0))
    history = fit(
        sparse,
        BENCH,
        Config(steps=12, batch=64, lr=5e-3, warmup=2, precision="bf16", log_every=4),
        progress=False,
    )
    assert history.column("loss")[-1] < history.column("loss")[0]


def test_model_files_round_trip(tmp_path):
    for method in METHODS:
        made = model(method, biases=True, instances=2)
        made.save(tmp_path / "m.safetensors")
        again = SDLModel.load(tmp_path / "m.safetensors")
        assert again.settings == made.settings and all(
            torch.equal(a, b)
            for a, b in zip(made.state_dict().values(), again.state_dict().values())
        )
        x = BENCH.sample(7).x_p
        torch.testing.assert_close(again.instance(1)(x), made(x)[1])


def test_history_finds_its_columns_and_says_what_is_missing(tmp_path):
    history = fit(
        model(), BENCH, Config(steps=20, batch=32, log_every=5, eval_every=10), progress=False
    )
    assert history.column("step") == [5, 10, 15, 20] and len(history.column("decoder_mip")) == 2
    with pytest.raises(KeyError, match="no 'bogus'"):
        history.column("bogus")
    history.save(tmp_path / "h.jsonl")
    assert (
        History.load(tmp_path / "h.jsonl").rows == history.rows
        and len(History.load(tmp_path / "h.jsonl", upto=10).rows) == 2
    )


def test_any_data_with_batches_will_do():
    x = BENCH.sample(500).x_p
    history = fit(model(), Samples(x, seed=2), Config(steps=50, batch=64, lr=5e-3), progress=False)
    assert (
        history.column("loss")[-1] < history.column("loss")[0]
        and "decoder_mip" not in history.last[0]
    )


def test_bad_arguments_are_named():
    for arguments, words in [
        (dict(steps=0), "steps"),
        (dict(lr=math.nan), "lr"),
        (dict(decay=2), "decay"),
        (dict(precision="fp8"), "precision"),
        (dict(log_every=0), "log_every"),
    ]:
        with pytest.raises(ValueError, match=words):
            Config(**arguments)
    for arguments, words in [
        (dict(method="vae"), "method must be"),
        (dict(k=99), "k = 99 latents"),
        (dict(method="relu", theta=0.1), "theta is JumpReLU's"),
        (dict(instances=0), "instances"),
    ]:
        with pytest.raises(ValueError, match=words):
            SDLModel(30, 64, **arguments)
    with pytest.raises(ValueError, match="k is for"):
        SDLModel(30, 64, method="relu", k=3)
    with pytest.raises(ValueError, match="2 benches for 1 models"):
        fit(model(), [BENCH, BENCH], progress=False)
    with pytest.raises(ValueError, match="n_p is 30"):
        model().encode(torch.zeros(3, 29))
    with pytest.raises(ValueError, match="resume=True .--resume. needs out="):
        fit(model(), BENCH, resume=True, progress=False)
