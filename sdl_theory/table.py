"""Rows that print themselves: aligned text in a terminal, a table in a notebook."""

from __future__ import annotations

from dataclasses import fields


class Table(list):
    """A list of records that prints, and shows in a notebook, as a table."""

    def columns(self) -> list[str]:
        return [f.name for f in fields(self[0])] if self else []

    def cells(self) -> list[list[str]]:
        show = lambda v: (
            "-"
            if v is None
            else ("yes" if v else "no")
            if isinstance(v, bool)
            else f"{v:.3g}"
            if isinstance(v, float)
            else str(v)
        )
        return [[show(getattr(row, name)) for name in self.columns()] for row in self]

    def __str__(self) -> str:
        lines = [self.columns()] + self.cells()
        widths = [max(map(len, column)) for column in zip(*lines)]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip()
            for line in lines
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from html import escape

        row = lambda tag, cells: (
            "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"
        )
        rows = [row("th", self.columns()), *(row("td", cells) for cells in self.cells())]
        return f"<table>{''.join(rows)}</table>"
