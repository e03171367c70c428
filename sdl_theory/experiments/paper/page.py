"""The tables of the results page that stand ours beside Tables 1 and 4 to 7 of the paper."""

from __future__ import annotations

import math
from pathlib import Path

from ...estimate import Estimate, interval
from .compare import FOUND, MIP, Compared, compare, others
from .lines import TABLES, lines
from .record import Record, load, stored_at

SIZES = ("demo", "half", "paper")


def stored(preset: str) -> list[Record]:
    """The records that are kept, one a table."""
    paths = [stored_at(table, preset) for table in TABLES]
    return [_record(path) for path in paths if path.exists()]


def _record(path: Path) -> Record:
    head = load(path)
    return Record(head["table"], head["preset"], head["seeds"], path)


def head(record: Record) -> list[str]:
    """What stands over a table; its number and size tell it from the others."""
    size = "" if record.preset == "demo" else f", {record.preset} size"
    first = [f"Table {record.table}{size}", "M_GT printed, plain -> anchored"]
    if len(record.seeds) == 1:
        return [
            *first,
            "ours, one seed: plain -> anchored",
            "M_IP printed",
            "ours",
            "encoder cosine: found, mean",
            "decoder cosine: found, mean",
            "random rows: inner product, cosine",
            "L0",
            "seconds",
        ]
    return [
        *first,
        "ours: plain",
        "anchored",
        "sham anchors",
        "anchored - plain",
        "direction",
        "anchored - sham",
        "M_IP printed",
        "ours: plain",
        "anchored - plain",
        "direction",
    ]


def cells(record: Record) -> list[list[str]]:
    """Every line of a record: M_GT in per cent, M_IP, differences with 95% intervals.

    Of a single seed there are none: its figures plain -> anchored.
    """
    if len(record.seeds) == 1:
        return [_single(one, record) for one in compare(record, FOUND)]
    by_mip = {one.line: one for one in compare(record, "encoder_raw_mip")}
    return [_cells(one, by_mip[one.line]) for one in compare(record, FOUND)]


def _cells(found: Compared, mip: Compared) -> list[str]:
    before, after = (100 * float(share) for share in found.printed.split(" -> "))
    return [
        found.line,
        f"{before:.1f}% -> {after:.1f}%",
        *(share(one) for one in (found.plain, found.anchored, found.sham)),
        change(found.gain, 100, 1),
        found.direction,
        "" if found.over_sham is None else change(found.over_sham, 100, 1),
        mip.printed,
        f"{mip.plain.value:.3f}",
        change(mip.gain, 1, 3),
        mip.direction,
    ]


def _single(one: Compared, record: Record) -> list[str]:
    line = next(line for line in lines(record.table) if line.name == one.line)
    runs = [record.runs[line.number, arm] for arm in ("plain", "anchored")]
    figure = lambda name, form: " -> ".join(f"{run['figures'][name][0]:{form}}" for run in runs)
    both = lambda side: f"{figure(f'{side}_recovery_95', '.1%')}, {figure(f'{side}_mip', '.3f')}"
    return [
        one.line,
        f"{line.plain[0]:.1%} -> {line.anchored[0]:.1%}",
        figure("encoder_raw_recovery_95", ".1%"),
        f"{line.plain[1]:g} -> {line.anchored[1]:g}",
        figure("encoder_raw_mip", ".3f"),
        both("encoder"),
        both("decoder"),
        f"{figure('encoder_raw_null_mip', '.3f')}, {figure('null_mip', '.3f')}",
        figure("l0", ".1f"),
        " + ".join(f"{run['seconds']:.0f}" for run in runs),
    ]


def by_cosine(record: Record) -> tuple[list[str], list[list[str]]]:
    """Head and lines: every run of several seeds by the other measures, beside random rows."""
    head = [
        f"Table {record.table}, {record.preset} size, other measures",
        "arm",
        "encoder cosine: found, mean",
        "decoder cosine: found, mean",
        "random rows: inner product, cosine",
        "L0",
        "seconds, all seeds",
    ]
    rows = [
        [
            one.line,
            one.arm,
            f"{share(one.encoder_found)}, {one.encoder_mip.value:.3f}",
            f"{share(one.decoder_found)}, {one.decoder_mip.value:.3f}",
            f"{one.raw_null_mip.value:.3f}, {one.null_mip.value:.3f}",
            f"{one.l0.value:.1f}",
            f"{one.seconds:.0f}",
        ]
        for one in others(record)
    ]
    return head, rows


def shams(folder: Path) -> tuple[list[str], list[list[str]]]:
    """Head and lines: sham runs at the paper's size, beside the same seeds of the others."""
    others_of = _record(folder / "table_1_runs_paper.json")
    alone: dict[tuple[int, str], dict] = {}
    for path in sorted(folder.glob("table_1_sham_paper*.json")):  # a file a set of seeds
        more = _record(path).runs
        if twice := set(alone) & set(more):
            raise ValueError(f"{path.name}: line {min(twice)} has sham runs in another file, too")
        alone |= more
    three = ("plain", "anchored", "sham anchors")
    head = ["Table 1, paper size", "seeds"]
    head += [f"{what}: {arm}" for what in ("M_GT", "M_IP", "loss") for arm in three]
    rows = []
    for (number, arm), run in sorted(alone.items()):
        assert arm == "sham"
        places = [others_of.seeds.index(seed) for seed in run["seeds"]]
        pair = [others_of.runs[number, other]["figures"] for other in ("plain", "anchored")]
        of = lambda name, run=run, pair=pair, places=places: [
            *(interval([figures[name][place] for place in places]) for figures in pair),
            interval(run["figures"][name]),
        ]
        cells = [spread(one.within(0, 1), 100, 1, "%") for one in of(FOUND)]
        cells += [spread(one, 1, 3) for name in (MIP, "loss") for one in of(name)]
        rows.append([run["name"], str(len(places)), *cells])
    return head, rows


def spread(one: Estimate, scale: float, digits: int, unit: str = "") -> str:
    """84.9% [83.1, 86.7]; of one seed the value alone."""
    value = f"{scale * one.value:.{digits}f}{unit}"
    if one.low is None or one.high is None:
        return value
    return f"{value} [{scale * one.low:.{digits}f}, {scale * one.high:.{digits}f}]"


def share(one: Estimate | None) -> str:
    """84.9%; nothing where there is no such run."""
    return "" if one is None else f"{100 * one.value:.1f}%"


def change(one: Estimate, scale: float, digits: int) -> str:
    """+1.4 [0.9, 2.0]"""
    low, high = (math.nan if end is None else scale * end for end in (one.low, one.high))
    return f"{scale * one.value:+.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"
