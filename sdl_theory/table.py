"""Rows that print themselves: aligned text in a terminal, a table in a notebook."""

from __future__ import annotations

from dataclasses import fields
from html import escape
from typing import Any, ClassVar, Protocol, TypeVar


class Record(Protocol):
    """Any dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


Row = TypeVar("Row", bound=Record)


class Table(list[Row]):
    """A list of records that prints, and shows in a notebook, as a table."""

    def columns(self) -> list[str]:
        return [f.name for f in fields(self[0])] if self else []

    def cells(self) -> list[list[str]]:
        return [[_shown(getattr(row, name)) for name in self.columns()] for row in self]

    def __str__(self) -> str:
        lines = [self.columns()] + self.cells()
        widths = [max(map(len, column)) for column in zip(*lines)]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip()
            for line in lines
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        row = lambda tag, cells: (
            "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"
        )
        rows = [row("th", self.columns()), *(row("td", cells) for cells in self.cells())]
        return f"<table>{''.join(rows)}</table>"


def _shown(value) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
