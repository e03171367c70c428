"""Theorem 3.7: the pair, the triangle of three features, real groups beside random ones."""

from __future__ import annotations

import altair as alt

from .style import (
    ARROW_COLOURS,
    ARROW_NAMES,
    ARROW_SHAPES,
    BLACK,
    GREY,
    ORANGE,
    RED,
    SKY,
    codes,
    named,
    of,
    styled,
    verdict_point,
)


def landscape(data):
    """The loss as the encoder row turns: its curve, the region that fires for both, the stationary
    point.
    """
    angle = alt.X(
        "x:Q",
        title="encoder row's angle from the bisector (degrees)",
        scale=alt.Scale(domain=[-180, 180]),
        axis=alt.Axis(values=list(range(-180, 181, 60))),
    )
    loss = alt.Y("y:Q", title="loss, best decoder", scale=alt.Scale(domain=[0, 4]))
    return alt.layer(
        of(data, 1).mark_rect(opacity=0.16, color=ORANGE).encode(x=angle, x2="x2:Q"),
        of(data, 0).mark_line(strokeWidth=2.5, color=BLACK).encode(x=angle, y=loss, order="x:Q"),
        verdict_point(data, angle, loss, [0, 1, 3]),
    )


def pair_chart(data):
    """Left: the features and the neuron on one disc. Right: the loss as the encoder row turns."""
    reach = alt.Scale(domain=[-1.3, 1.3])
    arrows = of(data, 3)
    x, y = (
        alt.X("x:Q", scale=reach, title="first coordinate"),
        alt.Y("y:Q", scale=reach, title="second coordinate"),
    )
    legend = alt.Legend(title=None, labelExpr=named(ARROW_NAMES), orient="bottom", columns=2)
    colour = alt.Color("value:O", scale=codes(ARROW_NAMES, ARROW_COLOURS), legend=legend)
    disc = alt.layer(
        arrows.mark_rule(strokeWidth=2.5).encode(
            x=x, y=y, x2=alt.datum(0), y2=alt.datum(0), color=colour
        ),
        arrows.mark_point(size=130, filled=True, opacity=1).encode(
            x=x,
            y=y,
            color=colour,
            shape=alt.Shape("value:O", scale=codes(ARROW_NAMES, ARROW_SHAPES), legend=legend),
        ),
        arrows.transform_filter("datum.value < 2")
        .transform_calculate(label="datum.value + 1")
        .mark_text(dy=-14, fontSize=12, fontWeight="bold")
        .encode(x=x, y=y, text="label:N"),
    ).properties(
        width=235,
        height=235,
        title=alt.Title(
            "Two features, one neuron", subtitle="neuron drawn at its stationary point"
        ),
    )
    turning = landscape(data).properties(
        width=330,
        height=235,
        title=alt.Title(
            "A valley is a trap, a hilltop a saddle",
            subtitle="shaded: the neuron fires for both features",
        ),
    )
    return styled(
        alt.hconcat(disc, turning, spacing=22).resolve_scale(
            color="independent", shape="independent"
        )
    )


def three_chart(data):
    """Left: the loss over all positive y of three features. Right: the three eigenvectors, positive
    ones in colour.
    """
    x = alt.X("x:Q", axis=None, scale=alt.Scale(domain=[-0.2, 1.2]))
    y = alt.Y("y:Q", axis=None, scale=alt.Scale(domain=[-0.14, 1.0]))
    corners = alt.Chart(
        alt.Data(
            values=[
                {"x": -0.03, "y": -0.09, "t": "only feature 1"},
                {"x": 1.0, "y": -0.09, "t": "only feature 2"},
                {"x": 0.5, "y": 0.94, "t": "only feature 3"},
            ]
        )
    )
    field = (
        alt.layer(
            of(data, 0)
            .mark_point(shape="circle", filled=True, size=95, opacity=1)
            .encode(
                x=x,
                y=y,
                color=alt.Color(
                    "value:Q",
                    scale=alt.Scale(scheme="viridis", reverse=True, domain=[0.3, 0.9], clamp=True),
                    legend=alt.Legend(
                        title=["share of", "loss left"],
                        orient="left",
                        gradientLength=150,
                        format="%",
                    ),
                ),
            ),
            corners.mark_text(fontSize=12).encode(x=x, y=y, text="t:N"),
            verdict_point(data, x, y, [0, 1, 3]),
        )
        .resolve_scale(color="independent", shape="independent")
        .properties(
            width=270,
            height=250,
            title=alt.Title(
                "Where can one neuron sit?", subtitle="each dot is a direction of y > 0"
            ),
        )
    )
    bars = of(data, 4)
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
        .mark_text(fontSize=11)
        .encode(x=feature, y=alt.datum(1.13), text=alt.Text("label:N"))
        .transform_calculate(label="'eigenvalue ' + format(datum.x2, '.2f')")
    )
    vectors = alt.layer(
        bars.mark_bar(width=19).encode(
            x=feature,
            y=component,
            y2=alt.datum(0),
            color=alt.Color(
                "value:O",
                scale=alt.Scale(domain=[0, 1, 2], range=[GREY, RED, SKY]),
                legend=alt.Legend(
                    title=None,
                    orient="bottom",
                    columns=2,
                    labelExpr="['mixed signs: no', 'positive, top: a trap', 'positive, not top: a "
                    "saddle'][datum.value]",
                ),
            ),
        ),
        labels,
        alt.Chart(alt.Data(values=[{}])).mark_rule(color=GREY).encode(y=alt.datum(0)),
    ).properties(
        width=300,
        height=250,
        title=alt.Title(
            "Only an all-positive eigenvector will do",
            subtitle="first place: a trap; later: a saddle",
        ),
    )
    return styled(
        alt.hconcat(field, vectors, spacing=22).resolve_scale(
            color="independent", shape="independent"
        )
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
    colour = alt.Color(
        "series:N",
        scale=alt.Scale(domain=["real siblings", "random groups"], range=[RED, GREY]),
        legend=alt.Legend(title=None, orient="right"),
    )
    chance, real = (
        base.transform_filter(alt.datum.series == "random groups"),
        base.transform_filter(alt.datum.series == "real siblings"),
    )
    return styled(
        alt.layer(
            chance.mark_line(strokeDash=[4, 3]).encode(x=x, y=y, color=colour),
            chance.mark_rule(strokeWidth=2).encode(
                x=x,
                y=alt.Y("low:Q", title="share of groups that are traps"),
                y2="high:Q",
                color=colour,
            ),
            chance.mark_point(filled=True, size=60, shape="circle", opacity=1).encode(
                x=x, y=y, color=colour
            ),
            real.mark_point(filled=True, size=130, shape="triangle-down", opacity=1).encode(
                x=x, y=y, color=colour
            ),
            real.transform_window(order="row_number()", sort=[alt.SortField("size")])
            .transform_calculate(height="datum.order % 2 ? 1.06 : 1.13")
            .mark_text(fontSize=12)
            .encode(x=x, y="height:Q", text="name:N"),
        ).properties(
            width=560,
            height=290,
            title=alt.Title(
                "Real siblings are traps; random groups of five or more rarely are",
                subtitle="1000 ImageNet class directions; bars: 95% intervals",
            ),
        )
    )
