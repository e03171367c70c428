"""Anchored minus plain by the paper's own metric: true anchors and sham, clipped and not."""

from __future__ import annotations

import altair as alt

from ..kinds import Anchored
from .style import BLUE, ORANGE, POINTS, of, styled, zero

PANELS = {
    Anchored.TRUE: ("True anchors", "share of held-out features found", [-0.03, 0.03]),
    Anchored.SHAM: ("Sham anchors", "as many random directions; mind the scale", [-0.85, 0.15]),
}


def gain_chart(data, names: list[str]):
    """The difference with its interval, with and without gradient clipping.

    A line for each number of anchors and strength.
    """
    panels = [
        _panel(data, kind, names, domain).properties(
            width=300,
            height=44 * len(names),
            title=alt.Title(title, subtitle=subtitle, frame="group"),
        )
        for kind, (title, subtitle, domain) in PANELS.items()
    ]
    return styled(alt.hconcat(*panels, spacing=14))


def _panel(data, kind: Anchored, names: list[str], domain: list[float]):
    legend = alt.Legend(
        title=None,
        labelExpr="['gradients not clipped', 'gradients clipped at norm 1'][datum.value]",
        orient="bottom",
        direction="horizontal",
    )
    scale = lambda values: alt.Scale(domain=[0, 1], range=values)
    colour = alt.Color("value:O", scale=scale([ORANGE, BLUE]), legend=legend)
    shape = alt.Shape("value:O", scale=scale(["circle", "triangle-up"]), legend=legend)
    x = alt.X(
        "x:Q",
        title="anchored minus plain, points",
        scale=alt.Scale(domain=domain, nice=False, clamp=True),
        axis=alt.Axis(labelExpr=POINTS, tickCount=6),
    )
    axis = alt.Axis(
        labelExpr=f"{names!r}[datum.value]",
        values=list(range(len(names))),
        grid=False,
        labelLimit=260,
        title=None,
    )
    y = alt.Y(
        "line:Q",
        scale=alt.Scale(domain=[-0.6, len(names) - 0.4], reverse=True, nice=False),
        axis=axis if kind is Anchored.TRUE else None,
    )
    rows = of(data, kind).transform_calculate(line="datum.y + (datum.value ? -0.14 : 0.14)")
    intervals = rows.mark_rule(strokeWidth=2.5).transform_calculate(x="datum.low")
    dots = rows.mark_point(filled=True, size=80, opacity=1)
    return alt.layer(
        zero(x=alt.datum(0)),
        intervals.encode(x=x, x2="high:Q", y=y, color=colour),
        dots.encode(x=x, y=y, color=colour, shape=shape),
    )
