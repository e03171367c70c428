"""A pass of resampling beside a training step: n_p = 768, n_q = 16,000, processor time, in turn.

python -m tests.benchmarks.resampling
"""

from __future__ import annotations

import statistics
import sys
import time
from dataclasses import replace

import torch

from sdl_theory import LinearRepresentationBench
from sdl_theory.training.resampling import resample, times

from .training import N_Q, Cycle, trainer

AIM = 3  # steps
# rule, method, share of the latents that is held active (None: k says how many), dead latents
CASES = [
    ("split", "relu", 0.02, 160),
    ("split", "relu", 0.4, 160),
    ("split", "jumprelu", 0.02, 160),
    ("sign", "jumprelu", 0.02, 160),
    ("sign", "topk", None, 160),
    ("bricken", "topk", None, 160),
]


def main(cases: list[tuple] = CASES, repeats: int = 3) -> None:
    data = Cycle(LinearRepresentationBench(samples=None))
    print(f"a pass over n_q = {N_Q}, in steps of the same model; {torch.get_num_threads()} threads")
    for rule, method, share, count in cases:
        made = trainer(method, share, data, "cpu")
        made.config = replace(made.config, resample=rule, resample_every=10**6)
        made.descent.config = made.config
        start = {name: value.clone() for name, value in made.model.state_dict().items()}
        dead = torch.arange(N_Q) < count
        pairs = [made._pair(data.batch(t, 0)) for t in times(made.config, 0)]
        x_p, x_r = (torch.cat(one) for one in zip(*pairs))
        one_pass = lambda: resample(made.descent, (x_p, x_r), dead, torch.Generator())
        clocked: dict[str, list[float]] = dict(step=[], rule=[])
        for round_ in range(repeats + 1):
            for name, call in (("step", made.step), ("rule", one_pass)):
                before = time.process_time()
                begun = call()
                if round_:
                    clocked[name].append(time.process_time() - before)
                made.model.load_state_dict(start)
        step, taken = (statistics.median(clocked[name]) for name in ("step", "rule"))
        fires = float(made.sums[1] / made.sums[2]) / N_Q
        print(
            f"  {rule:<8} {method:<9} {fires:7.2%} fire, {len(begun)} of {count} begun: "
            f"{taken:.3f} s = {taken / step:5.2f} steps ({step:.3f} s)   aim {AIM}",
            flush=True,
        )


if __name__ == "__main__":
    print(f"torch {torch.__version__}")
    main([CASES[int(number)] for number in sys.argv[1:]] or CASES)
