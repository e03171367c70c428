"""Theorem 3.10: patterns before and after, ladders of losses."""

from __future__ import annotations

import altair as alt

from ..kinds import Absorbed, Code
from .style import BLUE, GREY, ORANGE, of, styled, verdict_point


def _pattern_map(data, kind: int, title: str):
    x = alt.X(
        "x:O",
        title="feature",
        axis=alt.Axis(labelAngle=0),
        scale=alt.Scale(domain=list(range(1, 9))),
    )
    y = alt.Y("y:O", title="neuron", scale=alt.Scale(domain=[1, 2, 3]))
    fires = alt.Color(
        "value:O",
        scale=alt.Scale(domain=[0, 1], range=["#F2F2F2", ORANGE]),
        legend=alt.Legend(
            title=None, labelExpr="['silent', 'fires'][datum.value]", orient="bottom"
        ),
    )
    return (
        of(data, kind)
        .mark_rect(stroke="white", strokeWidth=2)
        .encode(x=x, y=y, color=fires)
        .properties(width=270, height=78, title=title)
    )


def absorption_chart(data):
    """Left: who fires for whom, before and after. Right: the loss as children leave one by one."""
    step = alt.X(
        "x:Q",
        title="children that have left the parent's neuron",
        scale=alt.Scale(domain=[-0.3, 3.3]),
        axis=alt.Axis(values=[0, 1, 2, 3], format="d"),
    )
    loss = alt.Y("y:Q", title="loss of the family", scale=alt.Scale(domainMin=0, nice=True))
    bound = of(data, Absorbed.BOUND).mark_line(interpolate="step", color=GREY, strokeWidth=2)
    dots = of(data, Absorbed.LOSS).mark_point(
        shape="circle", filled=True, size=90, color=BLUE, opacity=1
    )
    chosen = verdict_point(
        data,
        step,
        loss,
        shown=(Code.TRAP, Code.SADDLE, Code.DEGENERATE, Code.ESCAPABLE),
        kind=Absorbed.CHOSEN,
        title="your child has left",
    )
    ladder = alt.layer(
        bound.encode(x=step, y=loss), dots.encode(x=step, y=loss), chosen
    ).properties(
        width=330,
        height=250,
        title=alt.Title(
            "A ladder of bounds goes down only",
            subtitle="grey: bound; blue dots: stationary points, best leavers first",
        ),
    )
    maps = alt.vconcat(
        _pattern_map(data, Absorbed.BEFORE, "Before: one neuron a parent"),
        _pattern_map(data, Absorbed.AFTER, "After: one child has a neuron of its own"),
        spacing=12,
    )
    return styled(
        alt.hconcat(maps.resolve_scale(color="shared"), ladder, spacing=26).resolve_scale(
            color="independent", shape="independent"
        )
    )


def ladder_chart(rows: list[dict]):
    """A named family leaving its neuron, one member at a time; each point names who left."""
    base = alt.Chart(alt.Data(values=rows))
    x = alt.X(
        "step:Q",
        title="members that have left",
        axis=alt.Axis(format="d", tickMinStep=1),
        scale=alt.Scale(domain=[-0.3, len(rows) + 1.2]),
    )
    y = alt.Y(
        "loss:Q",
        title="loss left in the group (closed-region bound)",
        scale=alt.Scale(domain=[0, 1.08 * max(row["loss"] for row in rows)]),
    )
    return styled(
        alt.layer(
            base.mark_line(interpolate="step-after", color=GREY, strokeWidth=2).encode(x=x, y=y),
            base.mark_point(shape="circle", filled=True, size=70, color=BLUE, opacity=1).encode(
                x=x, y=y
            ),
            base.mark_text(align="left", dx=8, dy=-7).encode(
                x=x, y=y, text="leaver:N"
            ),
        ).properties(
            width=640,
            height=300,
            title=alt.Title(
                "Who leaves the herding dogs first?",
                subtitle="each step the one whose leaving lowers the loss most",
            ),
        )
    )
