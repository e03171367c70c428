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

from ...files import write_atomically
from ...measure.report import evaluate
from ...training.history import History
from ...training.objective import LARGE
from ..arms import NO_CLIP, sham_anchors
from ..presets import PRESETS
from ..provenance import provenance
from ..rows import Setup, setup, train_row
from .choices import UNMOVED, Move
from .lines import Line, overrides

ARMS = ("plain", "anchored", "sham")
UNCLIPPED = ("plain, unclipped", "anchored, unclipped")  # Table 1 has these too: see lesson 11
SAMPLES = 4000
LARGE_ELSEWHERE = 4 * LARGE  # a GPU's kernels are begun one by one, and small ones cost that alone


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
    batched = together(preset, seeds, device)
    usual = dict(anchors=None, seeds=seeds, device=device, instances=batched)
    row = setup(preset, line.method, **usual | changes)
    move.begin(row)
    shown, anchors = row.shown, row.anchors or []
    if arm.startswith("plain"):
        return replace(row, anchors=None), shown
    if arm == "sham":
        random = [sham_anchors(one, seed) for one, seed in zip(anchors, seeds)]
        return replace(row, anchors=random), shown
    return row, shown


def together(preset: str, seeds: Sequence[int], device: torch.device | str = "cpu") -> bool:
    """Whether these seeds are one batched model: small ones are quicker so, large ones alone, where
    a step touches only the latents that fire.
    """
    own = PRESETS[preset]
    large = LARGE if torch.device(device).type == "cpu" else LARGE_ELSEWHERE
    return len(seeds) > 1 and own.config.batch * own.n_q < large


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

    folder : where checkpoints lie while it runs; a later call goes on from them. It is deleted at
        the end.
    KeyboardInterrupt if it is stopped: half a run is no run.
    """
    parts = [list(seeds)] if together(preset, seeds, device) else [[seed] for seed in seeds]
    places = [None if folder is None else folder / f"seed_{part[0]}" for part in parts]
    done = [
        _part(
            line,
            arm,
            preset,
            seeds=part,
            device=device,
            progress=progress,
            folder=place,
            move=move,
        )
        for part, place in zip(parts, places)
    ]
    if folder is not None:
        shutil.rmtree(folder)
    names = done[0]["figures"]
    return dict(
        line=line.number,
        name=line.name,
        arm=arm,
        seeds=list(seeds),
        settings=done[0]["settings"],
        figures={name: [x for one in done for x in one["figures"][name]] for name in names},
        seconds=round(sum(one["seconds"] for one in done), 1),
        made_with=provenance(device),
    )


def _training_seconds(history: History) -> float:
    """Of all its steps, before and after every stop."""
    samples, speed = history.column("samples"), history.column("samples_per_s")
    return sum((b - a) / s for a, b, s in zip([0, *samples], samples, speed))


def _part(
    line: Line,
    arm: str,
    preset: str,
    *,
    seeds: list[int],
    device: torch.device | str,
    progress: bool,
    folder: Path | None,
    move: Move,
) -> dict:
    """Settings, figures and seconds of some seeds, trained as one model; kept in `folder`."""
    kept = None if folder is None else folder / "done.json"
    if kept is not None and kept.exists():
        return json.loads(kept.read_text(encoding="utf-8"))
    row, shown = prepare(line, arm, preset, seeds, device=device, move=move)
    again = {} if folder is None else dict(out=folder, resume=True)
    history = train_row(row, progress=progress, **again)
    if history.interrupted:
        raise KeyboardInterrupt(f"stopped within Table {line.table}, {line.name}, {arm}")
    start = time.perf_counter()
    single = row.model.instances is None
    data, hidden = (row.data[0], shown[0]) if single else (row.data, shown)
    reports = evaluate(row.model, data, anchored=hidden, samples=SAMPLES, null_draws=1)
    figures = [one.summary() for one in ([reports] if single else reports)]
    part = dict(
        settings=settings(row),
        figures={name: [round(one[name], 6) for one in figures] for name in figures[0]},
        seconds=round(_training_seconds(history) + time.perf_counter() - start, 1),
    )
    if kept is not None:
        write_atomically(kept, json.dumps(part).encode())
    return part
