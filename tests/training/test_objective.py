"""The sparse step equals its dense twin, and the dense twin equals the formulas."""

import pytest
import torch
from models_for_tests import problem, seeded

from sdl_theory.training import objective as objectives
from sdl_theory.training.methods import METHODS, WITH_K
from sdl_theory.training.objective import objective
from sdl_theory.training.step import Knobs


@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("unit_norm", [False, True])
@pytest.mark.parametrize("method", [m for m in METHODS if m != "gated"])
@pytest.mark.parametrize("dtype, tol", [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_sparse_steps_have_the_gradients_of_the_dense_twin(
    method, biases, unit_norm, dtype, tol, monkeypatch
):
    monkeypatch.setattr(objectives, "SPARSE_BELOW", 2)
    model, data, dead = problem(method, biases, dtype)
    found = []
    for sparse in (False, True):
        model.zero_grad()
        terms = objective(
            model,
            data.x_p,
            data.x_r,
            Knobs(
                48,
                0.1,
                aux_coef=0.3,
                aux_k=7,
                dead=dead if method in WITH_K else None,
                unit_norm=unit_norm,
            ),
            sparse,
        )
        terms.loss.backward()
        found.append((terms, {name: p.grad for name, p in model.named_parameters()}))
    (dense, want), (sparse, got) = found
    assert set(want) == set(got)
    for name in want:
        assert (
            want[name].abs().max() > 0
            and (got[name] - want[name]).abs().max() <= tol * want[name].abs().max()
        ), name
    for figure in ("loss", "mse", "l0"):
        torch.testing.assert_close(
            getattr(sparse, figure).double(), getattr(dense, figure).double(), rtol=1e-5, atol=0
        )
    assert torch.equal(sparse.fired, dense.fired)


def test_dense_objective_is_the_formula():
    """Each method's loss, sample by sample, from its definition in the literature."""
    for method in METHODS:
        model, data, _ = problem(method, biases=True, batch=12)
        z = data.x_p @ model.W_E.mT + model.b_E
        got = objective(model, data.x_p, data.x_r, Knobs(12, 0.7, unit_norm=False), sparse=False)
        norms, losses = model.W_D.norm(dim=0), []
        kept = (
            z.flatten().topk(12 * 5).values.min() if method in ("batchtopk", "matryoshka") else None
        )
        for row, x in zip(z, data.x_r):
            out = lambda codes: model.W_D @ codes + model.b_D
            if method == "relu":
                losses.append(
                    (x - out(row.relu())).square().sum() + 0.7 * (row.relu() * norms).sum()
                )
            if method == "jumprelu":
                on = row > model.theta
                losses.append((x - out(row * on)).square().sum() + 0.7 * on.sum())
            if method == "topk":
                codes = torch.zeros_like(row).scatter(
                    0, row.topk(5).indices, row.topk(5).values.relu()
                )
                losses.append((x - out(codes)).square().sum())
            if method == "batchtopk":
                losses.append((x - out(row * (row >= kept) * (row > 0))).square().sum())
            if method == "matryoshka":
                codes = row * (row >= kept) * (row > 0)
                prefix = [
                    (x - out(codes * (torch.arange(96) < level))).square().sum()
                    for level in model.levels
                ]
                losses.append(sum(prefix) / len(prefix))
            if method == "gated":
                gate, magnitude = row + model.b_gate, (row * model.r_mag.exp() + model.b_mag).relu()
                losses.append(
                    (x - out(magnitude * (gate > 0))).square().sum()
                    + 0.7 * (gate.relu() * norms).sum()
                    + (x - out(gate.relu())).square().sum()
                )
        torch.testing.assert_close(got.loss, sum(losses) / 12)


@pytest.mark.parametrize("method", METHODS)
def test_the_objective_can_be_compiled(method):
    model, data, dead = problem(method, biases=True)
    knobs = Knobs(48, 0.7, aux_coef=0.3, aux_k=4, dead=dead) if model.k else Knobs(48, 0.7)
    torch.compiler.reset()
    found = []
    for one in (objective, torch.compile(objective, backend="eager")):
        model.zero_grad()
        terms = one(model, data.x_p, data.x_r, knobs)
        terms.loss.backward()
        found.append([terms.loss.detach(), model.W_E.grad, model.W_D.grad])
    torch.testing.assert_close(*found)


def test_the_gated_auxiliary_term_teaches_the_gate_and_not_the_decoder():
    """The gated auxiliary term of Rajamanoharan et al. (2024): || x - W_D relu(gate) ||^2.

    W_D (and b_D) are frozen in it, so the decoder's gradient is the reconstruction's alone.
    """
    model, data, _ = problem("gated", biases=True, batch=20)
    objective(model, data.x_p, data.x_r, Knobs(20, 0.7), sparse=False).loss.backward()
    got = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
    model.zero_grad()
    ((data.x_r - model(data.x_p)).square().sum() / 20).backward()
    torch.testing.assert_close((got["W_D"], got["b_D"]), (model.W_D.grad, model.b_D.grad))
    assert model.b_gate.grad is None and got["b_gate"].any()


def test_jumprelu_gradients_go_straight_through_a_window():
    """theta's gradient by eqs.

    11 and 12 of Rajamanoharan et al. (2024), written out; z is met by the reconstruction alone.
    """
    model, data, _ = problem("jumprelu", biases=False, batch=20)
    objective(
        model, data.x_p, data.x_r, Knobs(20, 0.7, bandwidth=0.2), sparse=False
    ).loss.backward()
    with torch.no_grad():
        z = data.x_p @ model.W_E.mT
        codes = z * (z > model.theta)
        pull = -2 * (data.x_r - codes @ model.W_D.mT) @ model.W_D / 20  # d mse / d codes
        window = ((z - model.theta).abs() < 0.1) / 0.2
        assert window.any()
        torch.testing.assert_close(
            model.theta.grad, (-model.theta * window * pull - 0.7 / 20 * window).sum(0)
        )
        torch.testing.assert_close(model.W_E.grad, (pull * (z > model.theta)).mT @ data.x_p)


def test_auxk_reaches_dead_latents_and_no_others():
    """The bug of others: an AuxK whose encoder gradient is zero."""
    model, data, dead = problem("topk", biases=False)
    grads = []
    for coef in (0.0, 0.5):
        model.zero_grad()
        objective(
            model, data.x_p, data.x_r, Knobs(48, aux_coef=coef, aux_k=4, dead=dead), sparse=True
        ).loss.backward()
        grads.append((model.W_E.grad.clone(), model.W_D.grad.mT.clone()))
    for off, on in zip(*grads):
        moved = (on - off).abs().amax(1) > 0
        assert moved.any() and not moved[~dead].any()


@pytest.mark.parametrize("sparse", [False, True])
def test_auxk_takes_the_lowest_of_equal_dead_latents(sparse):
    """Whole numbers, so that equal rows have equal preactivations: of eight equal dead latents AuxK
    with two wakes the first two.
    """
    model, data, _ = problem("topk", biases=False)
    x = torch.randint(1, 5, data.x_p.shape, generator=seeded(1)).double()
    dead = torch.arange(96) >= 80
    with torch.no_grad():
        model.W_E.copy_(torch.randint(-3, 4, model.W_E.shape, generator=seeded(2)))
        model.W_E[dead] = -1.0
        model.W_E[84:92] = 1.0
    grads = []
    for coef in (0.0, 1.0):
        model.zero_grad()
        objective(
            model, x, x, Knobs(48, aux_coef=coef, aux_k=2, dead=dead), sparse=sparse
        ).loss.backward()
        grads.append(model.W_E.grad.clone())
    moved = (grads[1] - grads[0]).abs().amax(1) > 0
    assert moved.nonzero()[:, 0].tolist() == [84, 85]
