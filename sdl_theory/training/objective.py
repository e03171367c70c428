"""What one step minimizes: the true loss L on a batch, and each method's sparsity term.

A dense form, and a sparse one that is equal. What differs between methods is in `methods/`.
"""

from __future__ import annotations

import torch

from ..checks import Tensor
from . import auxk
from .model import SDLModel
from .pairs import Pairs, encode_pairs
from .step import Knobs, Step, Terms

SPARSE_FROM = 1 << 20  # preactivations of a batch from which pairs are worth looking for
SPARSE_BELOW = 1 / 50  # share of active preactivations below which pairs beat dense products


def objective(
    model: SDLModel, x_p: Tensor, x_r: Tensor, knobs: Knobs, sparse: bool | None = None
) -> Terms:
    """Mean over the batch of ||x_r - x_hat||^2, plus the method's sparsity term.

    Matryoshka: the mean of that over its levels (Bussmann et al. 2025 sum them), or with ks, Eq. 9
    of arXiv:2512.05534, the sum over them, unless knobs.level_loss says which.

    sparse : True, touch only the latents that fire; False, the dense twin; None, whichever is
        faster here. Equal but for rounding.
    """
    single = model.instances is None
    if sparse is None:
        sparse = x_p.shape[-2] * model.n_q >= SPARSE_FROM
    with torch.autocast(x_p.device.type, torch.bfloat16, enabled=knobs.bf16):
        z = model.preactivations(x_p)
        if sparse and single:
            step = Step(model=model, x_p=x_p, x_r=x_r, z=z.detach(), knobs=knobs)
            with torch.no_grad():
                pairs, threshold = model.way.pairs(step, SPARSE_BELOW)
            if pairs is not None:
                return _sparse(step, pairs, threshold)
        return _dense(Step(model=model, x_p=x_p, x_r=x_r, z=z, knobs=knobs))


def _wakes(knobs: Knobs) -> bool:
    """Is there an AuxK term, and a latent for it?"""
    return bool(knobs.aux_coef and knobs.dead is not None and bool(knobs.dead.any()))


def _dense(step: Step) -> Terms:
    """The literal twin: dense codes, dense products, autograd."""
    way, share = step.model.way, step.knobs.share
    coded = way.codes(step)
    fit = way.fit(step, coded.codes)
    loss = fit.loss + way.penalty(step, coded) * share
    if _wakes(step.knobs):
        loss = loss + auxk.dense(step, fit.x_hat)
    on = coded.codes != 0
    return Terms(
        loss=loss.sum(),
        mse=fit.mse.detach().float(),
        l0=on.sum((-1, -2)) * share,
        fired=on.any(-2),
        threshold=coded.threshold,
    )


def _sparse(step: Step, pairs: Pairs, threshold: Tensor | None) -> Terms:
    """The same terms from the pairs alone."""
    model, share = step.model, step.knobs.share
    values = encode_pairs(step.x_p, model.W_E, step.z, pairs)
    if model.b_E is not None:
        # its value is in z; its gradient is not
        values = values + (model.b_E - model.b_E.detach())[pairs.latents]
    values, penalty = model.way.pair_codes(step, values, pairs)
    fit = model.way.pair_fit(step, values, pairs)
    loss = fit.loss + penalty * share
    if _wakes(step.knobs):
        loss = loss + auxk.sparse(step, fit.x_hat)
    return Terms(
        loss=loss,
        mse=fit.mse.detach(),
        l0=(values != 0).sum() * share,
        fired=pairs.fired(values.detach()),
        threshold=threshold,
    )
