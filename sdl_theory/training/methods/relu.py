"""ReLU with an L1 term: codes max(z, 0), weighed by the norms of their columns."""

from __future__ import annotations

from ... import activations
from ..pairs import Pairs
from ..step import Step
from .base import Coded, Method


class ReLU(Method):
    name = "relu"
    dense_copies = 4

    def activate(self, model, z):
        return z.relu()

    def sigma(self, model):
        return activations.ReLU()

    def firing_level(self, model):
        return model.W_E.new_zeros(model.W_E.shape[:-1])

    def penalty(self, step: Step, coded: Coded):
        return step.knobs.coef * (coded.codes * step.norms()).sum((-1, -2))

    def pairs(self, step: Step, most: float):
        return Pairs.few(step.z > 0, most), None

    def pair_codes(self, step: Step, values, pairs: Pairs):
        codes, norms = values.relu(), step.norms()
        at_pairs = norms if isinstance(norms, float) else norms[0][pairs.latents]
        return codes, step.knobs.coef * (codes * at_pairs).sum()
