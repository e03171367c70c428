"""The first picture: the data, and the two losses."""

from __future__ import annotations

import altair as alt

from ..kinds import Layer
from .style import BLACK, BLUE, GREY, RED, SKY, from_origin, named, of, styled, turning_angle


def start_chart(data):
    """Left: samples in the plane. Right: the true loss beside the approximate one.

    Both as the encoder row turns.
    """
    samples = _samples(data).properties(
        width=270,
        height=260,
        title=alt.Title(
            "What a network shows us", subtitle="samples x_p = W_p x with something in them"
        ),
    )
    losses = _losses(data).properties(
        width=380,
        height=260,
        title=alt.Title(
            "Two losses of one neuron",
            subtitle="each with its best decoder, as a share of its signal",
        ),
    )
    return styled(
        alt.hconcat(samples, losses, spacing=22)
        .resolve_scale(color="independent", strokeDash="independent")
        .resolve_legend(color="independent", strokeDash="independent")
    )


def _samples(data):
    x = alt.X("x:Q", scale=alt.Scale(domain=[-1.5, 1.5]), title="first coordinate of x_p")
    y = alt.Y("y:Q", scale=alt.Scale(domain=[-0.2, 2.8]), title="second coordinate of x_p")
    names = ["", "one feature active", "both active"]
    active = alt.Color(
        "value:O",
        scale=alt.Scale(domain=[1, 2], range=[SKY, GREY]),
        legend=alt.Legend(title=None, labelExpr=named(names), orient="bottom"),
    )
    dots = of(data, Layer.DATA).mark_point(filled=True, size=34, opacity=0.75)
    arrows = of(data, Layer.ARROW)
    tips = arrows.mark_point(size=150, filled=True, opacity=1, color=BLUE, stroke="white")
    labels = arrows.transform_calculate(label="'w_' + (datum.value + 1)").mark_text(
        dy=-14,
        dx=alt.expr("datum.value ? 20 : -20"),
        fontWeight="bold",
        color=BLUE,
    )
    return alt.layer(
        dots.encode(x=x, y=y, color=active),
        from_origin(arrows.mark_rule(strokeWidth=2.5, color=BLUE), x, y),
        tips.encode(x=x, y=y),
        labels.encode(x=x, y=y, text="label:N"),
    )


def _losses(data):
    share = alt.Y(
        "y:Q",
        title="share of the signal left unexplained",
        scale=alt.Scale(domain=[0, 1.05]),
        axis=alt.Axis(format="%"),
    )
    legend = alt.Legend(
        title=None,
        labelExpr=named(["approximate loss Lt", "true loss L"]),
        orient="bottom",
        symbolType="stroke",
        symbolSize=300,
    )
    scale = lambda values: alt.Scale(domain=[0, 1], range=values)
    curves = (
        alt.Chart(data)
        .transform_filter(f"datum.kind == {Layer.CURVE} || datum.kind == {Layer.TRUE}")
        .transform_calculate(which=f"datum.kind == {Layer.TRUE} ? 1 : 0")
        .mark_line(strokeWidth=2.5)
        .encode(
            x=turning_angle(),
            y=share,
            order="x:Q",
            color=alt.Color("which:O", scale=scale([BLUE, BLACK]), legend=legend),
            strokeDash=alt.StrokeDash("which:O", scale=scale([[6, 4], [1, 0]]), legend=legend),
        )
    )
    trap = of(data, Layer.POINT).encode(x=turning_angle(), y=share)
    mark = trap.mark_point(
        shape="triangle-down",
        filled=True,
        size=240,
        color=RED,
        opacity=1,
        stroke="white",
        strokeWidth=1.5,
    )
    word = trap.mark_text(dy=-17, fontWeight="bold")
    return alt.layer(curves, mark, word.encode(text=alt.value("trap")))
