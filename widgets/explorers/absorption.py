"""Theorem 3.10 and dead neurons on sliders."""

from __future__ import annotations

from ..charts import absorption_chart, dead_chart
from ..rows import absorption_rows, dead_rows
from .base import Explorer, count, figure, slider


def _absorption_story(strength: float, child: int, theta: float) -> tuple[dict, str, str]:
    data, seen = absorption_rows(round(strength, 3), child - 1, round(theta, 3))
    parent, answer, after = seen["parent"], seen["answer"], seen["after"]
    if not parent.exists:
        why = f"There is no partial minimum with one neuron a parent: {parent.reason}."
        return data, "no parent", why
    if not answer.realizable:
        return data, "not realizable", answer.reason + "."
    first = (
        "It is"
        if seen["first"] == child - 1
        else f"The ladder would take child {seen['first'] + 1} first; this is not"
    )
    one, two = (figure(point.loss - seen["other"], 3) for point in (parent, after))
    words = (
        f"The family's loss falls from {one} to {two}. {first} the child whose leaving helps most. "
        f"{_spoken(seen['silent'], seen['loss'], theta)}"
    )
    return data, f"absorbed, a {after.verdict}", words


def _spoken(silent: list[int], loss: float, theta: float) -> str:
    """What the threshold alone does to the family's row, held at length 1."""
    names = " and ".join(", ".join(str(d + 1) for d in silent).rsplit(", ", 1))
    who = {0: "no child", 1: f"child {names}", 4: "all four"}.get(len(silent), f"children {names}")
    return (
        f"Theta = {theta:.2f} silences {who} on a family row of length 1, "
        f"which leaves a loss of {figure(loss, 3)}."
    )


def absorption_explorer(strength: float = 0.8, child: int = 3, theta: float = 0.1) -> Explorer:
    """Theorem 3.10: choose how close children are to their parent, who leaves, and theta."""
    controls = {
        "strength": slider("strength of the hierarchy", strength, 0.1, 0.95, step=0.05),
        "child": count("child that leaves", child, 1, 4),
        "theta": slider("threshold theta", theta, 0.0, 1.0, step=0.05),
    }
    code = lambda strength, child, theta: (
        "from sdl_theory import JumpReLU, absorb, partial_minimum, pattern\n"
        "from widgets.rows import family\n"
        f"problem, sigma = family({strength:.2f}), JumpReLU({theta:.2f})\n"
        "parent = partial_minimum(problem, pattern([[0, 1, 2, 3], [4, 5, 6, 7]], 8, 3), sigma)\n"
        f"print(absorb(problem, parent.weights, sigma, neuron=0, child={child - 1}).reason)"
    )
    return Explorer(
        controls,
        _absorption_story,
        absorption_chart,
        code=code,
        name="absorption",
        states=800,
        presets={
            "close family": {"strength": 0.9, "child": 3, "theta": 0.1},
            "loose family": {"strength": 0.3, "child": 3, "theta": 0.1},
            "no threshold": {"strength": 0.8, "child": 1, "theta": 0.0},
        },
    )


def _dead_story(depth: float, log_nudge: float, theta: float) -> tuple[dict, str, str]:
    data, seen = dead_rows(round(depth, 3), log_nudge, round(theta, 3))
    name = str(seen["certificate"].neurons[1]).replace("_", " ")
    where = (
        "on the wall z = theta"
        if seen["margin"] == 0
        else f"{seen['margin']:.2f} below the threshold"
    )
    return (
        data,
        name,
        f"The dead row sits {where}; nudges have size {10.0**log_nudge:.2g}. "
        f"{seen['fell']} of 6 descents wake it and leave the trap.",
    )


def dead_explorer(depth: float = 0.0, log_nudge: float = -2.0, theta: float = 0.0) -> Explorer:
    """Dead neurons: does descent wake them?

    How deep is the dead row, how large the nudge, how high the threshold.
    """
    controls = {
        "depth": slider("depth of the dead row", depth, 0.0, 0.5, step=0.02),
        "log_nudge": slider("log10 of the nudge", log_nudge, -4.0, -0.5, step=0.25),
        "theta": slider("threshold theta", theta, 0.0, 0.5, step=0.05),
    }
    code = lambda depth, log_nudge, theta: (
        "from widgets.rows import dead_rows\n"
        f"data, seen = dead_rows(depth={depth:.2f}, log_nudge={log_nudge:.2f}, theta={theta:.2f})\n"
        "print(seen['certificate'])"
    )
    return Explorer(
        controls,
        _dead_story,
        dead_chart,
        code=code,
        name="dead",
        states=700,
        presets={
            "zero row, ReLU": {"depth": 0.0, "log_nudge": -2.0, "theta": 0.0},
            "zero row, JumpReLU": {"depth": 0.0, "log_nudge": -2.0, "theta": 0.2},
            "strictly dead": {"depth": 0.3, "log_nudge": -2.0, "theta": 0.0},
        },
    )
