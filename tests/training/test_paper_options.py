"""Eqs. 7, 8 and 9 of arXiv:2512.05534 as options: plain Top-k, AuxK on the input, Matryoshka over
several k. Each against its literal twin.
"""

import json
import math

import pytest
import torch

from sdl_theory import (
    Config,
    LinearRepresentationBench,
    SDLModel,
    TopK,
    Trainer,
    diagnose,
    evaluate,
    fit,
    read_saelens,
    training_bytes,
    write_saelens,
)
from sdl_theory.files import read_tensors, write_tensors
from sdl_theory.measure.latents import strictly_dead
from sdl_theory.measure.report import firing_level
from sdl_theory.training import objective as objectives
from sdl_theory.training.objective import Knobs, objective

KS = (2, 5, 9)
KINDS = {
    "matryoshka with ks": dict(method="matryoshka", ks=KS),
    "plain matryoshka with ks": dict(method="matryoshka", ks=KS, plain=True),
    "plain topk": dict(method="topk", k=5, plain=True),
    "topk": dict(method="topk", k=5),
    "matryoshka": dict(method="matryoshka", k=5),
}
NEW = list(KINDS)[:3]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def made(kind, biases=False, dtype=torch.float64, n_q=96, **options):
    """A model with columns of all norms, random biases if biased, and so few z > 0 that many a
    sample's k largest reach below zero.
    """
    model, g = (
        SDLModel(
            30, n_q, biases=biases, generator=seeded(3), dtype=dtype, **KINDS[kind], **options
        ),
        seeded(4),
    )
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.startswith("b_"):
                parameter.normal_(0, 0.1, generator=g)
        model.W_D *= torch.rand(n_q, generator=g, dtype=dtype) + 0.5
        model.W_E -= 0.35 * torch.linalg.lstsq(
            BENCH.W_p.mT, torch.ones(40, 1, dtype=torch.float64)
        ).solution[:, 0].to(dtype)
    return model


BENCH = LinearRepresentationBench(40, 30, 0.9, 0.4, seed=1, dtype=torch.float64)


def test_the_models_tried_here_tell_plain_from_rectified():
    z = made("topk").preactivations(BENCH.batch(0, 48).x_p)
    for k in (2, 5, 7, 9):
        below = z.topk(k).values < 0
        assert 0.1 < below.double().mean() < 0.9, k


DEAD = torch.rand(96, generator=seeded(5)) < 0.4


def step(model, knobs, sparse, data=None):
    """Terms and gradients."""
    data = data or BENCH.batch(0, 48)
    model.zero_grad()
    terms = objective(model, data.x_p.to(model.W_E), data.x_r.to(model.W_E), knobs, sparse)
    terms.loss.backward()
    return terms, {name: parameter.grad.clone() for name, parameter in model.named_parameters()}


def assert_close(got, want, tol):
    """Relative to the largest entry: sums over pairs and dense products round in another order."""
    assert set(got) == set(want)
    for name in want:
        assert (
            want[name].abs().max() > 0
            and (got[name] - want[name]).abs().max() <= tol * want[name].abs().max()
        ), name


# ---- the formulas, sample by sample


def literal(model, x_p, x_r, dead, coef, aux_k, target, level_loss):
    """The loss by its definitions; nothing here is shared with the library."""
    keep = lambda row, k: torch.zeros_like(row).scatter(0, row.topk(k).indices, row.topk(k).values)
    sigma = (lambda row, k: keep(row, k)) if model.plain else (lambda row, k: keep(row, k).relu())
    out = lambda codes: model.W_D @ codes + (0 if model.b_D is None else model.b_D)
    z = x_p @ model.W_E.mT + (0 if model.b_E is None else model.b_E)
    losses = []
    for row, x in zip(z, x_r):
        levels = [(x - out(sigma(row, k))).square().sum() for k in model.ks or (model.k,)]
        asleep = sigma(row.masked_fill(~dead, -1e9), aux_k)
        aux = (
            (x - out(asleep))
            if target == "input"
            else ((x - out(sigma(row, model.k))).detach() - model.W_D @ asleep)
        )
        losses.append(
            sum(levels) / (len(levels) if level_loss == "mean" else 1) + coef * aux.square().sum()
        )
    return sum(losses) / len(losses)


