"""What led descents out of traps: margins that shrink, and shares that left, with intervals."""

from __future__ import annotations

import altair as alt

from ..kinds import Out
from .style import BLACK, BLUE, GREEN, ORANGE, PINK, named, named_lines, of, styled, zero

LINES = [BLUE, ORANGE, GREEN]


def margin_chart(data):
    """Left: silent codes rise to their wall, as foretold (dashed). Right: the loss, until it falls.

    One line a trap.
    """
    x = alt.X("x:Q", title="step of descent", axis=alt.Axis(tickCount=4))
    colour = alt.Color(
        "value:O",
        scale=alt.Scale(domain=[0, 1, 2], range=LINES),
        legend=alt.Legend(title="trap", labelExpr="datum.value + 1", orient="right"),
    )
    y = lambda field: alt.Y(field, title="silent code of a feature that pulls")
    codes = of(data, Out.CODE)
    told = of(data, Out.STOP).mark_line(strokeWidth=1.5, strokeDash=[3, 3], color=BLACK)
    left = alt.layer(
        zero(y=alt.datum(0)),
        codes.mark_line(strokeWidth=3).encode(x=x, y=y("y:Q"), color=colour, order="x:Q"),
        told.encode(x=x, y=y("y:Q"), detail="value:O", order="x:Q"),
    ).properties(
        width=270,
        height=220,
        title=alt.Title("The margin shrinks", subtitle="dashed: what the theory foretells"),
    )
    loss = alt.Y("y:Q", title="Lt as a share of the trap's", scale=alt.Scale(zero=False))
    right = (
        of(data, Out.LOSS)
        .mark_line(strokeWidth=3)
        .encode(x=x, y=loss, color=colour, order="x:Q")
        .properties(
            width=270,
            height=220,
            title=alt.Title("Then the loss falls", subtitle="measured without the decay"),
        )
    )
    return styled(alt.hconcat(left, right, spacing=22))


def exit_chart(data, worlds: list[str], decays: list[float]):
    """The share of traps that descent left, against the strength of weight decay."""
    names = [f"{decay:g}" for decay in decays]
    x = alt.X(
        "at:Q",
        title="weight decay",
        scale=alt.Scale(domain=[-0.4, len(names) - 0.6], nice=False),
        axis=alt.Axis(
            values=list(range(len(names))), labelExpr=f"{names!r}[datum.value]", grid=False
        ),
    )
    share = "share of traps left"
    y = alt.Y(
        "y:Q",
        title=share,
        axis=alt.Axis(format="%"),
        scale=alt.Scale(domain=[0, 1.02], nice=False),
    )
    which = list(range(len(worlds)))
    legend = alt.Legend(title=None, labelExpr=named(worlds), orient="bottom", columns=2)
    colours = [BLUE, ORANGE, GREEN, PINK][: len(worlds)]
    shapes = ["circle", "square", "diamond", "triangle-up"][: len(worlds)]
    colour = alt.Color("value:O", scale=alt.Scale(domain=which, range=colours), legend=legend)
    shape = alt.Shape("value:O", scale=alt.Scale(domain=which, range=shapes), legend=legend)
    rows = of(data, Out.HERE).transform_calculate(
        at=f"datum.x + 0.12 * (datum.value - {(len(worlds) - 1) / 2})"
    )
    return styled(
        alt.layer(
            rows.mark_line(strokeWidth=1.5, opacity=0.5).encode(x=x, y=y, color=colour),
            rows.mark_rule(strokeWidth=2.5).encode(
                x=x, y=alt.Y("x2:Q", title=share), y2="y2:Q", color=colour
            ),
            rows.mark_point(filled=True, size=90, opacity=1).encode(
                x=x, y=y, color=colour, shape=shape
            ),
        ).properties(
            width=520,
            height=260,
            title=alt.Title(
                "Weight decay opens traps", subtitle="96 traps a dot; bars: Wilson's 95% intervals"
            ),
        )
    )


def cause_chart(data, names: list[str]):
    """The share of traps left, cause by cause."""
    share = "share of traps left"
    x = lambda field: alt.X(
        field, title=share, axis=alt.Axis(format="%"), scale=alt.Scale(domain=[0, 1], nice=False)
    )
    rows, y = of(data, Out.HERE), named_lines(names)
    return styled(
        alt.layer(
            rows.mark_rule(strokeWidth=2.5, color=BLUE).encode(x=x("x2:Q"), x2="y2:Q", y=y),
            rows.mark_point(filled=True, size=90, opacity=1, color=BLUE).encode(x=x("y:Q"), y=y),
        ).properties(
            width=360,
            height=26 * len(names),
            title=alt.Title(
                "What else opens traps?", subtitle="96 traps a line; bars: Wilson's 95% intervals"
            ),
        )
    )
