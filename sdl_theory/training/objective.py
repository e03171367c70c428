"""What one step minimizes: the true loss L on a batch, and each method's sparsity term.

A literal form and two fast ones that are equal: pairs where few fire, blocks where many do. What
differs between methods is in `methods/`.
"""

from __future__ import annotations

import torch

from ..checks import Tensor
from . import auxk
from .blocks import through
from .methods.in_blocks import InBlocks
from .model import SDLModel
from .pairs import Pairs, encode_pairs
from .step import Knobs, Step, Terms

LARGE = 1 << 20  # entries of z from which the literal step is not the fastest
# share of active preactivations below which pairs are taken, on a processor and elsewhere; on one
# core they beat blocks up to 1 in 6 (n_p = 192, n_q = 4000) or 1 in 5 (768, 16000), but a pair
# takes some 50 bytes
SPARSE_BELOW, SPARSE_BELOW_ELSEWHERE = 1 / 10, 1 / 50


def objective(
    model: SDLModel, x_p: Tensor, x_r: Tensor, knobs: Knobs, sparse: bool | None = None
) -> Terms:
    """Mean over the batch of ||x_r - x_hat||^2, plus the method's sparsity term.

    Matryoshka: the mean of that over its levels (Bussmann et al. 2025 sum them), or with ks, Eq. 9
    of arXiv:2512.05534, the sum over them, unless knobs.level_loss says which.

    sparse : True, touch only the latents that fire or, where those are too many to gain, go in
        blocks (blocks.py); False, the dense twin; None, whichever is faster here. Equal but for
        rounding.
    """
    way, single = model.way, model.instances is None
    if sparse is None:
        sparse = x_p.shape[-2] * model.n_q * (model.instances or 1) >= LARGE
    blocks = sparse and isinstance(way, InBlocks) and not _wakes(knobs)
    with torch.autocast(x_p.device.type, torch.bfloat16, enabled=knobs.bf16):
        with torch.set_grad_enabled(torch.is_grad_enabled() and not blocks):
            z = model.preactivations(x_p)
        step = Step(model=model, x_p=x_p, x_r=x_r, z=z.detach(), knobs=knobs)
        if sparse and single:
            most = SPARSE_BELOW if z.device.type == "cpu" else SPARSE_BELOW_ELSEWHERE
            with torch.no_grad():
                pairs, threshold = way.pairs(step, most)
            if pairs is not None:
                return _sparse(step, pairs, threshold)
        return _in_blocks(step) if blocks else _dense(step._replace(z=z))


def _wakes(knobs: Knobs) -> bool:
    """Is there an AuxK term, and a latent for it?"""
    if not knobs.aux_coef or knobs.dead is None:
        return False
    return bool(knobs.world.over_latents(knobs.dead.sum()) > 0)


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


def _in_blocks(step: Step) -> Terms:
    """The same terms, z passed over block by block; for methods without AuxK."""
    way, share = step.model.way, step.knobs.share
    assert isinstance(way, InBlocks)
    x_hat, sums, fired = through(step, way)
    fit = way.missed(step, step.model.complete(x_hat))
    loss = fit.loss + way.block_penalty(step, sums) * share
    return Terms(loss=loss.sum(), mse=fit.mse.detach(), l0=fired.sum(-1) * share, fired=fired > 0)


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
