"""The first picture: the data, and the two losses."""

from __future__ import annotations

import altair as alt

from .style import BLACK, BLUE, GREY, RED, SKY, named, of, styled


def start_chart(data):
    """Left: samples in the plane. Right: the true loss beside the approximate one, as the encoder
    row turns.
    """
    x = alt.X("x:Q", scale=alt.Scale(domain=[-1.5, 1.5]), title="first coordinate of x_p")
    y = alt.Y("y:Q", scale=alt.Scale(domain=[-0.2, 2.8]), title="second coordinate of x_p")
    arrows = of(data, 3)
    names = ["", "one feature active", "both active"]
    dots = alt.layer(
        of(data, 5)
        .mark_point(filled=True, size=34, opacity=0.75)
        .encode(
            x=x,
            y=y,
            color=alt.Color(
                "value:O",
                scale=alt.Scale(domain=[1, 2], range=[SKY, GREY]),
                legend=alt.Legend(title=None, labelExpr=named(names), orient="bottom"),
            ),
        ),
        arrows.mark_rule(strokeWidth=2.5, color=BLUE).encode(
            x=x, y=y, x2=alt.datum(0), y2=alt.datum(0)
        ),
        arrows.mark_point(size=150, filled=True, opacity=1, color=BLUE, stroke="white").encode(
            x=x, y=y
        ),
        arrows.transform_calculate(label="'w_' + (datum.value + 1)")
        .mark_text(
            dy=-14,
            dx=alt.expr("datum.value ? 20 : -20"),
            fontSize=13,
            fontWeight="bold",
            color=BLUE,
        )
        .encode(x=x, y=y, text="label:N"),
    ).properties(
        width=235,
        height=235,
        title=alt.Title(
            "What a network shows us", subtitle="samples x_p = W_p x with something in them"
        ),
    )
    angle = alt.X(
        "x:Q",
        title="encoder row's angle from the bisector (degrees)",
        scale=alt.Scale(domain=[-180, 180]),
        axis=alt.Axis(values=list(range(-180, 181, 60))),
    )
    share = alt.Y(
        "y:Q",
        title="share of the signal left unexplained",
        scale=alt.Scale(domain=[0, 1.05]),
        axis=alt.Axis(format="%"),
    )
    losses = ["approximate loss Lt", "true loss L"]
    legend = alt.Legend(
        title=None, labelExpr=named(losses), orient="bottom", symbolType="stroke", symbolSize=300
    )
    code = "datum.kind == 6 ? 1 : 0"
    curves = (
        alt.Chart(data)
        .transform_filter("datum.kind == 0 || datum.kind == 6")
        .transform_calculate(which=code)
        .mark_line(strokeWidth=2.5)
        .encode(
            x=angle,
            y=share,
            order="x:Q",
            color=alt.Color(
                "which:O", scale=alt.Scale(domain=[0, 1], range=[BLUE, BLACK]), legend=legend
            ),
            strokeDash=alt.StrokeDash(
                "which:O", scale=alt.Scale(domain=[0, 1], range=[[6, 4], [1, 0]]), legend=legend
            ),
        )
    )
    trap = of(data, 2)
    landscape = alt.layer(
        curves,
        trap.mark_point(
            shape="triangle-down",
            filled=True,
            size=240,
            color=RED,
            opacity=1,
            stroke="white",
            strokeWidth=1.5,
        ).encode(x=angle, y=share),
        trap.mark_text(dy=-17, fontSize=12, fontWeight="bold", color=RED).encode(
            x=angle, y=share, text=alt.value("trap")
        ),
    ).properties(
        width=330,
        height=235,
        title=alt.Title(
            "Two losses of one neuron",
            subtitle="each with its best decoder, as a share of its signal",
        ),
    )
    return styled(
        alt.hconcat(dots, landscape, spacing=22)
        .resolve_scale(color="independent", strokeDash="independent")
        .resolve_legend(color="independent", strokeDash="independent")
    )
