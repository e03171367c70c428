"""BatchTopK: the k * batch largest z of a batch; at inference a threshold (Bussmann et al. 2024).

The largest positive ones; the threshold is the running mean of the batches'.
"""

from __future__ import annotations

import torch

from ... import activations
from ...checks import Tensor
from ..pairs import Pairs, largest_values
from ..step import Step
from .base import Coded, KLargest


def batch_threshold(step: Step, k: int) -> Tensor:
    """The k * total-th largest positive preactivation of the whole batch, () or (instances,).

    The batch is that of all processes together.
    """
    z, world, count = step.z, step.knobs.world, k * step.knobs.total
    if step.model.instances is not None:
        best = world.gather(z.flatten(1).topk(min(count, z[0].numel()), sorted=False).values, count)
        return best.topk(min(count, best.shape[1]), sorted=False).values.amin(1).clamp(min=0)
    best = world.gather(largest_values(z, min(count, z.numel())), count)
    if len(best) > count:
        best = best.topk(count, sorted=False).values
    return best.amin().clamp(min=0) if len(best) == count else z.new_zeros(())


class BatchTopK(KLargest):
    name = "batchtopk"
    dense_copies = 5.2
    sparse_copies = 1.75
    scalars = ("theta",)

    def activate(self, model, z):
        return z * (z > model.theta[..., None, None])

    def sigma(self, model):
        """At inference it is JumpReLU at its threshold."""
        return activations.JumpReLU(model.theta.detach().double().cpu().clamp(min=0))

    def firing_level(self, model):
        return model.theta[..., None].expand(model.W_E.shape[:-1])

    def codes(self, step: Step) -> Coded:
        with torch.no_grad():
            threshold = batch_threshold(step, self.k)
        return Coded(step.z.relu() * (step.z >= threshold[..., None, None]), threshold)

    def pairs(self, step: Step, most: float):
        threshold = batch_threshold(step, self.k)
        return Pairs.where((step.z >= threshold) & (step.z > 0)), threshold

    def follow(self, model, threshold: Tensor, steps_done: int):
        """The inference threshold is a running mean of the batches' thresholds."""
        model.theta.lerp_(threshold.to(model.theta), max(0.01, 1 / (steps_done + 1)))
