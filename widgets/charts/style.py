"""One visual language: features blue circles, encoder rows orange squares, decoder columns green
diamonds; verdicts by colour and shape.
"""

from __future__ import annotations

import altair as alt

# Okabe-Ito
BLUE, ORANGE, GREEN, RED, SKY, PINK, BLACK = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#56B4E9",
    "#CC79A7",
    "#000000",
)
GREY = "#777777"
VERDICT_NAMES = ["trap", "saddle", "none", "degenerate", "escapable", "global"]
VERDICT_COLOURS = [RED, SKY, GREY, PINK, ORANGE, GREEN]
VERDICT_SHAPES = ["triangle-down", "cross", "circle", "square", "diamond", "circle"]
ARROW_NAMES = ["feature 1", "feature 2", "encoder row w_E", "decoder column w_D"]
ARROW_COLOURS = [BLUE, BLUE, ORANGE, GREEN]
ARROW_SHAPES = ["circle", "circle", "square", "diamond"]


HALO = {"stroke": "white", "strokeWidth": 4}  # keeps names readable where lines cross them


def live() -> alt.NamedData:
    """The data set that a LiveChart replaces in place."""
    return alt.NamedData(name="live")


def inline(columns) -> alt.InlineData:
    """Columns inside the spec, for a static picture: as CSV of five digits, which draws the same in
    a fraction of the notebook.
    """
    lines = [
        ",".join(columns),
        *(",".join(f"{value:.5g}" for value in row) for row in zip(*columns.values())),
    ]
    return alt.InlineData(
        values="\n".join(lines),
        format=alt.CsvDataFormat(parse={name: "number" for name in columns}, type="csv"),
    )


def styled(chart):
    """Fonts that can be read from the back of a room, quiet axes."""
    return (
        chart.configure_axis(
            labelFontSize=12, titleFontSize=13, titleFontWeight="normal", gridOpacity=0.35
        )
        .configure_title(
            fontSize=15, anchor="start", fontWeight="bold", subtitleFontSize=12, subtitlePadding=4
        )
        .configure_legend(labelFontSize=12, titleFontSize=12, symbolSize=110, labelLimit=320)
        .configure_view(strokeOpacity=0.25)
    )


def of(data, kind: int):
    return alt.Chart(data).transform_filter(alt.datum.kind == kind)


def named(names: list[str]) -> str:
    """A legend label expression that turns codes into names."""
    return f"{names!r}[datum.value]"


def codes(names, colours):
    return alt.Scale(domain=list(range(len(names))), range=colours)


def verdict_point(data, x, y, shown: list[int], kind: int = 2, title: str = "stationary point"):
    """The stationary point, coloured and shaped by its verdict; the legend lists only the verdicts
    this picture can show.
    """
    legend = alt.Legend(
        title=title, labelExpr=named(VERDICT_NAMES), values=shown, orient="bottom", columns=3
    )
    return (
        of(data, kind)
        .mark_point(size=260, filled=True, opacity=1, stroke="white", strokeWidth=1.5)
        .encode(
            x=x,
            y=y,
            color=alt.Color("value:O", scale=codes(VERDICT_NAMES, VERDICT_COLOURS), legend=legend),
            shape=alt.Shape("value:O", scale=codes(VERDICT_NAMES, VERDICT_SHAPES), legend=legend),
        )
    )
