"""Theorem 3.2 on sliders."""

from __future__ import annotations

from ..charts import region_chart
from ..rows import region_rows
from ..rows.regions import plane_problem, sectors
from .base import Explorer, count, figure, slider


def _region_story(region: int, a: float, b: float) -> tuple[dict, str, str]:
    a, b = round(a, 3), round(b, 3)
    data, seen = region_rows(int(region) - 1, a, b)
    fired, least = seen["fired"], seen["least"]
    if a == 0:
        return (
            data,
            "on every wall",
            f"w_E = 0 is the corner where all six regions meet. Lt = {figure(seen['loss'])}, "
            f"and which way it slopes depends on the side on which you leave.",
        )
    if not fired:
        return (
            data,
            "flat",
            f"the neuron fires for nothing, Lt = {figure(seen['loss'])}, "
            f"and every small step leaves it there.",
        )
    numbers = " and ".join(str(d + 1) for d in fired)
    who = {1: f"feature {numbers}", 2: f"features {numbers}", 3: "all three features"}[len(fired)]
    together = (
        f"along both {least['joint']:.2f}, so not convex"
        if least["joint"] < -1e-9
        else f"along both {abs(least['joint']):.2f}: convex here, too"
    )
    return (
        data,
        "biconvex",
        f"the neuron fires for {who}. Least curvature along W_E {abs(least['E']):.2f} and along "
        f"W_D {abs(least['D']):.2f}, so convex in each; {together}. Lt = {figure(seen['loss'])}.",
    )


def region_explorer(region: int = 1, a: float = 0.8, b: float = 0.6) -> Explorer:
    """Theorem 3.2: choose the region of the encoder row and both weights' scales.

    The loss is convex in each weight, not in both, and has kinks at the walls.
    """
    controls = {
        "region": count("region", region, 1, 6),
        "a": slider("encoder scale a", a, -2.0, 2.0, step=0.1),
        "b": slider("decoder scale b", b, -2.0, 2.0, step=0.1),
    }
    code = lambda region, a, b: (
        "import torch\n"
        "from sdl_theory import hessian\n"
        "from widgets.rows.regions import point\n"
        f"problem, weights, _ = point(region={region - 1}, a={a:.2f}, b={b:.2f})\n"
        "for block in ('E', 'D', 'joint'):\n"
        "    print(block, torch.linalg.eigvalsh(hessian(problem, weights, block=block)))"
    )
    return Explorer(
        controls,
        _region_story,
        lambda data: region_chart(data, sectors(plane_problem())),
        code=code,
        name="region",
        states=2700,
        presets={
            "two features": {"region": 1, "a": 0.8, "b": 0.6},
            "all three": {"region": 6, "a": 0.8, "b": 0.6},
            "the flat region": {"region": 3, "a": 1.0, "b": 1.0},
            "across the wall": {"region": 1, "a": -0.8, "b": 0.6},
        },
    )
