"""Small runs, and what they leave behind: for the tests beside this file."""

import json
import multiprocessing
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from sdl_theory import Config, LinearRepresentationBench, SDLModel, fit
from sdl_theory.files import read_tensors

ROOT = Path(__file__).resolve().parents[2]
EVERY = 5  # steps between checkpoints
BENCH = LinearRepresentationBench(40, 30, 0.9, 0.3, seed=2)
FORKS = multiprocessing.get_context("forkserver")
# what the first step would import
FORKS.set_forkserver_preload(
    ["torch._dynamo", "torch.distributed", "sdl_theory", "safetensors.torch", "tqdm.auto", "pytest"]
)


class Interrupted(Exception):
    """A KeyboardInterrupt that left `fit`."""


def tiny(method: str, steps: int = 40, **changes):
    """A run in which all that a checkpoint holds matters.

    Adam, anchors, dead counts, resampling, and the method's own state.
    """
    bench = LinearRepresentationBench(40, 30, 0.9, 0.3, seed=2, samples=500)
    model = SDLModel(
        30,
        64,
        method=method,
        k=4 if method == "batchtopk" else None,
        biases=True,
        generator=torch.Generator().manual_seed(1),
    )
    with torch.no_grad():
        # dead until they are resampled; AuxK can wake the small ones
        model.W_E[-6:] *= 0.01 if method == "batchtopk" else 0
    config = Config(
        steps=steps,
        batch=64,
        lr=3e-2,
        warmup=5,
        seed=3,
        dead_after=640,
        resample_every=12,
        resample_until=0.8,
        log_every=4,
        checkpoint_every=EVERY,
        lam_anchor=0.2,
        **(
            dict(aux_coef=0.1, aux_k=8) if method == "batchtopk" else dict(target_l0=2.0, gain=0.05)
        ),
    )
    return model, bench, replace(config, **changes)


def go(folder, method="jumprelu", *, steps=40, resume=False, callback=None, **changes):
    model, bench, config = tiny(method, steps, **changes)
    try:
        return model, fit(
            model,
            bench,
            config,
            anchors=4,
            out=folder,
            resume=resume,
            callback=callback,
            progress=False,
        )
    except KeyboardInterrupt as error:
        raise Interrupted from error  # pytest itself would stop at a KeyboardInterrupt


def holds(folder):
    """All that a run left behind: tensors and history."""
    tensors, metadata = read_tensors(folder / "checkpoint.safetensors")
    rows = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    for row in rows:
        del row["samples_per_s"]
    return tensors, rows, metadata["step"]


def assert_same(ours, theirs):
    """Bit for bit."""
    assert ours[1:] == theirs[1:] and set(ours[0]) == set(theirs[0])
    assert [
        name for name, value in ours[0].items() if not torch.equal(value, theirs[0][name])
    ] == []


def only_whole_files(folder):
    return sorted(path.name for path in folder.iterdir()) == [
        "checkpoint.safetensors",
        "history.jsonl",
    ]


def in_child(target, *arguments):
    """What `target(pipe, ...)` sends from a process of its own."""
    ours, theirs = FORKS.Pipe(duplex=False)
    process = FORKS.Process(target=target, args=(theirs, *arguments))
    process.start()
    theirs.close()
    try:
        return ours.recv() if ours.poll(60) else pytest.fail("the child said nothing")
    finally:
        process.kill()
        process.join()


def small(folder, steps=8, **how):
    model = SDLModel(30, 64, k=4, generator=torch.Generator().manual_seed(1))
    return fit(
        model,
        BENCH,
        Config(steps=steps, batch=16, log_every=2, checkpoint_every=2),
        out=folder,
        progress=False,
        **how,
    )
