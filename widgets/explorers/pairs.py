"""SAE, transcoder, crosscoder: one theorem, three machines."""

from __future__ import annotations

from ..charts import machine_chart
from ..rows import machine_rows
from ..rows.pairs import KINDS
from .base import Explorer, choice, figure, slider
from .minima import WHY


def _machine_story(kind: str, mu: float, other: float) -> tuple[dict, str, str]:
    data, minimum = machine_rows(kind, round(mu, 4), round(other, 4))
    counts = {
        "SAE": f"one cosine counts, {mu:.2f} (the second slider does nothing here)",
        "transcoder": f"the cosine of the targets counts, {other:.2f}; "
        f"the inputs' {mu:.2f} only shapes the region",
        "crosscoder": f"the sum of both models' cosines counts: "
        f"{mu:.2f} and {other:.2f} make {mu + other:.2f}",
    }[kind]
    return (
        data,
        str(minimum.verdict),
        f"{counts}; {WHY[minimum.verdict]}"
        + (f" Loss {figure(minimum.loss)}." if minimum.exists else ""),
    )


def machine_explorer(kind: str = "transcoder", mu: float = 0.3, other: float = -0.5) -> Explorer:
    """Theorem 3.7 for three machines: choose one, and two features' cosines at both of its ends.

    That is, where it reads and where it writes.
    """
    controls = {
        "kind": choice("machine", kind, KINDS, 15),
        "mu": slider("input cosine mu", mu, -0.9, 0.9, step=0.05),
        "other": slider("cosine of targets / model 2", other, -0.9, 0.9, step=0.05),
    }
    code = lambda kind, mu, other: (
        "from sdl_theory import group_minimum\nfrom widgets.rows.pairs import machine\n"
        f"print(group_minimum(machine({kind!r}, mu={mu:.2f}, other={other:.2f}), [0, 1]))"
    )
    return Explorer(
        controls,
        _machine_story,
        machine_chart,
        code=code,
        name="machine",
        states=4200,
        presets={
            "SAE, siblings": {"kind": "SAE", "mu": 0.6, "other": 0.0},
            "transcoder, saddle": {"kind": "transcoder", "mu": 0.6, "other": -0.6},
            "transcoder, trap": {"kind": "transcoder", "mu": -0.6, "other": 0.6},
            "crosscoder, in balance": {"kind": "crosscoder", "mu": 0.5, "other": -0.5},
        },
    )
