"""The dense step in blocks of latents equals its literal twin, however the blocks fall."""

import pytest
import torch
from models_for_tests import problem, seeded

from sdl_theory import SDLModel
from sdl_theory.training import blocks
from sdl_theory.training import objective as objectives
from sdl_theory.training.methods import METHODS
from sdl_theory.training.methods.in_blocks import InBlocks
from sdl_theory.training.objective import objective
from sdl_theory.training.step import Knobs

IN_BLOCKS = [name for name, kind in METHODS.items() if issubclass(kind, InBlocks)]
# entries, narrowest: one block; ragged blocks of 10 latents; blocks of some instances; of one
CUTS = [(1 << 20, 256), (480, 1), (3 * 48 * 96, 1), (1, 96)]


def made(method, biases, instances, dtype=torch.float64):
    """A model, whose instances differ, and a batch."""
    model, data, _ = problem(method, biases, dtype)
    if instances is not None:
        model = SDLModel(
            30,
            96,
            method=method,
            biases=biases,
            theta=0.3 if method == "jumprelu" else None,
            instances=instances,
            generator=seeded(4),
            dtype=dtype,
        )
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if name.startswith("b_"):
                    parameter.normal_(0, 0.1, generator=seeded(5))
            model.W_D *= torch.rand(96, generator=seeded(6), dtype=dtype) + 0.5
    return model, data


def both(model, data, knobs, x_p=None):
    """Terms and gradients of the literal twin and of the blocks; the loss weighs 1.7."""
    found = []
    for sparse in (False, True):
        model.zero_grad()
        terms = objective(model, data.x_p if x_p is None else x_p, data.x_r, knobs, sparse)
        (1.7 * terms.loss).backward()
        found.append((terms, {name: p.grad for name, p in model.named_parameters()}))
    return found


@pytest.fixture(autouse=True)
def no_pairs(monkeypatch):
    monkeypatch.setattr(objectives, "SPARSE_BELOW", -1)


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("instances", [None, 4])
@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("unit_norm", [False, True])
@pytest.mark.parametrize("method", IN_BLOCKS)
def test_blocks_have_the_values_and_gradients_of_the_dense_twin(
    method, unit_norm, biases, instances, cut, monkeypatch
):
    monkeypatch.setattr(blocks, "ENTRIES", cut[0])
    monkeypatch.setattr(blocks, "NARROWEST", cut[1])
    model, data = made(method, biases, instances)
    coef = 0.1 if instances is None else torch.tensor([0.0, 0.1, 0.2, 0.4]).double()
    (dense, want), (block, got) = both(
        model, data, Knobs(48, coef, unit_norm=unit_norm, bandwidth=0.4)
    )
    assert set(want) == set(got)
    for name in want:
        assert want[name].abs().max() > 0, name
        assert got[name].stride() == want[name].stride(), name
        assert (got[name] - want[name]).abs().max() <= 1e-12 * want[name].abs().max(), name
    torch.testing.assert_close(block.loss, dense.loss, rtol=1e-12, atol=0)
    for figure in ("mse", "l0"):  # the twin's are in float32
        torch.testing.assert_close(
            getattr(block, figure).double(), getattr(dense, figure).double(), rtol=1e-6, atol=0
        )
    assert torch.equal(block.fired, dense.fired)


@pytest.mark.parametrize("method", IN_BLOCKS)
def test_each_instance_may_see_samples_of_its_own(method, monkeypatch):
    monkeypatch.setattr(blocks, "ENTRIES", 2 * 48 * 96)
    model, data = made(method, True, 4)
    x_p = data.x_p * torch.tensor([1.0, 0.5, -1.0, 2.0]).double().view(4, 1, 1)
    (dense, want), (block, got) = both(model, data, Knobs(48, 0.1), x_p)
    torch.testing.assert_close(block.loss, dense.loss, rtol=1e-12, atol=0)
    for name in want:
        torch.testing.assert_close(got[name], want[name], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("method", IN_BLOCKS)
def test_in_bfloat16_they_differ_by_its_rounding(method):
    model, data = made(method, True, None, torch.float32)
    (dense, want), (block, got) = both(model, data, Knobs(48, 0.1, bf16=True))
    torch.testing.assert_close(block.loss, dense.loss, rtol=0.02, atol=0)
    for name in want:
        assert got[name].dtype == torch.float32
        assert (got[name] - want[name]).norm() <= 0.03 * want[name].norm(), name


@pytest.mark.parametrize("shape", [(1, 8, 16000), (3, 8, 10), (7, 2000, 600), (1, 1 << 22, 5)])
def test_the_blocks_are_all_of_z_once(shape):
    seen = torch.zeros(shape[0], 1, shape[2])
    for i, s in blocks.cuts(torch.empty(shape, device="meta")):
        assert i.stop - i.start == 1 or s == slice(0, shape[2])
        seen[i, :, s] += 1
    assert (seen == 1).all()


def test_large_steps_go_in_blocks_and_small_ones_are_literal(monkeypatch):
    called = []
    monkeypatch.setattr(
        objectives,
        "through",
        lambda step, way: called.append(step.z.shape) or blocks.through(step, way),
    )
    model, data = made("relu", False, 4)
    for large in (4 * 48 * 96 + 1, 4 * 48 * 96):
        monkeypatch.setattr(objectives, "LARGE", large)
        objective(model, data.x_p, data.x_r, Knobs(48))
    assert called == [(4, 48, 96)]
