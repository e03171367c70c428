"""Gradient descent from a nudge; dead neurons."""

from __future__ import annotations

import altair as alt

from .style import ARROW_COLOURS, ARROW_NAMES, ARROW_SHAPES, BLACK, GREY, named, of, styled


def dead_chart(data):
    """Left: the live and the dead row. Right: six descents from random nudges."""
    names, colours, shapes = (
        [*ARROW_NAMES[:3], "", "dead encoder row"],
        [*ARROW_COLOURS[:3], GREY, BLACK],
        [*ARROW_SHAPES[:3], "circle", "square"],
    )
    order = [0, 1, 2, 4]
    pick = lambda values: alt.Scale(domain=order, range=[values[i] for i in order])
    reach = alt.Scale(domain=[-1.2, 1.2])
    x, y = (
        alt.X("x:Q", scale=reach, title="first coordinate"),
        alt.Y("y:Q", scale=reach, title="second coordinate"),
    )
    legend = alt.Legend(title=None, labelExpr=named(names), orient="bottom", columns=2)
    colour, arrows = alt.Color("value:O", scale=pick(colours), legend=legend), of(data, 3)
    disc = alt.layer(
        arrows.mark_rule(strokeWidth=2.5).encode(
            x=x, y=y, x2=alt.datum(0), y2=alt.datum(0), color=colour
        ),
        arrows.mark_point(size=130, filled=True, opacity=1).encode(
            x=x, y=y, color=colour, shape=alt.Shape("value:O", scale=pick(shapes), legend=legend)
        ),
    ).properties(
        width=235,
        height=235,
        title=alt.Title(
            "One works, one is dead", subtitle="the dead row fires for neither feature"
        ),
    )
    curves = (
        of(data, 0)
        .mark_line(strokeWidth=2, opacity=0.6, color=BLACK)
        .encode(
            x=alt.X("x:Q", title="gradient descent step"),
            y=alt.Y("y:Q", title="approximate loss", scale=alt.Scale(domain=[0, 0.6])),
            detail="value:O",
        )
    )
    return styled(
        alt.hconcat(
            disc,
            curves.properties(
                width=330,
                height=235,
                title=alt.Title(
                    "Does the dead one wake?",
                    subtitle="six random nudges; 0.4 is the trap, 0 the solution",
                ),
            ),
            spacing=22,
        ).resolve_scale(color="independent", shape="independent")
    )