@pytest.mark.parametrize("level_loss", ["sum", "mean"])
@pytest.mark.parametrize("target", ["residual", "input"])
@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("kind", [*NEW, "topk"])
@pytest.mark.parametrize("sparse", [False, True])
def test_loss_and_gradients_are_those_of_the_formula(kind, biases, target, level_loss, sparse):
    model, data = made(kind, biases), BENCH.batch(0, 12)
    want = literal(model, data.x_p, data.x_r, DEAD, 0.3, 7, target, level_loss)
    want.backward()
    grads = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
    terms, got = step(
        model,
        Knobs(12, aux_coef=0.3, aux_k=7, dead=DEAD, aux_target=target, level_loss=level_loss),
        sparse,
        data,
    )
    assert terms.loss.item() == pytest.approx(want.item(), rel=1e-12)
    assert_close(got, grads, 1e-12)


def test_equation_9_sums_the_losses_of_several_k_over_all_latents():
    """Four lines: for each k the k largest of *all* latents, sample by sample; no prefix of the
    dictionary anywhere.
    """
    model, data = made("matryoshka with ks"), BENCH.batch(0, 12)
    z = data.x_p @ model.W_E.mT
    loss = 0
    for k in KS:
        codes = torch.zeros_like(z).scatter(1, z.topk(k).indices, z.topk(k).values.relu())
        loss += (data.x_r - codes @ model.W_D.mT).square().sum(1).mean()
    assert step(model, Knobs(12), None, data)[0].loss.item() == pytest.approx(
        loss.item(), rel=1e-12
    )
    assert step(model, Knobs(12), None, data)[0].mse.item() == pytest.approx(
        (data.x_r - model(data.x_p)).square().sum(1).mean().item(), rel=1e-6
    )


def test_equation_8_has_the_dead_latents_reconstruct_the_input():
    """Four lines: the aux_k strongest dead latents alone against x_p. Nothing of it reaches the
    living; the residual's target does not move.
    """
    model, data = made("topk"), BENCH.batch(0, 12)
    z = (data.x_p @ model.W_E.mT)[:, DEAD]
    codes = torch.zeros_like(z).scatter(1, z.topk(7).indices, z.topk(7).values.relu())
    aux = (data.x_p - codes @ model.W_D[:, DEAD].mT).square().sum(1).mean()
    with_it, without = (
        step(model, Knobs(12, aux_coef=coef, aux_k=7, dead=DEAD, aux_target="input"), True, data)
        for coef in (0.3, 0.0)
    )
    assert with_it[0].loss.item() - without[0].loss.item() == pytest.approx(
        0.3 * aux.item(), rel=1e-12
    )
    moved = {name: (with_it[1][name] - without[1][name]).abs() for name in ("W_E", "W_D")}
    assert (
        moved["W_E"][~DEAD].max()
        == moved["W_D"][:, ~DEAD].max()
        == 0
        < min(moved["W_E"][DEAD].max(), moved["W_D"][:, DEAD].max())
    )
    residual = step(model, Knobs(12, aux_coef=0.3, aux_k=7, dead=DEAD), True, data)[0].loss.item()
    assert abs(residual - with_it[0].loss.item()) > 0.01 * residual


@pytest.mark.parametrize("kind, source", [("matryoshka with ks", "sum"), ("matryoshka", "mean")])
def test_levels_are_summed_or_averaged(kind, source):
    model, count = made(kind), len(KINDS[kind].get("ks", (6, 12, 24, 48, 96)))
    loss = {
        how: step(model, Knobs(48, level_loss=how), False)[0].loss.item()
        for how in ("sum", "mean", None)
    }
    assert (
        loss["sum"] == pytest.approx(count * loss["mean"], rel=1e-12) and loss[None] == loss[source]
    )
    assert step(model, Knobs(48, level_loss="sum"), True)[0].loss.item() == pytest.approx(
        loss["sum"], rel=1e-12
    )


# ---- the sparse step


@pytest.mark.parametrize("dtype, tol", [(torch.float64, 1e-12), (torch.float32, 1e-5)])
@pytest.mark.parametrize("target", ["residual", "input"])
@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_sparse_steps_have_the_gradients_of_the_dense_twin(
    kind, biases, target, dtype, tol, monkeypatch
):
    monkeypatch.setattr(objectives, "SPARSE_BELOW", 2)
    model, knobs = (
        made(kind, biases, dtype, n_q=640),
        Knobs(48, aux_coef=0.3, aux_k=7, dead=DEAD.repeat(7)[:640], aux_target=target),
    )
    (dense, want), (sparse, got) = step(model, knobs, False), step(model, knobs, True)
    assert_close(got, want, tol)
    for figure in ("loss", "mse", "l0"):
        assert getattr(sparse, figure).item() == pytest.approx(
            getattr(dense, figure).item(), rel=10 * tol if figure == "loss" else 1e-5
        )
    assert torch.equal(sparse.fired, dense.fired)


