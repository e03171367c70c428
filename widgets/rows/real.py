"""Real embeddings as rows: class means that share one big direction, what untrained rows score on
them, and what the stored runs say.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch

from sdl_theory import best_matches, gt_recovery
from sdl_theory.experiments.real.cases import Case, both
from sdl_theory.experiments.real.compare import compare, controls, dead_shares
from sdl_theory.experiments.real.record import Record, read
from sdl_theory.experiments.real.runs import UNTRAINED
from sdl_theory.representations.fixture import fixture

from ..kinds import Real
from .common import table

RESULTS = Path(__file__).resolve().parents[2] / "notebooks" / "results"
SHOWN, ROWS, BINS = 6, 512, 40  # anchors and latents of the stored runs; bars of the histogram
COLUMNS = ("kind", "x", "low", "high", "y", "value")


def load_real(name: str = "real_embeddings") -> Record:
    """A stored record of runs on embeddings."""
    return read(RESULTS / f"{name}.json")


@cache
def shipped(key: str = "layer5") -> tuple[Case, Case]:
    """The shipped embeddings, raw and centred."""
    raw, centred = both(key, fixture()[key])
    return raw, centred


def moved(key: str, taken: float) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """With a share `taken` of the mean subtracted from every embedding: unit class means (n_p, K),
    and by name the unit rows that nobody trained.
    """
    raw = shipped(key)[0]
    mean, means = raw.split.means.mean, raw.split.means.means
    unit = lambda rows: (rows / rows.norm(dim=1, keepdim=True)).float()
    truth, draw = unit(means - taken * mean), torch.Generator().manual_seed(0)
    noise = unit(torch.randn(ROWS, raw.n_p, generator=draw))
    order = torch.randperm(len(raw.seen), generator=draw)[: 6 * SHOWN]
    groups = raw.split.seen[order].double().reshape(SHOWN, 6, raw.n_p).mean(1)
    which = torch.randperm(raw.K, generator=draw)[:SHOWN]
    rows = (truth[which], unit(mean[None]), noise[:SHOWN], noise, unit(groups - taken * mean))
    return truth.mT, dict(zip(UNTRAINED, rows))


def mean_rows(key: str, taken: float) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """The histogram of cosines between class means, and what untrained rows score on these.

    kind : BAR (x to high, y the share of pairs), or SCORE: x the score, y its line in UNTRAINED,
        value 0 for the mean best match, 1 for the share found at .9.

    Also: the median cosine, and each mean best match by name.
    """
    truth, untrained = moved(key, taken)
    cosines = (truth.mT @ truth)[tuple(torch.triu_indices(truth.shape[1], truth.shape[1], 1))]
    counts, edges = np.histogram(cosines.numpy(), bins=BINS, range=(-1, 1))
    rows = [
        dict(kind=Real.BAR, x=left, high=right, y=count / counts.sum())
        for count, left, right in zip(counts, edges, edges[1:])
    ]
    told = dict(median=cosines.median().item())
    for line, (name, those) in enumerate(untrained.items()):
        best = best_matches(those, truth)
        told[name] = best.mean().item()
        for value, x in enumerate((told[name], gt_recovery(best, 0.9))):
            rows.append(dict(kind=Real.SCORE, x=x, y=line, value=value))
    return table(rows, COLUMNS), told


def verdict_lines(record: Record, methods: Sequence[str] = ("topk",)) -> list[str]:
    """The lines of the picture of verdicts: case and method."""
    figure = "encoder_raw_mip"
    return [f"{one.case}, {one.method}" for one in compare(record, figure) if one.method in methods]


def verdict_rows_real(
    record: Record, figures: Sequence[str], methods: Sequence[str] = ("topk",)
) -> dict[str, np.ndarray]:
    """Differences with intervals; kind the figure's place, y the line, value what is compared:
    anchored minus plain on the classes, the same on nonsense classes, anchored minus the best
    untrained rows.
    """
    rows = []
    for kind, figure in enumerate(figures):
        pairs = zip(compare(record, figure), controls(record, figure))
        chosen = [(gain, held) for gain, held in pairs if gain.method in methods]
        for line, (gain, held) in enumerate(chosen):
            for value, one in enumerate((gain.gain, held.nonsense, held.over_control)):
                rows.append(
                    dict(kind=kind, x=one.value, low=one.low, high=one.high, y=line, value=value)
                )
    return table(rows, COLUMNS)


def layer_rows(record: Record) -> dict[str, np.ndarray]:
    """Share of the mean in the squared norm (x) against dead latents after training (y, with low
    and high); value 1 where the embeddings were centred.
    """
    bounds = lambda one: dict(y=one.value, low=one.low, high=one.high)
    rows = [
        dict(x=one.mean_share, value=one.centred) | bounds(one.dead) for one in dead_shares(record)
    ]
    return table(rows, COLUMNS)
