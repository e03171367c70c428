"""The pictures of questions: charts of the lessons at settings that ask something."""

from __future__ import annotations

from functools import cache

from .. import charts, rows
from ..live import png


def _pair(rho: float):
    """One neuron on two features, and the loss as its row turns."""
    return charts.pair_chart(charts.inline(rows.pair_rows(rho=rho)[0]))


# by name: the chart, and what it shows in words
PICTURES = {
    "pair, cosine -0.6": (
        lambda: _pair(-0.6),
        "Left: two features at an obtuse angle and the neuron between them. Right: the loss as the "
        "encoder row turns; in the shaded region, where the neuron fires for both, the curve is a "
        "hill, and the marked point its top.",
    ),
}


@cache
def picture(name: str) -> tuple[bytes, str]:
    """The picture as PNG, and its words; ValueError for a name that is not there."""
    if name not in PICTURES:
        raise ValueError(f"there is no picture {name!r}; there are {', '.join(PICTURES)}")
    draw, words = PICTURES[name]
    return png(draw().to_dict()), words
