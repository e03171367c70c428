"""A small matrix as a heat map with its entries in writing, on any paper."""

from __future__ import annotations

import altair as alt

from .style import BLACK, BLUE, ORANGE


def heat(cells, x, y, *, size: str = "value", above: str = ORANGE, most: float = 1, form: str):
    """The colour is the sign, its strength the size: never so strong that the writing drowns.

    cells : rows with `value`, the entry in writing; x, y : where it stands.
    size : the column that colours; strongest from `most` on. above : the colour above zero.
    """
    sign = alt.Scale(domain=[1, -1], range=[above, BLUE])
    strength = alt.Scale(domain=[0, most], range=[0, 0.5], clamp=True)
    cells = cells.transform_calculate(
        sign=f"datum.{size} < 0 ? -1 : 1", size=f"abs(datum.{size})"
    ).encode(x=x, y=y)
    return alt.layer(
        cells.mark_rect().encode(
            color=alt.Color("sign:O", scale=sign, legend=None),
            fillOpacity=alt.FillOpacity("size:Q", scale=strength, legend=None),
        ),
        cells.mark_text(fontSize=14, color=BLACK).encode(text=alt.Text("value:Q", format=form)),
    )
