"""Theorem 3.1: the gap and its bounds."""

from __future__ import annotations

import altair as alt

from ..kinds import Gap
from .style import BLACK, BLUE, GREY, RED, SKY, named, of, styled

LINES = {  # name, colour and dash of each
    Gap.GAP: ("gap |L - Lt|", BLACK, [1, 0]),
    Gap.PAPER: ("as printed: n^2 C (1-S)^2", SKY, [6, 4]),
    Gap.TIGHT: ("tight: C n(n-1)/2 (1-S)^2", BLUE, [2, 2]),
    Gap.CEILING: ("largest error C", GREY, [8, 3]),
}


def gap_chart(data):
    """Left: the gap between the two losses and its bounds. Right: how many features are active.

    Both axes on the left are logarithmic.
    """
    lines = _gap(data).properties(
        width=345,
        height=250,
        title=alt.Title(
            "Below the bounds, the theorem speaks",
            subtitle="dot: the chosen sparsity; slope 2: order two",
        ),
    )
    bars = _active(data).properties(
        width=200,
        height=250,
        title=alt.Title("What the data look like", subtitle="Lt sees the middle bar"),
    )
    return styled(
        alt.hconcat(lines, bars, spacing=22).resolve_scale(
            color="independent", strokeDash="independent"
        )
    )


def _gap(data):
    rate = alt.X(
        "x:Q",
        title="1 - S, how often a feature is active (log scale)",
        scale=alt.Scale(type="log", domain=[1e-5, 1]),
        axis=alt.Axis(format=".0e", values=[1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1]),
    )
    size = alt.Y(
        "y:Q",
        title="squared error (log scale)",
        scale=alt.Scale(type="log", domain=[1e-9, 1e4], clamp=True),
        axis=alt.Axis(format=".0e", values=[1e-9, 1e-6, 1e-3, 1, 1e3]),
    )
    legend = alt.Legend(
        title=None,
        labelExpr=named([LINES[kind][0] if kind in LINES else "" for kind in Gap]),
        orient="bottom",
        columns=2,
        symbolType="stroke",
        symbolSize=300,
    )
    _, colours, dashes = zip(*LINES.values())
    scale = lambda values: alt.Scale(domain=list(map(int, LINES)), range=list(values))
    curves = (
        alt.Chart(data)
        .transform_filter(f"datum.kind <= {Gap.TIGHT} || datum.kind == {Gap.CEILING}")
        .mark_line(strokeWidth=2.5)
        .encode(
            x=rate,
            y=size,
            color=alt.Color("value:O", scale=scale(colours), legend=legend),
            strokeDash=alt.StrokeDash("value:O", scale=scale(dashes), legend=legend),
        )
    )
    here = of(data, Gap.HERE).mark_point(
        shape="circle",
        filled=True,
        size=170,
        color=RED,
        opacity=1,
        stroke="white",
        strokeWidth=1.5,
    )
    return alt.layer(curves, here.encode(x=rate, y=size))


def _active(data):
    shares = of(data, Gap.SHARE)
    label = named(["none", "one", "two or more"])
    active = alt.X(
        "x:O", title="features active at once", axis=alt.Axis(labelExpr=label, labelAngle=0)
    )
    share = alt.Y(
        "y:Q", title="probability", axis=alt.Axis(format="%"), scale=alt.Scale(domain=[0, 1.08])
    )
    return alt.layer(
        shares.mark_bar(color=SKY, width=44).encode(x=active, y=share),
        shares.mark_text(dy=-8).encode(x=active, y=share, text=alt.Text("y:Q", format=".2~%")),
    )
