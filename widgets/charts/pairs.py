"""One framework, three machines: inputs, targets, and the loss."""

from __future__ import annotations

import altair as alt

from .minima import landscape
from .style import ARROW_COLOURS, ARROW_NAMES, ARROW_SHAPES, codes, named, of, styled


def _disc(data, kind: int, title: str, subtitle: str, legend):
    reach = alt.Scale(domain=[-1.3, 1.3])
    ticks = alt.Axis(values=[-1, 0, 1])
    x, y = (
        alt.X("x:Q", scale=reach, title="first coordinate", axis=ticks),
        alt.Y("y:Q", scale=reach, title="second coordinate", axis=ticks),
    )
    arrows = of(data, kind)
    colour = alt.Color("value:O", scale=codes(ARROW_NAMES, ARROW_COLOURS), legend=legend)
    return alt.layer(
        arrows.mark_rule(strokeWidth=2.5).encode(
            x=x, y=y, x2=alt.datum(0), y2=alt.datum(0), color=colour
        ),
        arrows.mark_point(size=120, filled=True, opacity=1).encode(
            x=x,
            y=y,
            color=colour,
            shape=alt.Shape("value:O", scale=codes(ARROW_NAMES, ARROW_SHAPES), legend=legend),
        ),
        arrows.transform_filter("datum.value < 2")
        .transform_calculate(label="datum.value + 1")
        .mark_text(dy=-14, fontSize=12, fontWeight="bold")
        .encode(x=x, y=y, text="label:N"),
    ).properties(width=180, height=180, title=alt.Title(title, subtitle=subtitle))


def machine_chart(data):
    """Left: what the encoder reads. Middle: what the decoder writes. Right: the loss as the encoder
    row turns.
    """
    legend = alt.Legend(title=None, labelExpr=named(ARROW_NAMES), orient="bottom", columns=2)
    turning = landscape(data).properties(
        width=270,
        height=180,
        title=alt.Title("The loss", subtitle="shaded: the neuron fires for both"),
    )
    discs = alt.hconcat(
        _disc(data, 3, "Input side", "crosscoder: model 1", legend),
        _disc(data, 5, "Target side", "crosscoder: model 2", None),
        spacing=14,
    )
    return styled(
        alt.hconcat(discs, turning, spacing=18).resolve_scale(
            color="independent", shape="independent"
        )
    )
