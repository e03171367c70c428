"""Theorem 3.2: regions in the plane, the landscape over two weights, slices through it."""

from __future__ import annotations

import altair as alt

from .style import BLACK, BLUE, GREEN, GREY, HALO, ORANGE, named, of, styled


def _disc(data, sectors: list[tuple[float, float, list[int]]]):
    """The six regions, named by the features fired for, and the encoder row."""
    place = [
        {
            "start": start,
            "middle": (start + end) / 2 * 3.141592653589793 / 180,
            "label": f"{k}: "
            + ("{" + ",".join(str(d + 1) for d in fired) + "}" if fired else "nothing"),
        }
        for k, (start, end, fired) in enumerate(sectors, 1)
    ]
    reach = alt.Scale(domain=[-2.4, 2.4])
    x, y = (
        alt.X("x:Q", scale=reach, title="first entry of w_E"),
        alt.Y("y:Q", scale=reach, title="second entry of w_E"),
    )
    base = alt.Chart(alt.Data(values=place))
    walls = (
        base.transform_calculate(
            x="2 * sin(datum.start * PI / 180)", y="2 * cos(datum.start * PI / 180)"
        )
        .mark_rule(strokeDash=[4, 3], color=GREY, strokeWidth=1.5)
        .encode(x=x, y=y, x2=alt.datum(0), y2=alt.datum(0))
    )
    spots = base.transform_calculate(x="1.8 * sin(datum.middle)", y="1.8 * cos(datum.middle)")
    names = [
        spots.mark_text(fontSize=13, **halo).encode(x=x, y=y, text="label:N") for halo in (HALO, {})
    ]
    here = (
        of(data, 0)
        .mark_arc(radius=71, radius2=0, opacity=0.25, color=ORANGE)
        .encode(theta=alt.Theta("x:Q", scale=None), theta2="x2:Q")
    )
    feature, row = of(data, 1), of(data, 2)
    return alt.layer(
        here,
        walls,
        *names,
        feature.mark_rule(strokeWidth=2.5, color=BLUE).encode(
            x=x, y=y, x2=alt.datum(0), y2=alt.datum(0)
        ),
        feature.mark_point(size=120, filled=True, opacity=1, color=BLUE, shape="circle").encode(
            x=x, y=y
        ),
        feature.transform_calculate(label="datum.value + 1", x="1.4 * datum.x", y="1.4 * datum.y")
        .mark_text(fontSize=12, fontWeight="bold", color=BLUE)
        .encode(x="x:Q", y="y:Q", text="label:N"),
        row.mark_rule(strokeWidth=2.5, color=ORANGE).encode(
            x=x, y=y, x2=alt.datum(0), y2=alt.datum(0)
        ),
        row.mark_point(
            size=150, filled=True, opacity=1, color=ORANGE, shape="square", stroke="white"
        ).encode(x=x, y=y),
    ).properties(
        width=178,
        height=178,
        title=alt.Title("Six regions", subtitle="dashed: walls; braces: who it fires for"),
    )


def region_chart(data, sectors: list[tuple[float, float, list[int]]]):
    """Left: where the encoder row is. Middle: the loss over the two scales. Right: three slices
    through the point.
    """
    a = alt.X(
        "x:Q",
        title="encoder scale a",
        scale=alt.Scale(domain=[-2.125, 2.125]),
        axis=alt.Axis(grid=False),
    )
    b = alt.Y(
        "y:Q",
        title="decoder scale b",
        scale=alt.Scale(domain=[-2.125, 2.125]),
        axis=alt.Axis(grid=False),
    )
    here, heat = (
        of(data, 4),
        of(data, 3).transform_calculate(
            left="datum.x - .13", right="datum.x + .13", low="datum.y - .13", high="datum.y + .13"
        ),
    )
    loss = alt.Color(
        "value:Q",
        title="Lt",
        scale=alt.Scale(scheme="viridis", reverse=True, domain=[0, 12], clamp=True),
        legend=alt.Legend(gradientLength=150),
    )
    scale = alt.Scale(domain=[-2.125, 2.125])
    landscape = alt.layer(
        heat.mark_rect().encode(
            x=alt.X("left:Q", scale=scale, title="encoder scale a"),
            x2="right:Q",
            y=alt.Y("low:Q", scale=scale, title="decoder scale b"),
            y2="high:Q",
            color=loss,
        ),
        here.mark_rule(color=ORANGE, strokeWidth=2).encode(y=b),
        here.mark_rule(color=GREEN, strokeWidth=2).encode(x=a),
        here.mark_point(
            shape="square",
            filled=True,
            size=110,
            color=BLACK,
            opacity=1,
            stroke="white",
            strokeWidth=1.5,
        ).encode(x=a, y=b),
    ).properties(
        width=178,
        height=178,
        title=alt.Title("The loss over both", subtitle="lines: the two slices"),
    )
    names = ["", "", "", "", "", "along W_E", "along W_D", "along both, where it bends down"]
    order, colours, dashes = [5, 6, 7], [ORANGE, GREEN, BLACK], [[1, 0], [1, 0], [6, 4]]
    legend = alt.Legend(
        title=None, labelExpr=named(names), orient="bottom", columns=1, symbolType="stroke"
    )
    slices = (
        alt.Chart(data)
        .transform_filter("datum.kind >= 5")
        .mark_line(strokeWidth=2.5, clip=True)
        .encode(
            x=alt.X("x:Q", title="step from the point"),
            y=alt.Y("y:Q", title="approximate loss Lt", scale=alt.Scale(domain=[0, 8])),
            order="x:Q",
            color=alt.Color("value:O", scale=alt.Scale(domain=order, range=colours), legend=legend),
            strokeDash=alt.StrokeDash(
                "value:O", scale=alt.Scale(domain=order, range=dashes), legend=None
            ),
        )
    )
    return styled(
        alt.hconcat(
            _disc(data, sectors),
            landscape,
            slices.properties(
                width=178,
                height=178,
                title=alt.Title("Slices", subtitle="inside a region convex one by one"),
            ),
            spacing=14,
        ).resolve_scale(color="independent")
    )
