"""How anchoring is tried: plain, at true features, at random directions (sham); clipped and not.

Each arm is trained and judged by itself.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

import torch

from ..measure.report import evaluate
from ..training.anchors import Anchors
from ..truth.streams import seeded
from .rows import setup, train_row

NO_CLIP = 1e9
SHOWN = (10, 50)  # numbers of anchors, of the demo's 100 features
LINES = tuple((k, lam) for k in SHOWN for lam in (0.1, 1.0))
FIGURES = (
    "encoder_raw_recovery_95",
    "encoder_raw_mip",
    "encoder_recovery_95",
    "encoder_mip",
    "decoder_recovery_95",
    "decoder_mip",
    "encoder_raw_null_mip",
    "null_mip",
    "loss",
    "l0",
)


@dataclass(frozen=True)
class Arm:
    """One way to train.

    anchors : how many; 0 is plain.
    sham : anchored at as many random directions.
    clipped : with Config's gradient clipping, or with none.
    """

    method: str
    anchors: int = 0
    lam: float = 0.0
    sham: bool = False
    clipped: bool = True


def arms(method: str) -> list[Arm]:
    """Plain, anchored and sham, clipped and not: 18 arms, the plain ones first."""
    anchored = [
        Arm(method, anchors=k, lam=lam, sham=sham, clipped=clipped)
        for clipped in (True, False)
        for sham in (False, True)
        for k, lam in LINES
    ]
    return [Arm(method), Arm(method, clipped=False), *anchored]


def sham_anchors(anchors: Anchors, seed: int) -> Anchors:
    """As many random unit directions in place of the true ones, in W_E as in W_D.

    The features they stand for keep their places in the held-out mask.
    """
    rows = torch.randn(
        anchors.W_E.shape, generator=seeded("cpu", seed, 55), dtype=anchors.W_E.dtype
    )
    rows = rows / rows.norm(dim=1, keepdim=True)
    return replace(anchors, W_E=rows, W_D=rows.mT)


def run_arm(arm: Arm, seeds: tuple[int, ...]) -> list[dict]:
    """Train one batched model and judge it on the features held out.

    A row a seed and number of features left out, with `FIGURES` by name.
    """
    clip = {} if arm.clipped else dict(clip=NO_CLIP)
    row = setup("demo", arm.method, anchors=arm.anchors, seeds=seeds, lam_anchor=arm.lam, **clip)
    left_out = {
        k: [list(Anchors.of_truth(bench, k).features or ()) for bench in row.data]
        for k in ([arm.anchors] if arm.anchors else SHOWN)
    }
    if arm.sham and row.anchors:
        shams = [sham_anchors(one, seed) for one, seed in zip(row.anchors, seeds)]
        row = replace(row, anchors=shams)
    if train_row(row, progress=False).interrupted:
        raise KeyboardInterrupt(f"stopped within {arm}; half an arm is no arm")
    rows = []
    for k, features in left_out.items():
        reports = evaluate(row.model, row.data, anchored=features, samples=2000, null_draws=1)
        for seed, report in zip(seeds, reports):
            figures = report.summary()
            rounded = {name: round(figures[name], 6) for name in FIGURES}
            rows.append(asdict(arm) | dict(seed=seed, left_out=k) | rounded)
    return rows
