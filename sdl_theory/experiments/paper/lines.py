"""The lines of Tables 1 and 4 to 7 of arXiv:2512.05534: what is printed, and what we train for it.

Each line is two rows of a table, one plain and one anchored. What a table varies is carried to a
preset's size: n keeps its ratio to n_p (Table 4), k its ratio to the number of active features
(Tables 6 and 7). Table 6 calls S what we read as 1 - S.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ...checks import check_count
from ...signature import checked
from ..presets import PRESETS, ROWS, Preset

TABLES = {1: "seven methods", 4: "n", 5: "mu", 6: "1 - S", 7: "k"}
PAPER = dict(n=1000, one_minus_S=0.01, k=32)  # of Table 1, and of Table 7's first line


@dataclass(frozen=True)
class Line:
    """Two rows of one of Tables 1 and 4 to 7 of arXiv:2512.05534.

    number : place in the table, from 1.  method : a key of `setup`.  value : of what the table
        varies, as printed, None in Table 1.
    plain, anchored : the printed (M_GT, M_IP).
    """

    table: int
    number: int
    method: str
    value: float | None
    plain: tuple[float, float]
    anchored: tuple[float, float]

    @property
    def name(self) -> str:
        """Method and what Tables 4 to 7 vary, as printed: "topk, k = 64"."""
        if self.value is None:
            return self.method
        return f"{self.method}, {TABLES[self.table]} = {self.value:g}"


@cache
def _printed() -> dict:
    return json.loads(Path(__file__).with_name("figures.json").read_text(encoding="utf-8"))


@checked
def lines(table: int) -> list[Line]:
    """The lines of Table 1, 4, 5, 6 or 7 of arXiv:2512.05534, in its order.

    >>> from sdl_theory.experiments.paper.lines import lines
    >>> [(line.name, line.plain[0], line.anchored[0]) for line in lines(7)]
    [('topk, k = 32', 1.0, 1.0), ('topk, k = 64', 0.939, 0.934), ('topk, k = 128', 0.867, 0.88)]
    """
    if table not in TABLES:
        raise ValueError(f"table must be one of {', '.join(map(str, TABLES))}; got {table}")
    own = [one for one in _printed()["lines"] if one["table"] == table]
    return [
        Line(
            table=table,
            number=i,
            method=one["method"],
            value=one["value"],
            plain=tuple(one["plain"]),
            anchored=tuple(one["anchored"]),
        )
        for i, one in enumerate(own, start=1)
    ]


def overrides(line: Line, preset: str) -> dict[str, Any]:
    """What `setup(preset, line.method, ...)` is to change for this line."""
    own, value = PRESETS[preset], line.value
    if value is None:
        return {}
    if line.table == 4:
        return dict(bench=dict(n=round(own.bench["n"] * value / PAPER["n"])))
    if line.table == 5:
        return dict(bench=dict(mu=value))
    if line.table == 6:
        return _denser(line.method, value, own)
    return dict(k=round(own.k * value / PAPER["k"]))


def _denser(method: str, one_minus_S: float, own: Preset) -> dict[str, Any]:
    """More active features, and as many times more latents that may fire."""
    row, times = own.rows.get(method, {}), one_minus_S / PAPER["one_minus_S"]
    changes: dict[str, Any] = dict(bench=dict(S=1 - one_minus_S))
    if "target_l0" in row:
        changes["target_l0"] = row["target_l0"] * times
    elif ROWS[method][0] != "relu":
        changes["k"] = max(1, round(row.get("k", own.k) * times))
    return changes


def chosen(table: int, numbers: list[int] | None) -> list[Line]:
    """The lines of these numbers, all by default; ValueError for one that the table has not."""
    own = lines(table)
    if numbers is None:
        return own
    wanted = {check_count("a number of --rows", number) for number in numbers}
    if missing := sorted(wanted - {line.number for line in own}):
        raise ValueError(
            f"--rows {missing[0]}: Table {table} has lines 1 to {len(own)}, plain and anchored "
            f"together"
        )
    return [line for line in own if line.number in wanted]
