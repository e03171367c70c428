"""One run of a line: plain, anchored, or anchored at random directions, several seeds at once;
judged on the features that the anchored runs are shown by none.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import torch

from ...measure.report import evaluate
from ..arms import NO_CLIP, sham_anchors
from ..provenance import provenance
from ..rows import Setup, setup, train_row
from .choices import UNMOVED, Move
from .lines import Line, overrides

ARMS = ("plain", "anchored", "sham")
UNCLIPPED = ("plain, unclipped", "anchored, unclipped")  # Table 1 has these too: see lesson 11
SAMPLES = 4000


def arms(table: int) -> tuple[str, ...]:
    """The arms of a table's lines."""
    return ARMS + UNCLIPPED if table == 1 else ARMS


def prepare(
    line: Line,
    arm: str,
    preset: str,
    seeds: Sequence[int],
    *,
    device: torch.device | str = "cpu",
    move: Move = UNMOVED,
) -> tuple[Setup, list[list[int]]]:
    """The run, ready to train, and the features left out of its figures: alike in all arms.

    move : a choice of ours, changed.
    """
    clip = dict(clip=NO_CLIP) if arm in UNCLIPPED else {}
    changes = overrides(line, preset) | clip | move.overrides(line.method, preset)
    usual = dict(anchors=None, seeds=seeds, device=device)
    row = setup(preset, line.method, **usual | changes)
    move.begin(row)
    shown, anchors = row.shown, row.anchors or []
    if arm.startswith("plain"):
        return replace(row, anchors=None), shown
    if arm == "sham":
        random = [sham_anchors(one, seed) for one, seed in zip(anchors, seeds)]
        return replace(row, anchors=random), shown
    return row, shown


def settings(row: Setup) -> dict:
    """All that a run's figures follow from, as JSON has it."""
    parts = dict(
        bench={name: value for name, value in row.data[0].settings.items() if name != "seed"},
        model={name: value for name, value in row.model.settings.items() if name != "instances"},
        config={name: value for name, value in asdict(row.config).items() if name != "seed"},
        anchors=row.anchors[0].k if row.anchors else 0,
    )
    return json.loads(json.dumps(parts))


def run(
    line: Line,
    arm: str,
    preset: str,
    seeds: Sequence[int],
    *,
    device: torch.device | str = "cpu",
    progress: bool = True,
    folder: Path | None = None,
    move: Move = UNMOVED,
) -> dict:
    """Train and judge: a dict of `line`, `arm`, `seeds`, `settings`, every figure of
    `Report.summary()` seed by seed, seconds, and what it was made with.

    folder : where a checkpoint lies while it runs; a later call goes on from it. It is deleted at
        the end.
    KeyboardInterrupt if it is stopped: half a run is no run.
    """
    row, shown = prepare(line, arm, preset, seeds, device=device, move=move)
    start = time.perf_counter()
    again = {} if folder is None else dict(out=folder, resume=True)
    if train_row(row, progress=progress, **again).interrupted:
        raise KeyboardInterrupt(f"stopped within Table {line.table}, {line.name}, {arm}")
    reports = evaluate(row.model, row.data, anchored=shown, samples=SAMPLES, null_draws=1)
    seconds = round(time.perf_counter() - start, 1)
    figures = [report.summary() for report in reports]
    if folder is not None:
        shutil.rmtree(folder)
    return dict(
        line=line.number,
        name=line.name,
        arm=arm,
        seeds=list(seeds),
        settings=settings(row),
        figures={name: [round(one[name], 6) for one in figures] for name in figures[0]},
        seconds=seconds,
        made_with=provenance(device),
    )
