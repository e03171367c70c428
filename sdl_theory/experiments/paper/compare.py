"""Ours beside theirs: differences seed by seed, and the verdict that their intervals give."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ...estimate import Estimate, interval
from ...table import Table
from .lines import Line, lines
from .record import Record

FOUND, MIP = "encoder_raw_recovery_95", "encoder_raw_mip"  # section 5.1 and appendix B
REPRODUCED, NOT, UNDECIDED = "reproduced", "not", "undecided"
NONE_PRINTED = "none printed"
FULL = "all found before"  # and so nothing is left to gain


def verdict(printed: float, ours: Estimate) -> str:
    """Of a printed change, anchored minus plain, and ours: "reproduced", our whole interval lies on
    its side of 0; "not", none of it does; else, and with a single seed, "undecided". "none printed"
    where the printed figures are the same.

    >>> from sdl_theory.estimate import Estimate
    >>> from sdl_theory.experiments.paper.compare import verdict
    >>> [verdict(0.03, Estimate(0.02, low, 0.05)) for low in (0.01, -0.01)]
    ['reproduced', 'undecided']
    """
    if printed == 0:
        return NONE_PRINTED
    if ours.low is None or ours.high is None:
        return UNDECIDED
    low, high = (ours.low, ours.high) if printed > 0 else (-ours.high, -ours.low)
    return REPRODUCED if low > 0 else NOT if high <= 0 else UNDECIDED


@dataclass(frozen=True)
class Compared:
    """A line of the table: the printed M_GT and M_IP, plain -> anchored, and ours by the same
    metric (encoder, raw, held-out features), with 95% Student t intervals over seeds.

    gain : anchored minus plain, seed by seed.  over_sham : anchored minus sham anchors; None where
        there is no such run.
    direction : the verdict on the printed gain, see `verdict`.
    """

    line: str
    printed: str
    plain: Estimate
    anchored: Estimate
    sham: Estimate | None
    gain: Estimate
    over_sham: Estimate | None
    direction: str


def compare(record: Record, figure: str = FOUND) -> Table[Compared]:
    """Every line whose plain and anchored runs are there, by M_GT (FOUND) or M_IP (MIP)."""
    table: Table[Compared] = Table()
    for line in lines(record.table):
        if all((line.number, arm) in record.runs for arm in ("plain", "anchored")):
            table.append(_compared(line, figure, record))
    return table


def values(record: Record, line: Line, arm: str, figure: str) -> list[float]:
    """A figure of a run, seed by seed."""
    return record.runs[line.number, arm]["figures"][figure]


def difference(record: Record, line: Line, figure: str, *, arm: str, other: str) -> Estimate:
    """`arm` minus `other`, seed by seed on the same held-out features."""
    pairs = zip(values(record, line, arm, figure), values(record, line, other, figure))
    return interval([a - b for a, b in pairs])


def _compared(line: Line, figure: str, record: Record) -> Compared:
    place = 0 if figure == FOUND else 1
    before, after = line.plain[place], line.anchored[place]
    most = 1 if figure == FOUND else math.inf
    mean = lambda arm: interval(values(record, line, arm, figure)).within(0, most)
    over = lambda other: difference(record, line, figure, arm="anchored", other=other)
    gain = over("plain")
    has_sham = (line.number, "sham") in record.runs
    full = figure == FOUND and after > before and min(values(record, line, "plain", figure)) == 1
    return Compared(
        line=line.name,
        printed=f"{before:g} -> {after:g}",
        plain=mean("plain"),
        anchored=mean("anchored"),
        sham=mean("sham") if has_sham else None,
        gain=gain,
        over_sham=over("sham") if has_sham else None,
        direction=FULL if full else verdict(after - before, gain),
    )


@dataclass(frozen=True)
class Others:
    """The same runs by other measures, plain and anchored: cosines of encoder and decoder, and what
    random rows of the encoder's norms, or of norm one, score."""

    line: str
    arm: str
    encoder_found: Estimate
    encoder_mip: Estimate
    decoder_found: Estimate
    decoder_mip: Estimate
    raw_null_mip: Estimate
    null_mip: Estimate
    l0: Estimate
    seconds: float


def others(record: Record) -> Table[Others]:
    """Every run that is there."""
    table: Table[Others] = Table()
    own = {line.number: line for line in lines(record.table)}
    for (number, arm), run in sorted(record.runs.items()):
        size = lambda figure, run=run: interval(run["figures"][figure]).within(0, math.inf)
        share = lambda figure, size=size: size(figure).within(0, 1)
        row = Others(
            line=own[number].name,
            arm=arm,
            encoder_found=share("encoder_recovery_95"),
            encoder_mip=share("encoder_mip"),
            decoder_found=share("decoder_recovery_95"),
            decoder_mip=share("decoder_mip"),
            raw_null_mip=size("encoder_raw_null_mip"),
            null_mip=share("null_mip"),
            l0=size("l0"),
            seconds=run["seconds"],
        )
        table.append(row)
    return table
