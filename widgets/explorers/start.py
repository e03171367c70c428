"""The first slider: the sparsity S."""

from __future__ import annotations

from ..charts import start_chart
from ..rows import start_rows
from .base import Explorer, slider


def _start_story(S: float) -> tuple[dict, str, str]:
    data, seen = start_rows(S)
    some, apart = 1 - seen["none"], seen["apart"]
    words = (
        f"of the samples with anything in them, {seen['one'] / some:.0%} show one feature alone. "
        f"As shares of their signals the two losses differ by at most {apart:.1%}"
    )
    if apart < 0.05:
        return data, "near", f"{words}: the theory speaks about data like these."
    return data, "roughly alike" if apart < 0.2 else "far apart", f"{words}."


def start_explorer(S: float = 0.7) -> Explorer:
    """Drag the sparsity S: the data leave the plane for two rays, and the two losses meet.

    The true loss comes to the approximate one that the theory studies.
    """
    code = lambda S: (
        "import torch\n"
        "from sdl_theory import SparseFeatures, Uniform\n"
        "from widgets.rows import pair_problem\n"
        f"x = SparseFeatures(2, S={S:.2f}, magnitudes=Uniform(.5, 1.5)).sample(5, "
        "torch.Generator().manual_seed(0))\n"
        "print(x @ pair_problem(0.6).W_p.mT)"
    )
    return Explorer(
        {"S": slider("sparsity S", S, 0.01, 0.99, step=0.01)},
        _start_story,
        start_chart,
        code=code,
        name="start",
        presets={"dense": {"S": 0.05}, "half": {"S": 0.5}, "sparse": {"S": 0.95}},
    )
