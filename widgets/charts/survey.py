"""The grids of lesson 11: anchored minus plain in every cell, and a ReLU over its L1 term."""

from __future__ import annotations

import altair as alt

from ..kinds import Biases, Measure
from .style import BLUE, GREY, POINTS, RED, SKY, named, of, styled, zero


def survey_chart(data, names: list[str], times: list[str]):
    """The grid: a line a cell, the paired difference with its interval, early to late."""
    panels = [
        _cells(data, kind, names).properties(
            width=185, height=18 * len(names), title=alt.Title(when, frame="group")
        )
        for kind, when in enumerate(times)
    ]
    return styled(alt.hconcat(*panels, spacing=10))


def _cells(data, kind: int, names: list[str]):
    legend = alt.Legend(
        title="95% interval",
        labelExpr="['below zero', 'holds zero', 'above zero'][datum.value + 1]",
        orient="bottom",
        direction="horizontal",
    )
    scale = lambda values: alt.Scale(domain=[-1, 0, 1], range=values)
    shapes = ["triangle-down", "circle", "triangle-up"]
    colour = alt.Color("value:O", scale=scale([RED, GREY, BLUE]), legend=legend)
    shape = alt.Shape("value:O", scale=scale(shapes), legend=legend)
    x = alt.X(
        "x:Q",
        title="anchored minus not, points",
        scale=alt.Scale(domain=[-0.45, 0.65], nice=False, clamp=True),
        axis=alt.Axis(labelExpr=POINTS, values=[-0.4, -0.2, 0, 0.2, 0.4, 0.6]),
    )
    axis = alt.Axis(
        labelExpr=named(names),
        values=list(range(len(names))),
        tickCount=len(names),
        grid=False,
        labelLimit=260,
        title=None,
    )
    y = alt.Y(
        "y:Q",
        scale=alt.Scale(domain=[-0.7, len(names) - 0.3], reverse=True, nice=False),
        axis=axis if kind == 0 else None,
    )
    intervals = of(data, kind).mark_rule(strokeWidth=2).transform_calculate(x="datum.low")
    dots = of(data, kind).mark_point(filled=True, size=70, opacity=1)
    return alt.layer(
        zero(x=alt.datum(0)),
        intervals.encode(x=x, x2="high:Q", y=y, color=colour),
        dots.encode(x=x, y=y, color=colour, shape=shape),
    )


MEASURES = {  # name, colour and shape of each
    Measure.FOUND: ("features found (decoder)", BLUE, "circle"),
    Measure.EXPLAINED: ("variance explained", SKY, "square"),
    Measure.MIRRORED: ("rows with a mirror image", RED, "triangle-down"),
}


def relu_chart(data):
    """What a ReLU found, explained and mirrored, by the strength of its L1 term."""
    titles = {Biases.WITHOUT: "ReLU without biases", Biases.WITH: "ReLU with biases"}
    panels = [
        _measures(data, kind).properties(
            width=300, height=220, title=alt.Title(title, subtitle="ten seeds; bands: 95%")
        )
        for kind, title in titles.items()
    ]
    return styled(alt.hconcat(*panels, spacing=18))


def _measures(data, kind: Biases):
    names, colours, shapes = map(list, zip(*MEASURES.values()))
    legend = alt.Legend(
        title=None, labelExpr=named(names), orient="bottom", columns=3, symbolOpacity=1
    )
    scale = lambda values: alt.Scale(domain=list(map(int, MEASURES)), range=values)
    colour = alt.Color("value:O", scale=scale(colours), legend=legend)
    shape = alt.Shape("value:O", scale=scale(shapes), legend=legend)
    x = alt.X(
        "x:Q",
        title="L1 coefficient (log scale)",
        scale=alt.Scale(type="log", domain=[8e-4, 4]),
        axis=alt.Axis(values=[0.001, 0.01, 0.1, 1], format="~g"),
    )
    y = lambda column: alt.Y(
        column,
        title="share",
        scale=alt.Scale(domain=[0, 1], clamp=True),
        axis=alt.Axis(format="%", tickCount=5),
    )
    rows = of(data, kind)
    bands, lines = rows.mark_area(opacity=0.15), rows.mark_line(strokeWidth=2)
    dots = rows.mark_point(filled=True, size=70, opacity=1)
    return alt.layer(
        bands.encode(x=x, y=y("low:Q"), y2="high:Q", color=colour),
        lines.encode(x=x, y=y("y:Q"), color=colour, order="x:Q"),
        dots.encode(x=x, y=y("y:Q"), color=colour, shape=shape),
    )
