"""The pictures of questions: charts of the lessons, without the titles that give the answer."""

from __future__ import annotations

from functools import cache

import numpy as np

from sdl_theory import imagenet_directions

from .. import charts, drawing, rows
from ..kinds import Code, Layer


def untitled(spec: dict) -> dict:
    """A chart and its parts without their titles; axes and legends keep theirs."""
    several = ("layer", "hconcat", "vconcat", "concat")
    parts = {key: [untitled(part) for part in spec[key]] for key in several if key in spec}
    return {key: value for key, value in spec.items() if key != "title"} | parts


def _start():
    """Two losses of samples of which many hold both features."""
    return charts.start_chart(charts.inline(rows.start_rows(S=0.5)[0]))


def _families():
    """Cosines within and between three families of classes."""
    directions = imagenet_directions()
    names = ("spaniel", "snake", "herding dog")
    members = [d for name in names for d in directions.group(name)]
    return charts.gram_chart(
        charts.inline(rows.gram_rows(directions.W_p[:, members])), "", "", reach=0.3
    )


def _gap():
    """The gap and its bounds, for JumpReLU and features of many sizes."""
    return charts.gap_chart(charts.inline(rows.gap_rows(n=6, log_rate=-3.0, theta=0.5)[0]))


def _solutions():
    """The ideal point, the dual basis and a mirrored pair."""
    data = rows.solution_rows(mu=0.5, theta=0.0, angle=20.0)[0]
    return charts.solution_chart(charts.inline(data))


def _pair():
    """One neuron on two features, the loss as its row turns, and a verdict that is left open."""
    data = rows.pair_rows(rho=-0.6)[0]
    left_open = np.where(data["kind"] == Layer.POINT, Code.NONE, data["value"])
    return charts.pair_chart(charts.inline({**data, "value": left_open}))


def _nudges():
    """Six descents from a zero row beside a trap."""
    data = rows.dead_rows(depth=0.0, log_nudge=-2.0, theta=0.0)[0]
    return charts.dead_chart(charts.inline(data))


def _branches():
    """The loss at both eigenvectors of a pair with unequal weights."""
    return charts.exact_chart(charts.inline(rows.exact_rows(tenths=6, m_1=1, m_2=2)[0]))


# by name: the chart, and what it shows, in words that give no answer away
PICTURES = {
    "two losses at S = 0.5": (
        _start,
        "Left: samples; of those that are not empty a third have both features. Right: two losses "
        "as the encoder row turns. The approximate one, dashed, is marked as a trap at its lowest "
        "point; the true one, solid, has another shape and lies deeper there.",
    ),
    "three families": (
        _families,
        "A table of cosines between 36 classes. Three blocks along the diagonal, one a family, "
        "have mostly positive cosines; between the families they are near zero.",
    ),
    "gap of a JumpReLU": (
        _gap,
        "Left: the gap between the losses against 1 - S, both axes logarithmic. From the right it "
        "falls as steeply as the two bounds; below 1e-3 it falls less steeply and crosses them. "
        "Right: how many features are active at once; nearly always none.",
    ),
    "three solutions": (
        _solutions,
        "Three solutions for two features at cosine 0.5. Left: rows and columns on the features, "
        "loss 0.50. Middle: rows turned outwards, at cosine 0.87, columns on the features, loss 0. "
        "Right: four rows in opposite pairs, best cosines 0.88, loss 0.",
    ),
    "pair at cosine -0.6": (
        _pair,
        "Left: two features at an obtuse angle and the neuron between them. Right: the loss as the "
        "encoder row turns; in the shaded region, where the neuron fires for both, it rises to a "
        "peak, where the stationary point is marked, and is flat on both sides.",
    ),
    "six nudges": (
        _nudges,
        "Left: two features, the row of a trapped neuron between them, and a second row that is "
        "zero. Right: the loss of six descents; some stay at 0.4, some fall to 0.",
    ),
    "two branches": (
        _branches,
        "The loss at two eigenvectors against the cosine rho. The positive one, solid, lies on the "
        "upper branch for negative rho and on the lower for positive rho; the other is dotted.",
    ),
}


@cache
def picture(name: str) -> tuple[str, str]:
    """The picture as HTML, and its words; ValueError for a name that is not there."""
    if name not in PICTURES:
        raise ValueError(f"there is no picture {name!r}; there are {', '.join(PICTURES)}")
    draw, words = PICTURES[name]
    return drawing.picture(untitled(draw().to_dict()), words), words
