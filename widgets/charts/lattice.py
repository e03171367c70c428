"""The lattice of partitions, and descents from one of them."""

from __future__ import annotations

import altair as alt

from ..kinds import Code, Lattice
from .style import (
    BLACK,
    GREY,
    HALO,
    VERDICT_COLOURS,
    VERDICT_NAMES,
    VERDICT_SHAPES,
    codes,
    named,
    of,
    styled,
)


def lattice_chart(data, edges: list[dict], labels: list[dict]):
    """Left: 15 partitions. Right: six descents from the chosen one.

    A partition's verdict is shown by colour and shape, its loss stands below.

    labels : of each partition its place, its name, and the value that a click on it gives (`pick`).
    """
    lattice = _lattice(data, edges, labels).properties(
        width=440,
        height=300,
        title=alt.Title(
            "Every way to share out four features",
            subtitle=[
                "12|34: one neuron for 1 and 2, one for 3 and 4",
                "below: loss; ring: chosen, click another",
            ],
        ),
    )
    step = alt.X(
        "x:Q",
        title="gradient descent step",
        scale=alt.Scale(domain=[0, 600]),
        axis=alt.Axis(tickCount=4),
    )
    loss = alt.Y("y:Q", title="approximate loss", scale=alt.Scale(domain=[0, 4]))
    curves = (
        of(data, Lattice.DESCENT)
        .mark_line(strokeWidth=2, opacity=0.6, color=BLACK, clip=True)
        .encode(x=step, y=loss, detail="value:O")
        .properties(
            width=220,
            height=300,
            title=alt.Title("Does it stay?", subtitle="six nudges of .01"),
        )
    )
    return styled(
        alt.hconcat(lattice, curves, spacing=20, usermeta={"pick": "partition"}).resolve_scale(
            color="independent", shape="independent"
        )
    )


def _lattice(data, edges: list[dict], labels: list[dict]):
    x = alt.X("x:Q", axis=None, scale=alt.Scale(domain=[-3.5, 3.5]))
    y = alt.Y(
        "y:Q",
        title="neurons in use",
        axis=alt.Axis(values=[1, 2, 3, 4], format="d", grid=False),
        scale=alt.Scale(domain=[0.5, 4.5]),
    )
    legend = alt.Legend(
        title=None,
        labelExpr=named(VERDICT_NAMES),
        orient="bottom",
        columns=6,
        values=list(map(int, Code)),
    )
    colour = alt.Color("value:O", scale=codes(VERDICT_NAMES, VERDICT_COLOURS), legend=legend)
    shape = alt.Shape("value:O", scale=codes(VERDICT_NAMES, VERDICT_SHAPES), legend=legend)
    lines = alt.Chart(alt.Data(values=edges)).mark_rule(color=GREY, opacity=0.3)
    ring = of(data, Lattice.CHOSEN).mark_point(
        shape="circle", size=700, filled=False, strokeWidth=2.5, color=BLACK, opacity=1
    )
    nodes = of(data, Lattice.NODE)
    names = alt.Chart(alt.Data(values=labels))
    losses = nodes.transform_filter("datum.x2 >= 0")
    below = alt.Text("x2:Q", format=".2f")
    return alt.layer(
        lines.encode(x=x, y=y, x2="u:Q", y2="v:Q"),
        ring.encode(x=x, y=y),
        nodes.mark_point(size=230, filled=True, opacity=1, stroke="white").encode(
            x=x, y=y, color=colour, shape=shape
        ),
        *(
            names.mark_text(fontWeight="bold", dy=-20, **halo).encode(x=x, y=y, text="label:N")
            for halo in (HALO, {})
        ),
        *(losses.mark_text(dy=21, **halo).encode(x=x, y=y, text=below) for halo in (HALO, {})),
        # on top of all, what a click on a node hits: its row says which partition to `pick`
        names.mark_point(size=900, filled=True, opacity=0, color=BLACK, cursor="pointer").encode(
            x=x, y=y
        ),
    )


def verdict_bars(rows: list[dict], n: int):
    """How many partitions have which verdict, by neurons in use."""
    seen = [name for name in VERDICT_NAMES if any(row["verdict"] == name for row in rows)]
    colours = [VERDICT_COLOURS[VERDICT_NAMES.index(name)] for name in seen]
    traps = sum(row["partitions"] for row in rows if row["verdict"] == "trap")
    total = sum(row["partitions"] for row in rows)
    return styled(
        alt.Chart(alt.Data(values=rows))
        .mark_bar()
        .encode(
            x=alt.X("neurons:O", title="neurons in use", axis=alt.Axis(labelAngle=0)),
            y=alt.Y("partitions:Q", title="partitions"),
            color=alt.Color(
                "verdict:N",
                scale=alt.Scale(domain=seen, range=colours),
                legend=alt.Legend(title="verdict"),
            ),
        )
        .properties(
            width=560,
            height=240,
            title=alt.Title(
                f"{traps} of {total} partitions are traps",
                subtitle=f"{n} features, all ways to share them out",
            ),
        )
    )
