"""The tables of the results page that stand ours beside Tables 1 and 4 to 7 of the paper."""

from __future__ import annotations

import math
from pathlib import Path

from ...estimate import Estimate
from .compare import FOUND, Compared, compare
from .lines import TABLES
from .record import Record, load, stored_at


def stored(preset: str = "demo") -> list[Record]:
    """The records that are kept, one a table."""
    paths = [stored_at(table, preset) for table in TABLES]
    return [_record(path) for path in paths if path.exists()]


def _record(path: Path) -> Record:
    head = load(path)
    return Record(head["table"], head["preset"], head["seeds"], path)


def head(record: Record) -> list[str]:
    """What stands over a table; its number tells it from the others."""
    return [
        f"Table {record.table}",
        "M_GT printed, plain -> anchored",
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
    """Every line of a record: M_GT in per cent, M_IP, differences with 95% intervals."""
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


def share(one: Estimate | None) -> str:
    """84.9%; nothing where there is no such run."""
    return "" if one is None else f"{100 * one.value:.1f}%"


def change(one: Estimate, scale: float, digits: int) -> str:
    """+1.4 [0.9, 2.0]"""
    low, high = (math.nan if end is None else scale * end for end in (one.low, one.high))
    return f"{scale * one.value:+.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"
