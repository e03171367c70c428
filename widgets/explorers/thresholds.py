"""Figure 6 with a handle: who finds how much at which threshold."""

from __future__ import annotations

import json

from sdl_theory.experiments.paper.record import RESULTS
from sdl_theory.experiments.paper.thresholds import TAUS, shares

from ..charts.paper import tau_chart
from ..rows.paper import tau_rows
from .base import Explorer, slider


def stored_curves() -> list[dict]:
    """The runs that `python -m sdl_theory figure 6` keeps."""
    return json.loads((RESULTS / "figure_6.json").read_text(encoding="utf-8"))["rows"]


def threshold_explorer(tau: float = 0.95) -> Explorer:
    """Figure 6: drag the threshold above which a feature counts as found.

    By the paper's metric of section 5.1, at demo size, plain and anchored.
    """
    runs = stored_curves()
    names = list(dict.fromkeys(run["method"] for run in runs))
    gains = {
        name: [
            b.value - a.value
            for a, b in zip(*(shares(one) for one in runs if one["method"] == name))
        ]
        for name in names
    }

    def story(tau: float) -> tuple[dict, str, str]:
        at = TAUS.index(round(tau, 2))
        ahead = [name for name in names if gains[name][at] > 0.005]
        behind = [name for name in names if gains[name][at] < -0.005]
        listed = lambda some: ", ".join(some) or "none"
        words = f"Anchored runs lead for {listed(ahead)}; plain ones for {listed(behind)}."
        return tau_rows(runs, tau), f"tau = {tau:.2f}", words

    return Explorer(
        {"tau": slider("threshold tau", tau, 0.5, 1.0, step=0.01)},
        story,
        lambda data: tau_chart(data, names),
        code=lambda tau: (
            "from sdl_theory import best_matches, gt_recovery, setup, train_row\n"
            'row = setup("demo", "topk", seeds=[0], instances=False, steps=100)\n'
            "train_row(row, progress=False)\n"
            "matches = best_matches(row.model.W_E, row.data[0].W_p, cosine=False)\n"
            f"print(gt_recovery(matches, {tau:.2f}))"
        ),
        name="threshold",
        presets={"the tables": {"tau": 0.95}, "lenient": {"tau": 0.8}, "strict": {"tau": 0.99}},
    )
