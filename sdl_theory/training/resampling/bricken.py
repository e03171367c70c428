"""Dead latents begun anew at samples that are reconstructed badly (Bricken et al. 2023).

Their Adam state begins anew, too.
"""

from __future__ import annotations

import torch

from ...checks import Tensor
from ..descent import Latents
from ..model import SDLModel

# cosine from which two rows are one direction: equal ones meet every sample alike, and multiples
# differ by rounding only (1e-7 in float32)
ALIKE = 1 - 1e-6
ROOM = 1 << 24  # cosines looked at together


@torch.no_grad()
def bricken(
    descent: Latents, pair: tuple[Tensor, Tensor], dead: Tensor, generator: torch.Generator
) -> Tensor:
    """Begin the latents `dead` (n_q,) of a model anew at badly reconstructed samples.

    pair : x_p and x_r; samples are drawn from it with probability proportional to their squared
        error squared.

    Returns the latents that it could begin anew. The decoder column becomes x_r / ||x_r|| times
    decoder_norm, the encoder row x_p / ||x_p|| times the method's `row_scale` times the mean norm
    of live rows; biases zero, a JumpReLU threshold that of the mean live latent (capped where the
    new row would sleep on its own sample). Adam's moments are zeroed for just these latents:
    without that the loss spikes.

    All new directions x_p / ||x_p|| differ, from one another and from the live rows: equal rows
    would have equal gradients, and never part. Where the samples have fewer directions than there
    are dead latents, the last of these stay asleep, until another batch.
    """
    model, world, (x_p, x_r) = descent.model, descent.model.world, pair
    which, alive = dead.nonzero()[:, 0], ~dead
    many = world.beside(torch.tensor([len(which)], device=dead.device))  # of each process
    if not many.any():
        return which
    # on the CPU, where the samples are drawn: alike on every process
    weight = (x_r - model(x_p)).square().sum(1).double().square().cpu()
    # an empty sample has no direction, though biases may get it wrong
    weight[((x_p == 0).all(1) | (x_r == 0).all(1)).cpu()] = 0
    chosen = _distinct(weight, x_p, model=model, dead=dead, generator=generator)
    if not len(chosen):
        return which[:0]
    # the first process's latents take the first samples
    chosen = chosen[many[: world.shard].sum() :][: len(which)]
    which = which[: len(chosen)]
    usual = torch.ones((), device=x_p.device)
    if world.over_latents(alive.sum()) > 0:
        usual = world.mean_over_latents(model.W_E[alive].norm(dim=1))
    size, norms = model.way.row_scale * usual, x_p[chosen].norm(dim=1)
    model.W_E[which] = size * (x_p[chosen] / norms.clamp(min=1e-12)[:, None])
    columns = x_r[chosen] / x_r[chosen].norm(dim=1, keepdim=True).clamp(min=1e-12)
    model.W_D[:, which] = (model.decoder_norm * columns).mT
    if model.b_E is not None:
        model.b_E[which] = 0
    model.way.begin_anew(model, which, alive, size * norms)
    descent.forget(which)
    return which


def _distinct(
    weight: Tensor, x_p: Tensor, model: SDLModel, dead: Tensor, generator: torch.Generator
) -> Tensor:
    """As many samples as there are `dead`, or fewer, drawn by weight without replacement.

    Only the first of each direction, and none of a live row's. Of latents that are cut over
    processes as many as all have, the same in each.
    """
    world = model.world
    some, count = int((weight > 0).sum()), int(world.over_latents(dead.sum()))
    found, taken = torch.zeros(0, dtype=torch.long, device=x_p.device), x_p[:0]
    order = torch.multinomial(weight, some, generator=generator).to(x_p.device) if some else found
    norms = model.W_E.norm(dim=1).masked_fill(dead, torch.inf)
    for part in order.split(max(1, min(1024, ROOM // model.settings["n_q"]))):
        rows = x_p[part] / x_p[part].norm(dim=1, keepdim=True).clamp(min=1e-30)
        like_live = (rows @ model.W_E.mT > ALIKE * norms).any(1)
        seen = (
            (world.over_latents(like_live.long()) > 0)
            | ((rows @ rows.mT).tril(-1) > ALIKE).any(1)
            | (rows @ taken.mT > ALIKE).any(1)
        )
        found, taken = torch.cat([found, part[~seen]]), torch.cat([taken, rows[~seen]])
        if len(found) >= count:
            break
    return found[:count]
