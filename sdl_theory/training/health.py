"""Whether a run is still good: its loss finite and not far off, its weights finite.

Else a TrainingError that says what to try, and which checkpoint is left.
"""

from __future__ import annotations

import torch

from ..checks import Tensor
from .run_folder import RunFolder, kept
from .trainer import Trainer, TrainingError


def check_loss(trainer: Trainer, folder: RunFolder | None) -> None:
    """TrainingError if the loss since the last log is not finite."""
    if not torch.isfinite(trainer.sums).all():
        c = trainer.config
        raise TrainingError(
            f"the loss is not finite at step {trainer.steps_done} "
            f"(lr = {c.lr:g}, batch = {c.batch}): "
            f"try a smaller lr, a longer warmup, or look for NaN in the data. {kept(folder)}"
        )


def check_divergence(trainer: Trainer, folder: RunFolder | None, loss: Tensor) -> None:
    """TrainingError if the loss (instances,) says that training diverged."""
    if not (far := trainer.diverged(loss)).any():
        return
    assert trainer.ceiling is not None  # no loss is far off without one
    i = int(far.nonzero()[0])
    of = "" if trainer.model.instances is None else f" of instance {i}"
    raise TrainingError(
        f"training diverges: at step {trainer.steps_done} the loss{of} is {float(loss[i]):.3g}, "
        f"where a model that answers 0 has {float(trainer.ceiling[i]):.3g} "
        f"(lr = {trainer.config.lr:g}): try a smaller lr or a longer warmup. {kept(folder)}"
    )


def check_weights(trainer: Trainer, folder: RunFolder | None) -> None:
    """TrainingError if a weight is not finite: the loss of the step that spoils it still is."""
    finite = all(torch.isfinite(value).all() for value in trainer.model.state_dict().values())
    if trainer.world.any(not finite, trainer.sums.device):
        raise TrainingError(
            f"a weight is not finite at step {trainer.steps_done}: "
            f"nothing was written. {kept(folder)}"
        )
