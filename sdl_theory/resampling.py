"""Dead latents begun anew at samples that are reconstructed badly (Bricken et al. 2023), their Adam state too."""

from __future__ import annotations

import torch

from .models import SDLModel
from .problem import Tensor

SMALL_ROW = .2        # a new encoder row is this much of the mean live one: it wakes without shouting


@torch.no_grad()
def resample(model: SDLModel, moments: list[Tensor], x_p: Tensor, x_r: Tensor, dead: Tensor, generator: torch.Generator) -> Tensor:
    """Begin the latents `dead` (n_q,) anew at samples drawn with probability proportional to their squared error squared; returns which it could.

    The decoder column becomes x_r / ||x_r|| times decoder_norm, the encoder row x_p / ||x_p|| times .2 times the mean norm of live rows; biases
    zero, a JumpReLU threshold that of the mean live latent (capped where the new row would sleep on its own sample). `moments`,
    Adam's, latents along the first axis, are zeroed for just these latents: without that the loss spikes.
    """
    if model.instances is not None:
        raise ValueError("resampling works on single models; train without instances, or with resample_every=0")
    which = dead.nonzero()[:, 0]
    if not len(which):
        return which
    weight = (x_r - model(x_p)).square().sum(1).double().square().cpu()          # drawn on the CPU: alike on every process
    weight[((x_p == 0).all(1) | (x_r == 0).all(1)).cpu()] = 0               # an empty sample has no direction, though biases may get it wrong
    which = which[:int((weight > 0).sum())]                 # one sample each: twins would have one gradient, and never part
    if not len(which):
        return which
    chosen = torch.multinomial(weight, len(which), generator=generator).to(x_p.device)
    alive = ~dead
    size = model.W_E[alive].norm(dim=1).mean() if alive.any() else torch.ones((), device=x_p.device)
    direction = x_p[chosen] / x_p[chosen].norm(dim=1, keepdim=True).clamp(min=1e-12)
    model.W_E[which] = SMALL_ROW * size * direction
    model.W_D[:, which] = model.decoder_norm * (x_r[chosen] / x_r[chosen].norm(dim=1, keepdim=True).clamp(min=1e-12)).mT
    for name in ("b_E", "r_mag", "b_gate", "b_mag"):
        if getattr(model, name, None) is not None:
            getattr(model, name)[which] = 0
    if model.method == "jumprelu":
        usual = model.theta[alive].mean() if alive.any() else model.theta.mean()
        own = SMALL_ROW * size * x_p[chosen].norm(dim=1)
        model.theta[which] = torch.minimum(usual.expand_as(own), own / 2)
    for moment in moments:
        moment[which] = 0
    return which
