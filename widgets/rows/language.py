"""The record of Figure 7's runs as rows: curves of losses and dead latents, and how runs end."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from sdl_theory import SDLModel, interval
from sdl_theory.experiments.language.compare import last_loss
from sdl_theory.experiments.language.made_up import made_up
from sdl_theory.experiments.language.reading import places
from sdl_theory.experiments.language.setting import ARMS, KINDS, RESAMPLED_AT

from ..kinds import Run, Sleep
from .common import table

RESULTS = Path(__file__).resolve().parents[2] / "notebooks" / "results" / "language_model.json"
CURVE = ("kind", "x", "y", "value", "seed")
ENDS = ("x", "low", "high", "y", "value", "held_out")


def load_language(path: Path = RESULTS) -> list[dict]:
    """Every run of the record."""
    return json.loads(path.read_text(encoding="utf-8"))["rows"]


def of_kind(rows: Sequence[dict], kind: str, centred: bool = False) -> list[dict]:
    """The runs of a kind, with the mean left in or taken off."""
    return [r for r in rows if r["kind"] == kind and r["setting"]["centred"] == centred]


def curve_rows(rows: Sequence[dict]) -> dict[str, np.ndarray]:
    """Runs of one kind and setting, a row a point of a curve.

    kind : Run.LOSS, the mean training loss since the point before (y); Run.DEAD, the share of dead
        latents; Run.WHEN, the step of resampling.
    x : the step.  value : the arm, a Remedy.  seed : of the run.
    """
    out = [dict(kind=Run.WHEN, x=rows[0]["setting"]["steps"] // RESAMPLED_AT)]
    for row in rows:
        curve = row["curve"]
        for step, loss, dead in zip(curve["step"], curve["loss"], curve["dead"]):
            own = dict(x=step, value=ARMS.index(row["arm"]), seed=row["seed"])
            out.append(own | dict(kind=Run.LOSS, y=loss))
            out.append(own | dict(kind=Run.DEAD, y=dead / row["n_q"]))
    return table(out, CURVE)


def end_rows(rows: Sequence[dict]) -> dict[str, np.ndarray]:
    """Resampling and AuxK minus nothing, seed by seed: a row a kind, arm and loss.

    x : the difference as a share of nothing's mean loss, with its 95% interval low to high.
    y : the kind's place in KINDS.  value : the arm, a Remedy.  held_out : 1 for the loss on
        held-out rows, 0 for the last training loss.
    """
    out = []
    losses = (last_loss, lambda row: row["figures"]["held_out_loss"])
    for line, kind in enumerate(KINDS):
        runs = {(r["arm"], r["seed"]): r for r in of_kind(rows, kind)}
        for arm in ARMS[1:]:
            seeds = [s for name, s in runs if name == arm and (ARMS[0], s) in runs]
            if len(seeds) < 2:
                continue
            for held_out, loss in enumerate(losses):
                plain = [loss(runs[ARMS[0], s]) for s in seeds]
                unit = sum(plain) / len(plain)
                pairs = zip(seeds, plain)
                one = interval([(loss(runs[arm, s]) - before) / unit for s, before in pairs])
                row = dict(x=one.value, low=one.low, high=one.high)
                out.append(row | dict(y=line, value=ARMS.index(arm), held_out=held_out))
    return table(out, ENDS)


N_P, N_Q, K = 24, 128, 4  # of the untrained latents of `sleep_rows`
NEVER = 20.0  # where a factor is drawn that is larger, or none


@lru_cache(maxsize=64)
def sleep_rows(mean_share: float) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Random latents before any training, on made-up rows whose mean has that share.

    x : the cosine of a latent's row with the mean.  y : what the row must be multiplied by to win
    one of K places somewhere.  value : a Sleep.
    """
    rows = made_up(mean_share, rows=400, n_p=N_P)["residual_2"].rows(slice(None))
    along = made_up(0.5, rows=400, n_p=N_P)["residual_2"].rows(slice(None)).mean(0)
    model = SDLModel(N_P, N_Q, k=K, generator=torch.Generator().manual_seed(1))
    fires, above, factor = places(model, rows)
    x = torch.nn.functional.cosine_similarity(model.W_E.detach(), along[None])
    value = torch.where(fires, Sleep.AWAKE, torch.where(above, Sleep.ASLEEP, Sleep.DEAD))
    points = [
        dict(x=a, y=min(max(b, 1 / NEVER), NEVER), value=c)
        for a, b, c in zip(x.tolist(), factor.tolist(), value.tolist())
    ]
    count = lambda kind: int((value == kind).sum())
    return table(points, ("x", "y", "value")), dict(
        awake=count(Sleep.AWAKE), asleep=count(Sleep.ASLEEP), dead=count(Sleep.DEAD)
    )
