"""What a checkpoint says of its run, and whether that is this run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch

from ..files import CheckpointError
from ..plain import leaves
from .anchors import Anchors
from .config import Config
from .trainer import Trainer

MAY_DIFFER = tuple(
    f"config.{name}" for name in ("log_every", "eval_every", "checkpoint_every", "compile")
)


def settings_of(trainer: Trainer, benches: Sequence, anchors: Sequence[Anchors | None]) -> dict:
    """All that makes a run this run, as JSON has it."""
    return dict(
        model=trainer.model.settings | dict(dtype=str(trainer.model.W_E.dtype)),
        config=asdict(trainer.config),
        data=[getattr(bench, "settings", None) for bench in benches],
        anchors=[_fingerprint(one) for one in anchors],
    )


def check_same_run(checkpoint: Path, ours: dict, theirs: dict) -> None:
    """CheckpointError, naming the first difference, if a checkpoint is not of this run.

    ours : the settings of this run.
    theirs : what the checkpoint says of itself.
    """
    # settings younger than the file had their default then
    if isinstance(theirs.get("config"), dict):
        theirs = theirs | {"config": asdict(Config()) | theirs["config"]}
    if missing := {"model", "config", "data", "anchors", "step"} - set(theirs):
        raise CheckpointError(
            f"{checkpoint} is no training checkpoint: it lacks {', '.join(sorted(missing))}"
        )
    ours, theirs = (dict(leaves(json.loads(json.dumps(given)))) for given in (ours, theirs))
    theirs.pop("step")
    for where in ours | theirs:
        if where not in MAY_DIFFER and theirs.get(where) != ours.get(where):
            raise CheckpointError(
                f"{checkpoint} is of another run: its {where} is {theirs.get(where)!r}, "
                f"this one's is {ours.get(where)!r}. Give this run a folder of its own"
            )


def _fingerprint(anchors: Anchors | None) -> list | None:
    """Which anchors these are: their features, or a figure of all their numbers.

    The figure where nobody knows the features.
    """
    if anchors is None:
        return None
    if anchors.features is not None:
        return list(anchors.features)
    places = torch.arange(1, anchors.k + 1, dtype=torch.float64)
    return [f"{float(W.double().cpu().sum(1) @ places):.6g}" for W in (anchors.W_E, anchors.W_D.mT)]
