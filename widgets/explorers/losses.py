"""Theorems 3.1, 3.3 and 3.4 on sliders."""

from __future__ import annotations

from ..charts import gap_chart, solution_chart
from ..rows import gap_rows, solution_rows
from ..rows.losses import MAGNITUDE
from .base import Explorer, count, figure, slider


def _gap_story(n: int, log_rate: float, theta: float) -> tuple[dict, str, str]:
    data, seen = gap_rows(int(n), round(log_rate, 3), round(theta, 3))
    gap, rate = seen["L"] - seen["Lt"], 10.0**log_rate
    if theta > 0:
        return (
            data,
            "no theorem",
            f"JumpReLU is not homogeneous: L - Lt = {gap:.2g} shrinks only like 1-S, "
            f"of either sign. At S near 1 it crosses every bound of order two.",
        )
    if n * rate > 1:
        return (
            data,
            "vacuous",
            f"n(1-S) = {n * rate:.2g} > 1: two or more features are active "
            f"{seen['more']:.0%} of the time, and the bound says little or nothing.",
        )
    return (
        data,
        "holds",
        f"0 <= L - Lt = {gap:.2g} <= {seen['tight']:.2g}. "
        f"A tenth of 1-S gives a hundredth of the gap: order two.",
    )


def gap_explorer(n: int = 6, log_rate: float = -2.0, theta: float = 0.0) -> Explorer:
    """Theorem 3.1: drag the sparsity, the number of features and JumpReLU's threshold.

    When does the bound speak?
    """
    controls = {
        "n": count("features n", n, 2, 9),
        "log_rate": slider("log10(1 - S)", log_rate, -5.0, -0.1, step=0.1),
        "theta": slider("threshold theta", theta, 0.0, 1.0, step=0.05),
    }
    code = lambda n, log_rate, theta: (
        "from sdl_theory import Constant, SparseFeatures\n"
        f"features = SparseFeatures({n}, S={1 - 10.0**log_rate:.6g}, "
        f"magnitudes=Constant({MAGNITUDE}))\n"
        f"print(features.count_probabilities(), features.M_d)"
    )
    return Explorer(
        controls,
        _gap_story,
        gap_chart,
        code=code,
        name="gap",
        states=1000,
        presets={
            "sparse": {"n": 6, "log_rate": -3.0, "theta": 0.0},
            "dense": {"n": 9, "log_rate": -0.5, "theta": 0.0},
            "JumpReLU": {"n": 6, "log_rate": -3.0, "theta": 0.5},
        },
    )


def _solution_story(mu: float, theta: float, angle: float) -> tuple[dict, str, str]:
    mu, theta = round(mu, 4), round(theta, 4)
    data, (star, dual, mirrored) = solution_rows(mu, theta, angle)
    sign = ">" if mu > theta else "<="
    first = f"W* has loss {figure(star[0])}, since mu = {mu:.2f} {sign} theta = {theta:.2f}"
    second = (
        f"the dual basis has loss {figure(dual[0])} "
        f"with rows at cosine {dual[1]:.2f} to the features"
    )
    third = (
        f"the mirrored pair has loss {figure(mirrored[0])} and best cosines of {mirrored[1]:.2f}"
    )
    zero = sum(loss < 1e-9 for loss, *_ in (star, dual, mirrored))
    return data, f"{zero} of 3 at zero loss", f"{first}; {second}; {third}."


def solution_explorer(mu: float = 0.5, theta: float = 0.0, angle: float = 20.0) -> Explorer:
    """Theorems 3.3 and 3.4: drag interference, threshold and rotation.

    Which solutions reach zero loss, and which recover anything?
    """
    controls = {
        "mu": slider("interference mu", mu, -0.9, 0.9, step=0.05),
        "theta": slider("threshold theta", theta, 0.0, 0.95, step=0.05),
        "angle": slider("turn pair (degrees)", angle, 0.0, 90.0, step=5.0),
    }
    code = lambda mu, theta, angle: (
        "from sdl_theory import JumpReLU, certify, ideal_weights\n"
        "from widgets.rows import pair_problem\n"
        f"problem = pair_problem({mu:.2f})\n"
        f"print(certify(problem, ideal_weights(problem, 4), JumpReLU({theta:.2f})))"
    )
    return Explorer(
        controls,
        _solution_story,
        solution_chart,
        code=code,
        name="solution",
        states=5000,
        presets={
            "interference": {"mu": 0.5, "theta": 0.0, "angle": 20.0},
            "theta = mu": {"mu": 0.5, "theta": 0.5, "angle": 20.0},
            "no interference": {"mu": -0.2, "theta": 0.0, "angle": 45.0},
        },
    )
