"""Dead latents begun anew, once: at samples, or at what is missing of them."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ...checks import Tensor
from ...training.resampling import resample
from ...training.trainer import Trainer
from ...truth.streams import seeded
from .activations import Pair

POOL = 8192  # rows among which the badly reconstructed ones are found
# of a row at a residual, in units of the mean live row: of .1, .2, .35, .5, .7 and 1 the best on
# `made_up` activations (two seeds, which no result holds). At 1 many new rows win places at once
ROW_SIZE = 0.7


def begin_anew(trainer: Trainer, pair: Pair, rule: Callable) -> Tensor:
    """Begin all dead latents anew by a rule of `ANEW`; which they were.

    At rows out of POOL: a batch, of which `Trainer` would resample, has fewer than there are dead
    latents.
    """
    dead = trainer.asleep >= trainer.config.dead_after
    batch, like = pair.train.batch(0, min(POOL, len(pair.train))), trainer.model.W_E
    generator = seeded("cpu", trainer.config.seed, trainer.steps_done, 7)
    which = rule(trainer.descent, (batch.x_p.to(like), batch.x_r.to(like)), dead, generator)
    trainer.asleep[which] = 0
    return which.cpu()


@torch.no_grad()
def at_residuals(descent, pair: tuple[Tensor, Tensor], dead: Tensor, generator) -> Tensor:
    """Columns at residuals x_r - x_hat, drawn by their squared error squared, of Adam forgotten.

    The row points along the residual, too, where x_r = x_p; else along x_p less its mean. Its norm
    is ROW_SIZE times the mean of live rows. Returns the latents begun anew.
    """
    model, (x_p, x_r) = descent.model, pair
    missing = x_r - model(x_p)
    weight = missing.square().sum(1).double().square().cpu()
    which = dead.nonzero()[:, 0][: int((weight > 0).sum())]
    if not len(which):
        return which
    chosen = torch.multinomial(weight, len(which), generator=generator).to(x_p.device)
    own = missing if torch.equal(x_p, x_r) else x_p - x_p.mean(0)
    usual = model.W_E[~dead].norm(dim=1).mean() if not dead.all() else 1.0
    unit = lambda rows: rows / rows.norm(dim=1, keepdim=True).clamp(min=1e-12)
    model.W_E[which] = ROW_SIZE * usual * unit(own[chosen])
    model.W_D[:, which] = (model.decoder_norm * unit(missing[chosen])).mT
    descent.forget(which)
    return which


ANEW = dict(resampling=resample, residuals=at_residuals)
