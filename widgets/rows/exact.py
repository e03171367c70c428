"""Two features in exact arithmetic, as rows: losses over rho, and the point at a rational rho.

The losses are those of both eigenvalues.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ..kinds import Code, Exact, Layer
from .common import VERDICTS, table

# without 0, where the branches change places
RHO = np.concatenate([np.linspace(-0.95, -0.01, 20), np.linspace(0.01, 0.95, 20)])


@lru_cache(maxsize=1)
def _letters():
    from sdl_theory.theory.symbolic import two_features  # sympy takes a moment; load it when asked

    return two_features()


@lru_cache(maxsize=512)
def exact_point(tenths: int, m_1: int, m_2: int):
    """two_features().at(rho = tenths / 10, m_1, m_2), in rationals and roots."""
    import sympy as sp

    return _letters().at(sp.Rational(tenths, 10), m_1, m_2)


def spoken(expression) -> str:
    """An exact number as text, 3/2 - √97/10."""
    import re

    return re.sub(r"sqrt\((\w+)\)", r"√\1", str(expression)).replace("*", "")


def exact_rows(tenths: int, m_1: int, m_2: int) -> tuple[dict[str, np.ndarray], object]:
    """Losses m_1 + m_2 - eigenvalue along rho, and the exact point with its y.

    The losses are coloured by what the positive eigenvector is.
    """
    root = np.sqrt((m_1 - m_2) ** 2 + 4 * RHO**2 * m_1 * m_2)
    low, high = (m_1 + m_2 - root) / 2, (m_1 + m_2 + root) / 2
    rows = []
    for rho, small, large in zip(RHO, low, high):
        positive, other = (small, large) if rho > 0 else (large, small)
        side = Code.TRAP if rho > 0 else Code.SADDLE
        rows += [
            {"kind": Exact.POSITIVE, "x": rho, "y": positive, "value": side},
            {"kind": Exact.MIXED, "x": rho, "y": other, "value": side},
        ]
    here = exact_point(tenths, m_1, m_2)
    if here.loss is not None:
        rows.append(
            {
                "kind": Layer.POINT,
                "x": tenths / 10,
                "y": float(here.loss),
                "value": [str(v) for v in VERDICTS].index(here.verdict),
            }
        )
        y = np.array([float(here.y[0]), float(here.y[1])])
        rows += [
            {"kind": Layer.BAR, "x": d + 1, "y": component}
            for d, component in enumerate(y / np.linalg.norm(y))
        ]
    return table(rows), here
