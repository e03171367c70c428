"""Do anchors need classes? What anchors at means of shuffled classes give, beside true ones."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ...estimate import Estimate
from ...table import Table
from ..paper.compare import verdict
from .compare import HIGHER, difference, mean, pairs
from .record import Record

NONSENSE = "anchored, relabelled"


@dataclass(frozen=True)
class Gain:
    """A method on a case by one figure, over the seeds that have an arm anchored at nonsense.

    plain : the figure without anchors.
    classes, nonsense : what anchors at true class means add to it, and what those at means of as
        many shuffled classes add, seed by seed.
    sham : what random directions add; None where a seed has no such run.
    over_nonsense, higher : `classes` less `nonsense`, and what its interval says.
    """

    case: str
    method: str
    seeds: int
    plain: Estimate
    classes: Estimate
    nonsense: Estimate
    sham: Estimate | None
    over_nonsense: Estimate
    higher: str


def gains(record: Record, figure: str) -> Table[Gain]:
    """Every case and method with such runs, by a figure such as encoder_raw_mip_others."""
    table: Table[Gain] = Table()
    most = math.inf if "raw_mip" in figure else 1
    less = lambda some, other: difference(some, other).within(-most, most)
    for case, method in pairs(record, figure):
        nonsense = record.values(case, method, NONSENSE, figure)
        plain, true, sham = (
            {seed: value for seed, value in those.items() if seed in nonsense}
            for those in (
                record.values(case, method, arm, figure) for arm in ("plain", "anchored", "sham")
            )
        )
        if nonsense:
            over = less(true, nonsense)
            table.append(
                Gain(
                    case=case,
                    method=method,
                    seeds=len(nonsense),
                    plain=mean(plain, figure),
                    classes=less(true, plain),
                    nonsense=less(nonsense, plain),
                    sham=less(sham, plain) if set(sham) == set(plain) else None,
                    over_nonsense=over,
                    higher=HIGHER[verdict(1, over)],
                )
            )
    return table
