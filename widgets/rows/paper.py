"""The printed tables beside ours, what moves them, and Figures 4 and 6, as rows for lesson 12."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sdl_theory.estimate import Estimate
from sdl_theory.experiments.paper import thresholds
from sdl_theory.experiments.paper.bound import contradictions
from sdl_theory.experiments.paper.compare import Compared
from sdl_theory.experiments.paper.lines import TABLES, lines
from sdl_theory.experiments.paper.plane import ENDS
from sdl_theory.experiments.paper.sensitivity import Moved

from .common import table

PRINTED, GAIN, OVER_SHAM = range(3)
INTERVAL = ("kind", "x", "low", "high", "y", "value")
CELL = ("kind", "x", "x2", "y", "value")


def _estimate(one: Estimate) -> dict[str, float]:
    assert one.low is not None and one.high is not None
    return dict(x=one.value, low=one.low, high=one.high)


def bound_rows() -> dict[str, np.ndarray]:
    """Every printed pair: x = M_GT, y = M_IP; value 1 where M_IP >= .95 M_GT rules it out."""
    broken = {(one.table, one.line, one.arm) for one in contradictions()}
    rows = [
        dict(kind=number, x=found, y=mip, value=(number, line.name, arm) in broken)
        for number in TABLES
        for line in lines(number)
        for arm in ("plain", "anchored")
        for found, mip in [getattr(line, arm)]
    ]
    return table(rows, ("kind", "x", "y", "value"))


def table_rows(compared: Sequence[Compared]) -> dict[str, np.ndarray]:
    """Changes of M_GT by line y: printed, ours (anchored minus plain), anchored minus sham."""
    rows = []
    for y, one in enumerate(compared):
        before, after = map(float, one.printed.split(" -> "))
        rows.append(dict(kind=PRINTED, x=after - before, low=after - before, y=y))
        rows.append(dict(kind=GAIN, y=y) | _estimate(one.gain))
        if one.over_sham is not None:
            rows.append(dict(kind=OVER_SHAM, y=y) | _estimate(one.over_sham))
    return table(rows, INTERVAL)


def move_rows(moved: Sequence[Moved]) -> dict[str, np.ndarray]:
    """A row a move and panel: kind 0 M_GT, 1 M_IP, of plain runs; 2 the gain of M_GT; value -1, 0,
    1 says on which side of zero its interval lies. x2 of kind 1 is the null's mean.
    """
    rows = []
    for y, one in enumerate(moved):
        rows.append(dict(kind=0, y=y) | _estimate(one.found))
        rows.append(dict(kind=1, y=y, x2=one.null_mip) | _estimate(one.mip))
        gain = _estimate(one.found_gain)
        rows.append(dict(kind=2, y=y, value=(gain["low"] > 0) - (gain["high"] < 0)) | gain)
    return table(rows, (*INTERVAL, "x2"))


def plane_rows(examples: dict[str, list[dict]]) -> dict[str, np.ndarray]:
    """One end of each kind in the plane: value 0 a feature, 1 an encoder row at norm 1."""
    rows = []
    for kind, name in enumerate(ENDS):
        for run in examples.get(name, [])[:1]:
            for value, vectors in enumerate((run["W_p"], run["W_E"])):
                for x, y in vectors:
                    norm = (x * x + y * y) ** 0.5 or 1.0
                    rows.append(dict(kind=kind, x=x / norm, y=y / norm, value=value))
    return table(rows, ("kind", "x", "y", "value"))


def end_rows(cells: Sequence[dict]) -> dict[str, np.ndarray]:
    """Shares of the runs of each cell, from x to x2, one after the other; value: how they ended."""
    rows = []
    for y, cell in enumerate(cells):
        at = 0.0
        for value, name in enumerate(ENDS):
            share = cell["ends"][name] / cell["runs"]
            rows.append(dict(x=at, x2=at + share, y=y, value=value))
            at += share
    return table(rows, CELL)


def curve_rows(runs: Sequence[dict], measure: str = "encoder_raw") -> dict[str, np.ndarray]:
    """Share found against tau: kind a method in the order of `runs`; value 0 plain, 1 anchored, 2
    what random rows score beside the plain run.
    """
    methods, rows = list(dict.fromkeys(run["method"] for run in runs)), []
    null = "null_raw" if measure == "encoder_raw" else "null"
    for run in runs:
        wanted = [(measure, int(run["arm"] == "anchored"))]
        wanted += [(null, 2)] if run["arm"] == "plain" else []
        for name, value in wanted:
            for tau, one in zip(thresholds.TAUS, thresholds.shares(run, name)):
                place = dict(kind=methods.index(run["method"]), value=value)
                rows.append(place | _estimate(one) | dict(y=one.value, x=tau))
    return table(rows, INTERVAL)


def tau_rows(runs: Sequence[dict], tau: float) -> dict[str, np.ndarray]:
    """Every method at one threshold: y the method, value 0 plain, 1 anchored."""
    methods, rows = list(dict.fromkeys(run["method"] for run in runs)), []
    for run in runs:
        one = thresholds.shares(run)[thresholds.TAUS.index(round(tau, 2))]
        place = dict(y=methods.index(run["method"]), value=int(run["arm"] == "anchored"))
        rows.append(place | _estimate(one))
    return table(rows, INTERVAL)
