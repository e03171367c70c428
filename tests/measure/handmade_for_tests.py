"""A small bench in float64, and models that hold weights made by hand."""

import torch

from sdl_theory import Constant, LinearRepresentationBench, SDLModel, Weights


def bench(n=12, n_p=16, S=0.8, mu=0.3, **kwargs):
    return LinearRepresentationBench(
        n, n_p, S, mu, Constant(1.0), **dict(dtype=torch.float64) | kwargs
    )


def model_of(weights: Weights, method="relu", **kwargs) -> SDLModel:
    """A model that holds the given weights, (I, ...) ones too."""
    W_E, W_D = weights if isinstance(weights, tuple) else (weights.W_E, weights.W_D)
    model = SDLModel(
        W_E.shape[-1],
        W_E.shape[-2],
        W_D.shape[-2],
        method,
        dtype=W_E.dtype,
        instances=len(W_E) if W_E.ndim == 3 else None,
        **kwargs,
    )
    model.W_E.data, model.W_D.data = W_E.clone(), W_D.clone()
    return model
