"""The lattice of partitions, and descents from one of them."""

from __future__ import annotations

import altair as alt

from .style import BLACK, BLUE, GREEN, GREY, ORANGE, PINK, RED, SKY, VERDICT_COLOURS, VERDICT_NAMES, VERDICT_SHAPES, codes, named, of, styled


def lattice_chart(data, edges: list[dict], labels: list[dict]):
    """Left: 15 partitions, verdict by colour and shape, loss below. Right: six descents from the chosen one."""
    x = alt.X("x:Q", axis=None, scale=alt.Scale(domain=[-3.5, 3.5]))
    y = alt.Y("y:Q", title="neurons in use", axis=alt.Axis(values=[1, 2, 3, 4], format="d", grid=False), scale=alt.Scale(domain=[0.5, 4.5]))
    nodes = of(data, 0)
    legend = alt.Legend(title=None, labelExpr=named(VERDICT_NAMES), orient="bottom", columns=6, values=[0, 1, 2, 3, 4, 5])
    lattice = alt.layer(
        alt.Chart(alt.Data(values=edges)).mark_rule(color=GREY, opacity=0.3).encode(x=x, y=y, x2="u:Q", y2="v:Q"),
        of(data, 1).mark_point(shape="circle", size=700, filled=False, strokeWidth=2.5, color=BLACK, opacity=1).encode(x=x, y=y),
        nodes.mark_point(size=230, filled=True, opacity=1, stroke="white").encode(
            x=x, y=y, color=alt.Color("value:O", scale=codes(VERDICT_NAMES, VERDICT_COLOURS), legend=legend), shape=alt.Shape("value:O", scale=codes(VERDICT_NAMES, VERDICT_SHAPES), legend=legend)),
        alt.Chart(alt.Data(values=labels)).mark_text(fontSize=12, fontWeight="bold", dy=-20).encode(x=x, y=y, text="label:N"),
        nodes.transform_filter("datum.x2 >= 0").mark_text(fontSize=11, dy=22, color="#444444").encode(x=x, y=y, text=alt.Text("x2:Q", format=".2f")),
    ).properties(width=440, height=300, title=alt.Title("Every way to share out four features", subtitle="12|34: one neuron for 1 and 2, one for 3 and 4; below: loss; ring: chosen"))
    curves = of(data, 2).mark_line(strokeWidth=2, opacity=0.85).encode(
        x=alt.X("x:Q", title="gradient descent step", scale=alt.Scale(domain=[0, 600])), y=alt.Y("y:Q", title="approximate loss", scale=alt.Scale(domain=[0, 4])),
        color=alt.Color("value:O", scale=alt.Scale(domain=list(range(6)), range=[BLUE, ORANGE, GREEN, RED, PINK, SKY]), legend=None), detail="value:O")
    return styled(alt.hconcat(lattice, curves.properties(width=220, height=300, title=alt.Title("Does it stay?", subtitle="six nudges of .01")),
                              spacing=20).resolve_scale(color="independent", shape="independent"))


def verdict_bars(rows: list[dict], n: int):
    """How many partitions have which verdict, by neurons in use."""
    return styled(alt.Chart(alt.Data(values=rows)).mark_bar().encode(
        x=alt.X("neurons:O", title="neurons in use", axis=alt.Axis(labelAngle=0)), y=alt.Y("partitions:Q", title="partitions"),
        color=alt.Color("verdict:N", scale=alt.Scale(domain=VERDICT_NAMES, range=VERDICT_COLOURS), legend=alt.Legend(title="verdict"))).properties(
            width=380, height=220, title=alt.Title(f"Traps are the exception: all partitions of {n} features")))
