"""A GPU's training steps: beside the encoder product, beside the processor's, at Figure 7's size.

python -m tests.benchmarks.on_a_gpu
"""

from __future__ import annotations

from types import SimpleNamespace

import torch

from sdl_theory import Config, LinearRepresentationBench, SDLModel, Trainer, training_bytes
from sdl_theory.experiments.language.setting import PRESETS
from sdl_theory.machine import readable
from sdl_theory.training.objective import objective
from sdl_theory.training.step import Knobs
from sdl_theory.truth.streams import Batch

from .training import in_turn, steps


def agreement(device: str) -> None:
    """Loss and gradients of a step on the device, beside the processor's in float64."""
    bench = LinearRepresentationBench(n=250, n_p=192)
    x = bench.batch(0, 512).x_p
    print("a step on the device and, in float64, on the processor: relative differences")
    for method in ("topk", "batchtopk", "matryoshka", "relu", "jumprelu"):
        found = []
        for kind, dtype in (("cpu", torch.float64), (device, torch.float32)):
            draw = torch.Generator().manual_seed(0)
            model = SDLModel(192, 4000, method=method, generator=draw, dtype=torch.float32)
            model = model.to(kind, dtype)
            samples = x.to(kind, dtype)
            terms = objective(model, samples, samples, Knobs(total=512, coef=0.1))
            terms.loss.backward()
            grads = [one.grad.double().cpu() for one in model.parameters()]
            found.append([terms.loss.detach().double().cpu(), *grads])
        apart = [float((a - b).norm() / a.norm()) for a, b in zip(*found)]
        names = ("loss", *dict(model.named_parameters()))
        print(f"  {method:<12} " + ", ".join(f"{a} {b:.1e}" for a, b in zip(names, apart)))


def at_figure_7(device: str, repeats: int = 5) -> None:
    """A step at the size printed beside Figure 7 of arXiv:2512.05534, on random samples."""
    paper, n_p = PRESETS["paper"], 4096
    n_q, batch = n_p * paper.wide, paper.batch
    x = torch.randn(batch, n_p, generator=torch.Generator(device).manual_seed(0), device=device)
    model = SDLModel(
        n_p, n_q, method="topk", k=paper.k, generator=torch.Generator().manual_seed(0)
    ).to(device)
    data = SimpleNamespace(batch=lambda t, size, rank=0, world=1: Batch(x, x, None))
    need = training_bytes(model, batch)
    print(f"n_p={n_p}, n_q={n_q:,}, batch={batch}, k={paper.k}, topk: {need} by formula")
    for precision in ("float32", "bf16"):
        made = Trainer(model, data, Config(steps=10**6, batch=batch, lr=1e-9, precision=precision))
        torch.cuda.reset_peak_memory_stats()
        seconds = in_turn(dict(step=made.step), repeats)["step"]
        peak = readable(torch.cuda.max_memory_allocated())
        days = seconds * paper.steps / 86_400
        print(f"  {precision:<8} {seconds:.4f} s a step, {days:.2f} days a run; peak {peak}")
        del made


if __name__ == "__main__":
    print(f"torch {torch.__version__}, {torch.cuda.get_device_name()}")
    steps("cuda")
    agreement("cuda")
    at_figure_7("cuda")
