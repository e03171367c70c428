"""Rows to pictures. Pure functions of their data; no torch, no ipywidgets.

Each chart function takes `data`, inline rows or a named data set for a live view, so that the static picture and the slider are one chart.
One visual language: features blue circles, encoder rows orange squares, decoder columns green diamonds; verdicts by colour and shape.
"""

from __future__ import annotations

import altair as alt

BLUE, ORANGE, GREEN, RED, SKY, PINK, BLACK = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#000000"      # Okabe-Ito
GREY = "#777777"
VERDICT_NAMES = ["trap", "saddle", "none", "degenerate", "escapable", "global"]
VERDICT_COLOURS = [RED, SKY, GREY, PINK, ORANGE, GREEN]
VERDICT_SHAPES = ["triangle-down", "cross", "circle", "square", "diamond", "circle"]
ARROW_NAMES = ["feature 1", "feature 2", "encoder row w_E", "decoder column w_D"]
ARROW_COLOURS = [BLUE, BLUE, ORANGE, GREEN]
ARROW_SHAPES = ["circle", "circle", "square", "diamond"]


def live() -> alt.NamedData:
    """The data set that a LiveChart replaces in place."""
    return alt.NamedData(name="live")


def inline(columns) -> alt.Data:
    """Columns as rows inside the spec, for a static picture."""
    keys = list(columns)
    short = lambda value: float(f"{value:.5g}")       # five digits draw the same picture, in half the notebook
    return alt.Data(values=[dict(zip(keys, map(short, row))) for row in zip(*columns.values())])


def styled(chart):
    """Fonts that can be read from the back of a room, quiet axes."""
    return (chart.configure_axis(labelFontSize=12, titleFontSize=13, titleFontWeight="normal", gridOpacity=0.35)
            .configure_title(fontSize=15, anchor="start", fontWeight="bold", subtitleFontSize=12, subtitlePadding=4)
            .configure_legend(labelFontSize=12, titleFontSize=12, symbolSize=110, labelLimit=320).configure_view(strokeOpacity=0.25))


def _of(data, kind: int):
    return alt.Chart(data).transform_filter(alt.datum.kind == kind)


def _named(names: list[str]) -> str:
    """A legend label expression that turns codes into names."""
    return f"{names!r}[datum.value]"


def _codes(names, colours):
    return alt.Scale(domain=list(range(len(names))), range=colours)


def _verdict_point(data, x, y, codes: list[int]):
    """The stationary point, coloured and shaped by its verdict; the legend lists only the verdicts this picture can show."""
    legend = alt.Legend(title="stationary point", labelExpr=_named(VERDICT_NAMES), values=codes, orient="bottom", columns=3)
    return _of(data, 2).mark_point(size=260, filled=True, opacity=1, stroke="white", strokeWidth=1.5).encode(
        x=x, y=y, color=alt.Color("value:O", scale=_codes(VERDICT_NAMES, VERDICT_COLOURS), legend=legend),
        shape=alt.Shape("value:O", scale=_codes(VERDICT_NAMES, VERDICT_SHAPES), legend=legend))


