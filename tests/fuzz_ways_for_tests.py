"""Good calls of what the theory says of the true loss, of overlaps, and of ways out."""

from __future__ import annotations

import torch
from fuzz_theory_for_tests import World

import sdl_theory as lib


def of_ways(w: World) -> dict:
    W = torch.tensor([[1.0, 0.6], [0.0, 0.8]], dtype=torch.float64)
    pair = lib.Problem(W)
    trap = lib.partial_minimum(pair, lib.pattern([[0, 1]], 2, 2)).weights
    G = [[1, 0.6, 0.5, 0.5], [0.6, 1, 0.2, 0.2], [0.5, 0.2, 1, 0.6], [0.5, 0.2, 0.6, 1]]
    pairs = lib.Problem(torch.linalg.cholesky(torch.tensor(G, dtype=torch.float64)).mT)
    two = lib.partial_minimum(pairs, lib.pattern([[0, 1], [2, 3]], 4, 2)).weights
    sigma, path = lib.ReLU(), lib.Path(pair, lib.ReLU(), [trap, trap])
    point = dict(problem=pair, weights=trap, sigma=sigma)
    return {
        "second_order": (lib.second_order, point),
        "polish": (lib.polish, point | dict(steps=3)),
        "true_certificate": (
            lib.true_certificate,
            point | dict(features=lib.SparseFeatures(2, 0.9, lib.Constant(1.0)), l1=0.0),
        ),
        "persist": (lib.persist, point | dict(S=[0.9])),
        "split": (lib.split, dict(weights=trap, neuron=0, spare=1, sigma=sigma)),
        "escape": (lib.escape, point),
        "sign_row": (lib.sign_row, point),
        "best_split": (lib.best_split, point | dict(neuron=0)),
        "wall_path": (lib.wall_path, dict(problem=pairs, weights=two, sigma=sigma)),
        "Path": (lib.Path, dict(problem=pair, sigma=sigma, points=[trap, trap])),
        "Path.at": (path.at, dict(t=0.5)),
        "Path.losses": (path.losses, dict(each=2)),
        "Path.check": (path.check, dict(each=2)),
    }
