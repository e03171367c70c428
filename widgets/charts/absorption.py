"""Theorem 3.10: what children give on a row and its threshold, ladders of losses."""

from __future__ import annotations

import altair as alt

from ..kinds import Absorbed, Code
from .style import BLACK, BLUE, GREY, HALO, ORANGE, of, styled, verdict_point

ROWS = {
    Absorbed.BEFORE: ("Before: the family's row", "at length 1; theta as it is"),
    Absorbed.AFTER: ("After: the family's row, turned", "each row's theta over its length"),
    Absorbed.OWN: ("After: the child's own row", ""),
}


def _on_row(data, kind: Absorbed):
    """What each child gives on one row of length 1, and the line it has to pass."""
    title, subtitle = ROWS[kind]
    x = alt.X(
        "x:O",
        title="child" if kind == Absorbed.OWN else None,
        axis=alt.Axis(labelAngle=0),
        scale=alt.Scale(domain=[1, 2, 3, 4], paddingOuter=0.9),
    )
    y = alt.Y(
        "y:Q",
        title="z",
        scale=alt.Scale(domain=[-0.4, 1.1], nice=False, clamp=True),
        axis=alt.Axis(values=[0, 0.5, 1]),
    )
    fires = alt.Color(
        "value:O",
        scale=alt.Scale(domain=[0, 1], range=[GREY, ORANGE]),
        legend=alt.Legend(
            title=None, labelExpr="['silent', 'fires'][datum.value]", orient="bottom"
        ),
    )
    line = of(data, Absorbed.THETA).transform_filter(f"datum.value == {kind}")
    theta = line.mark_text(align="left", baseline="bottom", dx=3, fontWeight="bold", **HALO)
    word = line.mark_text(align="left", baseline="bottom", dx=3, fontWeight="bold")
    return alt.layer(
        of(data, kind).mark_bar(width=30).encode(x=x, y=y, y2=alt.datum(0), color=fires),
        line.mark_rule(strokeDash=[5, 3], strokeWidth=2.5, color=BLACK).encode(y=y),
        *(one.encode(x=alt.value(0), y=y, text=alt.value("theta")) for one in (theta, word)),
    ).properties(width=280, height=66, title=alt.Title(title, subtitle=subtitle or alt.Undefined))


def absorption_chart(data):
    """Left: what the children give on each row, before and after. Right: the losses.

    The losses as children leave one by one, and where they have merely fallen silent.
    """
    rows = alt.vconcat(*(_on_row(data, kind) for kind in ROWS), spacing=8)
    return styled(
        alt.hconcat(rows.resolve_scale(color="shared"), _ladder(data), spacing=26).resolve_scale(
            color="independent", shape="independent"
        )
    )


def _ladder(data):
    step = alt.X(
        "x:Q",
        title="children that the parent's neuron has lost",
        scale=alt.Scale(domain=[-0.3, 4.3]),
        axis=alt.Axis(values=[0, 1, 2, 3, 4], format="d"),
    )
    loss = alt.Y("y:Q", title="loss of the family", scale=alt.Scale(domain=[0, 3.7], nice=False))
    bound = of(data, Absorbed.BOUND).mark_line(interpolate="step", color=GREY, strokeWidth=2)
    dots = of(data, Absorbed.LOSS).mark_point(
        shape="circle", filled=True, size=90, color=BLUE, opacity=1
    )
    left = of(data, Absorbed.LEFT).mark_point(
        shape="cross", filled=True, size=160, color=BLACK, opacity=1, angle=45
    )
    chosen = verdict_point(
        data,
        step,
        loss,
        shown=(Code.TRAP, Code.SADDLE, Code.DEGENERATE, Code.ESCAPABLE),
        kind=Absorbed.CHOSEN,
        title="your child has left",
    )
    return alt.layer(
        bound.encode(x=step, y=loss),
        dots.encode(x=step, y=loss),
        left.encode(x=step, y=loss),
        chosen,
    ).properties(
        width=370,
        height=280,
        title=alt.Title(
            "A ladder of bounds goes down only",
            subtitle=[
                "grey: bound; blue: stationary points, best leavers first;",
                "cross: a row of length 1, theta alone silences children",
            ],
        ),
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
            base.mark_text(align="left", dx=8, dy=-7).encode(x=x, y=y, text="leaver:N"),
        ).properties(
            width=640,
            height=300,
            title=alt.Title(
                "Who leaves the herding dogs first?",
                subtitle="each step the one whose leaving lowers the loss most",
            ),
        )
    )
