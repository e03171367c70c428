"""The dense step in blocks of latents: the only array (batch, n_q) is z.

Autograd keeps an array (batch, n_q) for every operation between encoder and decoder, and fills a
new one for every gradient: memory that the system has to hand out first, which takes longer than
the arithmetic. Here the latents are taken a block at a time, small enough to stay in the cache: the
block's codes, its share of x_hat, and on the way back its gradients, in two buffers. What remains
are the five products of a dense step. The literal twin is in `objective.py`; tests compare them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import torch

from ..checks import Tensor
from .step import Step

if TYPE_CHECKING:
    from .methods.in_blocks import InBlocks

# entries of a block: 4 MiB of a processor's cache; on other devices, enough to fill them
ENTRIES, ENTRIES_ELSEWHERE = 1 << 20, 1 << 24
NARROWEST = 256  # latents of a block, for the products' sake


class Block(NamedTuple):
    """The latents of one block, for some instances: `z` and `spare` are (I, batch, width).

    spare : memory of z's shape, to be written over.
    vector : the method's vector, theta, (I, 1, width); 0 if it has none.
    """

    z: Tensor
    spare: Tensor
    vector: Tensor


class Through(NamedTuple):
    """What comes of the blocks: x_hat (batch, n_r), without b_D, and two figures of each latent.

    sums : (n_q,), what the method's penalty is made of: see its `block_sums`.
    fired : (n_q,), on how many samples each did.
    """

    x_hat: Tensor
    sums: Tensor
    fired: Tensor


def cuts(z: Tensor) -> Iterator[tuple[slice, slice]]:
    """Instances and latents of each block of z (I, batch, n_q).

    Whole instances while they are small, else parts of one.
    """
    many, batch, n_q = z.shape
    entries = ENTRIES if z.device.type == "cpu" else ENTRIES_ELSEWHERE
    width = min(n_q, max(NARROWEST, entries // batch))
    width = -(-n_q // -(-n_q // width))  # as many blocks, of equal width
    together = max(1, entries // (batch * n_q))
    for i in range(0, many, together):
        for s in range(0, n_q, width):
            yield slice(i, i + together), slice(s, s + width)


def through(step: Step, way: InBlocks) -> Through:
    """Encode and decode the step's z, which is written over; differentiable in the weights."""
    model = step.model
    vector = getattr(model, way.block_vector) if way.block_vector else None
    return Through(
        *_Blocks.apply(
            model.W_E, model.W_D, model.b_E, vector, step.x_p, step.z, way, step.knobs.bandwidth
        )
    )


def _product(a: Tensor, b: Tensor, out: Tensor, add: bool = False) -> None:
    """The product a b, written to or added to `out`, which may be of higher precision."""
    if a.dtype != out.dtype:
        out.add_(torch.bmm(a, b)) if add else out.copy_(torch.bmm(a, b))
    elif add:
        torch.baddbmm(out, a, b, out=out)
    else:
        torch.bmm(a, b, out=out)


class _Tensors:
    """z, x, columns and vector with an instance axis, and the blocks of them, one after another."""

    def __init__(
        self, z: Tensor, x: Tensor, W_D: Tensor, vector: Tensor | None, buffers: Tensor | None
    ):
        single = z.ndim == 2
        self.z = z[None] if single else z
        self.x = x.to(z.dtype).expand(len(self.z), *x.shape[-2:])
        self.columns = W_D.mT[None] if single else W_D.mT
        vector = z.new_zeros(self.z[:, 0].shape) if vector is None else vector.to(z.dtype)
        self.vector, self.buffers = vector.view(len(self.z), 1, -1), buffers

    def blocks(self) -> Iterator[tuple[slice, slice, Tensor, Block, Tensor]]:
        """Instances, latents, columns, Block, and another buffer of its shape."""
        for i, s in cuts(self.z):
            z = self.z[i, :, s]
            if self.buffers is None:
                self.buffers = self.z.new_empty(2, z.numel())  # the first block is the largest
            spare, other = self.buffers[:, : z.numel()].view(2, *z.shape)
            block = Block(z, spare, self.vector[i, :, s])
            yield i, s, self.columns[i, s].to(z.dtype), block, other


class _Blocks(torch.autograd.Function):
    """x_hat = codes W_D^T, and each latent's sums and count. See `through`."""

    @staticmethod
    def forward(ctx, W_E, W_D, b_E, vector, x, z, way: InBlocks, bandwidth):
        ctx.save_for_backward(W_E, W_D, b_E, vector, x, z)
        ctx.way, ctx.bandwidth = way, bandwidth
        all_ = _Tensors(z, x, W_D, vector, buffers=None)
        x_hat = W_D.new_zeros(len(all_.z), z.shape[-2], W_D.shape[-2])
        sums, fired = W_D.new_empty(2, len(all_.z), z.shape[-1])
        for i, s, columns, block, other in all_.blocks():
            codes = way.block_codes(block)
            _product(codes, columns, x_hat[i], add=True)
            fired[i, s] = torch.gt(codes, 0, out=other).sum(-2, dtype=fired.dtype)
            sums[i, s] = way.block_sums(codes, fired[i, s])
        ctx.buffers = all_.buffers
        lead = W_E.shape[:-2]
        x_hat, sums, fired = (one.view(*lead, *one.shape[1:]) for one in (x_hat, sums, fired))
        ctx.mark_non_differentiable(fired)
        return x_hat, sums, fired

    @staticmethod
    def backward(ctx, pull, pull_sums, _):
        W_E, W_D, b_E, vector, x, z = ctx.saved_tensors
        all_ = _Tensors(z, x, W_D, vector, buffers=ctx.buffers)
        many = len(all_.z)
        pull = pull.to(z.dtype).reshape(many, *pull.shape[-2:])
        pull_sums = pull_sums.to(z.dtype).reshape(many, 1, -1)
        rows, columns = W_E.new_empty(many, *W_E.shape[-2:]), torch.empty_like(all_.columns)
        vectors = None if vector is None else vector.new_empty(many, z.shape[-1])
        biases = None if b_E is None else b_E.new_empty(many, z.shape[-1])
        for i, s, of, block, g in all_.blocks():
            _product(ctx.way.block_codes(block).mT, pull[i], columns[i, s])
            torch.bmm(pull[i], of.mT, out=g)
            moved = ctx.way.block_pull(block, g, pull_sums[i, :, s], ctx.bandwidth)
            if vectors is not None:
                vectors[i, s] = moved
            if biases is not None:
                biases[i, s] = g.sum(-2)
            _product(g.mT, all_.x[i], rows[i, s])
        shaped = lambda one, like: None if one is None else one.view(like.shape)
        columns = columns.view(*W_D.shape[:-2], *columns.shape[1:])
        grads = shaped(rows, W_E), columns.mT, shaped(biases, b_E), shaped(vectors, vector)
        return *grads, None, None, None, None
