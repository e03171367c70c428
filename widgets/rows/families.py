"""Families of real directions as rows: does training follow the ladder, beside what needs none?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sdl_theory.experiments.real.family_tables import Followed

from ..kinds import Layer
from .common import table
from .real import COLUMNS


def family_names(lines: Sequence[Followed]) -> list[str]:
    """The lines of the picture, from the top down."""
    return [f"{one.children} {one.parent}s, Top-{one.k}" for one in lines]


def family_rows(lines: Sequence[Followed]) -> dict[str, np.ndarray]:
    """Rank correlations with intervals; y the line.

    REGION : from low to high, where shuffled ladders lie.
    POINT : value 0 the ladder, 1 the cosine with the parent, 2 the ladder before any training.
    """
    rows = []
    for y, one in enumerate(lines):
        marks = [
            (Layer.POINT, code, seen)
            for code, seen in enumerate((one.ladder, one.cosine, one.start))
        ]
        for kind, value, seen in [(Layer.REGION, 0, one.shuffled), *marks]:
            if seen is not None:
                rows.append(
                    dict(kind=kind, value=value, x=seen.value, y=y)
                    | dict(low=seen.low, high=seen.high)
                )
    return table(rows, COLUMNS)
