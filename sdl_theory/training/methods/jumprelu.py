"""JumpReLU with an L0 term: codes z 1{z > theta}, with a learned threshold per latent.

It is learned straight through its jump (Rajamanoharan et al. 2024).
"""

from __future__ import annotations

import torch

from ... import activations
from ..blocks import Block
from ..pairs import Pairs
from ..step import Step
from .base import Coded
from .in_blocks import InBlocks


class Jump(torch.autograd.Function):
    """Codes z 1{z > theta}, and how many fire.

    over : the axes that the count sums over.

    To theta, straight through a window of width eps around it (Rajamanoharan et al. 2024, eqs. 11
    and 12):

        d code  / d theta = -(theta / eps) 1{|z - theta| < eps / 2}
        d count / d theta = -(1 / eps) 1{|z - theta| < eps / 2}

    The count moves theta alone.
    """

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


class JumpReLU(InBlocks):
    name = "jumprelu"
    dense_copies, sparse_copies = 1.2, 2.6
    block_vector = "theta"
    vectors = {"theta": 0.1}
    settings = ("bandwidth",)

    def check_theta(self, theta):
        if theta is not None:
            self.vectors = {"theta": theta}

    def activate(self, model, z):
        return z * (z > model.theta.unsqueeze(-2))

    def sigma(self, model):
        return activations.JumpReLU(model.theta.detach().double().cpu().clamp(min=0))

    def firing_level(self, model):
        return model.theta

    def codes(self, step: Step) -> Coded:
        theta = step.model.theta.unsqueeze(-2).to(step.z.dtype)
        codes, count = Jump.apply(step.z, theta, step.knobs.bandwidth, (-2, -1))
        return Coded(codes, active=count)

    def penalty(self, step: Step, coded: Coded):
        assert coded.active is not None
        return step.knobs.coef * coded.active

    def block_codes(self, block: Block):
        z, spare, theta = block
        return torch.gt(z, theta, out=spare).mul_(z)

    def block_sums(self, codes, fired):
        return fired

    def block_pull(self, block: Block, pull, pull_sums, bandwidth):
        """As in Jump, the sums over the window taken apart: of the samples in it, and of `pull`."""
        z, spare, theta = block
        window = torch.lt(torch.sub(z, theta, out=spare).abs_(), bandwidth / 2, out=spare)
        inside = window.sum(-2, keepdim=True)
        moved = pull_sums * inside + theta * window.mul_(pull).sum(-2, keepdim=True)
        pull.mul_(torch.gt(z, theta, out=spare))
        return moved.squeeze(-2) / -bandwidth

    def block_penalty(self, step: Step, sums):
        return step.knobs.coef * sums.sum(-1)

    def pairs(self, step: Step, most: float):
        """All that fire, and all in the straight-through window."""
        return Pairs.few(step.z > step.model.theta - step.knobs.bandwidth / 2, most), None

    def pair_codes(self, step: Step, values, pairs: Pairs):
        theta = step.model.theta[pairs.latents]
        codes, count = Jump.apply(values, theta, step.knobs.bandwidth, (0,))
        return codes, step.knobs.coef * count

    def settle(self, model):
        model.theta.clamp_(min=0)

    def scale(self, model, which, by):
        super().scale(model, which, by)
        model.theta[which] *= by

    def begin_anew(self, model, which, alive, own):
        """The threshold of the mean live latent.

        Capped where the new row would sleep on its own sample.
        """
        usual = model.theta[alive].mean() if alive.any() else model.theta.mean()
        model.theta[which] = torch.minimum(usual.expand_as(own), own / 2)
