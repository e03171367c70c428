"""Feature directions in a hierarchy: children that lean on their parent."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ..checks import Tensor, as_matrix, check_count, own
from ..signature import check_fields, checked
from .features import gaussian


@dataclass(frozen=True)
class Hierarchy:
    """Child features grouped under parents. Copies all.

    W_p : (n_p, n) directions.
    groups : groups[p] are the children of parent p.
    names : one per feature.
    """

    W_p: Tensor
    groups: list[list[int]]
    names: list[str]

    def __post_init__(self):
        check_fields(self)
        object.__setattr__(self, "W_p", own(as_matrix("W_p", self.W_p, "(n_p, n)").detach()))


@checked
def hierarchy(
    parents: int,
    children_per_parent: int | Sequence[int],
    n_p: int,
    strength: float,
    *,
    generator: torch.Generator | None = None,
) -> Hierarchy:
    """Hierarchical feature directions (Theorem 3.10's setting): children that lean on their parent.

        child = strength * parent + sqrt(1 - strength^2) * own direction,   strength in [0, 1)

    All parents and own directions are orthonormal when n_p has room for them; then siblings have
    cosine strength^2 exactly and strangers 0. Otherwise they are random unit vectors and this holds
    up to O(1/sqrt(n_p)).

    >>> import torch
    >>> from sdl_theory import gram, hierarchy
    >>> tree = hierarchy(2, 2, 6, 0.8, generator=torch.Generator().manual_seed(0))
    >>> tree.groups
    [[0, 1], [2, 3]]
    >>> gram(tree.W_p).round(decimals=2).abs()  # siblings 0.8^2, strangers 0
    tensor([[1.0000, 0.6400, 0.0000, 0.0000],
            [0.6400, 1.0000, 0.0000, 0.0000],
            [0.0000, 0.0000, 1.0000, 0.6400],
            [0.0000, 0.0000, 0.6400, 1.0000]], dtype=torch.float64)
    """
    parents = check_count("parents", parents)
    each = children_per_parent
    if not isinstance(each, Sequence):
        each = [each] * parents
    sizes = [check_count("children_per_parent", size) for size in each]
    n_p = check_count("n_p", n_p)
    if len(sizes) != parents:
        raise ValueError(
            f"children_per_parent must be one number or one per parent ({parents}); "
            f"got {len(sizes)} of them"
        )
    if not 0 <= strength < 1:
        raise ValueError(
            f"strength must lie in [0, 1): the cosine of child and parent; got {strength}"
        )
    n = sum(sizes)
    frame = gaussian(n_p, parents + n, generator)
    frame = torch.linalg.qr(frame).Q if parents + n <= n_p else frame / frame.norm(dim=0)
    parent_of = [p for p, size in enumerate(sizes) for _ in range(size)]
    W_p = strength * frame[:, parent_of] + math.sqrt(1 - strength**2) * frame[:, parents:]
    groups = [[d for d, p in enumerate(parent_of) if p == q] for q in range(parents)]
    names = [f"parent {p}, child {groups[p].index(d)}" for d, p in enumerate(parent_of)]
    return Hierarchy(W_p / W_p.norm(dim=0), groups, names)
