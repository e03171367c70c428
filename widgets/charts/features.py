"""The linear representation hypothesis: bounds on interference, readouts, cosines."""

from __future__ import annotations

import altair as alt

from ..kinds import Linear
from .style import BLACK, BLUE, GREY, ORANGE, QUIET, named, of, styled


def linear_chart(data):
    """Left: how little interference n directions can have. Right: what a feature reads.

    When silent, and when active.
    """
    bounds = _interference(data).properties(
        width=330,
        height=260,
        title=alt.Title(
            "How little can they interfere?", subtitle="line: no n directions in R^n_p get below"
        ),
    )
    histogram = _readouts(data).properties(
        width=330,
        height=260,
        title=alt.Title(
            "Can we read a feature off?",
            subtitle="two hills apart: yes; on top of each other: no",
        ),
    )
    return styled(
        alt.hconcat(bounds, histogram, spacing=22).resolve_scale(
            color="independent", shape="independent"
        )
    )


def _interference(data):
    x = alt.X("x:Q", title="number of features n", scale=alt.Scale(domain=[0, 66]))
    y = alt.Y("y:Q", title="interference mu, the largest cosine", scale=alt.Scale(domain=[-1, 1]))
    bound, room = of(data, Linear.BOUND), alt.Chart(alt.Data(values=[{"x": 33, "y": -0.75}]))
    impossible = alt.value("impossible (Rankin, Levenshtein)")
    dimensions = (
        of(data, Linear.SIZE)
        .transform_calculate(label="'n_p = ' + datum.value + ' dimensions'")
        .mark_text(fontWeight="bold", align="left")
    )
    return alt.layer(
        bound.mark_area(color=GREY, opacity=0.18, clip=True).encode(x=x, y=y, y2=alt.datum(-1)),
        bound.mark_line(color=BLACK, strokeWidth=2).encode(x=x, y=y, order="x:Q"),
        _three(data, x, y),
        room.mark_text(color=QUIET).encode(x=x, y=y, text=impossible),
        dimensions.encode(x=x, y=y, text="label:N"),
    )


def _three(data, x: alt.X, y: alt.Y):
    """The interference of random directions, that asked for, and that reached."""
    names = ["", "random directions", "asked for", "reached"]
    legend = alt.Legend(title=None, labelExpr=named(names), orient="bottom", columns=3)
    order = [int(kind) for kind in (Linear.RANDOM, Linear.ASKED, Linear.REACHED)]
    scale = lambda values: alt.Scale(domain=order, range=values)
    asked = f"datum.value == {Linear.ASKED}"
    return (
        alt.Chart(data)
        .transform_filter(f"datum.kind >= {Linear.RANDOM} && datum.kind <= {Linear.REACHED}")
        .mark_point(filled=True, opacity=1, stroke="white")
        .encode(
            x=x,
            y=y,
            size=alt.condition(asked, alt.value(70), alt.value(230)),
            color=alt.Color("value:O", scale=scale([GREY, BLACK, BLUE]), legend=legend),
            shape=alt.Shape("value:O", scale=scale(["diamond", "cross", "circle"]), legend=legend),
        )
    )


def _readouts(data):
    value = alt.X("x:Q", title="readout <w_d, x_p>", scale=alt.Scale(domain=[-3, 5]))
    share = alt.Y(
        "y:Q",
        title="share of readouts",
        axis=alt.Axis(format="%", minExtent=36),
        scale=alt.Scale(domainMin=0, nice=True),
    )
    silent, active = int(Linear.SILENT), int(Linear.ACTIVE)
    legend = alt.Legend(
        title=None,
        labelExpr=f"datum.value == {silent} ? 'feature is silent' : 'feature is active'",
        orient="bottom",
    )
    scale = alt.Scale(domain=[silent, active], range=[GREY, BLUE])
    bars = (
        alt.Chart(data)
        .transform_filter(f"datum.kind == {silent} || datum.kind == {active}")
        .mark_rect(opacity=0.65)
        .encode(
            x=value,
            x2="x2:Q",
            y=share,
            y2=alt.datum(0),
            color=alt.Color("value:O", scale=scale, legend=legend),
        )
    )
    instead = of(data, Linear.INSTEAD).mark_text(y=12, text="impossible: random directions instead")
    return alt.layer(bars, instead.encode(x=alt.datum(1)))


def gram_chart(
    data,
    title: str = "Every feature against every other",
    subtitle: str = "cosines of the columns of W_p",
    reach: float = 1.0,
):
    """A heat map of cosines: the colour is the sign, its strength the size, full from reach on."""
    x = alt.X("x:O", title="feature", axis=alt.Axis(labelAngle=0, labelOverlap=True))
    y = alt.Y("y:O", title="feature", axis=alt.Axis(labelOverlap=True))
    sign = alt.Color(
        "sign:O",
        scale=alt.Scale(domain=[1, -1], range=[ORANGE, BLUE]),
        legend=alt.Legend(
            title=["cosine,", "full colour", f"from {reach:g} on"],
            labelExpr="datum.value > 0 ? 'above 0' : 'below 0'",
        ),
    )
    size = alt.FillOpacity(
        "size:Q",
        scale=alt.Scale(type="quantize", domain=[0, reach], range=[0, 0.2, 0.4, 0.6, 0.8, 1]),
        legend=None,
    )
    return styled(
        alt.Chart(data)
        .transform_calculate(sign="datum.cosine < 0 ? -1 : 1", size="abs(datum.cosine)")
        .mark_rect()
        .encode(x=x, y=y, color=sign, fillOpacity=size)
        .properties(width=420, height=400, title=alt.Title(title, subtitle=subtitle))
    )
