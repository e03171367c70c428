"""Superposition on sliders: can features still be told apart?"""

from __future__ import annotations

import math

from ..charts import linear_chart
from ..rows import linear_rows
from .base import Explorer, count, slider


def _linear_story(n: int, n_p: int, mu: float, S: float) -> tuple[dict, str, str]:
    data, seen = linear_rows(int(n), int(n_p), round(mu, 3), round(S, 3))
    room = (
        "there is room for all of them: n <= n_p"
        if n <= n_p
        else f"{n} features share {n_p} dimensions: superposition"
    )
    if math.isnan(seen["confusion"]):
        reading = (
            f"no feature was ever {'silent' if S < 0.5 else 'active'} in 500 samples, "
            f"and there is nothing to confuse"
        )
    else:
        reading = (
            f"a silent feature reads higher than an active one in {seen['confusion']:.1%} of pairs"
        )
    if seen["reached"] is None:
        words = f"{seen['trouble']}. With random directions instead {reading}."
        return data, "impossible", words
    if seen["trouble"]:
        return data, "not reached", f"{seen['trouble']}. With those directions {reading}."
    return (
        data,
        "reached",
        f"{room}. Random directions interfere by {seen['random']:.2f}, "
        f"these by {seen['reached'] + 1e-9:.2f}; "
        f"below {seen['bound'] + 1e-9:.2f} is impossible. Here {reading}.",
    )


def linear_explorer(n: int = 40, n_p: int = 20, mu: float = 0.2, S: float = 0.9) -> Explorer:
    """Drag the number of features, the dimensions, the interference and the sparsity.

    When can features still be told apart?
    """
    controls = {
        "n": count("features n", n, 2, 64),
        "n_p": count("dimensions n_p", n_p, 2, 32),
        "mu": slider("interference mu", mu, -0.5, 0.95, step=0.05),
        "S": slider("sparsity S", S, 0.0, 0.99, step=0.01),
    }
    code = lambda n, n_p, mu, S: (
        "import torch\n"
        "from sdl_theory import feature_matrix, interference, levenshtein_bound\n"
        f"print(levenshtein_bound({n}, {n_p}))\n"
        "try:\n"
        f"    W_p = feature_matrix({n}, {n_p}, mu={mu:.2f}, "
        "generator=torch.Generator().manual_seed(0))\n"
        "    print(interference(W_p))\n"
        "except ValueError as error:\n"
        "    print(error)"
    )
    return Explorer(
        controls,
        _linear_story,
        linear_chart,
        code=code,
        name="linear",
        grid={
            "n": [2, 4, 8, 16, 24, 40, 64],
            "n_p": [2, 4, 8, 16, 20, 32],
            "mu": [0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.9],
            "S": [0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99],
        },
        presets={
            "room for all": {"n": 16, "n_p": 20, "mu": 0.0, "S": 0.9},
            "superposition": {"n": 40, "n_p": 20, "mu": 0.2, "S": 0.95},
            "crowded": {"n": 64, "n_p": 8, "mu": 0.5, "S": 0.8},
            "impossible": {"n": 64, "n_p": 4, "mu": 0.1, "S": 0.9},
        },
    )
