"""One neuron on two features: the disc with both and the neuron, and the loss as its row turns."""

from __future__ import annotations

import altair as alt

from ..kinds import Layer
from .style import (
    ARROW_COLOURS,
    ARROW_NAMES,
    ARROW_SHAPES,
    BLACK,
    ORANGE,
    codes,
    coordinates,
    from_origin,
    named,
    of,
    styled,
    turning_angle,
    verdict_point,
)


def arrow_legend() -> alt.Legend:
    """Which arrow is which."""
    return alt.Legend(title=None, labelExpr=named(ARROW_NAMES), orient="bottom", columns=2)


def disc(data, kind: int, legend: alt.Legend | None, *, size: int, axis=alt.Undefined):
    """The arrows of one kind from the origin, features with their numbers."""
    x, y = coordinates(1.3, axis)
    colour = alt.Color("value:O", scale=codes(ARROW_NAMES, ARROW_COLOURS), legend=legend)
    shape = alt.Shape("value:O", scale=codes(ARROW_NAMES, ARROW_SHAPES), legend=legend)
    arrows = of(data, kind)
    numbers = arrows.transform_filter("datum.value < 2").transform_calculate(
        label="datum.value + 1"
    )
    return alt.layer(
        from_origin(arrows.mark_rule(strokeWidth=2.5), x, y, color=colour),
        arrows.mark_point(size=size, filled=True, opacity=1).encode(
            x=x, y=y, color=colour, shape=shape
        ),
        numbers.mark_text(dy=-14, fontWeight="bold").encode(x=x, y=y, text="label:N"),
    )


def landscape(data):
    """The loss as the encoder row turns.

    Its curve, the region that fires for both features, and the stationary point.
    """
    angle = turning_angle()
    loss = alt.Y("y:Q", title="loss, best decoder", scale=alt.Scale(domain=[0, 4]))
    region = of(data, Layer.REGION).mark_rect(opacity=0.16, color=ORANGE)
    curve = of(data, Layer.CURVE).mark_line(strokeWidth=2.5, color=BLACK)
    return alt.layer(
        region.encode(x=angle, x2="x2:Q"),
        curve.encode(x=angle, y=loss, order="x:Q"),
        verdict_point(data, angle, loss),
    )


def pair_chart(data):
    """Left: the features and the neuron on one disc. Right: the loss as the encoder row turns."""
    pair = disc(data, Layer.ARROW, arrow_legend(), size=130).properties(
        width=235,
        height=235,
        title=alt.Title(
            "Two features, one neuron", subtitle="neuron drawn at its stationary point"
        ),
    )
    turning = landscape(data).properties(
        width=330,
        height=235,
        title=alt.Title(
            "A valley is a trap, a hilltop a saddle",
            subtitle="shaded: the neuron fires for both features",
        ),
    )
    return styled(
        alt.hconcat(pair, turning, spacing=22).resolve_scale(
            color="independent", shape="independent"
        )
    )
