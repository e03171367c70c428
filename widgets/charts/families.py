"""Families of real directions: rank correlations of three orders with training's."""

from __future__ import annotations

import altair as alt

from ..kinds import Layer
from .style import BLUE, GREEN, GREY, ORANGE, named, named_lines, of, styled, zero

ORDERS = [
    "the ladder, with who stays during training",
    "the cosine with the parent, likewise",
    "the ladder, with who is there before training",
]


def families_chart(data, names: list[str]):
    """A line a parent and k: correlations with 95% intervals over the band of shuffled ladders."""
    legend = alt.Legend(title=None, labelExpr=named(ORDERS), orient="bottom", columns=1)
    scale = lambda values: alt.Scale(domain=[0, 1, 2], range=values)
    colour = alt.Color("value:O", scale=scale([BLUE, ORANGE, GREEN]), legend=legend)
    shape = alt.Shape("value:O", scale=scale(["circle", "square", "diamond"]), legend=legend)
    x = alt.X(
        "x:Q",
        title="rank correlation over the children (mean over seeds)",
        scale=alt.Scale(domain=[-1, 1], nice=False, clamp=True),
        axis=alt.Axis(tickCount=9),
    )
    y = named_lines(names)
    at = lambda kind: of(data, kind)
    bands = at(Layer.REGION).transform_calculate(line="datum.y", x="datum.low")
    marks = at(Layer.POINT).transform_calculate(line="datum.y + 0.24 * (datum.value - 1)")
    intervals = marks.mark_rule(strokeWidth=2.5).transform_calculate(x="datum.low")
    return styled(
        alt.layer(
            bands.mark_rule(color=GREY, opacity=0.22, strokeWidth=30).encode(x=x, x2="high:Q", y=y),
            zero(x=alt.datum(0)),
            intervals.encode(x=x, x2="high:Q", y=y, color=colour),
            marks.mark_point(filled=True, size=90, opacity=1).encode(
                x=x, y=y, color=colour, shape=shape
            ),
        ).properties(
            width=520,
            height=46 * len(names),
            title=alt.Title(
                "Who stays with the parent's latent?",
                subtitle="lines: 95% over seeds; grey: 95% of shuffled ladders",
            ),
        )
    )
