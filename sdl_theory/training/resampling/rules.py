"""The rules by which dead latents begin anew, where each makes sense, and what samples it sees."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch

from ...checks import Tensor
from ..config import Config
from ..descent import Latents
from ..model import SDLModel
from .bricken import bricken
from .sign import sign
from .split import split


class Rule(NamedTuple):
    """begin : the rule; one_batch : it looks at one batch to come, not at SAMPLES or more."""

    begin: Callable[..., Tensor]
    one_batch: bool


RULES = dict(bricken=Rule(bricken, True), sign=Rule(sign, False), split=Rule(split, False))
SAMPLES = 1024  # so that directions are more than noise; to look at a batch costs half a step


def resample(
    descent: Latents, pair: tuple[Tensor, Tensor], dead: Tensor, generator: torch.Generator
) -> Tensor:
    """Begin the latents `dead` (n_q,) of one model anew, by the rule of config.resample.

    pair : x_p and x_r, the samples that the rule looks at.

    Returns those that it could begin anew; the others sleep on.
    """
    return RULES[descent.config.resample].begin(descent, pair, dead, generator)


def times(config: Config, steps_done: int) -> range:
    """Which batches of the run the rule looks at."""
    several = max(2, -(-SAMPLES // config.batch))
    return range(steps_done, steps_done + (1 if RULES[config.resample].one_batch else several))


def check_rule(config: Config, model: SDLModel) -> None:
    """ValueError for a rule that this model cannot have."""
    rule = config.resample
    if not config.resample_every or rule == "bricken":
        return
    if model.world.shards > 1:
        raise ValueError(
            f"resample = {rule!r} looks at all latents, and these are cut over "
            f"{model.world.shards} processes; use resample='bricken'"
        )
    if rule == "split" and model.way.takes_k:
        raise ValueError(
            f"resample = 'split' under method = {model.method!r}: of k places a clone takes a "
            f"second one, so the function changes; use resample='bricken' or 'sign'"
        )
