"""Where does anchoring help? A grid around one small setting, each cell ten paired seeds.

`python -m widgets.rows.survey` writes what lesson 11 draws (about twenty-five minutes).
"""

from __future__ import annotations

import json
import platform
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch

from sdl_theory import Estimate, evaluate, interval, setup, train_row

from ..kinds import Biases, Measure
from .common import table
from .recovery import COLUMNS
from .training import FIRST, NO_CLIP, Race

RESULTS = Path(__file__).resolve().parents[2] / "notebooks" / "results" / "anchoring_small.json"
LONG = Race(steps=1000, seeds=tuple(range(10)))
TIMES = (200, 400, 1000)  # steps at which the grid is read: chosen on other seeds (100 to 104)
CHANGES = [{}] + [
    {name: value}
    for name, values in {
        "anchors": (0, 4, 8, 16, 24, 32),
        "lam_anchor": (0.01, 0.03, 0.1, 0.3, 1.0, 3.0),
        "k": (2, 3, 5, 8, 12),
        "S": (0.8, 0.9, 0.95, 0.98),
        "mu": (0.1, 0.3, 0.6),
        "samples": (250, 500, 1000, 2000, None),
    }.items()
    for value in values
]
STRONG = {"lam_anchor": 1.0}
CHANGES += [
    STRONG | change
    for change in ({"anchors": 4}, {"k": 8}, {"S": 0.98}, {"mu": 0.6}, {"samples": 250})
]
CHANGES += [
    {"both": False} | change
    for change in ({}, STRONG, {"mu": 0.6}, {"mu": 0.6} | STRONG, {"k": 12})
]
CHANGES += [{"sham": True} | change for change in ({}, STRONG, {"anchors": 4} | STRONG)]
CHANGES += [
    {"clip": NO_CLIP} | change
    for change in (
        {},
        {"anchors": 32},
        STRONG,
        {"anchors": 4} | STRONG,
        {"anchors": 32} | STRONG,
        {"k": 5},
        {"S": 0.98} | STRONG,
        {"samples": 250},
        {"samples": 250} | STRONG,
        {"mu": 0.6},
        {"mu": 0.6} | STRONG,
        {"mu": 0.6, "both": False} | STRONG,
    )
]
CONTROLS = {"both", "sham", "clip"}  # what turns a cell into a control
L1 = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
RELU = dict(
    bench=dict(n=40, n_p=31, S=0.95, mu=0.3, samples=None),
    n_q=80,
    steps=1000,
    batch=128,
    seeds=tuple(range(10)),
)


def grid_cells() -> list[dict]:
    """One row a cell: what it changed, what was found, and the difference.

    changed : the settings in which it differs.
    found : features found [time][set][seed], of how many (`of`).
    average : each seed's difference averaged over the run.
    """
    done = {}
    for change in CHANGES:
        race = replace(LONG, **change)
        if race not in done:
            curves = race.train()
            # decoder: (time, set, seed)
            found = np.stack(curves.figures)[[curves.steps.index(step) for step in TIMES], 0, 0]
            done[race] = dict(
                found=np.rint(found * (race.n - race.anchors)).astype(int).tolist(),
                of=race.n - race.anchors,
                average=np.round(curves.paired().mean(0), 4).tolist(),
            )
    return [dict(changed=change) | done[replace(LONG, **change)] for change in CHANGES]


def relu_cells() -> list[dict]:
    """One row an L1 coefficient, for a ReLU without biases and with: five figures a seed."""
    cells = []
    for method in ("relu", "relu_biased"):
        for sparsity in L1:
            row = setup("demo", method, sparsity=sparsity, **RELU)
            train_row(row, progress=False)
            figures = [report.summary() for report in evaluate(row.model, row.data, samples=4000)]
            cells.append(
                dict(method=method, sparsity=sparsity)
                | {
                    name: [round(one[name], 4) for one in figures]
                    for name in (
                        "decoder_recovery_95",
                        "decoder_mip",
                        "null_mip",
                        "explained_variance",
                        "l0",
                        "mirrored",
                    )
                }
            )
    return cells


def load_survey(path: Path = RESULTS) -> dict:
    """What `main` wrote: settings, versions, wall time, and the cells of both grids."""
    return json.loads(path.read_text(encoding="utf-8"))


def paired(cell: dict, time: int) -> Estimate:
    """Anchored minus plain share of held-out features found, at TIMES[time].

    With its 95% interval over the seeds.
    """
    plain, anchored = np.array(cell["found"][time]) / cell["of"]
    return interval((anchored - plain).tolist())


def survey_rows(cells: list[dict]) -> dict[str, np.ndarray]:
    """A row a cell and time.

    kind : the time.
    x : the difference, with its interval.
    y : the cell's line from the top.
    value : 1 or -1 if the interval lies above or below zero, else 0.
    """
    rows = []
    for line, cell in enumerate(cells):
        for kind in range(len(TIMES)):
            one = paired(cell, kind)
            rows.append(
                dict(
                    kind=kind,
                    x=one.value,
                    y=line,
                    low=one.low,
                    high=one.high,
                    value=float(one.low > 0) - float(one.high < 0),
                )
            )
    return table(rows, COLUMNS)


def cell_names(cells: list[dict]) -> list[str]:
    """What each cell changed, as the picture writes it."""
    said = {"both": "W_D alone", "sham": "sham", "clip": "no clipping"}
    word = lambda name, value: (
        said.get(name)
        or f"{'lam' if name == 'lam_anchor' else name} "
        f"{'endless' if value is None else f'{value:g}'}"
    )
    names = [
        ", ".join(word(*change) for change in cell["changed"].items()) or "the setting"
        for cell in cells
    ]
    return [
        name
        + (" (the setting)" if cell["changed"] and replace(LONG, **cell["changed"]) == LONG else "")
        for name, cell in zip(names, cells)
    ]


MEASURED = {
    Measure.FOUND: "decoder_recovery_95",
    Measure.EXPLAINED: "explained_variance",
    Measure.MIRRORED: "mirrored",
}


def relu_rows(cells: list[dict]) -> dict[str, np.ndarray]:
    """Means with intervals over the L1 coefficient (x); kind the biases, value the measure."""
    rows = []
    for cell in cells:
        for value, name in MEASURED.items():
            one = interval(cell[name]).within(0, 1)
            rows.append(
                dict(
                    kind=Biases.WITHOUT if cell["method"] == "relu" else Biases.WITH,
                    x=cell["sparsity"],
                    y=one.value,
                    low=one.low,
                    high=one.high,
                    value=value,
                )
            )
    return table(rows, COLUMNS)


def write(answer: dict) -> None:
    """Write the answer, one line a cell, so that a change can be read."""
    lines = [
        f' "{name}": '
        + (
            "[\n  " + ",\n  ".join(map(json.dumps, value)) + "\n ]"
            if name.endswith("grid")
            else json.dumps(value)
        )
        for name, value in answer.items()
    ]
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def main() -> None:
    """Write the survey and the explorer's first picture."""
    torch.set_num_threads(1)
    start = time.perf_counter()
    FIRST.write_text(json.dumps(Race().train().to_json()) + "\n", encoding="utf-8")
    answer = dict(
        setting=asdict(LONG),
        times=TIMES,
        relu=RELU,
        python=platform.python_version(),
        torch=torch.__version__.split("+")[0],
        threads=1,
    )
    write(
        answer
        | dict(
            grid=grid_cells(),
            relu_grid=relu_cells(),
            wall_time_s=round(time.perf_counter() - start),
        )
    )


if __name__ == "__main__":
    main()
