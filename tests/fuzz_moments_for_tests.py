"""Good calls of moments, penalties and what is counted with them: name -> (function, arguments)."""

from __future__ import annotations

import torch

import sdl_theory as lib


def of_moments(w) -> dict:
    """w : the World of fuzz_theory_for_tests."""
    law = dict(magnitudes=lib.Constant(1.0))
    return {
        "SparseFeatures.moments": (w.features.moments, dict(one_at_a_time=True)),
        "Moments": (lib.Moments, dict(C=w.features.moments().C, m=[0.1] * 4)),
        "Moments.of_samples": (lib.Moments.of_samples, dict(x=w.x)),
        "Moments.hierarchical": (lib.Moments.hierarchical, dict(p=0.5, children=[0.2, 0.3]) | law),
        "Moments.exclusive": (lib.Moments.exclusive, dict(p=[0.2, 0.3]) | law),
        "Moments.correlated": (lib.Moments.correlated, dict(n=3, S=0.9, r=0.2) | law),
        "pair_law": (lib.pair_law, dict(rho=0.1, kappa=0.1, shrink=0.1)),
        "prevalence": (
            lib.prevalence,
            dict(
                where=w.problem,
                sizes=[2, 3],
                S=[0.9],
                draws=3,
                l1=0.1,
                generator=torch.Generator().manual_seed(0),
            )
            | law,
        ),
    }
