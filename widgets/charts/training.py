"""Anchored training: recovery over samples seen, beside the null; where encoder rows point."""

from __future__ import annotations

import altair as alt

from ..kinds import Line, Panel, Vector
from .style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PINK,
    POINTS,
    RED,
    codes,
    named,
    of,
    styled,
    zero,
)

SOLID, DASHED, DOTTED = [1, 0], [5, 3], [1, 3]
CHANCE = ("random rows (the null)", BLACK, DOTTED)
Lines = dict[Line, tuple[str, str, list[int]]]  # name, colour and dash of each
RACE: Lines = {
    Line.PLAIN_D: ("decoder, not anchored", RED, SOLID),
    Line.ANCHORED_D: ("decoder, anchored", BLUE, SOLID),
    Line.PLAIN_E: ("encoder, not anchored", RED, DASHED),
    Line.ANCHORED_E: ("encoder, anchored", BLUE, DASHED),
    Line.NULL: CHANCE,
}
HISTORY: Lines = {
    Line.PLAIN_D: ("decoder", GREEN, SOLID),
    Line.PLAIN_E: ("encoder", ORANGE, DASHED),
    Line.NULL: CHANCE,
}
ABOUT = {
    Panel.FOUND: ("Found", "absolute cosine above 0.95"),
    Panel.COSINE: ("How close", "mean best cosine"),
}


def race_chart(data, samples: int = 64_000):
    """Plain and anchored on the same held-out features: share found, mean best cosine, difference.

    The difference is the paired one in the share found.
    """
    panels = [
        _recovery(data, kind, samples, RACE, of_what="held-out features", width=205)
        for kind in ABOUT
    ]
    return styled(alt.hconcat(*panels, _difference(data, samples), spacing=10))


def history_chart(data, samples: int):
    """Recovery of one training run's seeds over samples seen: decoder, encoder, null."""
    panels = [
        _recovery(data, kind, samples, HISTORY, of_what="features", width=310) for kind in ABOUT
    ]
    return styled(alt.hconcat(*panels, spacing=18))


def _samples(samples: int) -> alt.X:
    return alt.X(
        "x:Q",
        title="samples seen",
        scale=alt.Scale(domain=[0, samples], nice=False),
        axis=alt.Axis(format="~s", tickCount=4),
    )


def _recovery(data, kind: Panel, samples: int, lines: Lines, *, of_what: str, width: int):
    """Means over the seeds, with bands where decoders are.

    of_what : which features count.
    """
    nothing = ("", GREY, SOLID)
    names, colours, dashes = zip(*(lines.get(line, nothing) for line in Line if line <= Line.NULL))
    legend = alt.Legend(
        title=None,
        labelExpr=named(list(names)),
        orient="bottom",
        columns=3,
        symbolType="stroke",
        symbolSize=350,
        symbolOpacity=1,
        symbolStrokeWidth=2.5,
    )
    scale = lambda values: alt.Scale(
        domain=list(map(int, lines)), range=[values[line] for line in lines]
    )
    colour = alt.Color("value:O", scale=scale(colours), legend=legend)
    dash = alt.StrokeDash("value:O", scale=scale(dashes), legend=legend)
    share = kind is Panel.FOUND
    x = _samples(samples)
    y = lambda column: alt.Y(
        column,
        title=f"share of {of_what}" if share else "cosine",
        scale=alt.Scale(domain=[0, 1], clamp=True),
        axis=alt.Axis(format="%" if share else ".1f", tickCount=5),
    )
    decoders = f"datum.value < {Line.PLAIN_E}"
    size = alt.condition(decoders, alt.value(3), alt.value(1.8))
    bands = of(data, kind).transform_filter(decoders).mark_area(opacity=0.16, clip=True)
    means = of(data, kind).mark_line(clip=True)
    title, about = ABOUT[kind]
    return alt.layer(
        bands.encode(x=x, y=y("low:Q"), y2="high:Q", color=colour),
        means.encode(x=x, y=y("y:Q"), color=colour, strokeDash=dash, order="x:Q", size=size),
    ).properties(width=width, height=230, title=alt.Title(title, subtitle=about))


def _difference(data, samples: int):
    x, rows = _samples(samples), of(data, Panel.DIFFERENCE)
    y = lambda column: alt.Y(
        column,
        title="difference in points",
        scale=alt.Scale(domain=[-0.4, 0.6], clamp=True),
        axis=alt.Axis(labelExpr=POINTS, tickCount=6),
    )
    band = rows.mark_area(opacity=0.22, color=GREEN, clip=True)
    mean = rows.mark_line(strokeWidth=3, color=GREEN, clip=True)
    return alt.layer(
        zero(y=alt.datum(0)),
        band.encode(x=x, y=y("low:Q"), y2="high:Q"),
        mean.encode(x=x, y=y("y:Q"), order="x:Q"),
    ).properties(
        width=205,
        height=230,
        title=alt.Title("Anchored minus not", subtitle="in the decoder; band: 95%"),
    )


VECTORS = {  # name, colour and shape of each
    Vector.TRAINED: ("trained encoder rows", ORANGE, "square"),
    Vector.COLUMN: ("trained decoder columns", GREEN, "diamond"),
    Vector.IDEAL: ("ideal point", BLUE, "circle"),
    Vector.DUAL: ("dual basis", PINK, "triangle-up"),
    Vector.RANDOM: ("random rows (the null)", BLACK, "cross"),
}


def encoder_chart(data):
    """Where encoder rows are, by their cosines with the feature and with its dual row."""
    names, colours, shapes = map(list, zip(*VECTORS.values()))
    legend = alt.Legend(title=None, labelExpr=named(names), orient="right")
    x = alt.X(
        "x:Q",
        title="cosine with the feature",
        scale=alt.Scale(domain=[0, 1.02], nice=False, clamp=True),
    )
    y = alt.Y(
        "y:Q",
        title="cosine with the feature's dual row",
        scale=alt.Scale(domain=[-0.3, 1.05], nice=False, clamp=True),
    )
    ideal = f"datum.value == {Vector.IDEAL}"
    return styled(
        alt.Chart(data)
        .mark_point(filled=True, clip=True)
        .encode(
            x=x,
            y=y,
            size=alt.condition(ideal, alt.value(190), alt.value(40)),
            opacity=alt.condition(ideal, alt.value(0.3), alt.value(0.85)),
            color=alt.Color("value:O", scale=codes(names, colours), legend=legend),
            shape=alt.Shape("value:O", scale=codes(names, shapes), legend=legend),
        )
        .properties(
            width=460,
            height=330,
            title=alt.Title("Which way do encoder rows point?", subtitle="one mark a feature"),
        )
    )
