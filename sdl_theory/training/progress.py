"""The progress bar of a training run, and the words beside it."""

from __future__ import annotations

from .trainer import Trainer

SHOWN = {
    "loss": "loss",
    "L0": "l0",
    "W_E found, raw": "encoder_raw_recovery_95",
    "W_D found, cos": "decoder_recovery_95",
    "samples/s": "samples_per_s",
}


def progress_bar(trainer: Trainer, shown: bool):
    """A bar of all the steps, in the first process alone."""
    from tqdm.auto import tqdm

    return tqdm(
        total=trainer.config.steps,
        initial=trainer.steps_done,
        desc=trainer.model.method,
        disable=not shown or trainer.world.rank > 0,
        unit="step",
    )


def words(rows: list[dict]) -> dict[str, str]:
    """The figures of one log, each the mean over its instances; without those not measured."""
    found = {}
    for word, name in SHOWN.items():
        if values := [row[name] for row in rows if name in row]:
            found[word] = f"{sum(values) / len(values):.3g}"
    return found
