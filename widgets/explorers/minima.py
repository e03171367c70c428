"""Theorem 3.7 on sliders."""

from __future__ import annotations

import re

from sdl_theory import GroupMinimum, Verdict
from sdl_theory.theory.counterexamples import three_features

from ..charts import lattice_chart, pair_chart, three_chart
from ..rows import lattice_rows, pair_rows, three_rows, three_worlds
from ..rows.descent import SEEDS
from ..rows.lattice import PARTITIONS, edges, label, places
from .base import Explorer, count, figure, slider

WHY = {
    Verdict.TRAP: "a local minimum: gradient descent in small steps stays. "
    "The positive eigenvector has the top eigenvalue.",
    Verdict.SADDLE: "both gradients are zero, yet a way down exists. "
    "The positive eigenvector is not the top one.",
    Verdict.NONE: "no partial minimum at all. "
    "No eigenvector is positive, so no neuron can sit still on this whole group.",
    Verdict.DEGENERATE: "the top eigenvalue repeats: a flat valley of equal minima.",
    Verdict.GLOBAL: "loss zero, nothing spurious here.",
}


def _verdict_story(answer: tuple[dict, GroupMinimum]) -> tuple[dict, str, str]:
    data, minimum = answer
    return (
        data,
        str(minimum.verdict),
        WHY[minimum.verdict] + (f" Loss {figure(minimum.loss, 3)}." if minimum.exists else ""),
    )


def pair_explorer(rho: float = 0.6) -> Explorer:
    """Two features on one neuron: drag rho through zero and watch a trap become a saddle.

    >>> from widgets.explorers import pair_explorer
    >>> explorer = pair_explorer(rho=0.6)
    >>> print(explorer.headline)
    trap
    >>> explorer.set(rho=-0.6)
    >>> print(explorer.headline)
    saddle
    """
    controls = {
        "rho": slider("cosine rho", rho, -0.95, 0.95, step=0.05),
        "m_2": slider("weight m_2 (m_1 = 1)", 1.0, 0.2, 3.0, step=0.1),
    }
    code = lambda rho, m_2: (
        "import torch\n"
        "from sdl_theory import Problem, group_minimum\n"
        "from widgets.rows import pair_problem\n"
        f"print(group_minimum(pair_problem({rho:.2f}, {m_2:.2f}), [0, 1]))"
    )
    story = lambda rho, m_2: _verdict_story(pair_rows(round(rho, 4), m_2))
    return Explorer(
        controls,
        story,
        pair_chart,
        code=code,
        name="pair",
        presets={
            "a trap": {"rho": 0.6, "m_2": 1.0},
            "a saddle": {"rho": -0.6, "m_2": 1.0},
            "Example 3.5, flat": {"rho": 0.0, "m_2": 1.0},
            "none at all": {"rho": 0.0, "m_2": 2.0},
            "two collies": {"rho": 0.43, "m_2": 1.0},
        },
    )


def _three_story(t: float) -> tuple[dict, str, str]:
    weights = three_worlds(t)
    data, verdict, words = _verdict_story(three_rows(three_features(weights)))
    return data, verdict, f"M = ({', '.join(f'{m:.3g}' for m in weights)}): {words}"


def three_explorer(t: float = 1.0) -> Explorer:
    """Three features on one neuron: from a saddle through nothing to a trap, and to nothing again.

    One slider over M_d walks there.
    """
    controls = {"t": slider("path of M_d", t, 0.0, 2.0, step=0.02)}
    code = lambda t: (
        "from sdl_theory import group_minimum\n"
        "from sdl_theory.theory.counterexamples import three_features\n"
        f"print(group_minimum(three_features({tuple(round(m, 3) for m in three_worlds(t))}), "
        "[0, 1, 2]))"
    )
    return Explorer(
        controls,
        _three_story,
        three_chart,
        code=code,
        name="three",
        presets={"a saddle": {"t": 0.0}, "a trap": {"t": 1.0}, "none at all": {"t": 2.0}},
    )


def lattice_picture(data):
    """The lattice with its edges and names."""
    labels = [
        {"x": x, "y": y, "label": label(groups), "pick": number}
        for number, (groups, (x, y)) in enumerate(zip(PARTITIONS, places()), 1)
    ]
    return lattice_chart(data, edges(), labels)


def from_one(reason: str) -> str:
    """The reason with features counted from 1, as pictures count: group [0, 2] is group {1,3}."""
    return re.sub(
        r"\[(\d+(?:, \d+)*)\]",
        lambda found: "{" + ",".join(str(int(d) + 1) for d in found[1].split(", ")) + "}",
        reason,
    )


def _lattice_story(rho: float, partition: int, theta: float) -> tuple[dict, str, str]:
    groups = PARTITIONS[partition - 1]
    data, (chosen, left) = lattice_rows(round(rho, 4), partition - 1, round(theta, 3))
    if not chosen.exists:
        return data, f"{label(groups)}: none", from_one(chosen.reason) + "."
    stays = f"All {SEEDS} descents stay" if left == 0 else f"{left} of {SEEDS} descents leave"
    but = ""
    if chosen.verdict is Verdict.TRAP and left:
        but = " A trap has an edge, and nudges of .01 reach over a wall here."
    elif chosen.verdict is Verdict.SADDLE and left < SEEDS:
        but = " The way down begins very flat here, and 600 steps are few."
    why = ""
    if chosen.verdict is not Verdict.GLOBAL:
        why = WHY.get(chosen.verdict, from_one(chosen.reason))
    return (
        data,
        f"{label(groups)}: {chosen.verdict}",
        f"loss {figure(chosen.loss, 3)}. {stays} after a nudge of .01.{but} "
        f"{why[:1].upper()}{why[1:]}",
    )


def lattice_explorer(rho: float = 0.5, partition: int = 5, theta: float = 0.0) -> Explorer:
    """All 15 ways to share four features out among neurons: choose one, and watch descent.

    Does it stay or leave? Move the cosine and the threshold, too.
    """
    controls = {
        "rho": slider("cosine of features 1, 2", rho, -0.9, 0.9, step=0.05),
        "partition": count("partition", partition, 1, len(PARTITIONS)),
        "theta": slider("threshold theta", theta, 0.0, 0.9, step=0.05),
    }
    code = lambda rho, partition, theta: (
        "from sdl_theory import JumpReLU, partial_minimum, pattern\n"
        "from widgets.rows.lattice import four_features\n"
        f"answer = partial_minimum(four_features({rho:.2f}), "
        f"pattern({PARTITIONS[partition - 1]}, n=4, n_q=5), JumpReLU({theta:.2f}))\n"
        "print(answer.verdict, answer.loss, answer.reason)"
    )
    return Explorer(
        controls,
        _lattice_story,
        lattice_picture,
        code=code,
        name="lattice",
        states=1450,
        presets={
            "siblings share": {"rho": 0.5, "partition": 3, "theta": 0.0},
            "strangers share": {"rho": 0.5, "partition": 5, "theta": 0.0},
            "cannot be shown": {"rho": 0.5, "partition": 11, "theta": 0.0},
            "all apart": {"rho": 0.5, "partition": 15, "theta": 0.0},
            "JumpReLU": {"rho": 0.5, "partition": 2, "theta": 0.3},
        },
    )
