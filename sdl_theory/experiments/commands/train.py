"""`python -m sdl_theory train`: one training run, its report and its files."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from pathlib import Path

import torch

from ...files import CheckpointError, write_atomically
from ...measure.report import Report, evaluate
from ...training.anchors import check_held_out
from ...training.history import History
from ...training.model import SDLModel
from ...training.saelens import check_saelens, write_saelens
from ...training.sharded.files import whole_model
from ...training.trainer import TrainingError
from ...training.world import World
from ..provenance import provenance
from ..rows import Setup, check_overrides, setup, train_row
from .settings import device, overrides


def train(arguments: Namespace) -> int:
    """The return code: 0, or 130 and 143 after Ctrl-C and SIGTERM, or 1 with a line on stderr."""
    on = device(arguments.device)
    world = World()
    try:
        world = World.start(on, arguments.shard_latents)
        row = _asked(arguments, on, world)
        history = train_row(
            row,
            out=arguments.out,
            resume=arguments.resume,
            world=world,
            progress=sys.stderr.isatty(),
        )
        model = whole_model(row.model)  # weights alone: a quarter of what training takes
        if model is not None and world.first:
            if history.interrupted:
                _say_stopped(history, row, arguments.out)
            reports = _judged(row, model.to(on))
            print("\n\n".join(map(str, reports)))
            if arguments.out:
                processes = world.size * world.shards
                made = provenance(on) | dict(processes=processes, interrupted=history.interrupted)
                _write_report(arguments, made, reports)
            if arguments.saelens:
                write_saelens(model, arguments.saelens)
        # 130: Ctrl-C, 143: SIGTERM
        return 128 + (history.signal or 2) if history.interrupted else 0
    except (TrainingError, CheckpointError, FileExistsError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    finally:
        world.stop()


def _asked(arguments: Namespace, on: torch.device, world: World) -> Setup:
    """The row that was asked for.

    What cannot be done is a ValueError now, and not when the training is done.
    """
    override = overrides(arguments.set)
    check_overrides([arguments.method], override)
    if "lam_anchor" in override and not arguments.anchors:
        raise ValueError(
            f"lam_anchor = {override['lam_anchor']!r} weighs anchors, "
            f"and there are none; add --anchors K"
        )
    seeds = arguments.seeds or [0]
    if len(seeds) > 1 and arguments.saelens:
        raise ValueError(
            f"a SAELens folder holds one model, --seeds asks for {len(seeds)}; "
            f"give one seed, or leave --saelens out"
        )
    row = setup(
        arguments.preset,
        arguments.method,
        anchors=arguments.anchors,
        seeds=seeds,
        instances=len(seeds) > 1,
        device=on,
        world=world,
        **override,
    )
    check_held_out(row.anchors, row.data)
    if arguments.saelens:
        check_saelens(row.model, arguments.saelens)
    return row


def _say_stopped(history: History, row: Setup, out: Path | None) -> None:
    last = history.rows[-1]["step"] if history.rows else 0
    how = f"go on with --resume --out {out}" if out else "without --out nothing is kept"
    print(f"stopped at step {last} (last log) of {row.config.steps}; {how}", file=sys.stderr)


def _judged(row: Setup, model: SDLModel) -> list[Report]:
    """A report a model, on the features that it was not shown."""
    if model.instances is None:
        return [evaluate(model, row.data, anchored=row.shown[0])]
    return evaluate(model, row.data, anchored=row.shown)


def _write_report(arguments: Namespace, made: dict, reports: list[Report]) -> None:
    whole = dict(
        preset=arguments.preset,
        method=arguments.method,
        anchors=arguments.anchors,
        seeds=arguments.seeds or [0],
        overrides=arguments.set,
        **made,
        reports=[report.summary() for report in reports],
    )
    write_atomically(arguments.out / "report.json", json.dumps(whole, indent=1).encode())
