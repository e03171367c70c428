"""Anchored training: recovery over samples with the null beside it, encoder rows between two
points, the grids.
"""

from __future__ import annotations

import altair as alt

from .style import BLACK, BLUE, GREEN, GREY, ORANGE, PINK, RED, SKY, codes, named, of, styled

SOLID, DASHED, DOTTED = [1, 0], [5, 3], [1, 3]
CHANCE = "random rows (the null)"
RACE = {
    0: ("decoder, not anchored", RED, SOLID),
    1: ("decoder, anchored", BLUE, SOLID),
    2: ("encoder, not anchored", RED, DASHED),
    3: ("encoder, anchored", BLUE, DASHED),
    4: (CHANCE, BLACK, DOTTED),
}
HISTORY = {0: ("decoder", GREEN, SOLID), 2: ("encoder", ORANGE, DASHED), 4: (CHANCE, BLACK, DOTTED)}
POINTS = "datum.value === 0 ? '0' : format(100 * datum.value, '+.0f')"
ABOUT = {"Found": "absolute cosine above 0.95", "How close": "mean best cosine"}


def _samples(samples: int) -> alt.X:
    return alt.X(
        "x:Q",
        title="samples seen",
        scale=alt.Scale(domain=[0, samples], nice=False),
        axis=alt.Axis(format="~s", tickCount=4),
    )


def _panel(
    data,
    kind: int,
    x: alt.X,
    lines: dict[int, tuple[str, str, list[int]]],
    title: str,
    of_what: str,
):
    """Means over the seeds, with bands where decoders are. lines : name, colour and dash of each
    code; of_what : which features count.
    """
    names, colours, dashes = zip(*(lines.get(code, ("", GREY, [1, 0])) for code in range(5)))
    legend = alt.Legend(
        title=None,
        labelExpr=named(list(names)),
        orient="bottom",
        columns=5,
        symbolType="stroke",
        symbolSize=350,
        symbolOpacity=1,
        symbolStrokeWidth=2.5,
    )
    scale = lambda values: alt.Scale(domain=list(lines), range=[values[code] for code in lines])
    colour = alt.Color("value:O", scale=scale(colours), legend=legend)
    dash = alt.StrokeDash("value:O", scale=scale(dashes), legend=legend)
    share = alt.Scale(domain=[0, 1], clamp=True)
    y = lambda column: alt.Y(
        column,
        title=f"share of {of_what}" if kind == 0 else "cosine",
        scale=share,
        axis=alt.Axis(format="%" if kind == 0 else ".1f", tickCount=5),
    )
    return alt.layer(
        of(data, kind)
        .transform_filter("datum.value < 2")
        .mark_area(opacity=0.16, clip=True)
        .encode(x=x, y=y("low:Q"), y2="high:Q", color=colour),
        of(data, kind)
        .mark_line(clip=True)
        .encode(
            x=x,
            y=y("y:Q"),
            color=colour,
            strokeDash=dash,
            order="x:Q",
            size=alt.condition("datum.value < 2", alt.value(3), alt.value(1.8)),
        ),
    ).properties(width=245, height=230, title=alt.Title(title, subtitle=ABOUT[title]))


def race_chart(data, samples: int = 64_000):
    """Plain and anchored on the same held-out features: share found, mean best cosine, and the
    paired difference of the former.
    """
    x, gain, difference = _samples(samples), alt.Scale(domain=[-0.4, 0.6], clamp=True), of(data, 2)
    y = lambda column: alt.Y(
        column,
        title="difference in points",
        scale=gain,
        axis=alt.Axis(labelExpr=POINTS, tickCount=6),
    )
    pairs = alt.layer(
        alt.Chart(alt.Data(values=[{}]))
        .mark_rule(color=GREY, strokeDash=[4, 3])
        .encode(y=alt.datum(0)),
        difference.mark_area(opacity=0.22, color=GREEN, clip=True).encode(
            x=x, y=y("low:Q"), y2="high:Q"
        ),
        difference.mark_line(strokeWidth=3, color=GREEN, clip=True).encode(
            x=x, y=y("y:Q"), order="x:Q"
        ),
    ).properties(
        width=245,
        height=230,
        title=alt.Title("Anchored minus not", subtitle="in the decoder, seed by seed; band: 95%"),
    )
    return styled(
        alt.hconcat(
            *(
                _panel(data, kind, x, RACE, title, "held-out features")
                for kind, title in enumerate(ABOUT)
            ),
            pairs,
            spacing=14,
        )
    )


def history_chart(data, samples: int):
    """Recovery of one training run's seeds over samples seen: decoder, encoder, null."""
    return styled(
        alt.hconcat(
            *(
                _panel(data, kind, _samples(samples), HISTORY, title, "features")
                for kind, title in enumerate(ABOUT)
            ),
            spacing=18,
        )
    )


