"""What training found, as rows: a race's panels, one run's history, where encoder rows point."""

from __future__ import annotations

import numpy as np
import torch

from sdl_theory import History, interval

from ..kinds import Line, Panel, Vector
from .common import table
from .training import Curves

COLUMNS = ("kind", "x", "y", "low", "high", "value")


def _band(kind: int, line: int, samples, figures) -> list[dict]:
    """A line of means with 95% intervals over the seeds.

    figures : (checkpoint, seed).
    """
    means = [interval(seeds) for seeds in figures]
    return [
        dict(
            kind=kind,
            value=line,
            x=x,
            y=one.value,
            low=one.value if one.low is None else one.low,
            high=one.value if one.high is None else one.high,
        )
        for x, one in zip(samples, means)
    ]


def _chance(null: tuple[float, float], end: float) -> list[dict]:
    return [
        dict(kind=kind, value=Line.NULL, x=x, y=null[kind], low=null[kind], high=null[kind])
        for kind in (Panel.FOUND, Panel.COSINE)
        for x in (0, end)
    ]


def race_rows(curves: Curves) -> dict[str, np.ndarray]:
    """Three panels over samples seen: share of held-out features found, mean best cosine, and gain.

    The gain is the paired difference in the former.
    """
    figures = np.stack(curves.figures)
    rows = _chance(curves.null, curves.race.steps * curves.race.batch)
    for kind in (Panel.FOUND, Panel.COSINE):
        for line, (side, anchored) in {
            Line.PLAIN_D: (0, 0),
            Line.ANCHORED_D: (0, 1),
            Line.PLAIN_E: (1, 0),
            Line.ANCHORED_E: (1, 1),
        }.items():
            rows += _band(kind, line, curves.samples, figures[:, side, kind, anchored])
    return table(
        rows + _band(Panel.DIFFERENCE, Line.PAIRED, curves.samples, curves.paired()), COLUMNS
    )


def history_rows(history: History, null: tuple[float, float]) -> dict[str, np.ndarray]:
    """The first two of those panels, from the History of one training run of plain seeds."""
    seeds = range(len(history.last))
    measured = [
        row["samples"] for row in history.rows if row["instance"] == 0 and "decoder_mip" in row
    ]
    rows = _chance(null, measured[-1])
    for line, side in ((Line.PLAIN_D, "decoder"), (Line.PLAIN_E, "encoder")):
        for kind, measure in ((Panel.FOUND, "recovery_95"), (Panel.COSINE, "mip")):
            columns = [history.column(f"{side}_{measure}", seed) for seed in seeds]
            rows += _band(kind, line, measured, zip(*columns))
    return table(rows, COLUMNS)


def encoder_rows(W_E: torch.Tensor, W_D: torch.Tensor, W_p: torch.Tensor) -> dict[str, np.ndarray]:
    """For each feature d two cosines: with w_p^d (x), and with the dual row W_p^+[d] (y).

    Of the encoder row and the decoder column whose column matches d best, of the ideal point's row,
    of the dual row itself, and of the best of n_q random rows.

    W_E, W_D, W_p : (n_q, n_p), (n_p, n_q) and (n_p, n).
    """
    unit = lambda rows: torch.nn.functional.normalize(rows.detach().double(), dim=1)
    truth = unit(W_p.mT)
    dual = unit(torch.linalg.pinv(W_p.double()))
    latents = (truth @ unit(W_D.mT).mT).argmax(1)
    noise = unit(torch.randn(W_E.shape, generator=torch.Generator().manual_seed(0)))
    chance = noise[(truth @ noise.mT).argmax(1)]
    picked = {
        Vector.IDEAL: truth,
        Vector.COLUMN: unit(W_D.mT)[latents],
        Vector.TRAINED: unit(W_E)[latents],
        Vector.DUAL: dual,
        Vector.RANDOM: chance,
    }
    cosines = lambda rows, other: (rows * other).sum(1).tolist()
    return table(
        [
            dict(kind=kind, value=kind, x=x, y=y)
            for kind, rows in picked.items()
            for x, y in zip(cosines(rows, truth), cosines(rows, dual))
        ]
    )
