"""A trap, as a model and as samples whose mean loss is Lt."""

import torch
from models_for_tests import seeded

from sdl_theory import SDLModel
from tests.traps_for_tests import a_trap, world

f64 = torch.float64
SIX = [[0, 1, 2], [3, 4, 5]]


def of_features(problem):
    """Samples whose mean loss is Lt: each feature alone, by the root of its weight."""
    sizes = (problem.n * problem.M_d).sqrt()
    return (problem.W_p * sizes).mT.contiguous(), (problem.W_r * sizes).mT.contiguous()


def with_weights(weights, method="relu", **more):
    n_q, n_p = weights.W_E.shape
    made = SDLModel(n_p, n_q, len(weights.W_D), method, dtype=f64, generator=seeded(), **more)
    with torch.no_grad():
        made.W_E.copy_(weights.W_E)
        made.W_D.copy_(weights.W_D)
    return made


def trapped(seed):
    """A trap of two neurons and a spare one: problem, weights, model, x, what is missing."""
    problem = world(seed, 6)
    weights = a_trap(problem, SIX, 3)
    made, (x, x_r) = with_weights(weights), of_features(problem)
    return problem, weights, made, x, (x_r - made(x)).detach()