def encoder_chart(data):
    """Where encoder rows are, by their cosines with the feature and with its dual row."""
    names = [
        "trained encoder rows",
        "trained decoder columns",
        "ideal point",
        "dual basis",
        "random rows (the null)",
    ]
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
    return styled(
        alt.Chart(data)
        .mark_point(filled=True, clip=True)
        .encode(
            x=x,
            y=y,
            size=alt.condition("datum.value == 2", alt.value(190), alt.value(40)),
            opacity=alt.condition("datum.value == 2", alt.value(0.3), alt.value(0.85)),
            color=alt.Color(
                "value:O", scale=codes(names, [ORANGE, GREEN, BLUE, PINK, BLACK]), legend=legend
            ),
            shape=alt.Shape(
                "value:O",
                scale=codes(names, ["square", "diamond", "circle", "triangle-up", "cross"]),
                legend=legend,
            ),
        )
        .properties(
            width=330,
            height=300,
            title=alt.Title("Which way do encoder rows point?", subtitle="one mark a feature"),
        )
    )


def survey_chart(data, names: list[str], times: list[str]):
    """The grid: a line a cell, the paired difference with its interval, early to late."""
    label = f"{names!r}[datum.value]"
    legend = alt.Legend(
        title="95% interval",
        labelExpr="['below zero', 'holds zero', 'above zero'][datum.value + 1]",
        orient="bottom",
        direction="horizontal",
    )
    colour = alt.Color(
        "value:O", scale=alt.Scale(domain=[-1, 0, 1], range=[RED, GREY, BLUE]), legend=legend
    )
    shape = alt.Shape(
        "value:O",
        scale=alt.Scale(domain=[-1, 0, 1], range=["triangle-down", "circle", "triangle-up"]),
        legend=legend,
    )
    panels = []
    for kind, when in enumerate(times):
        x = alt.X(
            "x:Q",
            title="anchored minus not, in points",
            scale=alt.Scale(domain=[-0.45, 0.65], nice=False, clamp=True),
            axis=alt.Axis(labelExpr=POINTS, values=[-0.4, -0.2, 0, 0.2, 0.4, 0.6]),
        )
        axis = (
            alt.Axis(
                labelExpr=label,
                values=list(range(len(names))),
                tickCount=len(names),
                grid=False,
                labelLimit=260,
                title=None,
            )
            if kind == 0
            else None
        )
        y = alt.Y(
            "y:Q",
            scale=alt.Scale(domain=[-0.7, len(names) - 0.3], reverse=True, nice=False),
            axis=axis,
        )
        panels.append(
            alt.layer(
                alt.Chart(alt.Data(values=[{}]))
                .mark_rule(color=GREY, strokeDash=[4, 3])
                .encode(x=alt.datum(0)),
                of(data, kind)
                .mark_rule(strokeWidth=2)
                .encode(x=x, x2="high:Q", y=y, color=colour)
                .transform_calculate(x="datum.low"),
                of(data, kind)
                .mark_point(filled=True, size=70, opacity=1)
                .encode(x=x, y=y, color=colour, shape=shape),
            ).properties(width=210, height=18 * len(names), title=alt.Title(when, frame="group"))
        )
    return styled(alt.hconcat(*panels, spacing=10))


def relu_chart(data):
    """What a ReLU found, explained and mirrored, by the strength of its L1 term."""
    names = ["features found (decoder)", "variance explained", "rows with a mirror image"]
    colours, shapes, order = [BLUE, SKY, RED], ["circle", "square", "triangle-down"], [0, 1, 2]
    legend = alt.Legend(
        title=None, labelExpr=named(names), orient="bottom", columns=3, symbolOpacity=1
    )
    x = alt.X(
        "x:Q",
        title="L1 coefficient (log scale)",
        scale=alt.Scale(type="log", domain=[8e-4, 4]),
        axis=alt.Axis(values=[0.001, 0.01, 0.1, 1], format="~g"),
    )
    colour = alt.Color("value:O", scale=alt.Scale(domain=order, range=colours), legend=legend)
    shape = alt.Shape("value:O", scale=alt.Scale(domain=order, range=shapes), legend=legend)
    panels = []
    for kind, title in enumerate(("ReLU without biases", "ReLU with biases")):
        y = lambda column: alt.Y(
            column,
            title="share",
            scale=alt.Scale(domain=[0, 1], clamp=True),
            axis=alt.Axis(format="%", tickCount=5),
        )
        panels.append(
            alt.layer(
                of(data, kind)
                .mark_area(opacity=0.15)
                .encode(x=x, y=y("low:Q"), y2="high:Q", color=colour),
                of(data, kind)
                .mark_line(strokeWidth=2)
                .encode(x=x, y=y("y:Q"), color=colour, order="x:Q"),
                of(data, kind)
                .mark_point(filled=True, size=70, opacity=1)
                .encode(x=x, y=y("y:Q"), color=colour, shape=shape),
            ).properties(
                width=300, height=220, title=alt.Title(title, subtitle="ten seeds; bands: 95%")
            )
        )
    return styled(alt.hconcat(*panels, spacing=18))
