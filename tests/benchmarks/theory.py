"""What the theory of the true loss, of penalties and of ways out costs, in CPU seconds: ratios have
no peer here, and a processor's own clock does not see what runs beside it.
"""

from __future__ import annotations

import statistics
import time

import torch

from sdl_theory import (
    Config,
    Constant,
    LinearRepresentationBench,
    Problem,
    ReLU,
    SDLModel,
    SparseFeatures,
    diagnose,
    fit,
    group_minimum,
    imagenet_directions,
    partial_minimum,
    pattern,
    persist,
    prevalence,
    true_certificate,
)


def cpu_seconds(call, repeats: int = 5) -> float:
    """Median, after one call to warm up."""
    call()
    times = []
    for _ in range(repeats):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return statistics.median(times)


def report(what: str, measured: str, aim: str) -> None:
    print(f"{what:<72} {measured:<46} aim {aim}", flush=True)


def dogs() -> None:
    d = imagenet_directions()
    problem, group = Problem(d.W_p), d.group("dog")
    moments = SparseFeatures(problem.n, 0.99).moments()
    for l1, aim in ((0.0, "100 ms"), (0.1, "300 ms")):
        taken = cpu_seconds(lambda l1=l1: group_minimum(problem, group, moments=moments, l1=l1))
        what = f"group_minimum of 118 dogs, moments, l1 = {l1:g}"
        report(what, f"{1000 * taken:.0f} ms", aim)


def enumeration() -> None:
    """Five orthogonal pairs at cosine .6, a neuron each, five spare ones: a trap of L."""
    pair = torch.tensor([[1, 0.6], [0.6, 1]], dtype=torch.float64)
    G = torch.kron(torch.eye(5, dtype=torch.float64), pair)
    problem, law = Problem(torch.linalg.cholesky(G).mT), SparseFeatures(10, 0.95, Constant(1.0))
    start = partial_minimum(problem, pattern([[d, d + 1] for d in range(0, 10, 2)], 10, 10))
    end = persist(problem, start.weights, ReLU(), [0.999, 0.95])[-1]
    found = []
    call = lambda: found.append(true_certificate(problem, end.weights, ReLU(), law).verdict)
    what = "true_certificate, n = 10, n_q = 10, 1,024 supports"
    report(what, f"{cpu_seconds(call, 3):.2f} s, {found[0]}", "2 s")


def shares() -> None:
    call = lambda: prevalence(
        768,
        [2, 11, 30, 118],
        [0.999, 0.99, 0.97, 0.95, 0.9, 0.5],
        draws=300,
        generator=torch.Generator().manual_seed(0),
    )
    taken = cpu_seconds(call, 3)
    report("prevalence: 300 groups, 4 sizes, 6 sparsities, n_p = 768", f"{taken:.1f} s", "20 s")


def demo_model() -> None:
    bench = LinearRepresentationBench(n=100, n_p=77, S=0.99, mu=0.1)
    model = SDLModel(77, 400, method="topk", k=3, generator=torch.Generator().manual_seed(0))
    fit(model, bench, Config(steps=1200, batch=256, lr=3e-3, warmup=50), progress=False)
    start = time.process_time()
    read = diagnose(model, bench, polish=True)
    taken = time.process_time() - start
    left = read.counts.get("undecided", 0)
    report(
        "a demo-size TopK polished, every neuron judged",
        f"{taken:.1f} s, {left} undecided",
        "20 s, 0",
    )
    assert read.polished is not None
    print(f"    {read.polished}; {read.counts}")


def main() -> None:
    for benchmark in (dogs, enumeration, shares, demo_model):
        benchmark()


if __name__ == "__main__":
    main()