def pair_chart(data):
    """Left: the features and the neuron on one disc. Right: the loss as the encoder row turns."""
    reach = alt.Scale(domain=[-1.3, 1.3])
    arrows = _of(data, 3)
    x, y = alt.X("x:Q", scale=reach, title="first coordinate"), alt.Y("y:Q", scale=reach, title="second coordinate")
    legend = alt.Legend(title=None, labelExpr=_named(ARROW_NAMES), orient="bottom", columns=2)
    colour = alt.Color("value:O", scale=_codes(ARROW_NAMES, ARROW_COLOURS), legend=legend)
    disc = alt.layer(
        arrows.mark_rule(strokeWidth=2.5).encode(x=x, y=y, x2=alt.datum(0), y2=alt.datum(0), color=colour),
        arrows.mark_point(size=130, filled=True, opacity=1).encode(
            x=x, y=y, color=colour, shape=alt.Shape("value:O", scale=_codes(ARROW_NAMES, ARROW_SHAPES), legend=legend)),
        arrows.transform_filter("datum.value < 2").transform_calculate(label="datum.value + 1").mark_text(dy=-14, fontSize=12, fontWeight="bold").encode(x=x, y=y, text="label:N"),
    ).properties(width=235, height=235, title=alt.Title("Two features, one neuron", subtitle="neuron drawn at its stationary point"))
    angle = alt.X("x:Q", title="encoder row's angle from the bisector (degrees)", scale=alt.Scale(domain=[-180, 180]), axis=alt.Axis(values=list(range(-180, 181, 60))))
    loss = alt.Y("y:Q", title="approximate loss, best decoder", scale=alt.Scale(domain=[0, 4]))
    landscape = alt.layer(
        _of(data, 1).mark_rect(opacity=0.16, color=ORANGE).encode(x=angle, x2="x2:Q"),
        _of(data, 0).mark_line(strokeWidth=2.5, color=BLACK).encode(x=angle, y=loss, order="x:Q"),
        _verdict_point(data, angle, loss, [0, 1, 3]),
    ).properties(width=330, height=235, title=alt.Title("A valley is a trap, a hilltop a saddle", subtitle="shaded: the neuron fires for both features"))
    return styled(alt.hconcat(disc, landscape, spacing=22).resolve_scale(color="independent", shape="independent"))


def three_chart(data):
    """Left: the loss over all positive y of three features. Right: the three eigenvectors, positive ones in colour."""
    x = alt.X("x:Q", axis=None, scale=alt.Scale(domain=[-0.2, 1.2]))
    y = alt.Y("y:Q", axis=None, scale=alt.Scale(domain=[-0.14, 1.0]))
    corners = alt.Chart(alt.Data(values=[{"x": -0.03, "y": -0.09, "t": "only feature 1"}, {"x": 1.0, "y": -0.09, "t": "only feature 2"}, {"x": 0.5, "y": 0.94, "t": "only feature 3"}]))
    field = alt.layer(
        _of(data, 0).mark_point(shape="circle", filled=True, size=95, opacity=1).encode(
            x=x, y=y, color=alt.Color("value:Q", scale=alt.Scale(scheme="viridis", reverse=True, domain=[0.3, 0.9], clamp=True), legend=alt.Legend(title=["share of", "loss left"], orient="left", gradientLength=150, format="%"))),
        corners.mark_text(fontSize=12).encode(x=x, y=y, text="t:N"),
        _verdict_point(data, x, y, [0, 1, 3]),
    ).resolve_scale(color="independent", shape="independent").properties(width=270, height=250, title=alt.Title(
        "Where can one neuron sit?", subtitle="each dot is a direction of y > 0"))
    bars = _of(data, 4)
    feature = alt.X("x:Q", title="features 1, 2, 3 in each eigenvector, top first", scale=alt.Scale(domain=[0, 12]),
                    axis=alt.Axis(values=[1, 2, 3, 5, 6, 7, 9, 10, 11], labelExpr="datum.value % 4", grid=False))
    component = alt.Y("y:Q", title="component of y", scale=alt.Scale(domain=[-1.1, 1.25]))
    labels = bars.transform_filter("datum.x % 4 == 2").mark_text(fontSize=12).encode(
        x=feature, y=alt.datum(1.13), text=alt.Text("label:N")).transform_calculate(label="'eigenvalue ' + format(datum.x2, '.2f')")
    vectors = alt.layer(
        bars.mark_bar(width=19).encode(x=feature, y=component, y2=alt.datum(0), color=alt.Color(
            "value:O", scale=alt.Scale(domain=[0, 1], range=[GREY, RED]), legend=alt.Legend(title=None, orient="bottom", labelExpr="['mixed signs: no', 'all positive: a stationary point'][datum.value]"))),
        labels, alt.Chart(alt.Data(values=[{}])).mark_rule(color=GREY).encode(y=alt.datum(0)),
    ).properties(width=300, height=250, title=alt.Title("Only an all-positive eigenvector will do", subtitle="first place: a trap; later: a saddle"))
    return styled(alt.hconcat(field, vectors, spacing=22).resolve_scale(color="independent", shape="independent"))