@pytest.mark.parametrize("kind", NEW)
@pytest.mark.parametrize("target", ["residual", "input"])
def test_two_halves_of_a_batch_add_up_to_the_whole(kind, target):
    """What processes do: each has half of the samples, all know the whole batch's size and which
    latents are dead.
    """
    model, whole, knobs = (
        made(kind, biases=True),
        BENCH.batch(0, 48),
        Knobs(48, aux_coef=0.3, aux_k=7, dead=DEAD, aux_target=target),
    )
    halves = [
        step(model, knobs, sparse, BENCH.batch(0, 48, rank=rank, world=2))
        for rank, sparse in enumerate((True, False))
    ]
    terms, want = step(model, knobs, False, whole)
    assert_close({name: sum(grads[name] for _, grads in halves) for name in want}, want, 1e-12)
    assert sum(one.loss.item() for one, _ in halves) == pytest.approx(terms.loss.item(), rel=1e-12)


# ---- runs


def config(**changes):
    return Config(
        **dict(
            steps=24,
            batch=32,
            lr=1e-2,
            warmup=5,
            log_every=6,
            checkpoint_every=6,
            dead_after=96,
            aux_coef=0.2,
            aux_k=4,
            aux_target="input",
        )
        | changes
    )


@pytest.mark.parametrize("kind", NEW)
def test_instances_are_single_runs_and_dead_latents_of_one_do_not_touch_another(kind):
    benches = [
        LinearRepresentationBench(40, 30, 0.9, 0.4, seed=s, dtype=torch.float64) for s in range(2)
    ]
    many = made(kind, biases=True, instances=2)
    with torch.no_grad():
        many.W_E[0, -8:] *= 0.01  # only the first has dead latents
    singles = [many.instance(i) for i in range(2)]
    assert all(one.settings == many.settings | dict(instances=None) for one in singles)
    history = fit(many, benches, config(dead_after=256), progress=False)
    for i, single in enumerate(singles):
        alone = fit(single, benches[i], config(dead_after=256), progress=False)
        for name, value in single.state_dict().items():
            torch.testing.assert_close(many.state_dict()[name][i], value, rtol=1e-6, atol=1e-8)
        assert history.column("dead", i) == alone.column("dead")


def test_a_run_follows_its_config():
    """The options reach the step: each changes what is learned, and a `Trainer` hands them on as
    given.
    """
    ended = {}
    for changes in (dict(), dict(aux_target="input"), dict(level_loss="mean")):
        fit(
            model := made("matryoshka with ks"),
            BENCH,
            config(**dict(aux_target="residual") | changes),
            progress=False,
        )
        knobs = Trainer(model, BENCH, config(**dict(aux_target="residual") | changes)).knobs()
        assert (knobs.aux_target, knobs.level_loss) == (
            changes.get("aux_target", "residual"),
            changes.get("level_loss"),
        )
        ended[str(changes)] = model.W_D.detach().clone()
    first, *others = ended.values()
    assert all((first - other).abs().max() > 1e-4 for other in others)


@pytest.mark.parametrize("kind", NEW)
def test_a_resumed_run_is_the_uninterrupted_one(kind, tmp_path):
    bench = LinearRepresentationBench(40, 30, 0.9, 0.4, seed=1)
    fresh = lambda: SDLModel(30, 64, generator=seeded(), **KINDS[kind])
    fit(whole := fresh(), bench, config(), out=tmp_path / "whole", progress=False)
    fit(
        fresh(),
        bench,
        config(),
        out=tmp_path / "parts",
        progress=False,
        callback=lambda row: row["step"] < 12,
    )
    assert read_tensors(tmp_path / "parts" / "checkpoint.safetensors")[1]["step"] == 12
    history = fit(
        resumed := fresh(), bench, config(), out=tmp_path / "parts", resume=True, progress=False
    )
    assert all(
        torch.equal(value, resumed.state_dict()[name]) for name, value in whole.state_dict().items()
    )
    assert (
        history.column("step") == [6, 12, 18, 24]
        and history.column("encoder_raw_mip")
        and math.isfinite(history.column("loss")[-1])
    )
    loaded = SDLModel.load(tmp_path / "parts" / "checkpoint.safetensors")
    assert loaded.settings == whole.settings == json.loads(
        json.dumps(whole.settings)
    ) and torch.equal(loaded(bench.W_p.mT), whole(bench.W_p.mT))
    other = (
        SDLModel(30, 64, generator=seeded(), method="matryoshka", ks=(1, 2))
        if "matryoshka" in kind
        else SDLModel(30, 64, k=5, generator=seeded())
    )
    with pytest.raises(
        Exception, match=r"its model\.k is 9" if "matryoshka" in kind else "its model.plain is True"
    ):
        fit(other, bench, config(), out=tmp_path / "parts", resume=True, progress=False)


