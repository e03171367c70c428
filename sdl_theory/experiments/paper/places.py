"""Who takes Top-k's places? (Ours.) TopK of Table 1 of arXiv:2512.05534 at one k after another,
plain, anchored, and anchored at random directions: what is found, and how many of a sample's k
places the anchored latents take.

    python -m sdl_theory.experiments.paper.places --preset half

A held row cannot learn to be silent: where k leaves room, interference fires it. What is left for
the others is a smaller k.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from ...estimate import Estimate, interval
from ...lock import locked
from ...measure.report import evaluate
from ...table import Table
from ..presets import PRESETS
from ..rows import train_row
from .choices import Move
from .compare import FOUND, MIP
from .kept import Kept
from .lines import lines
from .record import results_folder
from .runs import ARMS, SAMPLES, prepare

SEEDS = (0, 1, 2, 3, 4)
KS = {"demo": (1, 2, 3), "half": (4, 6, 8), "paper": (16, 24, 32)}
FIGURES = (FOUND, MIP, "encoder_mip", "decoder_mip", "encoder_raw_null_mip", "loss", "l0")


def jobs(preset: str) -> list[dict]:
    """Every k in every arm, seed by seed; the preset's own k first."""
    return [
        dict(k=k, arm=arm, seed=seed)
        for k in sorted(KS[preset], reverse=True)
        for arm in ARMS
        for seed in SEEDS
    ]


def run(k: int, arm: str, seed: int, *, preset: str, device: torch.device | str = "cpu") -> dict:
    """Train one and judge it on the features that no arm is shown.

    taken : of the latents that fire on a sample, the mean share of the first so many, which anchors
        hold (in plain runs: which they would hold).
    energy : their share of the codes' squares.
    """
    line = next(line for line in lines(1) if line.method == "topk")
    at = Move(f"k = {k}", to=dict(k=k))
    row, shown = prepare(line, arm, preset, [seed], device=device, move=at)
    if train_row(row, progress=False).interrupted:
        raise KeyboardInterrupt(f"stopped within k = {k}, {arm}, seed {seed}")
    report = evaluate(row.model, row.data[0], anchored=shown[0], samples=SAMPLES, null_draws=1)
    held, codes = len(shown[0]), row.model.encode(row.data[0].sample(SAMPLES).x_p).detach()
    figures = report.summary()
    return dict(
        k=k,
        arm=arm,
        seed=seed,
        taken=round(_share(codes != 0, held), 5),
        energy=round(_share(codes.square(), held), 5),
        **{name: round(figures[name], 5) for name in FIGURES},
    )


def _share(of: torch.Tensor, held: int) -> float:
    return float(of[:, :held].sum() / of.sum())


@dataclass(frozen=True)
class Places:
    """One k and arm: found and mean by section 5.1's metric, the encoder's cosine, the loss on
    fresh samples, how many fire, and how many of those are the anchored latents.
    """

    k: int
    arm: str
    seeds: int
    found: Estimate
    mip: Estimate
    encoder_cosine: Estimate
    loss: Estimate
    l0: Estimate
    anchored_fire: Estimate


def summary(rows: Sequence[dict]) -> Table[Places]:
    """With 95% Student t intervals over seeds."""
    table: Table[Places] = Table()
    for k in sorted({row["k"] for row in rows}):
        for arm in ARMS:
            own = [row for row in rows if (row["k"], row["arm"]) == (k, arm)]
            if not own:
                continue
            mean = lambda name, own=own: interval([row[name] for row in own])
            fire = [row["l0"] * row["taken"] for row in own]
            table.append(
                Places(
                    k=k,
                    arm=arm,
                    seeds=len(own),
                    found=mean(FOUND).within(0, 1),
                    mip=mean(MIP),
                    encoder_cosine=mean("encoder_mip"),
                    loss=mean("loss"),
                    l0=mean("l0"),
                    anchored_fire=interval(fire).within(0, k),
                )
            )
    return table


def place(preset: str) -> Path:
    """Where the project keeps them; ValueError outside a checkout."""
    return results_folder() / f"places_{preset}.json"


def kept(preset: str, path: Path | None = None) -> Kept:
    """The record: the project's, or another file."""
    own = PRESETS[preset]
    head = dict(of="top-k's places", preset=preset, anchors=own.anchors, n_q=own.n_q)
    return Kept(path or place(preset), head)


def main(words: Sequence[str] | None = None) -> None:
    """Run what is missing, and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", choices=tuple(KS), default="half")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args(words)
    with locked(given.out or place(given.preset)):
        runs = kept(given.preset, given.out)
        for job in runs.missing(jobs(given.preset)):
            runs.add(run(**job, preset=given.preset, device=given.device))
    print(summary(runs.rows))


if __name__ == "__main__":
    main()
