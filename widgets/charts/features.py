"""The linear representation hypothesis: bounds on interference, readouts, cosines."""

from __future__ import annotations

import altair as alt

from .style import BLACK, BLUE, GREY, named, of, styled


def linear_chart(data):
    """Left: how little interference n directions can have. Right: what a feature reads when silent
    and when active.
    """
    x = alt.X("x:Q", title="number of features n", scale=alt.Scale(domain=[0, 66]))
    y = alt.Y("y:Q", title="interference mu, the largest cosine", scale=alt.Scale(domain=[-1, 1]))
    names = ["", "random directions", "asked for", "reached"]
    legend = alt.Legend(title=None, labelExpr=named(names), orient="bottom", columns=3)
    order = [1, 2, 3]
    bounds = alt.layer(
        of(data, 0)
        .mark_area(color=GREY, opacity=0.18, clip=True)
        .encode(x=x, y=y, y2=alt.datum(-1)),
        of(data, 0).mark_line(color=BLACK, strokeWidth=2).encode(x=x, y=y, order="x:Q"),
        alt.Chart(data)
        .transform_filter("datum.kind >= 1 && datum.kind <= 3")
        .mark_point(filled=True, opacity=1, stroke="white")
        .encode(
            x=x,
            y=y,
            size=alt.condition("datum.value == 2", alt.value(70), alt.value(230)),
            color=alt.Color(
                "value:O", scale=alt.Scale(domain=order, range=[GREY, BLACK, BLUE]), legend=legend
            ),
            shape=alt.Shape(
                "value:O",
                scale=alt.Scale(domain=order, range=["diamond", "cross", "circle"]),
                legend=legend,
            ),
        ),
        alt.Chart(alt.Data(values=[{"x": 33, "y": -0.75}]))
        .mark_text(fontSize=12, color="#444444")
        .encode(x=x, y=y, text=alt.value("impossible (Rankin, Levenshtein)")),
        of(data, 6)
        .transform_calculate(label="'n_p = ' + datum.value + ' dimensions'")
        .mark_text(fontSize=13, fontWeight="bold", align="left")
        .encode(x=x, y=y, text="label:N"),
    ).properties(
        width=290,
        height=240,
        title=alt.Title(
            "How little can they interfere?", subtitle="line: no n directions in R^n_p get below"
        ),
    )
    value = alt.X("x:Q", title="readout <w_d, x_p>", scale=alt.Scale(domain=[-3, 5]))
    share = alt.Y(
        "y:Q",
        title="share of readouts",
        axis=alt.Axis(format="%", minExtent=36),
        scale=alt.Scale(domainMin=0, nice=True),
    )
    kinds = alt.Legend(
        title=None,
        labelExpr="datum.value == 4 ? 'feature is silent' : 'feature is active'",
        orient="bottom",
    )
    histogram = (
        alt.Chart(data)
        .transform_filter("datum.kind == 4 || datum.kind == 5")
        .mark_rect(opacity=0.65)
        .encode(
            x=value,
            x2="x2:Q",
            y=share,
            y2=alt.datum(0),
            color=alt.Color(
                "value:O", scale=alt.Scale(domain=[4, 5], range=[GREY, BLUE]), legend=kinds
            ),
        )
    )
    return styled(
        alt.hconcat(
            bounds,
            histogram.properties(
                width=290,
                height=240,
                title=alt.Title(
                    "Can we read a feature off?",
                    subtitle="two hills apart: yes; on top of each other: no",
                ),
            ),
            spacing=22,
        ).resolve_scale(color="independent", shape="independent")
    )


def gram_chart(
    data,
    title: str = "Every feature against every other",
    subtitle: str = "cosines of the columns of W_p",
    reach: float = 1.0,
):
    """A heat map of cosines; the colours end at plus and minus reach."""
    scale = alt.Scale(scheme="blueorange", domain=[-reach, 0, reach], clamp=True)
    return styled(
        alt.Chart(data)
        .mark_rect()
        .encode(
            x=alt.X("x:O", title="feature", axis=alt.Axis(labelAngle=0, labelOverlap=True)),
            y=alt.Y("y:O", title="feature", axis=alt.Axis(labelOverlap=True)),
            color=alt.Color(
                "cosine:Q", scale=scale, legend=alt.Legend(title="cosine", gradientLength=180)
            ),
        )
        .properties(width=300, height=300, title=alt.Title(title, subtitle=subtitle))
    )
