"""Made-up activations, sparse features on top of a mean: for a laptop, no network to harvest."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch

from ...checks import Tensor, check_count, check_number
from ...representations.harvest import Harvest, Norms
from ...representations.store import Representations
from ...truth.bench import LinearRepresentationBench

LAYER, ROWS_A_TEXT = 2, 10


@lru_cache(maxsize=4)
def _centred(rows: int, n_p: int, seed: int) -> Tensor:
    bench = LinearRepresentationBench(3 * n_p, n_p, S=0.97, mu=0.5, seed=seed)
    x = bench.batch(0, rows).x_p
    return x - x.mean(0)


def made_up(mean_share: float, rows: int = 8000, n_p: int = 32, seed: int = 0) -> Harvest:
    """Samples of a bench (3 n_p features, about three active) plus a constant vector.

    mean_share : of the mean in the squared length, ||E x||^2 / E ||x||^2, in [0, 1).

    As `gather` answers for Setting(layer=2), kind "sae".
    """
    mean_share = check_number("mean_share", mean_share, at_least=0, below=1)
    x = _centred(check_count("rows", rows, 200), check_count("n_p", n_p), seed)
    generator = torch.Generator().manual_seed(seed)
    mean = torch.nn.functional.normalize(torch.randn(n_p, generator=generator), dim=0)
    power = x.square().sum(1).mean()
    x = x + mean * (power * mean_share / (1 - mean_share)).sqrt()
    norms = x.norm(dim=1)
    name, median = f"residual_{LAYER}", float(norms.median())
    return Harvest(
        {name: Representations(x)},
        {name: Norms(median, float(norms.max()), 0, median)},
        text=np.arange(rows) // ROWS_A_TEXT,
        token=None,
    )
