"""ReLU with an L1 term: codes max(z, 0), weighed by the norms of their columns."""

from __future__ import annotations

import torch

from ... import activations
from ..blocks import Block
from ..pairs import Pairs
from ..step import Step
from .base import Coded
from .in_blocks import InBlocks


class ReLU(InBlocks):
    name = "relu"
    dense_copies, sparse_copies = 1.2, 2.6

    def activate(self, model, z):
        return z.relu()

    def sigma(self, model):
        return activations.ReLU()

    def firing_level(self, model):
        return model.W_E.new_zeros(model.W_E.shape[:-1])

    def penalty(self, step: Step, coded: Coded):
        return step.knobs.coef * (coded.codes * step.norms()).sum((-1, -2))

    def block_codes(self, block: Block):
        return block.z.relu_()

    def block_sums(self, codes, fired):
        return codes.sum(-2, dtype=fired.dtype)

    def block_pull(self, block: Block, pull, pull_sums, bandwidth):
        pull.add_(pull_sums)
        torch.ops.aten.threshold_backward.grad_input(pull, block.z, 0, grad_input=pull)

    def block_penalty(self, step: Step, sums):
        norms = step.norms()
        return step.knobs.coef * (
            sums * (norms if isinstance(norms, float) else norms.squeeze(-2))
        ).sum(-1)

    def pairs(self, step: Step, most: float):
        return Pairs.few(step.z > 0, most), None

    def pair_codes(self, step: Step, values, pairs: Pairs):
        codes, norms = values.relu(), step.norms()
        at_pairs = norms if isinstance(norms, float) else norms[0][pairs.latents]
        return codes, step.knobs.coef * (codes * at_pairs).sum()
