"""What one step minimizes: the true loss L on a batch, and each method's sparsity term. A dense
form, and a sparse one that is equal.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from ..checks import Tensor
from .model import SDLModel
from .pairs import Pairs, decode_pairs, encode_pairs, largest_values, top_k, top_k_lowest
from .world import World

SPARSE_BELOW = 1 / 50  # share of active preactivations below which pairs beat dense products


@dataclass
class Knobs:
    """What the objective depends on beside the model and the batch.

    total : samples of the whole batch, over all processes.  coef : the sparsity coefficient, a
        number or (instances,).
    bandwidth : width of JumpReLU's straight-through window.  aux_coef, aux_k, dead : AuxK, `dead` a
        mask (n_q,) or None.
    aux_target : "residual" or "input", see `aux_loss`.  level_loss : "mean" or "sum" of
        Matryoshka's levels or ks, see Config.
    unit_norm : W_D's columns are held at model.decoder_norm.  bf16 : do the large products in
        bfloat16.
    """

    total: int
    coef: float | Tensor = 0.0
    bandwidth: float = 0.5
    aux_coef: float = 0.0
    aux_k: int = 0
    dead: Tensor | None = None
    aux_target: str = "residual"
    level_loss: str | None = None
    unit_norm: bool = True
    bf16: bool = False
    world: World = field(default_factory=World)


@dataclass
class Terms:
    """`loss` to differentiate (this process's share, summed over instances); figures per instance:
    `mse` = mean ||x_r - x_hat||^2, `l0`; `fired` (n_q,); `threshold`, BatchTopK's of this batch, or
    None. mse, l0 are this process's share too: add them over processes."""

    loss: Tensor
    mse: Tensor
    l0: Tensor
    fired: Tensor
    threshold: Tensor | None = None


class _Jump(torch.autograd.Function):
    """Codes z 1{z > theta}, and how many fire. To theta, straight through a window of width eps
    around it (Rajamanoharan et al. 2024, eqs. 11, 12): d code / d theta = -(theta / eps) 1{|z -
    theta| < eps / 2}, d count / d theta = -(1 / eps) of the same window. The count moves theta
    alone.
    `over` : the axes that the count sums over."""

    @staticmethod
    def forward(ctx, z, theta, eps, over):
        on = z > theta
        ctx.save_for_backward(z, theta, on)
        ctx.eps, ctx.over = eps, over
        return z * on, on.sum(over, dtype=z.dtype)

    @staticmethod
    def backward(ctx, g, g_count):
        z, theta, on = ctx.saved_tensors
        for axis in sorted(axis % z.ndim for axis in ctx.over):
            g_count = g_count.unsqueeze(axis)
        window = (z - theta).abs_() < ctx.eps / 2
        pull = torch.addcmul(g_count, g, theta).mul_(window)
        return g * on, pull.sum_to_size(theta.shape) / -ctx.eps, None, None


def objective(
    model: SDLModel, x_p: Tensor, x_r: Tensor, knobs: Knobs, sparse: bool | None = None
) -> Terms:
    """Mean over the batch of ||x_r - x_hat||^2 plus the method's sparsity term; Matryoshka: the
    mean of that over its levels (Bussmann et al. 2025 sum them), or with ks, Eq. 9 of
    arXiv:2512.05534, the sum over them, unless knobs.level_loss says which.

    sparse : True, touch only the latents that fire; False, the dense twin; None, whichever is
        faster here. Equal but for rounding.
    """
    can = model.instances is None and model.method != "gated"
    if sparse is None:
        sparse = can and x_p.shape[-2] * model.n_q >= 1 << 20
    with torch.autocast(x_p.device.type, torch.bfloat16, enabled=knobs.bf16):
        z = model.preactivations(x_p)
        if sparse and can:
            with torch.no_grad():
                pairs, threshold = _pairs(model, z, knobs)
            if pairs is not None:
                return _sparse(model, x_p, x_r, knobs, z.detach(), pairs, threshold)
        return _dense(model, x_p, x_r, knobs, z)


def batch_threshold(model: SDLModel, z: Tensor, knobs: Knobs) -> Tensor:
    """The k * total-th largest positive preactivation of the whole batch, over all processes: (),
    or (instances,).
    """
    count = model.k * knobs.total
    if model.instances is not None:
        best = knobs.world.gather(
            z.flatten(1).topk(min(count, z[0].numel()), sorted=False).values, count
        )
        return best.topk(min(count, best.shape[1]), sorted=False).values.amin(1).clamp(min=0)
    best = knobs.world.gather(largest_values(z, min(count, z.numel())), count)
    if len(best) > count:
        best = best.topk(count, sorted=False).values
    return best.amin().clamp(min=0) if len(best) == count else z.new_zeros(())


def _codes(model: SDLModel, z: Tensor, knobs: Knobs) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Codes (batch, n_q) at training, BatchTopK's threshold, and JumpReLU's count of latents that
    fire.
    """
    if model.by_sample:
        return model.rectify(z) * _largest(z, model.k), None, None
    if model.method in ("batchtopk", "matryoshka"):
        with torch.no_grad():
            threshold = batch_threshold(model, z, knobs)
        return z.relu() * (z >= threshold[..., None, None]), threshold, None
    if model.method == "jumprelu":
        codes, count = _Jump.apply(
            z, model.theta.unsqueeze(-2).to(z.dtype), knobs.bandwidth, (-2, -1)
        )
        return codes, None, count
    return model.activate(z), None, None


@torch.no_grad()
def _largest(z: Tensor, k: int) -> Tensor:
    """Mask (batch, n_q) of each sample's k largest."""
    return torch.zeros_like(z, dtype=torch.bool).scatter_(
        -1, z.topk(k, dim=-1, sorted=False).indices, True
    )


def _over_levels(model: SDLModel, errors: Tensor, knobs: Knobs) -> Tensor:
    """One loss of Matryoshka's (levels, ...)."""
    return (
        errors.sum(0)
        if (knobs.level_loss or ("sum" if model.ks else "mean")) == "sum"
        else errors.mean(0)
    )


def _dense(model: SDLModel, x_p: Tensor, x_r: Tensor, knobs: Knobs, z: Tensor) -> Terms:
    """The literal twin: dense codes, dense products, autograd."""
    codes, threshold, count = _codes(model, z, knobs)
    share = 1 / knobs.total
    if model.method == "matryoshka":
        if model.ks:
            outs = torch.stack(
                [model.decode(codes * _largest(z, k)) for k in model.ks[:-1]]
                + [model.decode(codes)]
            )
        else:
            starts = (0, *model.levels[:-1])
            parts = [codes[..., a:b] @ model.W_D[..., a:b].mT for a, b in zip(starts, model.levels)]
            outs = torch.stack(parts).cumsum(0) + (
                0 if model.b_D is None else model.b_D.unsqueeze(-2)
            )
        errors = (x_r - outs).square().sum((-1, -2)) * share
        fit, mse, x_hat = _over_levels(model, errors, knobs), errors[-1], outs[-1]
    else:
        x_hat = model.decode(codes)
        fit = mse = (x_r - x_hat).square().sum((-1, -2)) * share
    loss = fit + _penalty(model, x_r, z, codes, count, knobs) * share
    if knobs.aux_coef and knobs.dead is not None and bool(knobs.dead.any()):
        asleep = z.masked_fill(~knobs.dead.unsqueeze(-2), -torch.inf)
        values, latents = top_k_lowest(asleep, min(knobs.aux_k, model.n_q))
        waking = torch.zeros_like(z).scatter(
            -1, latents, model.rectify(values.where(values > -torch.inf, 0.0))
        )
        some = knobs.dead.any(-1)  # an instance without dead latents has no such term
        loss = (
            loss
            + knobs.aux_coef
            * share
            * aux_loss(model, waking @ model.W_D.mT, x_r, x_hat, knobs).sum((-1, -2))
            * some
        )
    on = codes != 0
    return Terms(loss.sum(), mse.detach().float(), on.sum((-1, -2)) * share, on.any(-2), threshold)


def _penalty(
    model: SDLModel, x_r: Tensor, z: Tensor, codes: Tensor, count: Tensor | None, knobs: Knobs
) -> Tensor | float:
    """The sparsity term, summed over samples: () or (instances,)."""
    norms = model.decoder_norm if knobs.unit_norm else model.W_D.norm(dim=-2).unsqueeze(-2)
    if model.method == "relu":
        return knobs.coef * (codes * norms).sum((-1, -2))
    if model.method == "jumprelu":
        return knobs.coef * count
    if model.method == "gated":
        gate = (z + model.b_gate.unsqueeze(-2)).relu()
        frozen = gate @ model.W_D.detach().mT + (
            0 if model.b_D is None else model.b_D.detach().unsqueeze(-2)
        )
        return knobs.coef * (gate * norms).sum((-1, -2)) + (x_r - frozen).square().sum((-1, -2))
    return 0.0


def _pairs(model: SDLModel, z: Tensor, knobs: Knobs) -> tuple[Pairs | None, Tensor | None]:
    """The pairs a step touches: all that fire and, for JumpReLU, all in the straight-through
    window. None if they are too many to gain.
    """
    if model.by_sample:
        values, latents = top_k(z, model.k)
        if model.ks:  # by rank: the k_j largest of the k_m come first
            latents = latents.gather(1, values.argsort(dim=1, descending=True, stable=True))
        return Pairs.of_top_k(latents, model.n_q), None
    if model.method in ("batchtopk", "matryoshka"):
        threshold = batch_threshold(model, z, knobs)
        return Pairs.where((z >= threshold) & (z > 0)), threshold
    mask = z > 0 if model.method == "relu" else z > (model.theta - knobs.bandwidth / 2)
    return (None if mask.sum() > SPARSE_BELOW * z.numel() else Pairs.where(mask)), None


def _sparse(
    model: SDLModel,
    x_p: Tensor,
    x_r: Tensor,
    knobs: Knobs,
    z: Tensor,
    pairs: Pairs,
    threshold: Tensor | None,
) -> Terms:
    """The same terms from the pairs alone."""
    share, at = 1 / knobs.total, pairs.latents
    values = encode_pairs(x_p, model.W_E, z, pairs)
    if model.b_E is not None:
        # its value is in z; its gradient is not
        values = values + (model.b_E - model.b_E.detach())[at]
    penalty = 0.0
    if model.method == "jumprelu":
        values, count = _Jump.apply(values, model.theta[at], knobs.bandwidth, (0,))
        penalty = knobs.coef * count
    else:
        values = model.rectify(values)
    if model.method == "relu":
        penalty = (
            knobs.coef
            * (
                values * (model.decoder_norm if knobs.unit_norm else model.W_D.norm(dim=0)[at])
            ).sum()
        )
    levels, bounds = None, model.ks or model.levels or (0,)
    if model.method == "matryoshka":
        place = torch.arange(model.k, device=at.device).repeat(pairs.batch) if model.ks else at
        levels = torch.searchsorted(torch.tensor(bounds, device=at.device), place, right=True)
    out = decode_pairs(values, model.W_D, pairs, levels, len(bounds))
    out = out if model.b_D is None else out + model.b_D
    errors = (x_r - out if levels is None else x_r[:, None] - out).square().sum(-1).sum(0) * share
    loss = (errors if levels is None else _over_levels(model, errors, knobs)) + penalty * share
    if knobs.aux_coef and knobs.dead is not None and bool(knobs.dead.any()):
        x_hat = out if levels is None else out[:, -1]
        loss = loss + _aux(model, x_p, x_r, x_hat, z, knobs) * share
    mse = errors if levels is None else errors[-1]
    return Terms(
        loss, mse.detach(), (values != 0).sum() * share, pairs.fired(values.detach()), threshold
    )


def aux_loss(model: SDLModel, waking: Tensor, x_r: Tensor, x_hat: Tensor, knobs: Knobs) -> Tensor:
    """AuxK's squared errors, (batch, n_r), of what the strongest dead latents give, `waking` = W_D
    times their codes.

    "residual" (Gao et al. 2024): they are to explain what is left, x_r - x_hat, held fixed. "input"
    (Eq. 8 of arXiv:2512.05534): x_r itself, which is x_p for an SAE, by themselves; b_D, if there
    is one, is part of that reconstruction and learns from it.
    """
    if knobs.aux_target == "input":
        return (x_r - waking - (0 if model.b_D is None else model.b_D.unsqueeze(-2))).square()
    return ((x_r - x_hat).detach() - waking).square()


def _aux(
    model: SDLModel, x_p: Tensor, x_r: Tensor, x_hat: Tensor, z: Tensor, knobs: Knobs
) -> Tensor:
    """AuxK from the pairs (sample, strong dead latent) alone."""
    dead = knobs.dead.nonzero()[:, 0]
    latents = dead[top_k_lowest(z[:, dead], min(knobs.aux_k, len(dead)))[1]]
    pairs = Pairs.of_top_k(latents, model.n_q)
    values = encode_pairs(x_p, model.W_E, z, pairs)
    if model.b_E is not None:
        values = values + (model.b_E - model.b_E.detach())[pairs.latents]
    return (
        knobs.aux_coef
        * aux_loss(
            model, decode_pairs(model.rectify(values), model.W_D, pairs), x_r, x_hat, knobs
        ).sum()
    )
