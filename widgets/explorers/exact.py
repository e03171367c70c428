"""Two features in exact arithmetic, on sliders."""

from __future__ import annotations

from ..charts import exact_chart
from ..rows.exact import exact_rows, spoken
from .base import Explorer, count

SAYS = {
    "trap": "a trap, since rho > 0",
    "saddle": "a saddle, since rho < 0",
    "degenerate": "a flat valley: rho = 0 and equal weights",
}


def _exact_story(tenths: int, m_1: int, m_2: int) -> tuple[dict, str, str]:
    data, here = exact_rows(int(tenths), int(m_1), int(m_2))
    rho = spoken(here.rho)
    if here.loss is None:
        return (
            data,
            "none",
            f"rho = {rho} with weights {m_1} and {m_2}: "
            f"K is diagonal, its eigenvectors are the axes, and neither is positive.",
        )
    return (
        data,
        here.verdict,
        f"rho = {rho}: the loss is exactly {spoken(here.loss)}, about {float(here.loss):.4f}; "
        f"y is a multiple of ({spoken(here.y[0])}, {spoken(here.y[1])}). "
        f"It is {SAYS[here.verdict]}.",
    )


def exact_explorer(tenths: int = 6, m_1: int = 1, m_2: int = 2) -> Explorer:
    """Theorem 3.7 for a pair, without rounding.

    Rational rho, whole weights, exact loss and eigenvector.
    """
    controls = {
        "tenths": count("rho, in tenths", tenths, -9, 9),
        "m_1": count("weight m_1", m_1, 1, 9),
        "m_2": count("weight m_2", m_2, 1, 9),
    }
    code = lambda tenths, m_1, m_2: (
        "import sympy as sp\n"
        "from sdl_theory.theory.symbolic import two_features\n"
        f"print(two_features().at(sp.Rational({tenths}, 10), {m_1}, {m_2}))"
    )
    return Explorer(
        controls,
        _exact_story,
        exact_chart,
        code=code,
        name="exact",
        grid={name: [1, 2, 3, 5, 9] for name in ("m_1", "m_2")},
        presets={
            "Example 3.5": {"tenths": 0, "m_1": 1, "m_2": 1},
            "a trap": {"tenths": 6, "m_1": 1, "m_2": 1},
            "a saddle": {"tenths": -6, "m_1": 1, "m_2": 1},
            "none at all": {"tenths": 0, "m_1": 1, "m_2": 2},
        },
    )
