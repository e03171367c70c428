"""Training steps that touch only the latents that fire: exact, gradients too.

Of batch x n_q preactivations a sparse method keeps a few dozen a sample. Only the product x W_E^T
is dense; the decoder, its gradient and the encoder's gradient are sums over (sample, latent) pairs,
done by `embedding_bag`. The dense twins, which have the same gradients, stand beside the sparse
forms, in `objective.py`, `auxk.py` and `methods/`; tests compare them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from ..checks import Tensor

GROUPS = 16  # latents are compared in this many slices before any is looked at alone


def top_k(z: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k largest of each row of z (batch, n_q), in no order: values and latents, (batch, k).

    Exact, in two stages: were a latent among the k largest, so would its group be among the k
    groups of largest maximum.
    """
    batch, n_q = z.shape
    width = n_q // GROUPS
    if n_q % GROUPS or width < 4 * k:
        return z.topk(min(k, n_q), dim=1, sorted=False)
    groups = z.view(batch, GROUPS, width).amax(1).topk(k, dim=1, sorted=False).indices
    members = (
        z.view(batch, GROUPS, width)
        .gather(2, groups[:, None].expand(-1, GROUPS, -1))
        .reshape(batch, GROUPS * k)
    )
    values, place = members.topk(k, dim=1, sorted=False)
    return values, groups.gather(1, place % k) + place.div(k, rounding_mode="floor") * width


