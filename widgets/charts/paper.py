"""The pictures of lesson 12: printed tables beside ours, moved choices, Figures 4 and 6."""

from __future__ import annotations

import altair as alt

from .style import BLACK, BLUE, GREY, ORANGE, POINTS, RED, SKY, named, named_lines, of, styled, zero

SIDE = ["below zero", "holds zero", "above zero"]
ENDED = ["the truth", "opposite pairs", "zero loss, other", "loss left"]
ENDED_COLOURS = [BLUE, ORANGE, SKY, GREY]


def _legend(names: list[str], **how):
    return alt.Legend(title=None, labelExpr=named(names), orient="bottom", symbolOpacity=1, **how)


def bound_chart(data):
    """Printed M_GT and M_IP, and the line M_IP = .95 M_GT that no pair can lie below."""
    x = alt.X(
        "x:Q",
        title="M_GT, share found at .95, as printed",
        scale=alt.Scale(domain=[0, 1]),
        axis=alt.Axis(format="%", tickCount=5),
    )
    y = alt.Y("y:Q", title="M_IP, mean, as printed", scale=alt.Scale(domain=[0, 1.02], nice=False))
    scale = lambda values: alt.Scale(domain=[0, 1], range=values)
    legend = _legend(["can hold", "cannot hold"])
    dots = alt.Chart(data).mark_point(filled=True, size=80, opacity=0.8)
    corner = alt.Chart(alt.Data(values=[{"x": 0, "y": 0}, {"x": 1, "y": 0.95}]))
    ground = corner.mark_area(color=RED, opacity=0.08).encode(x=x, y=y)
    words = alt.Chart(alt.Data(values=[{}])).mark_text(text="M_IP < .95 M_GT")
    layers = alt.layer(
        ground,
        words.encode(x=alt.datum(0.76), y=alt.datum(0.1)),
        dots.encode(
            x=x,
            y=y,
            color=alt.Color("value:O", scale=scale([BLUE, RED]), legend=legend),
            shape=alt.Shape("value:O", scale=scale(["circle", "triangle-down"]), legend=legend),
        ),
    )
    return styled(layers.properties(width=580, height=330, title="Which printed pairs can hold?"))


def table_chart(data, names: list[str]):
    """Changes of M_GT line by line: printed, ours, and ours over sham anchors."""
    labels = ["printed: anchored - plain", "ours: anchored - plain", "ours: anchored - sham"]
    scale = lambda values: alt.Scale(domain=[0, 1, 2], range=values)
    colour = alt.Color("kind:O", scale=scale([BLACK, BLUE, ORANGE]), legend=_legend(labels))
    shape = alt.Shape(
        "kind:O", scale=scale(["diamond", "circle", "triangle-up"]), legend=_legend(labels)
    )
    x = alt.X(
        "x:Q",
        title="change of M_GT, in points of 100",
        axis=alt.Axis(labelExpr=POINTS, tickCount=8),
    )
    rows = alt.Chart(data).transform_calculate(line="datum.y + 0.2 * (datum.kind - 1)")
    bars = rows.transform_filter(alt.datum.kind > 0).transform_calculate(x="datum.low")
    y = named_lines(names)
    layers = alt.layer(
        zero(x=alt.datum(0)),
        bars.mark_rule(strokeWidth=2.5).encode(x=x, x2="high:Q", y=y, color=colour),
        rows.mark_point(filled=True, size=80, opacity=1).encode(
            x=x, y=y, color=colour, shape=shape
        ),
    )
    title = "What anchors change, as printed and in ours"
    return styled(layers.properties(width=580, height=44 * len(names), title=title))


def moves_chart(data, names: list[str], printed: tuple[float, float]):
    """Every move of one method: plain M_GT, plain M_IP, and what anchors change.

    printed : Table 1's plain figures, the black lines.
    """
    titles = ["M_GT, plain", "M_IP, plain", "M_GT, anchored - plain"]
    panels = [
        _moves(data, kind, names, printed).properties(
            width=195, height=19 * len(names), title=alt.Title(title, frame="group")
        )
        for kind, title in enumerate(titles)
    ]
    return styled(alt.hconcat(*panels, spacing=12))


def _moves(data, kind: int, names: list[str], printed: tuple[float, float]):
    formats = [dict(format="%"), dict(format=".1f"), dict(labelExpr=POINTS)]
    scales = [dict(domain=[0, 1]), dict(domain=[0, 1.3], clamp=True), dict(nice=True)]
    titles = ["found at .95; dashed: printed", "mean; grey: random rows", "points of 100"]
    x = alt.X(
        "x:Q",
        title=titles[kind],
        scale=alt.Scale(**dict(nice=False) | scales[kind]),
        axis=alt.Axis(tickCount=5, **formats[kind]),
    )
    legend = alt.Legend(
        title="95% interval",
        labelExpr=f"{SIDE!r}[datum.value + 1]",
        orient="bottom",
        direction="horizontal",
    )
    side = lambda values: alt.Scale(domain=[-1, 0, 1], range=values)
    rows = of(data, kind).transform_calculate(line="datum.y")
    y = named_lines(names, kind == 0)
    bars = rows.transform_calculate(x="datum.low").mark_rule(strokeWidth=2)
    dots = rows.mark_point(filled=True, size=60, opacity=1)
    if kind < 2:
        rule = alt.Chart(alt.Data(values=[{}])).mark_rule(color=BLACK, strokeDash=[4, 3])
        layers = [rule.encode(x=alt.datum(printed[kind]))]
        if kind == 1:
            null = rows.mark_tick(color=GREY, thickness=3, height=12)
            layers.append(null.encode(x=alt.X("x2:Q", title=titles[1]), y=y))
        bars, dots = (one.encode(color=alt.value(BLUE)) for one in (bars, dots))
    else:
        layers = [zero(x=alt.datum(0))]
        colour = alt.Color("value:O", scale=side([RED, GREY, BLUE]), legend=legend)
        shapes = side(["triangle-down", "circle", "triangle-up"])
        bars, dots = bars.encode(color=colour), dots.encode(color=colour)
        dots = dots.encode(shape=alt.Shape("value:O", scale=shapes, legend=legend))
    return alt.layer(*layers, bars.encode(x=x, x2="high:Q", y=y), dots.encode(x=x, y=y))


