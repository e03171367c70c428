"""Eqs. 7, 8 and 9 of arXiv:2512.05534 as options, each against its literal twin.

Plain Top-k, AuxK on the input, Matryoshka over several k.
"""

import pytest
import torch
from options_for_tests import BENCH, DEAD, KINDS, KS, NEW, assert_close, made, step

from sdl_theory.training import objective as objectives
from sdl_theory.training.step import Knobs


def test_the_models_tried_here_tell_plain_from_rectified():
    z = made("topk").preactivations(BENCH.batch(0, 48).x_p)
    for k in (2, 5, 7, 9):
        below = z.topk(k).values < 0
        assert 0.1 < below.double().mean() < 0.9, k


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
    """Four lines: for each k the k largest of *all* latents, sample by sample.

    No prefix of the dictionary anywhere.
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
    """Four lines: the aux_k strongest dead latents alone against x_p.

    Nothing of it reaches the living; the residual's target does not move.
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
    assert loss["sum"] == pytest.approx(count * loss["mean"], rel=1e-12)
    assert loss[None] == loss[source]
    assert step(model, Knobs(48, level_loss="sum"), True)[0].loss.item() == pytest.approx(
        loss["sum"], rel=1e-12
    )


@pytest.mark.parametrize("dtype, tol", [(torch.float64, 1e-12), (torch.float32, 1e-5)])
@pytest.mark.parametrize("target", ["residual", "input"])
@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_sparse_steps_have_the_gradients_of_the_dense_twin(
    kind, biases, target, dtype, tol, monkeypatch
):
    monkeypatch.setattr(objectives, "SPARSE_BELOW", 2)
    model = made(kind, biases, dtype, n_q=640)
    knobs = Knobs(48, aux_coef=0.3, aux_k=7, dead=DEAD.repeat(7)[:640], aux_target=target)
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
    model = made(kind, biases=True)
    whole = BENCH.batch(0, 48)
    knobs = Knobs(48, aux_coef=0.3, aux_k=7, dead=DEAD, aux_target=target)
    halves = [
        step(model, knobs, sparse, BENCH.batch(0, 48, rank=rank, world=2))
        for rank, sparse in enumerate((True, False))
    ]
    terms, want = step(model, knobs, False, whole)
    assert_close({name: sum(grads[name] for _, grads in halves) for name in want}, want, 1e-12)
    assert sum(one.loss.item() for one, _ in halves) == pytest.approx(terms.loss.item(), rel=1e-12)