def top_k_lowest(z: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k largest along the last axis, in no order; of equal ones those of lowest index.

    Values and indices: one choice, however a batch is cut. For AuxK, whose dead latents may be
    equal (begun alike, or given so). `topk` leaves open which of them it takes; zeros do not matter
    and are left to it.
    """
    with torch.no_grad():
        values, indices = z.topk(k, dim=-1, sorted=False)
        least = values.amin(-1, keepdim=True)
        tied = ((z >= least).sum(-1) > k) & ((least != 0) & least.isfinite()).squeeze(-1)
        if tied.any():
            indices[tied] = z[tied].sort(dim=-1, descending=True, stable=True).indices[..., :k]
    return z.gather(-1, indices), indices


def largest_values(z: Tensor, count: int) -> Tensor:
    """The `count` largest positive entries of all of z, in no order: BatchTopK's candidates.

    Exact; fewer if fewer are positive.
    """
    flat = z.reshape(-1)
    if flat.numel() >= 4 * GROUPS * count and z.shape[-1] % GROUPS == 0:
        heads = z.view(len(z), GROUPS, -1).amax(1).view(-1)
        # at least `count` entries reach the count-th largest maximum
        flat = flat[flat >= heads.topk(count, sorted=False).values.amin()]
    flat = flat[flat > 0]
    return flat if len(flat) <= count else flat.topk(count, sorted=False).values


@dataclass
class Pairs:
    """The (sample, latent) pairs that a step touches, samples ascending.

    And the same pairs with latents ascending: `by_latent` puts them in that order.
    """

    rows: Tensor  # (pairs,) sample of each pair
    latents: Tensor  # (pairs,)
    batch: int
    n_q: int

    def __post_init__(self):
        self.by_latent = torch.argsort(self.latents, stable=True)
        self.rows_by_latent = self.rows[self.by_latent]
        self.latent_offsets = _offsets(self.latents, self.n_q)

    @classmethod
    def where(cls, mask: Tensor) -> Pairs:
        rows, latents = mask.nonzero(as_tuple=True)
        return cls(rows, latents, *mask.shape)

    @classmethod
    def few(cls, mask: Tensor, most: float) -> Pairs | None:
        """The pairs of a mask; None if they are more than the share `most` of it."""
        return None if torch.count_nonzero(mask) > most * mask.numel() else cls.where(mask)

    @classmethod
    def of_top_k(cls, latents: Tensor, n_q: int) -> Pairs:
        rows = torch.arange(len(latents), device=latents.device).repeat_interleave(latents.shape[1])
        return cls(rows, latents.reshape(-1), len(latents), n_q)

    def over_latents(self, values: Tensor, vectors: Tensor) -> Tensor:
        """Sum over the pairs of each latent of value * vectors[sample], (n_q, d).

        Both weight gradients are such sums.
        """
        return F.embedding_bag(
            self.rows_by_latent,
            vectors,
            self.latent_offsets,
            mode="sum",
            per_sample_weights=values[self.by_latent],
        )

    def fired(self, values: Tensor) -> Tensor:
        """Which latents fired, (n_q,) bool."""
        mask = torch.zeros(self.n_q, dtype=torch.bool, device=values.device)
        mask[self.latents[values != 0]] = True
        return mask


def _offsets(sorted_or_not: Tensor, bins: int) -> Tensor:
    ends = torch.bincount(sorted_or_not, minlength=bins).cumsum(0)
    return ends - torch.bincount(sorted_or_not, minlength=bins)


class _Encode(torch.autograd.Function):
    """values = <w_E^i, x_b> at the pairs; z holds all of them already.

    Gradient to W_E: over_latents(g, x).
    """

    @staticmethod
    def forward(ctx, W_E, x, z, pairs):
        ctx.pairs, ctx.x = pairs, x
        return z[pairs.rows, pairs.latents].to(W_E.dtype)  # z may be bfloat16

    @staticmethod
    def backward(ctx, g):
        return ctx.pairs.over_latents(g, ctx.x.to(g.dtype)), None, None, None


class _Decode(torch.autograd.Function):
    """Sum over the pairs of each bag of value * W_D[:, latent], (bags, n_r).

    `bags` ascend; W_D is read by columns.
    """

    @staticmethod
    def forward(ctx, values, W_D, pairs, bags, count):
        columns = W_D.mT.contiguous()  # a view already: the models store W_D column by column
        offsets = _offsets(bags, count)
        ctx.save_for_backward(values, columns, bags)
        ctx.pairs = pairs
        return F.embedding_bag(
            pairs.latents, columns, offsets, mode="sum", per_sample_weights=values
        )

    @staticmethod
    def backward(ctx, g):
        values, columns, bags = ctx.saved_tensors
        pairs, g = ctx.pairs, g.contiguous()
        bags = bags[pairs.by_latent]
        grad_values = grad_W_D = None
        if ctx.needs_input_grad[0]:
            # <g of the bag, column>, latent by latent: each column is read from memory once, and
            # the rows of g stay in the cache; four times as fast as sample by sample
            along = torch.ops.aten._embedding_bag_per_sample_weights_backward(
                columns, g, bags, pairs.latent_offsets, pairs.latents[pairs.by_latent], 0, -1
            )
            grad_values = torch.empty_like(along)
            grad_values[pairs.by_latent] = along
        if ctx.needs_input_grad[1]:
            grad_W_D = F.embedding_bag(
                bags,
                g,
                pairs.latent_offsets,
                mode="sum",
                per_sample_weights=values[pairs.by_latent],
            ).mT
        return grad_values, grad_W_D, None, None, None


def encode_pairs(x: Tensor, W_E: Tensor, z: Tensor, pairs: Pairs) -> Tensor:
    """The preactivations at the pairs, (pairs,): z = x W_E^T looked up; its gradient is W_E's."""
    return _Encode.apply(W_E, x, z, pairs)


def decode_pairs(
    values: Tensor, W_D: Tensor, pairs: Pairs, levels: Tensor | None = None, n_levels: int = 1
) -> Tensor:
    """W_D codes, (batch, n_r); with `levels` cumulated over them, (batch, n_levels, n_r).

    levels : the pairs' Matryoshka level, of the latent's place or of its rank in the sample. The
        pairs of a sample must ascend by level.
    """
    bags = pairs.rows if levels is None else pairs.rows * n_levels + levels
    out = _Decode.apply(values, W_D, pairs, bags, pairs.batch * n_levels)
    return out if levels is None else out.view(pairs.batch, n_levels, -1).cumsum(1)
