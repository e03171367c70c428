"""Features that are active together: second moments C beside the cosines G, the verdict, and z."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch

from sdl_theory import GroupMinimum, Moments, Problem, gram, group_minimum

from ..kinds import Together
from .common import VERDICTS, table

PAIR, THREE, CHILD, CHILDREN = WORLDS = (
    "correlated pair",
    "correlated three",
    "parent and child",
    "parent and two children",
)
LINKS = 16  # cells of the strip


def size(kind: str) -> int:
    """How many features this world has."""
    return 2 if kind in (PAIR, CHILD) else 3


def ends(kind: str, S: float) -> tuple[float, float]:
    """The least and the largest link: correlation of the activity, or P(child | parent)."""
    p = 1 - S
    return (-min(p / S, S / p), 1.0) if kind == PAIR else (0.0, 1.0)


def moments_of(kind: str, S: float, link: float) -> Moments:
    """C and m of magnitudes 1; the link goes to its nearer end where it is beyond.

    S : sparsity of each of the correlated features, or of the parent.
    """
    low, high = ends(kind, S)
    link = min(max(link, low), high)
    if kind in (PAIR, THREE):
        return Moments.correlated(size(kind), S, link)
    return Moments.hierarchical(1 - S, [link] * (size(kind) - 1))


@cache
def equal_cosines(n: int, rho: float) -> Problem:
    """n unit features, every two at the same cosine, rho > -1 / (n - 1)."""
    G = torch.full((n, n), rho, dtype=torch.float64).fill_diagonal_(1.0)
    return Problem(torch.linalg.cholesky(G).mT)


def together_minimum(kind: str, S: float, link: float, rho: float) -> GroupMinimum:
    """The library's answer for the whole group."""
    n = size(kind)
    moments = moments_of(kind, S, link)
    return group_minimum(equal_cosines(n, rho), range(n), moments=moments)


@cache
def strip(kind: str, S: float, rho: float) -> list[tuple[float, int]]:
    """(link, verdict's code) at the middle of every cell, from the least link to the largest."""
    low, high = ends(kind, S)
    links = low + (high - low) * (np.arange(LINKS) + 0.5) / LINKS
    verdicts = [together_minimum(kind, S, link, rho).verdict for link in links.tolist()]
    return [(link, VERDICTS.index(verdict)) for link, verdict in zip(links.tolist(), verdicts)]


def together_rows(
    kind: str, S: float, link: float, rho: float
) -> tuple[dict[str, np.ndarray], dict]:
    """G and C entry by entry, z of the stationary point, and the verdict at every other link.

    Where no point has z > 0 the z of the top eigenvector is shown, of mixed signs.
    """
    low, high = ends(kind, S)
    link = min(max(link, low), high)
    moments, minimum = moments_of(kind, S, link), together_minimum(kind, S, link, rho)
    C, G = moments.C.numpy(), gram(equal_cosines(size(kind), rho).W_r).numpy()
    code = VERDICTS.index(minimum.verdict)
    rows = [
        {"kind": which, "x": j + 1, "y": i + 1, "value": entry[i, j], "x2": share[i, j]}
        for which, entry, share in (
            (Together.COSINE, G, G),
            (Together.MOMENT, C, C / C.max()),
        )
        for i in range(len(C))
        for j in range(len(C))
    ]
    z = np.zeros(len(C))
    if minimum.exists:
        z[minimum.features] = minimum.z.numpy()
    else:
        z = _top(C, G)
    rows += [{"kind": Together.CODE, "x": d + 1, "y": z[d], "value": code} for d in range(len(z))]
    step = (high - low) / LINKS
    rows += [
        {"kind": Together.LINK, "x": at - step / 2, "x2": at + step / 2, "value": which}
        for at, which in strip(kind, S, rho)
    ]
    rows.append({"kind": Together.HERE, "x": link, "value": code})
    return table(rows), {"minimum": minimum, "moments": moments, "link": link, "z": z}


def _top(C: np.ndarray, G: np.ndarray) -> np.ndarray:
    """z of the largest eigenvalue of C G C z = lambda C z, its largest component 1."""
    values, vectors = np.linalg.eigh(C)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    z = np.linalg.pinv(root) @ np.linalg.eigh(root @ G @ root)[1][:, -1]
    return z / z[np.abs(z).argmax()]
