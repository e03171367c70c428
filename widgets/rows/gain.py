"""The record of anchored minus plain by the paper's own metric, as rows: one an arm."""

from __future__ import annotations

import numpy as np

from sdl_theory.experiments.arms import LINES, Arm
from sdl_theory.experiments.gain import difference

from ..kinds import Anchored
from .common import table


def gain_rows(
    rows: list[dict], method: str = "topk", figure: str = "encoder_raw_recovery_95"
) -> dict[str, np.ndarray]:
    """A row an arm, as the picture of gains reads it.

    kind : true anchors or sham.
    x : the difference, with its interval low to high.
    y : the line in `LINES`.
    value : 1 clipped, 0 not.
    """
    out = []
    for line, (k, lam) in enumerate(LINES):
        for kind in Anchored:
            for clipped in (False, True):
                sham = kind is Anchored.SHAM
                arm = Arm(method, anchors=k, lam=lam, sham=sham, clipped=clipped)
                one = difference(rows, arm, figure)
                out.append(
                    dict(kind=kind, x=one.value, low=one.low, high=one.high, y=line, value=clipped)
                )
    return table(out, ("kind", "x", "low", "high", "y", "value"))
