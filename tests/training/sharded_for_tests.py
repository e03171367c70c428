"""Runs with files whose latents may be cut over processes: for the tests beside this file."""

import contextlib
import ctypes
import io
import json
from pathlib import Path

import pytest
import torch
from test_scale import resident

from sdl_theory import Config, LinearRepresentationBench, SDLModel, Trainer, fit, training_bytes
from sdl_theory.__main__ import main
from sdl_theory.files import read_tensors
from sdl_theory.training.sharded.methods import KINDS
from sdl_theory.training.world import World

METHODS = [kind.name for kind in KINDS]


def go(folder, world: World, method="topk", *, steps=20, **how):
    """A run in float64 with files, all that a checkpoint holds in it."""
    bench = LinearRepresentationBench(40, 30, 0.9, 0.3, seed=2, samples=500, dtype=torch.float64)
    with_k = method in ("topk", "batchtopk")
    model = SDLModel(
        30,
        64,
        method=method,
        k=4 if with_k else None,
        biases=True,
        generator=torch.Generator().manual_seed(1),
        dtype=torch.float64,
        world=world,
    )
    config = Config(
        steps=steps,
        batch=64,
        lr=1e-2,
        warmup=5,
        log_every=4,
        checkpoint_every=5,
        eval_every=8,
        dead_after=128,
        **dict(aux_coef=0.1, aux_k=8) if with_k else dict(target_l0=2.0),
    )
    return fit(model, bench, config, anchors=5, out=folder, progress=False, world=world, **how)


def stop_at_8(row):
    return row["step"] < 8


def said(call, *arguments, **how) -> str:
    """The error that a call ends with."""
    try:
        call(*arguments, **how)
    except (ValueError, RuntimeError, OSError) as error:
        return f"{type(error).__name__}: {error}"
    return "no error"


def command(folder: Path, *more: str) -> tuple[int, str]:
    """What the shell's command returns and prints."""
    words = ["train", "--method", "topk", "--anchors", "5", "--out", str(folder), *more]
    stop, World.stop, said = World.stop, lambda self: None, io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            code = main([*words, "--set", "steps=12", "batch=64", "log_every=4", "n_q=128"])
    finally:
        World.stop = stop
    return code, said.getvalue()


def peak(world: World) -> tuple[int, int]:
    """Bytes of two steps at their peak, over those after two tiny ones; and the formula's."""

    def two_steps(n_q, n, batch):
        bench = LinearRepresentationBench(300, n, 0.98, 0.4, samples=None)
        model = SDLModel(n, n_q, k=8, generator=torch.Generator(), world=world)
        trainer = Trainer(model, bench, Config(steps=9, batch=batch), world=world)
        trainer.step()
        trainer.step()
        return training_bytes(model, batch)

    # M_MMAP_THRESHOLD: freed memory goes back at once, so what is counted is what is held
    ctypes.CDLL(None).mallopt(-3, 65_536)
    two_steps(64, 256, 16)
    Path("/proc/self/clear_refs").write_text("5")
    before = resident("VmRSS")
    need = two_steps(32_768, 256, 1024)
    return resident("VmHWM") - before, need.total


def assert_as_one(folder, wanted):
    tensors, metadata = read_tensors(folder / "checkpoint.safetensors")
    theirs, meta = read_tensors(wanted / "checkpoint.safetensors")
    assert metadata == meta and list(tensors) == list(theirs)
    for name, value in theirs.items():
        torch.testing.assert_close(
            tensors[name],
            value,
            rtol=1e-10,
            atol=1e-10,
            msg=lambda text: f"{folder.name}, {name}: {text}",
        )
    rows, wants = (
        [json.loads(line) for line in (one / "history.jsonl").read_text().splitlines()]
        for one in (folder, wanted)
    )
    for ours, want in zip(rows, wants, strict=True):
        assert ours == pytest.approx(want | dict(samples_per_s=ours["samples_per_s"]), rel=1e-6)
    assert sorted(path.name for path in folder.iterdir()) == [
        "checkpoint.safetensors",
        "history.jsonl",
    ]
