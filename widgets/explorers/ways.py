"""Ways out of a trap on a slider."""

from __future__ import annotations

from ..charts.ways import ways_chart
from ..rows.ways import WAYS, way_rows
from .base import Explorer, choice, figure, slider


def _story(way: str, t: float) -> tuple[dict, str, str]:
    data, seen = way_rows(way, round(t, 3))
    now, start = (figure(seen[name], 3) for name in ("loss", "start"))
    words = f"Lt is {now}, at the trap it was {start}."
    if t >= 1:
        end = figure(seen["descended"], 3)
        words += f" The way itself gains {figure(seen['start'] - seen['end'], 3)}"
        words += f"; plain descent from its end comes to {end}."
    return data, seen["segment"], words


def ways_explorer(way: str = "clone", t: float = 0.85) -> Explorer:
    """Walk out of a trap, two neurons for two pairs of features: four ways that never rise.

    t : from the trap, 0, to the end of the way, 1, and then down by plain descent, to 2.
    """
    controls = {
        "way": choice("way", way, list(WAYS)),
        "t": slider("along the way", t, 0.0, 2.0, step=0.025),
    }
    code = lambda way, t: (
        "from widgets.rows.ways import way_out\n"
        f"way = way_out({way!r})\n"
        "print(way.path.check().losses(1))\n"
        f"print(way.path.at({min(t, 1.0):.3f}).W_E @ way.path.problem.W_p)"
    )
    presets = {
        "dead neuron, sign row": dict(way="sign row", t=1.0),
        "clone": dict(way="clone", t=1.0),
        "split": dict(way="split", t=1.0),
        "no spare neuron": dict(way="over the wall", t=1.0),
        "and then descent": dict(way="over the wall", t=2.0),
    }
    return Explorer(controls, _story, ways_chart, code=code, presets=presets, name="ways")
