"""The linear representation hypothesis as rows: the least interference, and how features read."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch

from sdl_theory import InterferenceNotReached, feature_matrix, gram, interference, levenshtein_bound

from ..kinds import Linear
from .common import table

MOST, SAMPLES = 64, 500
BINS = np.linspace(-3, 5, 33)


@lru_cache(maxsize=256)
def directions(n: int, n_p: int, mu: float) -> tuple[torch.Tensor | None, torch.Tensor, str]:
    """Feature directions with interference mu at most, the random start, and what went wrong.

    The directions are None where there are none, the words empty where nothing went wrong.
    """
    start = torch.randn(n_p, n, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    start = start / start.norm(dim=0)
    try:
        return feature_matrix(n, n_p, mu, generator=torch.Generator().manual_seed(0)), start, ""
    except InterferenceNotReached as error:
        return (
            error.W_p,
            start,
            f"this search stopped at mu = {error.mu:.2f}. "
            f"The bound does not exclude {mu:.2f}, and that one search failed proves nothing",
        )
    except ValueError as error:
        return None, start, str(error)


def readouts(W: torch.Tensor, S: float) -> tuple[np.ndarray, np.ndarray]:
    """Readouts <w^d, x_p> over samples of sparsity S: of silent features, and of active ones.

    Magnitudes are uniform on [.5, 1.5].
    """
    n, noise = W.shape[1], torch.Generator().manual_seed(1)
    chance = torch.rand(SAMPLES, n, generator=noise).double()
    size = 0.5 + torch.rand(SAMPLES, n, generator=noise).double()
    active = chance < 1 - S
    read = (active * size) @ (W.mT @ W)
    return read[~active].numpy(), read[active].numpy()


def confusion(silent: np.ndarray, active: np.ndarray) -> float:
    """P(a silent feature reads higher than an active one), all pairs."""
    if not len(active) or not len(silent):
        return math.nan
    ordered = np.sort(active)
    below, upto = (np.searchsorted(ordered, silent, side) for side in ("left", "right"))
    return float((below + upto).mean() / 2 / len(ordered))


def linear_rows(n: int, n_p: int, mu: float, S: float) -> tuple[dict[str, np.ndarray], dict]:
    """Least interference over the number of features; asked, random and reached; two histograms.

    The histograms are of readouts; where no such directions exist, of the random ones'.
    """
    W, start, trouble = directions(n, n_p, mu)
    random = interference(start)
    rows = [
        {"kind": Linear.BOUND, "x": k, "y": levenshtein_bound(k, n_p)} for k in range(2, MOST + 1)
    ]
    rows += [
        {"kind": Linear.RANDOM, "x": n, "y": random, "value": Linear.RANDOM},
        {"kind": Linear.SIZE, "x": 2, "y": 0.9, "value": n_p},
    ]
    seen = {
        "trouble": trouble,
        "bound": levenshtein_bound(n, n_p),
        "random": random,
        "reached": None,
        "confusion": math.nan,
    }
    if W is None:
        rows.append({"kind": Linear.INSTEAD})
    else:
        seen["reached"] = interference(W)
        rows.append({"kind": Linear.REACHED, "x": n, "y": seen["reached"], "value": Linear.REACHED})
    parts = readouts(start if W is None else W, S)
    seen["confusion"] = confusion(*parts)
    for kind, part in zip((Linear.SILENT, Linear.ACTIVE), parts):
        if len(part):
            shares = np.histogram(np.clip(part, BINS[0], BINS[-1]), BINS)[0] / len(part)
            rows += [
                {"kind": kind, "x": left, "x2": right, "y": share, "value": kind}
                for left, right, share in zip(BINS, BINS[1:], shares)
                if share
            ]
    # last, so that it is drawn on top
    rows.append({"kind": Linear.ASKED, "x": n, "y": mu, "value": Linear.ASKED})
    return table(rows), seen


def gram_rows(W: torch.Tensor) -> dict[str, np.ndarray]:
    """All cosines of the columns of W, for a heat map."""
    G, n = gram(W).numpy(), W.shape[1]
    i, j = np.meshgrid(np.arange(1, n + 1), np.arange(1, n + 1), indexing="ij")
    return {"x": i.ravel(), "y": j.ravel(), "cosine": G.ravel().round(3)}
