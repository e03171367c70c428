"""Two features in exact arithmetic."""

from __future__ import annotations

import altair as alt

from ..kinds import Code, Exact, Layer
from .style import BLUE, GREY, RED, SKY, of, styled, verdict_point


def exact_chart(data):
    """Left: loss at the two eigenvectors along rho. Right: the positive one's components."""
    lines = _losses(data).properties(
        width=420,
        height=260,
        title=alt.Title(
            "Two eigenvectors, one of them positive",
            subtitle="solid: the positive one, red a trap, blue a saddle; dotted: mixed signs",
        ),
    )
    x = alt.X("x:O", title="feature", axis=alt.Axis(labelAngle=0), scale=alt.Scale(domain=[1, 2]))
    y = alt.Y("y:Q", title="component of y, unit norm", scale=alt.Scale(domain=[0, 1]))
    bars = (
        of(data, Layer.BAR)
        .mark_bar(width=60, color=BLUE)
        .encode(x=x, y=y)
        .properties(
            width=200,
            height=260,
            title=alt.Title("The positive eigenvector", subtitle="empty: there is none"),
        )
    )
    return styled(
        alt.hconcat(lines, bars, spacing=22).resolve_scale(color="independent", shape="independent")
    )


def _losses(data):
    rho = alt.X(
        "x:Q",
        title="cosine rho",
        scale=alt.Scale(domain=[-1, 1]),
        axis=alt.Axis(values=[-1, -0.5, 0, 0.5, 1]),
    )
    loss = alt.Y(
        "y:Q",
        title="loss = m_1 + m_2 - eigenvalue",
        scale=alt.Scale(domainMin=0, nice=True),
        axis=alt.Axis(minExtent=30),
    )
    curve = lambda kind, side, colour, dash: (
        of(data, kind)
        .transform_filter(f"datum.value == {side}")
        .mark_line(color=colour, strokeWidth=2.5, strokeDash=dash)
        .encode(x=rho, y=loss, order="x:Q")
    )
    return alt.layer(
        curve(Exact.MIXED, Code.TRAP, GREY, [3, 3]),
        curve(Exact.MIXED, Code.SADDLE, GREY, [3, 3]),
        curve(Exact.POSITIVE, Code.TRAP, RED, [1, 0]),
        curve(Exact.POSITIVE, Code.SADDLE, SKY, [1, 0]),
        verdict_point(data, rho, loss),
    )
