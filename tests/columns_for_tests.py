"""Reading a picture's columns, and the numbers in the words under it."""

from __future__ import annotations

import re

import numpy as np

from widgets.kinds import Code

Columns = dict[str, np.ndarray]
NUMBER = r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?"


def of(columns: Columns, kind: int, *names: str) -> list[np.ndarray]:
    """The columns' rows of a kind."""
    rows = columns["kind"] == kind
    return [columns[name][rows] for name in names]


def said(pattern: str, words: str) -> list[float]:
    """The numbers in the first place that fits a pattern; # stands for one."""
    found = re.search(re.escape(pattern).replace(r"\#", f"({NUMBER})"), words)
    return [float(number) for number in found.groups()] if found else []


def near(one: float, other: float, by: float = 0.0051) -> bool:
    """As near as two decimals allow, or two digits."""
    return abs(one - other) <= max(by, 0.052 * abs(other))


def verdict_of(code: float) -> str:
    """The verdict's name, by its code in a picture."""
    return Code(round(float(code))).name.lower()
