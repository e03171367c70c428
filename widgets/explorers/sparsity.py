"""What sparsity, interference and a penalty do to a trap; features that are active together."""

from __future__ import annotations

import math

from sdl_theory import Verdict

from ..charts.sparsity import sparsity_chart
from ..kinds import Fate
from ..rows.sparsity import HIGH, LOW, STARTS, sparsity_rows
from .base import Explorer, slider

WHY = {
    Verdict.TRAP: "a local minimum of the true loss",
    Verdict.SADDLE: "stationary, but a way leads down",
    Verdict.DEGENERATE: "on the border: a flat valley",
    Verdict.NONE: "nothing fires for both",
}


def _sign(left: float, right: float) -> str:
    return "<" if left < right - 1e-12 else ">" if left > right + 1e-12 else "="


def _sparsity_story(S: float, rho: float, l1: float) -> tuple[dict, str, str]:
    S, rho, l1 = round(S, 4), round(rho, 4), round(l1, 4)
    data, seen = sparsity_rows(S, rho, l1)
    verdict, ends = seen["minimum"].verdict, seen["ends"]
    shared, shrink, kappa = math.sqrt((1 + rho) / 2), l1 / 2, seen["kappa"]
    law = f"rho + kappa = {rho:.2f} + {kappa:.2f} {_sign(rho + kappa, 0)} 0"
    if l1:
        pull = shrink * shared
        law = f"(l1 / 2) sqrt((1 + rho) / 2) = {pull:.2f} {_sign(pull, rho + kappa)} "
        law += f"rho + kappa = {rho + kappa:.2f}"
    if verdict is Verdict.NONE:
        law = f"l1 / 2 = {shrink:.2f} is not below (1 + kappa) sqrt((1 + rho) / 2) = "
        law += f"{(1 + kappa) * shared:.2f}"
    ended = f"Of {len(STARTS)} descents {ends[Fate.MERGED]} end on both features"
    ended += f", {ends[Fate.ALONE]} on one" + f", {ends[Fate.SILENT]} on none" * bool(
        ends[Fate.SILENT]
    )
    return data, str(verdict), f"{law}: {WHY[verdict]}. {ended}."


def sparsity_explorer(S: float = 0.9, rho: float = -0.3, l1: float = 0.0) -> Explorer:
    """Two features on one neuron: drag sparsity, their cosine and the penalty's weight.

    >>> from widgets.explorers import sparsity_explorer
    >>> explorer = sparsity_explorer(S=0.9, rho=-0.3)
    >>> print(explorer.headline)
    saddle
    >>> explorer.set(S=0.5)
    >>> print(explorer.headline)
    trap
    """
    controls = {
        "S": slider("sparsity S", S, LOW, HIGH, step=0.01),
        "rho": slider("cosine rho", rho, -0.95, 0.95, step=0.05),
        "l1": slider("penalty l1", l1, 0.0, 2.4, step=0.05),
    }
    code = lambda S, rho, l1: (
        "from sdl_theory import Constant, SparseFeatures, group_minimum, pair_law\n"
        "from widgets.rows import pair_problem\n"
        f"moments = SparseFeatures(2, S={S:.2f}, magnitudes=Constant(1.0)).moments()\n"
        f"print(group_minimum(pair_problem({rho:.2f}), [0, 1], moments=moments, l1={l1:.2f}))\n"
        f"print(pair_law(rho={rho:.2f}, kappa=1 - {S:.2f}, shrink={l1:.2f} / 2))"
    )
    return Explorer(
        controls,
        _sparsity_story,
        sparsity_chart,
        code=code,
        name="sparsity",
        presets={
            "siblings, very sparse": {"S": 0.99, "rho": 0.6, "l1": 0.0},
            "opposites, sparse": {"S": 0.9, "rho": -0.3, "l1": 0.0},
            "opposites, dense: still a trap": {"S": 0.5, "rho": -0.3, "l1": 0.0},
            "strangers: a shallow trap": {"S": 0.9, "rho": 0.0, "l1": 0.0},
            "L1 frees weak relatives": {"S": 0.9, "rho": 0.1, "l1": 0.8},
            "siblings withstand it": {"S": 0.9, "rho": 0.6, "l1": 0.8},
            "L1 silences": {"S": 0.9, "rho": 0.1, "l1": 1.8},
        },
    )