def share_chart(rows: list[dict]):
    """Real siblings against random groups: how often is one neuron on the whole group a trap?"""
    base = alt.Chart(alt.Data(values=rows))
    x = alt.X("size:Q", title="features in the group (log scale)", scale=alt.Scale(type="log", domain=[1.8, 150]), axis=alt.Axis(values=[2, 3, 5, 7, 11, 17, 26, 59, 118]))
    y = alt.Y("share:Q", title="share of groups that are traps", axis=alt.Axis(format="%", values=[0, .2, .4, .6, .8, 1]), scale=alt.Scale(domain=[0, 1.2]))
    colour = alt.Color("series:N", scale=alt.Scale(domain=["real siblings", "random groups"], range=[RED, GREY]), legend=alt.Legend(title=None, orient="right"))
    chance, real = base.transform_filter(alt.datum.series == "random groups"), base.transform_filter(alt.datum.series == "real siblings")
    return styled(alt.layer(
        chance.mark_line(strokeDash=[4, 3]).encode(x=x, y=y, color=colour),
        chance.mark_rule(strokeWidth=2).encode(x=x, y=alt.Y("low:Q", title="share of groups that are traps"), y2="high:Q", color=colour),
        chance.mark_point(filled=True, size=60, shape="circle", opacity=1).encode(x=x, y=y, color=colour),
        real.mark_point(filled=True, size=130, shape="triangle-down", opacity=1).encode(x=x, y=y, color=colour),
        real.transform_window(order="row_number()", sort=[alt.SortField("size")]).transform_calculate(height="datum.order % 2 ? 1.06 : 1.13")
            .mark_text(fontSize=12).encode(x=x, y="height:Q", text="name:N"),
    ).properties(width=560, height=290, title=alt.Title("Real siblings are traps; random groups of five or more rarely are",
                                                        subtitle="1000 ImageNet class directions; bars: 95% intervals")))


def gap_chart(data):
    """Left: the gap between the two losses and its bounds, both axes logarithmic. Right: how many features are active at once."""
    rate = alt.X("x:Q", title="1 - S, the rate at which a feature is active (log scale)", scale=alt.Scale(type="log", domain=[1e-5, 1]), axis=alt.Axis(format=".0e", values=[1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1]))
    size = alt.Y("y:Q", title="squared error (log scale)", scale=alt.Scale(type="log", domain=[1e-9, 1e4], clamp=True), axis=alt.Axis(format=".0e", values=[1e-9, 1e-6, 1e-3, 1, 1e3]))
    names = ["gap |L - Lt|", "paper's bound n^2 C (1-S)^2", "tight bound C n(n-1)/2 (1-S)^2", "", "", "largest error C"]
    order = [0, 1, 2, 5]
    colour = alt.Color("value:O", scale=alt.Scale(domain=order, range=[BLACK, SKY, BLUE, GREY]), legend=alt.Legend(title=None, labelExpr=_named(names), orient="bottom", columns=2))
    dash = alt.StrokeDash("value:O", scale=alt.Scale(domain=order, range=[[1, 0], [6, 4], [2, 2], [8, 3]]), legend=None)
    lines = alt.layer(
        alt.Chart(data).transform_filter("datum.kind <= 2 || datum.kind == 5").mark_line(strokeWidth=2.5).encode(x=rate, y=size, color=colour, strokeDash=dash),
        _of(data, 3).mark_point(shape="circle", filled=True, size=170, color=RED, opacity=1, stroke="white", strokeWidth=1.5).encode(x=rate, y=size),
    ).properties(width=380, height=250, title=alt.Title("Where the gap runs below the bounds, the theorem speaks", subtitle="dot: the chosen sparsity; slope 2 is order two"))
    label = "['none', 'exactly one', 'two or more'][datum.value]"
    shares = _of(data, 4)
    active = alt.X("x:O", title="features active at once", axis=alt.Axis(labelExpr=label, labelAngle=0))
    share = alt.Y("y:Q", title="probability", axis=alt.Axis(format="%"), scale=alt.Scale(domain=[0, 1.08]))
    bars = alt.layer(
        shares.mark_bar(color=SKY, width=44).encode(x=active, y=share),
        shares.mark_text(dy=-8, fontSize=12).encode(x=active, y=share, text=alt.Text("y:Q", format=".2~%")),
    ).properties(width=230, height=250, title=alt.Title("What the data look like", subtitle="Lt sees the middle bar alone"))
    return styled(alt.hconcat(lines, bars, spacing=22).resolve_scale(color="independent"))