def test_runs_from_before_the_options_can_still_be_resumed(tmp_path):
    """A checkpoint whose config lacks them had what is now their default, and that only."""
    bench, path = (
        LinearRepresentationBench(40, 30, 0.9, 0.4, seed=1),
        tmp_path / "checkpoint.safetensors",
    )
    fit(
        SDLModel(30, 64, k=4, generator=seeded()),
        bench,
        config(aux_target="residual"),
        out=tmp_path,
        progress=False,
    )
    tensors, metadata = read_tensors(path)
    del metadata["config"]["aux_target"], metadata["config"]["level_loss"]
    assert not {"ks", "plain"} & set(metadata["model"])
    write_tensors(path, tensors, metadata)
    fit(
        SDLModel(30, 64, k=4, generator=seeded()),
        bench,
        config(aux_target="residual"),
        out=tmp_path,
        resume=True,
        progress=False,
    )
    write_tensors(path, tensors, metadata)
    with pytest.raises(Exception, match="config.aux_target is 'residual', this one's is 'input'"):
        fit(
            SDLModel(30, 64, k=4, generator=seeded()),
            bench,
            config(),
            out=tmp_path,
            resume=True,
            progress=False,
        )


@pytest.mark.parametrize("kind", NEW)
def test_training_learns(kind):
    bench = LinearRepresentationBench(20, 24, 0.95, 0.5, seed=2)
    model = SDLModel(
        24,
        60,
        generator=seeded(),
        **KINDS[kind] | (dict(ks=(1, 2, 4)) if "matryoshka" in kind else dict(k=2)),
    )
    history = fit(
        model,
        bench,
        Config(
            steps=500,
            batch=256,
            lr=5e-3,
            warmup=20,
            log_every=100,
            aux_coef=1 / 32,
            aux_target="input",
        ),
        progress=False,
    )
    assert history.column("loss")[-1] < 0.3 * history.column("loss")[0]
    assert evaluate(model, bench, samples=1000).of("decoder").recovery[0.95] >= 0.7


def test_history_carries_the_literal_metric_first():
    bench = LinearRepresentationBench(40, 30, 0.9, 0.4, seed=1)
    model = SDLModel(30, 64, k=4, generator=seeded())
    history = fit(model, bench, Config(steps=30, batch=64, lr=1e-2), anchors=3, progress=False)
    row = history.last[0]
    names = [name for name in row if name.startswith(("encoder", "decoder"))]
    assert names == [
        f"{side}_{figure}"
        for side in ("encoder_raw", "encoder", "decoder")
        for figure in ("recovery_95", "recovery_90", "mip")
    ]
    report = evaluate(model, bench, anchored=history.anchored[0], samples=100).summary()
    assert {name: row[name] for name in names} == pytest.approx(
        {name: report[name] for name in names}, rel=1e-6
    )
    assert len({row["encoder_raw_mip"], row["encoder_mip"], row["decoder_mip"]}) == 3


def test_the_progress_bar_says_whose_features_it_counts(capsys):
    fit(
        SDLModel(30, 64, k=4, generator=seeded()),
        LinearRepresentationBench(40, 30, 0.9, 0.4, seed=1),
        Config(steps=4, batch=16, log_every=2),
        progress=True,
    )
    said = capsys.readouterr().err
    assert (
        "W_E found, raw=" in said
        and "W_D found, cos=" in said
        and said.index("W_E found") < said.index("W_D found")
    )


# ---- inference, theory, files


@pytest.mark.parametrize("kind", NEW)
def test_inference_is_the_top_k_of_the_theory_with_the_largest_k(kind):
    model = made(kind)
    codes, z = model.encode(BENCH.W_p.mT), model.preactivations(BENCH.W_p.mT)
    assert (
        isinstance(model.sigma, TopK)
        and model.sigma.k == model.k == max(model.ks or (5,))
        and "theta" not in model.state_dict()
    )
    assert torch.equal(codes, model.sigma(z, dim=-1)) and torch.equal(
        codes != 0, model.sigma.active(z, -1)
    )
    assert bool((codes < 0).any()) == bool(((codes != 0).sum(1) == model.k).all()) == model.plain
    below = -1 - torch.arange(96, dtype=torch.float64)[None] / 96
    assert model.activate(below).count_nonzero() == (model.k if model.plain else 0)
    if model.plain:
        with pytest.raises(ValueError, match="plain"):
            diagnose(model, BENCH)
    else:
        assert len(diagnose(model, BENCH, samples=200).neurons) == 96


