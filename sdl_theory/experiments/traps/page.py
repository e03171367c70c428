"""The results page's tables on traps: how trainings end beside the theory."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from ...table import Table
from ..others import Lines, cell, lines, plainly
from . import correlated_tables, exits, pair_tables, resampled, shared_tables

Rows = list[dict]
Made = Callable[[Path], Lines]


def _rows(folder: Path, name: str) -> Rows:
    return json.loads((folder / f"traps_{name}.json").read_text(encoding="utf-8"))["rows"]


def _of(name: str, table: Callable[[Rows], Table], first: str, **heads: str) -> Made:
    """A table's columns under these heads; those with the head "" are left out."""
    return lambda folder: plainly(table(_rows(folder, name)), first, **heads)


def _owned(rows: Rows) -> Table:
    return Table(row for row in shared_tables.shared(rows) if row.reading == "owns")


def _causes(folder: Path) -> Lines:
    """Two groups and one cause at a time: what plain descent, decay and noise do."""
    other = ("groups", "leaning", "spare")
    table = exits.summary(_rows(folder, "exits"))
    chosen = [row for row in table if not any(word in row.what for word in other)]
    return plainly(Table(chosen), "what leads out of traps")


def _resets(folder: Path) -> Lines:
    """Loss at the end, recovery by the paper's metric first, and the moment itself."""
    rows = _rows(folder, "resampling")
    key = lambda one: (one.case, one.arm)
    found = {key(one): one for one in resampled.recovered(rows)}
    moment = {key(one): one for one in resampled.around(rows)}
    return lines(
        resampled.summary(rows),
        {
            "resampling": lambda one: f"{one.case}: {one.arm}",
            "seeds": lambda one: cell(one.seeds),
            "loss": lambda one: cell(one.loss),
            "than nothing": lambda one: cell(one.loss_is),
            "than Bricken's, norm 1": lambda one: cell(one.than_bricken),
            "M_GT (encoder, raw)": lambda one: cell(found[key(one)].raw),
            "M_IP": lambda one: cell(found[key(one)].raw_mip),
            "M_IP of random rows": lambda one: cell(found[key(one)].raw_null),
            "encoder cosine > .95": lambda one: cell(found[key(one)].encoder),
            "decoder": lambda one: cell(found[key(one)].decoder),
            "F1": lambda one: cell(found[key(one)].f1),
            "dead": lambda one: cell(one.dead),
            "largest rise": lambda one: (
                cell(moment[key(one)].largest) if key(one) in moment else "-"
            ),
        },
    )


TABLES: tuple[Made, ...] = (
    _of(
        "pairs",
        pair_tables.overall,
        "a pair alone: start",
        where_trap="merged where the law says trap",
        where_not="merged where not",
        at_wall="of those where not: at a wall",
    ),
    _of("pairs", pair_tables.around, "a pair among others: start"),
    _of(
        "shared",
        _owned,
        "shared neurons: method",
        reading="",
        random="traps among random groups",
        untrained="before training",
        over_start="trained minus before",
        more="trained minus random",
        cosine="column's cosine with theory's",
    ),
    _of("correlated", correlated_tables.absorption, "absorption: start"),
    _causes,
    _resets,
)
