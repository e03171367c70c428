"""Gated: a magnitude wherever a gate z + b_gate > 0 is open (Rajamanoharan et al. 2024).

The gate is taught by an L1 term and a reconstruction of its own. Dense alone.
"""

from __future__ import annotations

import torch

from ..step import Step
from .base import Coded, Method


class Gated(Method):
    name = "gated"
    dense_copies = 6.3
    in_theory = False
    vectors = dict.fromkeys(("r_mag", "b_gate", "b_mag"), 0.0)

    def activate(self, model, z):
        magnitude = (z * model.r_mag.exp().unsqueeze(-2) + model.b_mag.unsqueeze(-2)).relu()
        return magnitude * (z + model.b_gate.unsqueeze(-2) > 0)

    def sigma(self, model):
        raise ValueError("a gated activation is not of the form sigma(z)_i in {0, z_i} (Eq. 10)")

    def firing_level(self, model):
        return torch.maximum(-model.b_gate, -model.b_mag * torch.exp(-model.r_mag))

    def scale(self, model, which, by):
        """Magnitudes alone: the gate stays open where it was."""
        model.r_mag[which] += by.log()
        model.b_mag[which] *= by

    def penalty(self, step: Step, coded: Coded):
        model, knobs = step.model, step.knobs
        gate = (step.z + model.b_gate.unsqueeze(-2)).relu()
        b_D = 0 if model.b_D is None else model.b_D.detach().unsqueeze(-2)
        frozen = gate @ model.W_D.detach().mT + b_D
        return knobs.coef * (gate * step.norms()).sum((-1, -2)) + (
            (step.x_r - frozen).square().sum((-1, -2))
        )
