"""Theorem 3.2: regions in the plane, the landscape over two weights, slices through it."""

from __future__ import annotations

import altair as alt

from ..kinds import Regions
from .style import BLACK, BLUE, GREEN, GREY, HALO, ORANGE, from_origin, named, of, styled

Sector = tuple[float, float, list[int]]  # bearings from and to, and the features fired for
SIDE = 196  # of each panel


def region_chart(data, sectors: list[Sector]):
    """Left: where the encoder row is. Middle: the loss over both scales. Right: three slices.

    The slices go through the point.
    """
    panel = lambda chart, title, subtitle: chart.properties(
        width=SIDE, height=SIDE, title=alt.Title(title, subtitle=subtitle)
    )
    return styled(
        alt.hconcat(
            panel(_disc(data, sectors), "Six regions", "braces: who it fires for"),
            panel(_landscape(data), "The loss over both", "lines: the two slices"),
            panel(_slices(data), "Slices", "one by one convex inside"),
            spacing=14,
        ).resolve_scale(color="independent")
    )


def _disc(data, sectors: list[Sector]):
    """The six regions, named by the features fired for, and the encoder row."""
    reach = alt.Scale(domain=[-2.4, 2.4])
    x = alt.X("x:Q", scale=reach, title="first entry of w_E")
    y = alt.Y("y:Q", scale=reach, title="second entry of w_E")
    here = (
        of(data, Regions.SECTOR)
        .mark_arc(radius=SIDE / 2.5, radius2=0, opacity=0.25, color=ORANGE)
        .encode(theta=alt.Theta("x:Q", scale=None), theta2="x2:Q")
    )
    feature, row = of(data, Regions.FEATURE), of(data, Regions.ROW)
    numbers = feature.transform_calculate(
        label="datum.value + 1", x="1.4 * datum.x", y="1.4 * datum.y"
    ).mark_text(fontWeight="bold", color=BLUE)
    dots = feature.mark_point(size=120, filled=True, opacity=1, color=BLUE, shape="circle")
    tip = row.mark_point(
        size=150, filled=True, opacity=1, color=ORANGE, shape="square", stroke="white"
    )
    return alt.layer(
        here,
        *_walls(sectors, x, y),
        from_origin(feature.mark_rule(strokeWidth=2.5, color=BLUE), x, y),
        dots.encode(x=x, y=y),
        numbers.encode(x="x:Q", y="y:Q", text="label:N"),
        from_origin(row.mark_rule(strokeWidth=2.5, color=ORANGE), x, y),
        tip.encode(x=x, y=y),
    )


def _walls(sectors: list[Sector], x: alt.X, y: alt.Y) -> list:
    """The walls, and in each region its number and whom it fires for."""
    fires = lambda fired: "{" + ",".join(str(d + 1) for d in fired) + "}" if fired else "nothing"
    place = [
        {
            "start": start,
            "middle": (start + end) / 2 * 3.141592653589793 / 180,
            "label": f"{k}: {fires(fired)}",
        }
        for k, (start, end, fired) in enumerate(sectors, 1)
    ]
    base = alt.Chart(alt.Data(values=place))
    walls = base.transform_calculate(
        x="2 * sin(datum.start * PI / 180)", y="2 * cos(datum.start * PI / 180)"
    ).mark_rule(strokeDash=[4, 3], color=GREY, strokeWidth=1.5)
    spots = base.transform_calculate(x="1.8 * sin(datum.middle)", y="1.8 * cos(datum.middle)")
    names = [spots.mark_text(**halo).encode(x=x, y=y, text="label:N") for halo in (HALO, {})]
    return [from_origin(walls, x, y), *names]


def _landscape(data):
    scale, quiet = alt.Scale(domain=[-2.125, 2.125]), alt.Axis(grid=False)
    a = alt.X("x:Q", title="encoder scale a", scale=scale, axis=quiet)
    b = alt.Y("y:Q", title="decoder scale b", scale=scale, axis=quiet)
    here = of(data, Regions.HERE)
    heat = of(data, Regions.HEAT).transform_calculate(
        left="datum.x - .13", right="datum.x + .13", low="datum.y - .13", high="datum.y + .13"
    )
    loss = alt.Color(
        "value:Q",
        title="Lt",
        scale=alt.Scale(scheme="viridis", reverse=True, domain=[0, 12], clamp=True),
        legend=alt.Legend(gradientLength=150),
    )
    point = here.mark_point(
        shape="square",
        filled=True,
        size=110,
        color=BLACK,
        opacity=1,
        stroke="white",
        strokeWidth=1.5,
    )
    return alt.layer(
        heat.mark_rect().encode(
            x=alt.X("left:Q", scale=scale, title="encoder scale a"),
            x2="right:Q",
            y=alt.Y("low:Q", scale=scale, title="decoder scale b"),
            y2="high:Q",
            color=loss,
        ),
        here.mark_rule(color=ORANGE, strokeWidth=2).encode(y=b),
        here.mark_rule(color=GREEN, strokeWidth=2).encode(x=a),
        point.encode(x=a, y=b),
    )


def _slices(data):
    lines = {  # name, colour and dash of each
        Regions.SLICE_E: ("along W_E", ORANGE, [1, 0]),
        Regions.SLICE_D: ("along W_D", GREEN, [1, 0]),
        Regions.SLICE_BOTH: ("along both, bending down", BLACK, [6, 4]),
    }
    legend = alt.Legend(
        title=None,
        labelExpr=named([lines[kind][0] if kind in lines else "" for kind in Regions]),
        orient="bottom",
        columns=1,
        symbolType="stroke",
    )
    _, colours, dashes = zip(*lines.values())
    scale = lambda values: alt.Scale(domain=list(map(int, lines)), range=list(values))
    return (
        alt.Chart(data)
        .transform_filter(f"datum.kind >= {Regions.SLICE_E}")
        .mark_line(strokeWidth=2.5, clip=True)
        .encode(
            x=alt.X("x:Q", title="step from the point"),
            y=alt.Y("y:Q", title="approximate loss Lt", scale=alt.Scale(domain=[0, 8])),
            order="x:Q",
            color=alt.Color("value:O", scale=scale(colours), legend=legend),
            strokeDash=alt.StrokeDash("value:O", scale=scale(dashes), legend=None),
        )
    )
