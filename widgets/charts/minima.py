"""Theorem 3.7: the triangle of three features, real groups beside random ones."""

from __future__ import annotations

import altair as alt

from ..kinds import Layer, Sign
from .style import GREY, RED, SKY, named, of, styled, verdict_point


def three_chart(data):
    """Left: the loss over all positive y of three features. Right: the three eigenvectors.

    Positive ones are in colour.
    """
    field = _triangle(data).properties(
        width=290,
        height=260,
        title=alt.Title("Where can one neuron sit?", subtitle="each dot: a direction of y > 0"),
    )
    vectors = _eigenvectors(data).properties(
        width=330,
        height=260,
        title=alt.Title(
            "Only an all-positive eigenvector will do",
            subtitle="first place: the top eigenvector, a trap; later: a saddle",
        ),
    )
    return styled(
        alt.hconcat(field, vectors, spacing=22).resolve_scale(
            color="independent", shape="independent"
        )
    )


def _triangle(data):
    x = alt.X("x:Q", axis=None, scale=alt.Scale(domain=[-0.2, 1.2]))
    y = alt.Y("y:Q", axis=None, scale=alt.Scale(domain=[-0.14, 1.0]))
    corners = [
        {"x": -0.03, "y": -0.09, "t": "only feature 1"},
        {"x": 1.0, "y": -0.09, "t": "only feature 2"},
        {"x": 0.5, "y": 0.94, "t": "only feature 3"},
    ]
    left = alt.Color(
        "value:Q",
        scale=alt.Scale(scheme="viridis", reverse=True, domain=[0.3, 0.9], clamp=True),
        legend=alt.Legend(
            title=["share of", "loss left"], orient="left", gradientLength=150, format="%"
        ),
    )
    weights = of(data, Layer.DATA).transform_calculate(
        label="'M = (' + format(datum.x, '.3~f') + ', ' + format(datum.y, '.3~f') + ', ' + "
        "format(datum.x2, '.3~f') + ')'"
    )
    dots = of(data, Layer.CURVE).mark_point(shape="circle", filled=True, size=95, opacity=1)
    names = alt.Chart(alt.Data(values=corners)).mark_text()
    return alt.layer(
        dots.encode(x=x, y=y, color=left),
        names.encode(x=x, y=y, text="t:N"),
        weights.mark_text(align="left", fontWeight="bold").encode(
            x=alt.XDatum(-0.18, axis=None), y=alt.YDatum(0.78, axis=None), text="label:N"
        ),
        verdict_point(data, x, y),
    ).resolve_scale(color="independent", shape="independent")


def _eigenvectors(data):
    bars = of(data, Layer.BAR)
    feature = alt.X(
        "x:Q",
        title="features 1, 2, 3 in each eigenvector, top first",
        scale=alt.Scale(domain=[0, 12]),
        axis=alt.Axis(
            values=[1, 2, 3, 5, 6, 7, 9, 10, 11], labelExpr="datum.value % 4", grid=False
        ),
    )
    component = alt.Y("y:Q", title="component of y", scale=alt.Scale(domain=[-1.1, 1.25]))
    labels = (
        bars.transform_filter("datum.x % 4 == 2")
        .mark_text()
        .encode(x=feature, y=alt.datum(1.13), text=alt.Text("label:N"))
        .transform_calculate(label="'λ = ' + format(datum.x2, '.2f')")
    )
    names = {
        Sign.MIXED: "mixed signs: no",
        Sign.TOP: "positive, top: a trap",
        Sign.LOWER: "positive, not top: a saddle",
    }
    sign = alt.Color(
        "value:O",
        scale=alt.Scale(domain=list(map(int, names)), range=[GREY, RED, SKY]),
        legend=alt.Legend(
            title=None, orient="bottom", columns=2, labelExpr=named(list(names.values()))
        ),
    )
    return alt.layer(
        bars.mark_bar(width=19).encode(x=feature, y=component, y2=alt.datum(0), color=sign),
        labels,
        alt.Chart(alt.Data(values=[{}])).mark_rule(color=GREY).encode(y=alt.datum(0)),
    )


def share_chart(rows: list[dict]):
    """Real siblings against random groups: how often is one neuron on the whole group a trap?"""
    base = alt.Chart(alt.Data(values=rows))
    x = alt.X(
        "size:Q",
        title="features in the group (log scale)",
        scale=alt.Scale(type="log", domain=[1.8, 150]),
        axis=alt.Axis(values=[2, 3, 5, 7, 11, 17, 26, 59, 118]),
    )
    y = alt.Y(
        "share:Q",
        title="share of groups that are traps",
        axis=alt.Axis(format="%", values=[0, 0.2, 0.4, 0.6, 0.8, 1]),
        scale=alt.Scale(domain=[0, 1.2]),
    )
    low = alt.Y("low:Q", title="share of groups that are traps")
    colour = alt.Color(
        "series:N",
        scale=alt.Scale(domain=["real siblings", "random groups"], range=[RED, GREY]),
        legend=alt.Legend(title=None, orient="right"),
    )
    chance = base.transform_filter(alt.datum.series == "random groups")
    real = base.transform_filter(alt.datum.series == "real siblings")
    dots = chance.mark_point(filled=True, size=60, shape="circle", opacity=1)
    traps = real.mark_point(filled=True, size=130, shape="triangle-down", opacity=1)
    names = real.transform_window(
        order="row_number()", sort=[alt.SortField("size")]
    ).transform_calculate(height="datum.order % 2 ? 1.06 : 1.13")
    return styled(
        alt.layer(
            chance.mark_line(strokeDash=[4, 3]).encode(x=x, y=y, color=colour),
            chance.mark_rule(strokeWidth=2).encode(x=x, y=low, y2="high:Q", color=colour),
            dots.encode(x=x, y=y, color=colour),
            traps.encode(x=x, y=y, color=colour),
            names.mark_text().encode(x=x, y="height:Q", text="name:N"),
        ).properties(
            width=600,
            height=300,
            title=alt.Title(
                "Real siblings are traps; random groups of five or more rarely are",
                subtitle="1000 ImageNet class directions; bars: 95% intervals",
            ),
        )
    )
