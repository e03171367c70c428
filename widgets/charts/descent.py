"""Gradient descent from a nudge; dead neurons."""

from __future__ import annotations

import altair as alt

from ..kinds import Arrow, Layer
from .landscape import feature_names
from .style import (
    ARROW_COLOURS,
    ARROW_NAMES,
    ARROW_SHAPES,
    BLACK,
    coordinates,
    from_origin,
    named,
    of,
    styled,
)


def dead_chart(data):
    """Left: the live and the dead row. Right: six descents from random nudges."""
    disc = _rows(data).properties(
        width=260,
        height=260,
        title=alt.Title("One works, one is dead", subtitle="the dead row fires for neither"),
    )
    step = alt.X("x:Q", title="gradient descent step")
    loss = alt.Y("y:Q", title="approximate loss", scale=alt.Scale(domain=[0, 0.6]))
    curves = (
        of(data, Layer.CURVE)
        .mark_line(strokeWidth=2, opacity=0.6, color=BLACK)
        .encode(x=step, y=loss, detail="value:O")
        .properties(
            width=370,
            height=260,
            title=alt.Title(
                "Does the dead one wake?",
                subtitle="six nudges; 0.4 is the trap, 0 the solution",
            ),
        )
    )
    return styled(
        alt.hconcat(disc, curves, spacing=22).resolve_scale(
            color="independent", shape="independent"
        )
    )


def _rows(data):
    names = [*ARROW_NAMES[: Arrow.COLUMN], "", "dead encoder row"]
    order = [int(one) for one in Arrow if one is not Arrow.COLUMN]
    shown = [one for one in order if one != Arrow.W_2]  # one entry for both features
    legend = alt.Legend(
        title=None, labelExpr=named(names), values=shown, orient="bottom", columns=2
    )
    scale = lambda known, dead: alt.Scale(domain=order, range=[*known[: Arrow.COLUMN], dead])
    colour = alt.Color("value:O", scale=scale(ARROW_COLOURS, BLACK), legend=legend)
    shape = alt.Shape("value:O", scale=scale(ARROW_SHAPES, "square"), legend=legend)
    x, y = coordinates(1.4)
    arrows = of(data, Layer.ARROW)
    tips = arrows.mark_point(size=130, filled=True, opacity=1)
    return alt.layer(
        from_origin(arrows.mark_rule(strokeWidth=2.5), x, y, color=colour),
        tips.encode(x=x, y=y, color=colour, shape=shape),
        *feature_names(arrows, x, y),
    )
