"""Top-k: each sample's k largest z are its codes, with a ReLU after it or, plain, without.

With: as Gao et al. (2024) train it. Without: Eq. 7 of arXiv:2512.05534.
"""

from __future__ import annotations

import math

import torch

from ... import activations
from ...checks import Tensor
from ..pairs import Pairs, top_k
from ..step import Step
from .base import Coded, KLargest


@torch.no_grad()
def largest(z: Tensor, k: int) -> Tensor:
    """Mask (batch, n_q) of each sample's k largest."""
    latents = z.topk(k, dim=-1, sorted=False).indices
    return torch.zeros_like(z, dtype=torch.bool).scatter_(-1, latents, True)


class TopK(KLargest):
    name = "topk"
    dense_copies = 5.2
    sparse_copies = 1.1
    by_sample = True
    settings = ("plain",)

    def activate(self, model, z):
        values, latents = top_k(z.reshape(-1, self.n_q), self.k)
        codes = torch.zeros_like(z).view(-1, self.n_q)
        return codes.scatter_(1, latents, self.rectify(values)).view(z.shape)

    def sigma(self, model):
        return activations.TopK(self.k, theta=-math.inf if self.plain else 0.0)

    def firing_level(self, model):
        """0, its ReLU's; plain: -inf."""
        return torch.full_like(model.W_E[..., 0], -math.inf if self.plain else 0.0)

    def codes(self, step: Step) -> Coded:
        return Coded(self.rectify(step.z) * largest(step.z, self.k))

    def pairs(self, step: Step, most: float):
        return Pairs.of_top_k(top_k(step.z, self.k)[1], self.n_q), None
