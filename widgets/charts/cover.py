"""README's picture: a trap, the solution, and the hill between them."""

from __future__ import annotations

import altair as alt

from ..kinds import Layer
from .style import BLACK, BLUE, GREEN, HALO, ORANGE, RED, from_origin, of, styled

ENDS = {0: "stuck: one neuron for two concepts", 1: "solved: a neuron for each"}


def cover_chart(data):
    """Above, both ends of the way: concepts and encoder rows. Below, the loss along it."""
    discs = alt.hconcat(*(_disc(data, end, title) for end, title in ENDS.items()), spacing=100)
    title = alt.Title(
        "Why training a sparse autoencoder gets stuck",
        subtitle="two concepts, two neurons: the exact loss on the straight way from a trap to the "
        "solution",
        fontSize=22,
        subtitleFontSize=15,
    )
    return styled(alt.vconcat(discs, _way(data), spacing=6, title=title))


def _disc(data, end: int, title: str):
    x = alt.X("x:Q", axis=None, scale=alt.Scale(domain=[-2.64, 2.64]))
    y = alt.Y("y:Q", axis=None, scale=alt.Scale(domain=[-1.05, 1.45]))
    here = f"datum.value == {end}"
    concepts = of(data, Layer.DATA).transform_filter(here)
    neurons = of(data, Layer.ARROW).transform_filter(here)
    names = concepts.transform_calculate(label="'concept ' + (datum.x < 0 ? 1 : 2)").mark_text(
        dx=alt.expr("datum.x < 0 ? -48 : 48"), color=BLUE, fontWeight="bold"
    )
    called = neurons.transform_calculate(label="datum.y < 0 ? 'idle neuron' : 'neuron'")
    aside = "abs(datum.x) > 0.1 ? (datum.x < 0 ? -44 : 44) : datum.y < 0 ? 58 : 0"
    above = "datum.y > 0.9 ? -18 : 0"
    word = called.mark_text(dx=alt.expr(aside), dy=alt.expr(above), color=BLACK, fontWeight="bold")
    return alt.layer(
        from_origin(concepts.mark_rule(strokeWidth=3, color=BLUE), x, y),
        concepts.mark_point(size=200, filled=True, opacity=1, color=BLUE).encode(x=x, y=y),
        from_origin(neurons.mark_rule(strokeWidth=3, color=ORANGE), x, y),
        neurons.mark_point(size=170, filled=True, opacity=1, color=ORANGE, shape="square").encode(
            x=x, y=y
        ),
        names.encode(x=x, y=y, text="label:N"),
        word.encode(x=x, y=y, text="label:N"),
    ).properties(width=380, height=180, title=alt.Title(title, anchor="middle"))


def _way(data):
    x = alt.X("x:Q", axis=None, scale=alt.Scale(domain=[-0.396, 1.396], nice=False))
    y = alt.Y("y:Q", title="loss", scale=alt.Scale(domain=[-0.05, 0.75], clamp=True))
    curve = of(data, Layer.CURVE)
    ends = of(data, Layer.POINT)
    colour = alt.Color("value:O", scale=alt.Scale(domain=[0, 1], range=[RED, GREEN]), legend=None)
    shape = alt.Shape(
        "value:O", scale=alt.Scale(domain=[0, 1], range=["triangle-down", "circle"]), legend=None
    )
    said = ends.transform_calculate(
        label="datum.value ? 'loss 0' : 'trap: no small step leads down; loss 0.4'"
    )
    words = [
        said.mark_text(
            dy=alt.expr("datum.value ? -30 : 26"), fontSize=16, fontWeight="bold", **halo
        ).encode(x=x, y=y, text="label:N")
        for halo in (HALO, {})
    ]
    return alt.layer(
        curve.mark_line(color=BLACK, strokeWidth=3, clip=True).encode(x=x, y=y, order="x:Q"),
        ends.mark_point(filled=True, size=420, opacity=1, stroke="white", strokeWidth=2).encode(
            x=x, y=y, color=colour, shape=shape
        ),
        *words,
    ).properties(width=860, height=210)