def solution_chart(data):
    """Three discs: the ideal point, the dual basis, the mirrored pair; each with its loss and how well it recovers the features."""
    panels = []
    legend = alt.Legend(title=None, labelExpr=_named(ARROW_NAMES), orient="bottom", columns=2)
    reach = alt.Scale(domain=[-1.75, 1.75])
    x = alt.X("x:Q", scale=reach, title="first coordinate", axis=alt.Axis(values=[-1, 0, 1]))
    for panel, (name, about) in enumerate((("Ideal point W*", "rows and columns are the features"), ("Dual basis", "columns true, rows turned away"), ("Mirrored pair", "rows come as w and -w"))):
        y = alt.Y("y:Q", scale=reach, title="second coordinate" if panel == 0 else None, axis=alt.Axis(values=[-1, 0, 1]))
        colour = alt.Color("value:O", scale=_codes(ARROW_NAMES, ARROW_COLOURS), legend=legend if panel == 0 else None)
        shape = alt.Shape("value:O", scale=_codes(ARROW_NAMES, ARROW_SHAPES), legend=legend if panel == 0 else None)
        arrows = _of(data, panel).transform_calculate(size="datum.value < 2 ? 420 : datum.value == 2 ? 150 : 45")
        size = alt.Size("size:Q", scale=None, legend=None)
        note = _of(data, 10 + panel).transform_calculate(
            loss="'loss ' + format(datum.x, '.2f')", cosines="'best cosine: rows ' + format(datum.y, '.2f') + ', columns ' + format(datum.x2, '.2f')")
        words = [note.mark_text(fontSize=12).encode(x=alt.datum(0), y=alt.datum(height), text=text) for height, text in ((1.6, "loss:N"), (1.35, "cosines:N"))]
        panels.append(alt.layer(
            arrows.mark_rule(strokeWidth=2).encode(x=x, y=y, x2=alt.datum(0), y2=alt.datum(0), color=colour),
            arrows.mark_point(filled=True, opacity=1, stroke="white", strokeWidth=0.7).encode(x=x, y=y, color=colour, shape=shape, size=size),
            *words,
        ).properties(width=225, height=225, title=alt.Title(name, subtitle=about)))
    return styled(alt.hconcat(*panels, spacing=12))


def _pattern_map(data, kind: int, title: str):
    x = alt.X("x:O", title="feature", axis=alt.Axis(labelAngle=0), scale=alt.Scale(domain=list(range(1, 9))))
    y = alt.Y("y:O", title="neuron", scale=alt.Scale(domain=[1, 2, 3]))
    fires = alt.Color("value:O", scale=alt.Scale(domain=[0, 1], range=["#F2F2F2", ORANGE]), legend=alt.Legend(title=None, labelExpr="['silent', 'fires'][datum.value]", orient="bottom"))
    return _of(data, kind).mark_rect(stroke="white", strokeWidth=2).encode(x=x, y=y, color=fires).properties(width=270, height=78, title=title)


