"""Sparsity, interference, a penalty: the diagram of verdicts, one neuron's loss, its descents."""

from __future__ import annotations

import altair as alt

from ..kinds import Code, Fate, Sparsity
from .style import (
    BLACK,
    BLUE,
    GREY,
    ORANGE,
    RED,
    VERDICT_COLOURS,
    VERDICT_NAMES,
    VERDICT_SHAPES,
    codes,
    named,
    of,
    styled,
    turning_angle,
    verdict_point,
)

SHOWN = (Code.TRAP, Code.SADDLE, Code.NONE, Code.DEGENERATE)
WIDE = 330  # of what shares the angle's axis


def sparsity_chart(data):
    """Left: the diagram of verdicts. Right: the true loss as the row turns; beneath, descents."""
    turning = alt.vconcat(
        _loss(data).properties(
            width=WIDE,
            height=160,
            title=_title("The loss as the encoder row turns", "shaded: it fires for both features"),
        ),
        _descents(data).properties(
            width=WIDE,
            height=105,
            title=_title("Seven descents of the true loss", "from the top down, 300 steps"),
        ),
        spacing=6,
    ).resolve_scale(color="independent")
    diagram = _diagram(data).properties(
        width=275,
        height=345,
        title=_title("One neuron on two features", "dashed: rho = -kappa, the border without L1"),
    )
    return styled(
        alt.hconcat(diagram, turning, spacing=20).resolve_scale(
            color="independent", shape="independent"
        )
    )


def _title(text: str, subtitle: str) -> alt.Title:
    """A title that begins where its panel does."""
    return alt.Title(text, subtitle=subtitle, frame="group")


def _diagram(data):
    S = alt.X(
        "x:Q",
        title="sparsity S (kappa = 1 - S)",
        scale=alt.Scale(domain=[0.2, 1.0], nice=False),
        axis=alt.Axis(values=[0.2, 0.4, 0.6, 0.8, 1.0]),
    )
    rho = alt.Y("y:Q", title="cosine rho of the two features", scale=alt.Scale(domain=[-1, 1]))
    verdict = alt.Color("value:O", scale=codes(VERDICT_NAMES, VERDICT_COLOURS), legend=None)
    law = of(data, Sparsity.LAW).mark_line(color=BLACK, strokeDash=[5, 4], strokeWidth=1.5)
    return alt.layer(
        of(data, Sparsity.AREA).mark_area(opacity=0.3).encode(x=S, y=rho, y2="x2:Q", color=verdict),
        law.encode(x=S, y=rho),
        verdict_point(data, S, rho, shown=SHOWN, kind=Sparsity.HERE, title="the pair is"),
    ).resolve_scale(color="independent", shape="independent")


def _loss(data):
    share = alt.Y(
        "y:Q",
        title="share of signal left",
        scale=alt.Scale(domain=[0, 1.05]),
        axis=alt.Axis(format="%", tickCount=5),
    )
    angle = turning_angle().title(None)  # the panel beneath names it
    legend = alt.Legend(
        title=None,
        labelExpr=named(["true loss L", "Lt, which L tends to as S does to 1"]),
        orient="bottom",
        symbolType="stroke",
        symbolSize=300,
    )
    scale = lambda values: alt.Scale(domain=[0, 1], range=values)
    curves = (
        alt.Chart(data)
        .transform_filter(f"datum.kind == {Sparsity.LOSS} || datum.kind == {Sparsity.LIMIT}")
        .transform_calculate(which=f"datum.kind == {Sparsity.LIMIT} ? 1 : 0")
        .mark_line(strokeWidth=2.5)
        .encode(
            x=angle,
            y=share,
            order="x:Q",
            color=alt.Color("which:O", scale=scale([BLACK, GREY]), legend=legend),
            strokeDash=alt.StrokeDash("which:O", scale=scale([[1, 0], [5, 4]]), legend=legend),
        )
    )
    point = of(data, Sparsity.THERE).mark_point(
        size=230, filled=True, opacity=1, stroke="white", strokeWidth=1.5
    )
    quiet = lambda values: {"scale": codes(VERDICT_NAMES, values), "legend": None}
    return alt.layer(
        _both(data, angle),
        curves,
        point.encode(
            x=angle,
            y=share,
            color=alt.Color("value:O", **quiet(VERDICT_COLOURS)),
            shape=alt.Shape("value:O", **quiet(VERDICT_SHAPES)),
        ),
    ).resolve_scale(color="independent", shape="independent", strokeDash="independent")


def _descents(data):
    step = alt.Y(
        "y:Q",
        title="step",
        scale=alt.Scale(domain=[300, 0], nice=False),
        axis=alt.Axis(values=[0, 100, 200, 300]),
    )
    legend = alt.Legend(
        title=None,
        labelExpr=named(["ends on both features", "on one", "on none"]),
        orient="bottom",
        symbolType="circle",
    )
    fates = alt.Scale(domain=list(map(int, Fate)), range=[RED, BLUE, GREY])
    fate, angle = alt.Color("value:O", scale=fates, legend=legend), turning_angle()
    paths = of(data, Sparsity.DESCENT).encode(x=angle, y=step, color=fate)
    return alt.layer(
        _both(data, angle),
        paths.mark_line(strokeWidth=2).encode(order="y:Q", detail="x2:Q"),
        paths.transform_filter("datum.y == 300").mark_point(filled=True, size=70, opacity=1),
    )


def _both(data, angle: alt.X):
    """Where the row fires for both features."""
    region = of(data, Sparsity.BOTH).mark_rect(opacity=0.16, color=ORANGE)
    return region.encode(x=angle, x2="x2:Q")
