"""One visual language: a colour and a shape for each thing and each verdict.

Features are blue circles, encoder rows orange squares, decoder columns green diamonds.
"""

from __future__ import annotations

import altair as alt

from ..kinds import Code, Layer

# Okabe-Ito
BLUE, ORANGE, GREEN, RED = "#0072B2", "#E69F00", "#009E73", "#D55E00"
SKY, PINK, BLACK = "#56B4E9", "#CC79A7", "#000000"
GREY, QUIET, PALE = "#777777", "#444444", "#F2F2F2"
# alike in width, so that what was measured with one has its room in another
FONT = "Arial, Helvetica, Liberation Sans, DejaVu Sans Condensed, sans-serif"
TEXT = 14  # pixels of the smallest words, where a picture has its own width or more
VERDICT_NAMES = [code.name.lower() for code in Code]
VERDICT_COLOURS = [RED, SKY, GREY, PINK, ORANGE, GREEN]
VERDICT_SHAPES = ["triangle-down", "cross", "circle", "square", "diamond", "circle"]
ARROW_NAMES = ["features", "", "encoder row w_E", "decoder column w_D"]
ARROW_COLOURS = [BLUE, BLUE, ORANGE, GREEN]
ARROW_SHAPES = ["circle", "circle", "square", "diamond"]
HALO = {"stroke": "white", "strokeWidth": 4}  # keeps names readable where lines cross them


def live() -> alt.NamedData:
    """The data set that a LiveChart replaces in place."""
    return alt.NamedData(name="live")


def inline(columns) -> alt.InlineData:
    """Columns inside the spec, for a static picture.

    As CSV of five digits, which draws the same in a fraction of the notebook.
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
        chart.configure(font=FONT, padding={"left": 5, "top": 5, "right": 12, "bottom": 5})
        .configure_axis(
            labelFontSize=TEXT,
            titleFontSize=TEXT,
            titleFontWeight="normal",
            titlePadding=8,
            gridOpacity=0.35,
        )
        .configure_axisX(labelSeparation=8)
        .configure_title(
            fontSize=16, anchor="start", fontWeight="bold", subtitleFontSize=TEXT, subtitlePadding=4
        )
        .configure_legend(labelFontSize=TEXT, titleFontSize=TEXT, symbolSize=110, labelLimit=320)
        .configure_text(fontSize=TEXT)
        .configure_view(strokeOpacity=0.25)
    )


# points as readers count them: +3
POINTS = "datum.value === 0 ? '0' : format(100 * datum.value, '+.0f')"


def of(data, kind: int):
    """The rows of one kind."""
    return alt.Chart(data).transform_filter(alt.datum.kind == int(kind))


def zero(**channel):
    """A dashed line at zero: x=alt.datum(0) or y=alt.datum(0)."""
    rule = alt.Chart(alt.Data(values=[{}])).mark_rule(color=GREY, strokeDash=[4, 3])
    return rule.encode(**channel)


def turning_angle() -> alt.X:
    """The axis along which one encoder row turns."""
    return alt.X(
        "x:Q",
        title="encoder row's angle from the bisector (degrees)",
        scale=alt.Scale(domain=[-180, 180]),
        axis=alt.Axis(values=list(range(-180, 181, 60))),
    )


def coordinates(reach: float, axis=alt.Undefined) -> tuple[alt.X, alt.Y]:
    """Both axes of a disc of the plane."""
    scale = alt.Scale(domain=[-reach, reach])
    return (
        alt.X("x:Q", scale=scale, title="first coordinate", axis=axis),
        alt.Y("y:Q", scale=scale, title="second coordinate", axis=axis),
    )


def from_origin(arrows, x: alt.X, y: alt.Y, **encoding):
    """Lines from the origin; to be layered under points."""
    return arrows.encode(x=x, y=y, x2=alt.datum(0), y2=alt.datum(0), **encoding)


def named(names: list[str]) -> str:
    """A legend label expression that turns codes into names."""
    return f"{names!r}[datum.value]"


def codes(names, colours):
    return alt.Scale(domain=list(range(len(names))), range=colours)


def verdict_point(
    data,
    x: alt.X,
    y: alt.Y,
    *,
    shown: tuple[Code, ...] = (Code.TRAP, Code.SADDLE, Code.DEGENERATE),
    kind: int = Layer.POINT,
    title: str = "stationary point",
):
    """The stationary point, coloured and shaped by its verdict.

    shown : the verdicts that this picture can show; the legend lists no others.
    """
    legend = alt.Legend(
        title=title,
        labelExpr=named(VERDICT_NAMES),
        values=list(map(int, shown)),
        orient="bottom",
        columns=3,
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


def named_lines(names: list[str], shown: bool = True, field: str = "line:Q") -> alt.Y:
    """Named lines from the top down; not `shown`, without their names."""
    axis = alt.Axis(
        labelExpr=named(names),
        values=list(range(len(names))),
        tickCount=len(names),
        grid=False,
        labelLimit=360,
        title=None,
    )
    scale = alt.Scale(domain=[-0.6, len(names) - 0.4], reverse=True, nice=False)
    return alt.Y(field, scale=scale, axis=axis if shown else None)
