"""Theorems 3.3 and 3.4: three solutions on three discs."""

from __future__ import annotations

import altair as alt

from .style import ARROW_COLOURS, ARROW_NAMES, ARROW_SHAPES, codes, named, of, styled


def solution_chart(data):
    """Three discs: the ideal point, the dual basis, the mirrored pair; each with its loss and how
    well it recovers the features.
    """
    panels = []
    legend = alt.Legend(title=None, labelExpr=named(ARROW_NAMES), orient="bottom", columns=2)
    reach = alt.Scale(domain=[-1.75, 1.75])
    x = alt.X("x:Q", scale=reach, title="first coordinate", axis=alt.Axis(values=[-1, 0, 1]))
    for panel, (name, about) in enumerate(
        (
            ("Ideal point W*", "rows and columns are the features"),
            ("Dual basis", "columns true, rows turned away"),
            ("Mirrored pair", "rows come as w and -w"),
        )
    ):
        y = alt.Y(
            "y:Q",
            scale=reach,
            title="second coordinate" if panel == 0 else None,
            axis=alt.Axis(values=[-1, 0, 1]),
        )
        colour = alt.Color(
            "value:O",
            scale=codes(ARROW_NAMES, ARROW_COLOURS),
            legend=legend if panel == 0 else None,
        )
        shape = alt.Shape(
            "value:O", scale=codes(ARROW_NAMES, ARROW_SHAPES), legend=legend if panel == 0 else None
        )
        arrows = of(data, panel).transform_calculate(
            size="datum.value < 2 ? 420 : datum.value == 2 ? 150 : 45"
        )
        size = alt.Size("size:Q", scale=None, legend=None)
        note = of(data, 10 + panel).transform_calculate(
            loss="'loss ' + format(datum.x, datum.x > 1e-12 && datum.x < .005 ? '.1e' : '.2f')",
            cosines="'cosine: rows ' + format(datum.y, '.2f') + ', columns ' + format(datum.x2, "
            "'.2f')",
        )
        words = [
            note.mark_text(fontSize=11).encode(x=alt.datum(0), y=alt.datum(height), text=text)
            for height, text in ((1.6, "loss:N"), (1.35, "cosines:N"))
        ]
        panels.append(
            alt.layer(
                arrows.mark_rule(strokeWidth=2).encode(
                    x=x, y=y, x2=alt.datum(0), y2=alt.datum(0), color=colour
                ),
                arrows.mark_point(filled=True, opacity=1, stroke="white", strokeWidth=0.7).encode(
                    x=x, y=y, color=colour, shape=shape, size=size
                ),
                *words,
            ).properties(width=225, height=225, title=alt.Title(name, subtitle=about))
        )
    return styled(alt.hconcat(*panels, spacing=12))
