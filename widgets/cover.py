"""README's picture: `python -m widgets.cover` writes notebooks/pictures/cover.svg."""

from __future__ import annotations

from pathlib import Path

from .charts import inline
from .charts.cover import cover_chart
from .drawing import svg
from .rows.cover import cover_rows

COVER = Path(__file__).resolve().parents[1] / "notebooks" / "pictures" / "cover.svg"


def cover() -> str:
    """The picture, dark where its reader's pages are."""
    return svg(cover_chart(inline(cover_rows()[0])).to_dict()) + "\n"


if __name__ == "__main__":
    COVER.write_text(cover(), encoding="utf-8")
    print(COVER)