def absorption_chart(data):
    """Left: who fires for whom, before and after. Right: the ladder of losses as children leave one by one."""
    step = alt.X("x:Q", title="children that have left the parent's neuron", scale=alt.Scale(domain=[-0.3, 3.3]), axis=alt.Axis(values=[0, 1, 2, 3], format="d"))
    loss = alt.Y("y:Q", title="loss of the family", scale=alt.Scale(domainMin=0, nice=True))
    ladder = alt.layer(
        _of(data, 2).mark_line(interpolate="step", color=GREY, strokeWidth=2).encode(x=step, y=loss),
        _of(data, 3).mark_point(shape="circle", filled=True, size=90, color=BLUE, opacity=1).encode(x=step, y=loss),
        _of(data, 4).mark_point(shape="triangle-down", filled=True, size=220, color=RED, opacity=1, stroke="white", strokeWidth=1.5).encode(x=step, y=loss),
    ).properties(width=330, height=250, title=alt.Title("A ladder that only goes down", subtitle="grey: bound; blue: stationary points, best leavers first; red: your child"))
    maps = alt.vconcat(_pattern_map(data, 0, "Before: one neuron a parent"), _pattern_map(data, 1, "After: one child has a neuron of its own"), spacing=12)
    return styled(alt.hconcat(maps.resolve_scale(color="shared"), ladder, spacing=26).resolve_scale(color="independent"))


def ladder_chart(rows: list[dict]):
    """A named family leaving its neuron, one member at a time; each point is labelled by who left."""
    base = alt.Chart(alt.Data(values=rows))
    x = alt.X("step:Q", title="members that have left", axis=alt.Axis(format="d", tickMinStep=1), scale=alt.Scale(domain=[-0.3, len(rows) + 1.2]))
    y = alt.Y("loss:Q", title="loss left in the group (closed-region bound)", scale=alt.Scale(domain=[0, 1.08 * max(row["loss"] for row in rows)]))
    return styled(alt.layer(
        base.mark_line(interpolate="step-after", color=GREY, strokeWidth=2).encode(x=x, y=y),
        base.mark_point(shape="circle", filled=True, size=70, color=BLUE, opacity=1).encode(x=x, y=y),
        base.mark_text(align="left", dx=8, dy=-7, fontSize=11).encode(x=x, y=y, text="leaver:N"),
    ).properties(width=640, height=300, title=alt.Title("Who leaves the herding dogs first?", subtitle="each step the one whose leaving lowers the loss most")))


def dead_chart(data):
    """Left: the live and the dead row. Right: six descents from random nudges."""
    names, colours, shapes = [*ARROW_NAMES[:3], "", "dead encoder row"], [*ARROW_COLOURS[:3], GREY, BLACK], [*ARROW_SHAPES[:3], "circle", "square"]
    order = [0, 1, 2, 4]
    pick = lambda values: alt.Scale(domain=order, range=[values[i] for i in order])
    reach = alt.Scale(domain=[-1.2, 1.2])
    x, y = alt.X("x:Q", scale=reach, title="first coordinate"), alt.Y("y:Q", scale=reach, title="second coordinate")
    legend = alt.Legend(title=None, labelExpr=_named(names), orient="bottom", columns=2)
    colour, arrows = alt.Color("value:O", scale=pick(colours), legend=legend), _of(data, 3)
    disc = alt.layer(
        arrows.mark_rule(strokeWidth=2.5).encode(x=x, y=y, x2=alt.datum(0), y2=alt.datum(0), color=colour),
        arrows.mark_point(size=130, filled=True, opacity=1).encode(x=x, y=y, color=colour, shape=alt.Shape("value:O", scale=pick(shapes), legend=legend)),
    ).properties(width=235, height=235, title=alt.Title("One works, one is dead", subtitle="the dead row fires for neither feature"))
    curves = _of(data, 0).mark_line(strokeWidth=2, opacity=0.85).encode(
        x=alt.X("x:Q", title="gradient descent step"), y=alt.Y("y:Q", title="approximate loss", scale=alt.Scale(domain=[0, 0.6])),
        color=alt.Color("value:O", scale=alt.Scale(domain=list(range(6)), range=[BLUE, ORANGE, GREEN, RED, PINK, SKY]), legend=None), detail="value:O")
    return styled(alt.hconcat(disc, curves.properties(width=330, height=235, title=alt.Title("Does the dead one wake?", subtitle="six random nudges; 0.4 is the trap, 0 the solution")),
                              spacing=22).resolve_scale(color="independent", shape="independent"))

