"""Anchored minus plain by the paper's own metric: true anchors and sham, clipped and not."""

from __future__ import annotations

import altair as alt

from .style import BLUE, GREY, ORANGE, of, styled

POINTS = "datum.value === 0 ? '0' : format(100 * datum.value, '+.0f')"
PANELS = (
    ("True anchors", "directions of true features", [-0.03, 0.03]),
    ("Sham anchors", "as many random directions; mind the scale", [-0.85, 0.15]),
)


def gain_chart(data, names: list[str]):
    """A line a number of anchors and strength; the difference with its interval, with and without
    gradient clipping.
    """
    legend = alt.Legend(
        title=None,
        labelExpr="['gradients not clipped', 'gradients clipped at norm 1'][datum.value]",
        orient="bottom",
        direction="horizontal",
    )
    colour = alt.Color(
        "value:O", scale=alt.Scale(domain=[0, 1], range=[ORANGE, BLUE]), legend=legend
    )
    shape = alt.Shape(
        "value:O", scale=alt.Scale(domain=[0, 1], range=["circle", "triangle-up"]), legend=legend
    )
    panels = []
    for kind, (title, subtitle, domain) in enumerate(PANELS):
        x = alt.X(
            "x:Q",
            title="held-out features found, anchored minus plain: points",
            scale=alt.Scale(domain=domain, nice=False, clamp=True),
            axis=alt.Axis(labelExpr=POINTS, tickCount=6),
        )
        axis = (
            alt.Axis(
                labelExpr=f"{names!r}[datum.value]",
                values=list(range(len(names))),
                grid=False,
                labelLimit=260,
                title=None,
            )
            if kind == 0
            else None
        )
        y = alt.Y(
            "line:Q",
            scale=alt.Scale(domain=[-0.6, len(names) - 0.4], reverse=True, nice=False),
            axis=axis,
        )
        rows = of(data, kind).transform_calculate(line="datum.y + (datum.value ? -0.14 : 0.14)")
        panels.append(
            alt.layer(
                alt.Chart(alt.Data(values=[{}]))
                .mark_rule(color=GREY, strokeDash=[4, 3])
                .encode(x=alt.datum(0)),
                rows.mark_rule(strokeWidth=2.5)
                .transform_calculate(x="datum.low")
                .encode(x=x, x2="high:Q", y=y, color=colour),
                rows.mark_point(filled=True, size=80, opacity=1).encode(
                    x=x, y=y, color=colour, shape=shape
                ),
            ).properties(
                width=300,
                height=44 * len(names),
                title=alt.Title(title, subtitle=subtitle, frame="group"),
            )
        )
    return styled(alt.hconcat(*panels, spacing=14))
