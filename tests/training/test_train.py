"""What a step does, what training recovers, the target-L0 control, many models in one loop."""

import pytest
import torch
from models_for_tests import BENCH, model

from sdl_theory import (
    Anchors,
    Config,
    History,
    LinearRepresentationBench,
    Samples,
    SDLModel,
    Trainer,
    evaluate,
    fit,
)
from sdl_theory.training.methods import METHODS
from sdl_theory.training.objective import objective


@pytest.mark.parametrize("method", METHODS)
def test_one_step_is_adam_on_the_clipped_gradient_off_the_columns(method):
    """The first step against torch's plain Adam.

    On the loss's own autograd gradient, its part along each column removed, clipped, columns
    renormalized.
    """
    from sdl_theory.training.step import Knobs

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


def test_the_rate_warms_up_and_decays_to_zero():
    c = Config(steps=100, lr=2.0, warmup=10, decay=0.2)
    assert c.rate(0) == 0.2
    assert c.rate(9) == 2.0 == c.rate(79)
    assert c.rate(90) == pytest.approx(1.0)
    assert 0 < c.rate(99) <= 0.1
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
    assert report.of("decoder").recovery[0.95] >= 0.9
    assert report.of("decoder").null.recovery[0.95].value == 0
    assert history.last[0]["loss"] < 0.2 * (1 - 0.95) * 20 * 2
    assert history.column("loss")[0] > history.column("loss")[-1]


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
        assert config.sparsity / 100 <= history.column("coef")[-1] * 1.0001
        assert history.column("coef")[-1] <= config.sparsity * 100.01
    impossible = fit(
        model("relu"),
        BENCH,
        Config(steps=300, batch=64, target_l0=1e-3, sparsity=0.05, gain=0.1),
        progress=False,
    )
    assert impossible.column("coef")[-1] == pytest.approx(5.0)  # a factor 100, and no further


def test_bf16_products_train_too():
    made = model("topk")
    history = fit(
        made, BENCH, Config(steps=200, batch=128, lr=5e-3, precision="bf16"), progress=False
    )
    assert made.W_E.dtype == torch.float32
    assert history.column("loss")[-1] < 0.3 * history.column("loss")[0]
    # large enough for the sparse path
    sparse = SDLModel(30, 1 << 14, k=4, generator=torch.Generator().manual_seed(0))
    history = fit(
        sparse,
        BENCH,
        Config(steps=12, batch=64, lr=5e-3, warmup=2, precision="bf16", log_every=4),
        progress=False,
    )
    assert history.column("loss")[-1] < history.column("loss")[0]


def test_history_finds_its_columns_and_says_what_is_missing(tmp_path):
    history = fit(
        model(), BENCH, Config(steps=20, batch=32, log_every=5, eval_every=10), progress=False
    )
    assert history.column("step") == [5, 10, 15, 20] and len(history.column("decoder_mip")) == 2
    with pytest.raises(KeyError, match="no 'bogus'"):
        history.column("bogus")
    history.save(tmp_path / "h.jsonl")
    assert History.load(tmp_path / "h.jsonl").rows == history.rows
    assert len(History.load(tmp_path / "h.jsonl", upto=10).rows) == 2


def test_any_data_with_batches_will_do():
    x = BENCH.sample(500).x_p
    history = fit(model(), Samples(x, seed=2), Config(steps=50, batch=64, lr=5e-3), progress=False)
    assert history.column("loss")[-1] < history.column("loss")[0]
    assert "decoder_mip" not in history.last[0]
