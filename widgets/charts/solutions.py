"""Theorems 3.3 and 3.4: three solutions on three discs."""

from __future__ import annotations

import altair as alt

from ..kinds import NOTE, Solution
from .landscape import arrow_legend, feature_names
from .style import ARROW_COLOURS, ARROW_NAMES, ARROW_SHAPES, codes, from_origin, of, styled

PANELS = {
    Solution.IDEAL: ("Ideal point W*", "rows and columns are the features"),
    Solution.DUAL: ("Dual basis", "columns true, rows turned away"),
    Solution.MIRRORED: ("Mirrored pair", "rows come as w and -w"),
}


def solution_chart(data):
    """Three discs: the ideal point, the dual basis, the mirrored pair.

    Each with its loss and how well it recovers the features.
    """
    panels = [
        _disc(data, kind).properties(width=215, height=215, title=alt.Title(name, subtitle=about))
        for kind, (name, about) in PANELS.items()
    ]
    return styled(alt.hconcat(*panels, spacing=12))


def _disc(data, kind: Solution):
    first = kind is Solution.IDEAL
    legend = arrow_legend() if first else None
    reach, axis = alt.Scale(domain=[-1.75, 1.75]), alt.Axis(values=[-1, 0, 1])
    x = alt.X("x:Q", scale=reach, title="first coordinate", axis=axis)
    y = alt.Y("y:Q", scale=reach, title="second coordinate" if first else None, axis=axis)
    colour = alt.Color("value:O", scale=codes(ARROW_NAMES, ARROW_COLOURS), legend=legend)
    shape = alt.Shape("value:O", scale=codes(ARROW_NAMES, ARROW_SHAPES), legend=legend)
    size = alt.Size("size:Q", scale=None, legend=None)
    arrows = of(data, kind).transform_calculate(
        size="datum.value < 2 ? 420 : datum.value == 2 ? 150 : 45"
    )
    tips = arrows.mark_point(filled=True, opacity=1, stroke="white", strokeWidth=0.7)
    note = of(data, NOTE + kind).transform_calculate(
        loss="'loss ' + format(datum.x, datum.x > 1e-12 && datum.x < .005 ? '.1e' : '.2f')",
        rows="'rows: cosine ' + format(datum.y, '.2f')",
        columns="'columns: cosine ' + format(datum.x2, '.2f')",
    )
    words = [
        note.mark_text().encode(x=alt.datum(0), y=alt.datum(height), text=text)
        for height, text in ((1.6, "loss:N"), (-1.34, "rows:N"), (-1.6, "columns:N"))
    ]
    return alt.layer(
        from_origin(arrows.mark_rule(strokeWidth=2), x, y, color=colour),
        tips.encode(x=x, y=y, color=colour, shape=shape, size=size),
        *feature_names(arrows, x, y),
        *words,
    )
