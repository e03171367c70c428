"""The record of anchored minus plain by the paper's own metric, as rows: one an arm."""

from __future__ import annotations

import numpy as np

from sdl_theory.experiments.gain import LINES, Arm, difference

from .common import table


def gain_rows(
    rows: list[dict], method: str = "topk", figure: str = "encoder_raw_recovery_95"
) -> dict[str, np.ndarray]:
    """kind 0 true anchors, 1 sham; y the line in `LINES`; x the difference with its interval low to
    high; value 1 clipped, 0 not.
    """
    out = []
    for line, (k, lam) in enumerate(LINES):
        for sham in (False, True):
            for clipped in (False, True):
                one = difference(rows, Arm(method, k, lam, sham, clipped), figure)
                out.append(
                    dict(kind=sham, x=one.value, low=one.low, high=one.high, y=line, value=clipped)
                )
    return table(out, ("kind", "x", "low", "high", "y", "value"))