def plane_chart(data):
    """One end of each kind: features and encoder rows in the plane, all at norm 1."""
    scale = alt.Scale(domain=[-1.15, 1.15])
    x, y = (alt.X("x:Q", scale=scale, axis=None), alt.Y("y:Q", scale=scale, axis=None))
    names = ["features", "encoder rows"]
    pick = lambda values: alt.Scale(domain=[0, 1], range=values)
    legend = _legend(names, symbolStrokeWidth=0)
    colour = alt.Color("value:O", scale=pick([BLUE, ORANGE]), legend=legend)
    shape = alt.Shape("value:O", scale=pick(["circle", "square"]), legend=legend)
    panels = []
    for kind, title in enumerate(ENDED):
        rows = of(data, kind)
        spokes = rows.mark_rule(strokeWidth=2.5).encode(
            x=x, y=y, x2=alt.datum(0), y2=alt.datum(0), color=colour
        )
        spokes = spokes.encode(
            strokeDash=alt.StrokeDash("value:O", scale=pick([[1, 0], [5, 3]]), legend=None)
        )
        dots = rows.mark_point(filled=True, size=110, opacity=1).encode(
            x=x, y=y, color=colour, shape=shape
        )
        panels.append((spokes + dots).properties(width=180, height=180, title=title))
    return styled(alt.hconcat(*panels, spacing=10))


def ends_chart(data, names: list[str]):
    """How trainings end: shares of the runs, a bar a way to train."""
    pick = alt.Scale(domain=list(range(len(ENDED))), range=ENDED_COLOURS)
    bars = alt.Chart(data).transform_calculate(line="datum.y").mark_bar(height=15)
    x = alt.X(
        "x:Q",
        title="share of the trainings",
        scale=alt.Scale(domain=[0, 1]),
        axis=alt.Axis(format="%", tickCount=5),
    )
    colour = alt.Color("value:O", scale=pick, legend=_legend(ENDED, columns=4))
    layers = bars.encode(x=x, x2="x2:Q", y=named_lines(names), color=colour)
    title = "How trainings of four features in the plane end"
    return styled(layers.properties(width=480, height=24 * len(names), title=title))


def threshold_chart(data, names: list[str]):
    """Figure 6's curves: the share found against the threshold, a panel a method."""
    kinds = ["plain", "anchored", "random rows"]
    pick = lambda values: alt.Scale(domain=[0, 1, 2], range=values)
    legend = _legend(kinds, symbolType="stroke", symbolSize=300)
    colour = alt.Color("value:O", scale=pick([BLUE, ORANGE, GREY]), legend=legend)
    dash = alt.StrokeDash("value:O", scale=pick([[1, 0], [6, 3], [2, 2]]), legend=legend)
    x = alt.X(
        "x:Q", title="threshold tau", scale=alt.Scale(domain=[0.5, 1]), axis=alt.Axis(tickCount=5)
    )
    y = lambda column: alt.Y(
        column,
        title="share found",
        scale=alt.Scale(domain=[0, 1]),
        axis=alt.Axis(format="%", tickCount=5),
    )
    panels = []
    for kind, name in enumerate(names):
        rows = of(data, kind)
        band = rows.mark_area(opacity=0.15).encode(x=x, y=y("low:Q"), y2="high:Q", color=colour)
        line = rows.mark_line(strokeWidth=2).encode(
            x=x, y=y("y:Q"), color=colour, strokeDash=dash, order="x:Q"
        )
        panels.append((band + line).properties(width=195, height=130, title=name))
    return styled(alt.concat(*panels, columns=3, spacing=12))


def tau_chart(data, names: list[str]):
    """Every method at one threshold, plain and anchored."""
    kinds = ["plain", "anchored"]
    pick = lambda values: alt.Scale(domain=[0, 1], range=values)
    colour = alt.Color("value:O", scale=pick([BLUE, ORANGE]), legend=_legend(kinds))
    shape = alt.Shape("value:O", scale=pick(["circle", "triangle-up"]), legend=_legend(kinds))
    rows = alt.Chart(data).transform_calculate(line="datum.y + 0.4 * (datum.value - 0.5)")
    x = lambda column: alt.X(
        column,
        title="share found, by the paper's metric",
        scale=alt.Scale(domain=[0, 1]),
        axis=alt.Axis(format="%", tickCount=5),
    )
    y = named_lines(names)
    bars = rows.mark_rule(strokeWidth=2.5)
    dots = rows.mark_point(filled=True, size=70, opacity=1)
    layers = alt.layer(
        bars.encode(x=x("low:Q"), x2="high:Q", y=y, color=colour),
        dots.encode(x=x("x:Q"), y=y, color=colour, shape=shape),
    )
    return styled(layers.properties(width=580, height=36 * len(names)))
