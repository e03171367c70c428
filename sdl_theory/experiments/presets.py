"""Table 1's rows by name, and their presets: from a laptop's minutes to the paper's size."""

from __future__ import annotations

from dataclasses import dataclass

from ..training.config import Config

ROWS = {
    "relu": ("relu", "sae"),
    "jumprelu": ("jumprelu", "sae"),
    "topk": ("topk", "sae"),
    "batchtopk": ("batchtopk", "sae"),
    "matryoshka": ("matryoshka", "sae"),
    "transcoder": ("topk", "transcoder"),
    "crosscoder": ("topk", "crosscoder"),
    "relu_biased": ("relu", "sae"),
    "gated": ("gated", "sae"),
}
TABLE_1 = tuple(ROWS)[:7]


@dataclass(frozen=True)
class Preset:
    """What a table is run with.

    bench, n_q, k, config : a bench, a width, k of the top-k family, a recipe.
    anchors, seeds : how many of each.
    rows : what single rows change of all that.
    """

    bench: dict
    n_q: int
    k: int
    config: Config
    anchors: int
    seeds: int
    rows: dict[str, dict]


# We did not find in arXiv:2512.05534 the bench's optimizer, learning rate, batch or L1 coefficient.
# These were chosen by hand on seeds from 100 on, which no table uses. relu has no target L0:
# without a bias nothing silences small interference, and no L1 coefficient from .03 to 1 brought
# the demo's L0 near 1 (.3: 61 of 400; relu_biased: 1.8).
PRESETS = {
    "demo": Preset(
        dict(n=100, n_p=77, S=0.99, mu=0.1),
        n_q=400,
        k=3,
        anchors=10,
        seeds=5,
        config=Config(
            steps=1200,
            batch=256,
            lr=3e-3,
            warmup=50,
            dead_after=20_000,
            log_every=25,
            eval_every=100,
            checkpoint_every=100,
        ),
        rows=dict(
            relu=dict(sparsity=0.3),
            relu_biased=dict(biases=True, sparsity=0.3),
            jumprelu=dict(target_l0=1.0, sparsity=0.02, gain=0.03),
            gated=dict(target_l0=1.0, gain=0.03),
            batchtopk=dict(k=1),
            matryoshka=dict(k=1),
            crosscoder=dict(bench=dict(mu=0.15)),
        ),
    ),
    "half": Preset(
        dict(n=250, n_p=192, S=0.99, mu=0.1),
        n_q=4000,
        k=8,
        anchors=25,
        seeds=5,
        config=Config(
            steps=1500,
            batch=512,
            lr=3e-3,
            warmup=100,
            dead_after=50_000,
            log_every=25,
            eval_every=250,
            checkpoint_every=100,
        ),
        rows=dict(
            relu=dict(sparsity=0.3),
            relu_biased=dict(biases=True, sparsity=0.3),
            jumprelu=dict(target_l0=2.5, sparsity=0.02, gain=0.03),
            gated=dict(target_l0=2.5, gain=0.03),
            batchtopk=dict(k=4),
            matryoshka=dict(k=4),
            crosscoder=dict(bench=dict(mu=0.15)),
        ),
    ),
    "paper": Preset(
        dict(n=1000, n_p=768, S=0.99, mu=0.1),
        n_q=16_000,
        k=32,
        anchors=100,
        seeds=1,
        config=Config(
            steps=1500,
            batch=1024,
            lr=3e-3,
            warmup=100,
            dead_after=100_000,
            log_every=25,
            eval_every=25,
            checkpoint_every=100,
        ),
        rows=dict(
            relu=dict(sparsity=0.3),
            relu_biased=dict(biases=True, sparsity=0.3),
            jumprelu=dict(target_l0=10.0, sparsity=0.02, gain=0.03),
            gated=dict(target_l0=10.0, gain=0.03),
            batchtopk=dict(k=16),
            matryoshka=dict(k=16),
        ),
    ),
}
