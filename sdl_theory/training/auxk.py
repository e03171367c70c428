"""AuxK: a reconstruction by the strongest dead latents, whose gradient can wake them."""

from __future__ import annotations

import torch

from ..checks import Tensor
from .pairs import Pairs, decode_pairs, encode_pairs, top_k_lowest
from .sharded.choice import largest_of_all, pairs_of_largest
from .step import Step


def errors(step: Step, waking: Tensor, x_hat: Tensor) -> Tensor:
    """AuxK's squared errors, (batch, n_r), of what the strongest dead latents give.

    waking : what they give, W_D times their codes.

    What they are to explain, by knobs.aux_target:

    * "residual" (Gao et al. 2024): what is left, x_r - x_hat, held fixed.
    * "input" (Eq. 8 of arXiv:2512.05534): x_r itself, which is x_p for an SAE, by themselves; b_D,
      if there is one, is part of that reconstruction and learns from it.
    """
    if step.knobs.aux_target == "input":
        b_D = step.model.b_D
        return (step.x_r - waking - (0 if b_D is None else b_D.unsqueeze(-2))).square()
    return ((step.x_r - x_hat).detach() - waking).square()


def dense(step: Step, x_hat: Tensor) -> Tensor:
    """AuxK's term of the loss, () or (instances,): the literal twin of `sparse`."""
    model, z, knobs = step.model, step.z, step.knobs
    assert knobs.dead is not None
    asleep = z.masked_fill(~knobs.dead.unsqueeze(-2), -torch.inf)
    if knobs.world.shards > 1:
        latents, keep = largest_of_all(asleep, knobs.aux_k, knobs.world)
        values = asleep.gather(-1, latents).where(keep, -torch.inf)
    else:
        values, latents = top_k_lowest(asleep, min(knobs.aux_k, model.n_q))
    values = model.rectify(values.where(values > -torch.inf, 0.0))
    waking = torch.zeros_like(z).scatter(-1, latents, values)
    # an instance without dead latents has no such term; one model has, somewhere, or is not here
    some = knobs.dead.any(-1) | (model.instances is None)
    waking = knobs.world.over_latents(waking @ model.W_D.mT)
    missed = errors(step, waking, x_hat).sum((-1, -2))
    return knobs.aux_coef * knobs.share * missed * some


def sparse(step: Step, x_hat: Tensor) -> Tensor:
    """The same term from the pairs (sample, strong dead latent) alone."""
    model, z, knobs = step.model, step.z, step.knobs
    assert knobs.dead is not None
    dead = knobs.dead.nonzero()[:, 0]
    if knobs.world.shards > 1:
        rows, latents = pairs_of_largest(z[:, dead], knobs.aux_k, knobs.world)
        pairs = Pairs(rows, dead[latents], *z.shape)
    else:
        latents = dead[top_k_lowest(z[:, dead], min(knobs.aux_k, len(dead)))[1]]
        pairs = Pairs.of_top_k(latents, model.n_q)
    values = encode_pairs(step.x_p, model.W_E, z, pairs)
    if model.b_E is not None:
        values = values + (model.b_E - model.b_E.detach())[pairs.latents]
    waking = knobs.world.over_latents(decode_pairs(model.rectify(values), model.W_D, pairs))
    return knobs.aux_coef * errors(step, waking, x_hat).sum() * knobs.share
