"""Real embeddings: the mean is taken away little by little, and what untrained rows score falls."""

from __future__ import annotations

from sdl_theory.experiments.real.runs import UNTRAINED

from ..charts.real import mean_chart
from ..rows.real import mean_rows
from .base import Explorer, choice, slider


def _mean_story(layer: str, taken: float) -> tuple[dict, str, str]:
    data, told = mean_rows(layer, round(taken, 2))
    alone, median = told["the mean alone"], told["median"]
    words = (
        f"with {taken:.0%} of the mean taken away, half of all pairs of classes have a cosine "
        f"above {median:.2f}; one vector, the mean, scores {alone:.2f} on average, six class means "
        f"{told['anchors alone']:.2f}, six means of shuffled labels "
        f"{told['relabelled alone']:.2f}, {len(UNTRAINED)} kinds of rows in all, none trained"
    )
    return data, f"the mean alone: {alone:.2f}", words


def mean_explorer(layer: str = "layer5", taken: float = 0.0) -> Explorer:
    """Subtract a share of the mean from every embedding, and watch class means and controls."""
    controls = {
        "layer": choice("layer", layer, ["layer5", "final"], 12),
        "taken": slider("share of the mean taken away", taken, 0, 1, step=0.05),
    }
    code = lambda layer, taken: (
        f"from widgets.rows.real import mean_rows\nprint(mean_rows({layer!r}, {taken:.2f})[1])"
    )
    return Explorer(
        controls,
        _mean_story,
        lambda data: mean_chart(data, list(UNTRAINED)),
        code=code,
        name="mean",
        presets={
            "layer 5, raw": {"layer": "layer5", "taken": 0.0},
            "layer 5, centred": {"layer": "layer5", "taken": 1.0},
            "final, raw": {"layer": "final", "taken": 0.0},
            "final, centred": {"layer": "final", "taken": 1.0},
        },
    )
