"""One neuron on two features: the disc with both and the neuron, and the loss as its row turns."""

from __future__ import annotations

import altair as alt

from ..kinds import Arrow, Layer
from .style import (
    ARROW_COLOURS,
    ARROW_NAMES,
    ARROW_SHAPES,
    BLACK,
    HALO,
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
    return alt.Legend(
        title=None,
        labelExpr=named(ARROW_NAMES),
        values=[int(one) for one in (Arrow.W_1, Arrow.ROW, Arrow.COLUMN)],
        orient="bottom",
        columns=2,
    )


def disc(data, kind: int, legend: alt.Legend | None, *, size: int, axis=alt.Undefined):
    """The arrows of one kind from the origin, features with their names."""
    x, y = coordinates(1.4, axis)
    colour = alt.Color("value:O", scale=codes(ARROW_NAMES, ARROW_COLOURS), legend=legend)
    shape = alt.Shape("value:O", scale=codes(ARROW_NAMES, ARROW_SHAPES), legend=legend)
    arrows = of(data, kind)
    return alt.layer(
        from_origin(arrows.mark_rule(strokeWidth=2.5), x, y, color=colour),
        arrows.mark_point(size=size, filled=True, opacity=1).encode(
            x=x, y=y, color=colour, shape=shape
        ),
        *feature_names(arrows, x, y),
    )


def feature_names(arrows, x: alt.X, y: alt.Y) -> list:
    """The names of two features over their tips, apart where the tips are not, on a halo."""
    apart = "40 * (1 - abs(datum.x)) * (datum.value ? 1 : -1)"
    names = arrows.transform_filter(f"datum.value <= {Arrow.W_2}").transform_calculate(
        label="'feature ' + (datum.value + 1)"
    )
    return [
        names.mark_text(dy=-16, dx=alt.expr(apart), fontWeight="bold", **halo).encode(
            x=x, y=y, text="label:N"
        )
        for halo in (HALO, {})
    ]


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
        width=260,
        height=260,
        title=alt.Title("Two features, one neuron", subtitle="where it can sit still, if anywhere"),
    )
    turning = landscape(data).properties(
        width=380,
        height=260,
        title=alt.Title(
            "Valley: a trap; hilltop: a saddle",
            subtitle="shaded: the neuron fires for both",
        ),
    )
    return styled(
        alt.hconcat(pair, turning, spacing=22).resolve_scale(
            color="independent", shape="independent"
        )
    )
