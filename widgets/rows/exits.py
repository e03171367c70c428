"""What led descents out of traps, as rows: shares with intervals, and margins on their way."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np

from sdl_theory.estimate import wilson
from sdl_theory.experiments.traps import exits

from ..kinds import Out
from .common import table


def margin_rows(example: dict) -> dict[str, np.ndarray]:
    """A stored example: the open code that is to be at 0 first, and the loss, trap by trap.

    STOP: what `seen` and the shrinking of all else foretell, until the code is at 0.
    """
    rows, shrink = [], 1 - example["lr"] * example["decay"]
    for value, (z, loss, seen) in enumerate(zip(example["z"], example["loss"], example["seen"])):
        for t, code, share in zip(example["t"], z, loss):
            rows.append({"kind": Out.LOSS, "x": t, "y": share, "value": value})
            rows.append({"kind": Out.CODE, "x": t, "y": code, "value": value})
        wall = math.log(seen / (seen - z[0])) / math.log(shrink)
        for t in np.linspace(0, wall, 40):
            told = seen + (z[0] - seen) * shrink**t
            rows.append({"kind": Out.STOP, "x": t, "y": told, "value": value})
    return table(rows)


WORLDS: dict[str, dict] = {
    "two groups": dict(),
    "three groups": dict(groups=3),
    "two groups, features that lean to one side": dict(lean=True),
    "three groups, a dimension fewer than features": dict(groups=3, fewer=1),
}


def load_rows(name: str) -> list[dict]:
    """The rows of a stored file of `sdl_theory.experiments.traps`, "exits" or "resampling"."""
    path = Path(__file__).resolve().parents[2] / f"notebooks/results/traps_{name}.json"
    return json.loads(path.read_text(encoding="utf-8"))["rows"]


def cell(rows: list[dict], **changed) -> dict:
    """The stored cell that changes just this."""
    wanted = exits.BASE | changed
    return next(row for row in rows if wanted.items() <= row.items() and "example" not in row)


def exit_rows(rows: list[dict]) -> dict[str, np.ndarray]:
    """The share of traps left by each strength of decay, world by world, with intervals."""
    drawn = [
        _dot(cell(rows, decay=decay, **world)) | {"x": at, "value": which}
        for which, world in enumerate(WORLDS.values())
        for at, decay in enumerate(exits.LADDER)
    ]
    return table(drawn, ("kind", "x", "y", "x2", "y2", "value"))


def cause_rows(cells: list[dict]) -> tuple[dict[str, np.ndarray], list[str]]:
    """The same for any cells, a line each; and their names."""
    drawn = [_dot(row) | {"line": at} for at, row in enumerate(cells)]
    columns = ("kind", "y", "x2", "y2", "line")
    return table(drawn, columns), [exits.named(row) for row in cells]


def _dot(row: dict) -> dict:
    share = row["left"] / row["traps"]
    low, high = wilson(row["left"], row["traps"])
    return {"kind": Out.HERE, "y": share, "x2": low, "y2": high}