def test_plain_top_k_counts_what_fires_below_zero():
    model, data = made("plain topk"), BENCH.batch(0, 48)
    for sparse in (False, True):
        terms = objective(model, data.x_p, data.x_r, Knobs(48), sparse)
        assert (
            terms.l0.item() == pytest.approx(model.encode(data.x_p).count_nonzero().item() / 48)
            and terms.l0 > 4
        )
        assert torch.equal(terms.fired, (model.encode(data.x_p) != 0).any(0))
    report, codes = evaluate(model, BENCH, samples=300), model.encode(BENCH.sample(300, seed=1).x_p)
    assert (
        report.l0 == codes.count_nonzero().item() / 300
        and report.dead == (codes == 0).all(0).double().mean()
        and (codes < 0).sum() > 100
    )
    assert (
        report.strictly_dead == 0
        and firing_level(model).isneginf().all()
        and not firing_level(made("topk")).any()
    )
    # below zero on feature 0; ReLU would silence it there, plain Top-k may not
    against = -BENCH.W_p.mT[:1]
    assert strictly_dead(
        against, BENCH.W_p[:, :1], firing_level(made("topk"))[:1]
    ) and not strictly_dead(against, BENCH.W_p[:, :1], firing_level(model)[:1])


def test_saelens_gets_the_largest_k_and_no_plain_top_k(tmp_path):
    model = made("matryoshka with ks", biases=True, dtype=torch.float32)
    write_saelens(model, tmp_path / "a")
    cfg, back = json.loads((tmp_path / "a" / "cfg.json").read_text()), read_saelens(tmp_path / "a")
    assert (
        cfg["architecture"] == "topk"
        and cfg["k"] == 9
        and "training_architecture" not in cfg["metadata"]
    )
    x = BENCH.sample(50).x_p.float()
    assert (
        back.method == "topk"
        and back.k == 9
        and torch.equal(back.encode(x), model.encode(x))
        and torch.equal(back(x), model(x))
    )
    for kind in ("plain topk", "plain matryoshka with ks"):
        with pytest.raises(ValueError, match="topk has a ReLU"):
            write_saelens(made(kind, dtype=torch.float32), tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_memory_of_several_k():
    """z once in the sparse step, however many k; in the dense one codes and mask of each."""
    need = lambda **options: (
        training_bytes(SDLModel(30, 96, **options), 20).latents
        / (4 * 20 * 96 * (options.get("instances") or 1))
    )
    # whole bytes
    assert (
        need(method="matryoshka", ks=(1, 4))
        == need(method="matryoshka", ks=(1, 2, 4))
        == need(k=4)
        == pytest.approx(1.1, rel=1e-4)
    )
    assert (
        need(method="matryoshka", ks=(1, 2, 4), instances=2)
        == pytest.approx(need(k=4, instances=2) + 3, rel=1e-4)
        == pytest.approx(8.2, rel=1e-4)
    )


@pytest.mark.parametrize(
    "options, words",
    [
        (dict(method="topk", ks=(1, 2)), "ks are Matryoshka's"),
        (dict(method="matryoshka", ks=(1, 2), levels=(4, 96)), "in place of levels"),
        (dict(method="matryoshka", ks=(2, 2)), "must increase"),
        (dict(method="matryoshka", ks=()), "must increase"),
        (dict(method="matryoshka", ks=5), "ks must"),
        (dict(method="matryoshka", ks="8,16"), "ks must"),
        (dict(method="matryoshka", ks=(0, 2)), "a k of ks"),
        (dict(method="matryoshka", ks=(1, 2), k=3), "k = 3"),
        (dict(method="matryoshka", ks=(1, 99)), "k = 99 latents cannot fire of n_q = 96"),
        (dict(method="matryoshka", plain=True), "plain=True is Top-k without a ReLU"),
        (dict(method="batchtopk", plain=True), "plain=True is Top-k without a ReLU"),
        (dict(method="topk", plain=1), "plain"),
    ],
)
def test_models_that_make_no_sense_are_named(options, words):
    with pytest.raises(ValueError, match=words):
        SDLModel(30, 96, **options)


def test_configs_that_make_no_sense_are_named():
    for options, words in [
        (dict(aux_target="x_p"), "aux_target must be 'residual'"),
        (dict(level_loss="max"), "level_loss must be"),
    ]:
        with pytest.raises(ValueError, match=words):
            Config(**options)
