"""Which latents a mean puts to sleep, on a slider."""

from __future__ import annotations

from ..charts.language import sleep_chart
from ..rows.language import N_Q, K, sleep_rows
from .base import Explorer, slider


def _sleep_story(mean_share: float) -> tuple[dict, str, str]:
    data, seen = sleep_rows(round(float(mean_share), 3))
    silent = seen["asleep"] + seen["dead"]
    headline = "all awake" if not silent else f"{silent / N_Q:.0%} silent"
    return (
        data,
        headline,
        f"with {mean_share:.0%} of the squared length in the mean, {silent} of {N_Q} random "
        f"latents win none of the {K} places in any row: {seen['asleep']} are asleep, and would "
        f"win one if their row were longer, {seen['dead']} are strictly dead.",
    )


def sleep_explorer(mean_share: float = 0.5) -> Explorer:
    """How much of the squared length lies in the mean, and which random latents win no place."""
    controls = {
        "mean_share": slider("share of the mean", mean_share, 0.0, 0.95, step=0.05),
    }
    code = lambda mean_share: (
        "from widgets.rows.language import sleep_rows\n"
        f"data, counts = sleep_rows({mean_share:.2f})\n"
        "print(counts)"
    )
    return Explorer(
        controls,
        _sleep_story,
        sleep_chart,
        code=code,
        name="sleep",
        presets={
            "centred": {"mean_share": 0.0},
            "as in SmolLM2": {"mean_share": 0.5},
            "nearly all mean": {"mean_share": 0.95},
        },
    )
