"""Ways out of a trap: the loss along one, and a clone's function."""

from __future__ import annotations

import altair as alt

from ..kinds import Out
from .heat import heat
from .style import (
    BLACK,
    BLUE,
    GREY,
    RED,
    SKY,
    named,
    of,
    styled,
)


def ways_chart(data):
    """Left: Lt along the way and the descent after it. Right: what fires for what, at that place.

    A code above zero is orange and its neuron fires; below it is blue, and silent.
    """
    losses = _losses(data).properties(
        width=330,
        height=230,
        title=alt.Title(
            "The loss never rises", subtitle="the way, then plain descent from its end"
        ),
    )
    codes = _codes(data).properties(
        width=200,
        height=alt.Step(48),
        title=alt.Title("The codes there", subtitle="above zero: the neuron fires"),
    )
    return styled(alt.hconcat(losses, codes, spacing=26).resolve_scale(color="independent"))


def _losses(data):
    x = alt.X(
        "x:Q",
        title=None,
        scale=alt.Scale(domain=[0, 2], nice=False),
        axis=alt.Axis(
            values=[0, 1, 2],
            labelExpr="['the trap', 'end of the way', 'after descent'][datum.value]",
            labelFlush=True,
            grid=False,
        ),
    )
    y = alt.Y("y:Q", title="approximate loss Lt", scale=alt.Scale(domain=[0, 0.85], nice=False))
    kind = alt.StrokeDash(
        "value:O",
        scale=alt.Scale(domain=[0, 1], range=[[1, 0], [5, 3]]),
        legend=alt.Legend(
            title=None,
            labelExpr=named(["the way", "descent"]),
            orient="bottom",
            symbolType="stroke",
            symbolSize=300,
        ),
    )
    stops = of(data, Out.STOP).mark_rule(color=GREY, strokeDash=[2, 3], opacity=0.7)
    line = of(data, Out.LOSS).mark_line(strokeWidth=2.5, color=BLACK)
    here = of(data, Out.HERE).mark_point(
        filled=True, size=170, color=RED, opacity=1, stroke="white", strokeWidth=1.5
    )
    return alt.layer(
        stops.encode(x=x),
        line.encode(x=x, y=y, strokeDash=kind, order="x:Q"),
        here.encode(x=x, y=y),
    )


def _codes(data):
    x = alt.X("x:O", title="feature", axis=alt.Axis(labelAngle=0, format=".0f"))
    y = alt.Y("y:O", title="neuron", axis=alt.Axis(format=".0f"))
    return heat(of(data, Out.CODE), x, y, form="+.2f")


def clone_chart(data):
    """The error on every input of length 1: the trap, its clone (the same), the two apart."""
    x = alt.X(
        "x:Q",
        title="input's angle from the bisector of the two features (degrees)",
        scale=alt.Scale(domain=[-180, 180], nice=False),
        axis=alt.Axis(values=list(range(-180, 181, 60))),
    )
    y = alt.Y("y:Q", title="squared error", scale=alt.Scale(domain=[0, 1.1], nice=False))
    names = ["one neuron: the trap", "its clone", "the two apart"]
    scale = lambda values: alt.Scale(domain=[0, 1, 2], range=values)
    legend = alt.Legend(
        title=None,
        labelExpr=named(names),
        orient="bottom",
        symbolType="stroke",
        symbolSize=300,
    )
    lines = of(data, Out.LOSS).encode(
        x=x,
        y=y,
        order="x:Q",
        color=alt.Color("value:O", scale=scale([SKY, BLACK, RED]), legend=legend),
        strokeDash=alt.StrokeDash("value:O", scale=scale([[1, 0], [4, 4], [1, 0]]), legend=legend),
        strokeWidth=alt.StrokeWidth("value:O", scale=scale([6, 2, 2.5]), legend=legend),
    )
    stops = of(data, Out.STOP)
    side = lambda name, where, align: (
        stops.transform_filter(where)
        .mark_text(dy=-4, baseline="bottom", align=align, fontSize=14, color=BLUE)
        .encode(x=x, y=alt.value(0), text=alt.value(name))
    )
    return styled(
        alt.layer(
            stops.mark_rule(color=BLUE, strokeDash=[3, 3]).encode(x=x),
            lines.mark_line(),
            side("feature 1", alt.datum.x < 0, "right"),
            side("feature 2", alt.datum.x > 0, "left"),
        ).properties(
            width=470,
            height=240,
            title=alt.Title(
                "A clone is the same function",
                subtitle="moved apart, the two leave less error at both features",
                offset=18,
            ),
        )
    )
