"""Correlated and hierarchical features on one neuron: what C does beside G."""

from __future__ import annotations

from sdl_theory import Verdict

from ..charts.together import together_chart
from ..rows.together import CHILD, CHILDREN, PAIR, THREE, WORLDS, size, together_rows
from .base import Explorer, choice, figure, slider

WHY = {
    Verdict.TRAP: "z > 0 belongs to the top eigenvalue: a local minimum of the true loss.",
    Verdict.SADDLE: "z > 0 belongs to a lower eigenvalue: a way leads down.",
    Verdict.DEGENERATE: "the top eigenvalue repeats: a flat valley.",
    Verdict.GLOBAL: "what is always active together is one feature to one neuron. "
    "Nothing spurious here.",
    Verdict.NONE: "no stationary point has all z > 0.",
}
NEVER = "a child is never active here, and one feature to one neuron is no trap."


def _together_story(kind: str, S: float, link: float, rho: float) -> tuple[dict, str, str]:
    S, rho = round(S, 4), round(rho, 4)
    link = round(link, 4)
    data, seen = together_rows(kind, S, link, rho)
    minimum, C, moved = seen["minimum"], seen["moments"].C, seen["link"]
    what = "r" if kind in (PAIR, THREE) else "P(child | parent)"
    least = " at the least" if moved > link + 1e-9 else ""  # the handle stands further left
    words = f"{what} = {moved:.2f}{least}, both active in {C[0, 1].item():.1%} of the samples "
    words += f"(independent ones: {C[0, 0].item() * C[1, 1].item():.1%}); "
    words += WHY[minimum.verdict] if C[1, 1] > 0 else NEVER
    if minimum.verdict is Verdict.NONE and kind in (CHILD, CHILDREN):
        words += " (One of mixed signs may still fire on every sample: a child is never alone.)"
    if minimum.exists:
        words += (
            f" z = ({', '.join(f'{z:.2f}' for z in seen['z'])}), loss {figure(minimum.loss, 3)}."
        )
    return data, str(minimum.verdict), words


def together_explorer(
    kind: str = "parent and child", S: float = 0.8, link: float = 0.5, rho: float = 0.3
) -> Explorer:
    """Who is active with whom: choose a world, and move the link, the cosine and the sparsity.

    The link is the correlation of the activities (at its least they exclude each other), or
    P(child | parent).
    """
    controls = {
        "kind": choice("features", kind, list(WORLDS), 20),
        "link": slider("link", link, -1.0, 1.0, step=0.05),
        "rho": slider("cosine of directions", rho, -0.45, 0.9, step=0.05),
        "S": slider("sparsity S of one (the parent)", S, 0.5, 0.95, step=0.05),
    }
    code = lambda kind, link, rho, S: (
        "from sdl_theory import group_minimum\n"
        "from widgets.rows.together import equal_cosines, moments_of\n"
        f"moments = moments_of({kind!r}, S={S:.2f}, link={link:.2f})\n"
        f"problem = equal_cosines({size(kind)}, {rho:.2f})\n"
        f"print(moments.C, group_minimum(problem, range({size(kind)}), moments=moments))"
    )
    return Explorer(
        controls,
        _together_story,
        together_chart,
        code=code,
        name="together",
        presets={
            "independent": {"kind": PAIR, "link": 0.0, "rho": -0.1, "S": 0.8},
            "exclusive features": {"kind": PAIR, "link": -1.0, "rho": -0.1, "S": 0.8},
            "correlated opposites": {"kind": PAIR, "link": 0.5, "rho": -0.4, "S": 0.8},
            "always together: loss 0, not spurious": {
                "kind": THREE,
                "link": 1.0,
                "rho": -0.4,
                "S": 0.8,
            },
            "a child implies its parent": {"kind": CHILD, "link": 0.5, "rho": -0.3, "S": 0.8},
            "a rare child": {"kind": CHILD, "link": 0.2, "rho": -0.3, "S": 0.8},
            "two children": {"kind": CHILDREN, "link": 0.5, "rho": 0.2, "S": 0.8},
        },
    )
