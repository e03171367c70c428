"""`make bench`, or `python -m tests.benchmarks`: how fast, as a ratio wherever there is one.

A ratio is of two timings in one run. Run on a quiet machine. Nothing here is asserted: timings on
shared machines are not facts.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

import torch

from sdl_theory import (
    JumpReLU,
    Problem,
    Weights,
    certify,
    feature_matrix,
    group_minimum,
    imagenet_directions,
    survey_partitions,
)

from . import theory, training


def seconds(call, repeats: int = 5) -> float:
    """Median wall time."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def report(what: str, measured: str, aim: str) -> None:
    print(f"{what:<72} {measured:<46} aim {aim}", flush=True)


def partitions_of_eight() -> None:
    problem = Problem(
        feature_matrix(8, 6, 0.9, generator=torch.Generator().manual_seed(0)),
        M_d=torch.rand(8, generator=torch.Generator().manual_seed(1)) + 0.2,
    )
    rows = []
    taken = seconds(lambda: rows.append(list(survey_partitions(problem))), 3)
    polysemantic = [row for row in rows[-1] if len(row.groups) < 8]
    found = {}
    for row in polysemantic:
        found[str(row.verdict)] = found.get(str(row.verdict), 0) + 1
    report(
        f"all {len(polysemantic)} polysemantic partitions of 8 features in 6 dimensions",
        f"{taken:.2f} s {found}",
        "3 s",
    )


def certificate_at_scale() -> None:
    n, n_p, n_q = 1000, 768, 16000
    g = torch.Generator().manual_seed(0)
    W = feature_matrix(n, n_p, 0.1, generator=g, dtype=torch.float32)
    problem = Problem(W)
    sigma, W_E, pairs = JumpReLU(0.5), torch.zeros(n_q, n_p), torch.arange(n).view(-1, 2)
    # 500 rows fire for a pair each: z >= .9 on it, <= .2 off it
    W_E[:500] = (W[:, pairs[:, 0]] + W[:, pairs[:, 1]]).mT
    weights = Weights(W_E, torch.randn(n_p, n_q, generator=g) / 28)
    product = lambda: weights.W_E @ problem.W_p
    certify(problem, weights, sigma)
    ours, dense = [], []
    for _ in range(5):  # in turn, so that both see the same machine
        dense.append(seconds(product, 1))
        ours.append(seconds(lambda: certify(problem, weights, sigma), 1))
    ours, dense = statistics.median(ours), statistics.median(dense)
    fired = certify(problem, weights, sigma).pattern
    report(
        f"certify at n={n}, n_p={n_p}, n_q={n_q}, float32, {int(fired.sum())} active pairs",
        f"{ours:.3f} s = {ours / dense:.2f} x W_E W_p ({dense:.3f} s)",
        "2 x",
    )


def matrices() -> None:
    g = torch.Generator().manual_seed(0)
    report(
        "feature_matrix(1000, 768, .1)",
        f"{seconds(lambda: feature_matrix(1000, 768, 0.1, generator=g), 3):.2f} s",
        "1 s",
    )
    code = (
        "import torch, resource, time; from sdl_theory import feature_matrix, interference; t = "
        "time.time(); "
        "W = feature_matrix(16384, 768, .2, generator=torch.Generator().manual_seed(0), "
        "dtype=torch.float32); "
        "print(f'{time.time() - t:.0f} s, mu = {interference(W):.4f}, peak "
        "{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GB')"
    )
    report(
        "feature_matrix(16384, 768, .2, float32)",
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip(),
        "3 GB",
    )


def dogs() -> None:
    d = imagenet_directions()
    problem, group = Problem(d.W_p), d.group("dog")
    group_minimum(problem, group)
    report(
        "group_minimum of 118 dogs",
        f"{1000 * seconds(lambda: group_minimum(problem, group), 20):.0f} ms",
        "50 ms",
    )


def imports() -> None:
    run = lambda code: subprocess.run([sys.executable, "-c", code], check=True)
    both, bare = (
        seconds(lambda code=code: run(code), 9)
        for code in ("import torch, sdl_theory", "import torch")
    )
    report("import sdl_theory, over import torch", f"{both - bare:.2f} s", "0.5 s")


if __name__ == "__main__":
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    for benchmark in (
        imports,
        partitions_of_eight,
        certificate_at_scale,
        dogs,
        matrices,
        theory.main,
        training.main,
    ):
        benchmark()
