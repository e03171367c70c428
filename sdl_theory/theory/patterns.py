"""Activation patterns, which neuron fires for which feature: read off weights, built, enumerated.

And checked: groups of features, patterns, thresholds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch

from ..activations import Activation, ReLU, check_sigma
from ..checks import Tensor, as_tensor, check_count
from ..problem import Problem
from ..signature import checked
from ..weights import Weights, check_match, preactivations


@checked
def activation_pattern(problem: Problem, weights: Weights, sigma: Activation = ReLU()) -> Tensor:
    """P, bool (n_q, n): P[i, d] iff neuron i is active on feature d alone.

    Active is z > theta, and selected. Column d is the A(d) of Theorem 3.2, arXiv:2512.05534. z
    counts as above theta, or above another latent's z, if it is so by more than rounding, 8
    sqrt(n_p) machine epsilons of ||w_E^i||.
    """
    check_match(problem, weights)
    check_sigma(sigma)
    z, slack = preactivations(problem, weights)
    return sigma.active(z.detach(), 0, slack)


@checked
def pattern(groups: Sequence[Sequence[int]], n: int, n_q: int) -> Tensor:
    """P, bool (n_q, n), with groups[i] as row i and the rows after the groups empty.

    Groups may overlap; indices in [0, n), no repeats in a group.

    >>> from sdl_theory import pattern
    >>> pattern([[0, 2], [1]], n=3, n_q=3).int()
    tensor([[1, 0, 1],
            [0, 1, 0],
            [0, 0, 0]], dtype=torch.int32)
    """
    n, n_q = check_count("n", n), check_count("n_q", n_q)
    if len(groups) > n_q:
        raise ValueError(f"{len(groups)} groups need n_q >= {len(groups)} neurons; got n_q = {n_q}")
    P = torch.zeros(n_q, n, dtype=torch.bool)
    for i, group in enumerate(groups):
        P[i, check_group(group, n, f"group {i}")] = True
    return P


def check_group(group: Sequence[int], n: int, name: str = "group") -> list[int]:
    """The group as a list of distinct feature indices in [0, n), or a ValueError."""
    if not isinstance(group, Iterable) or isinstance(group, str):
        raise ValueError(
            f"{name} must be a list of feature indices; got {group!r}. One feature d is [d]"
        )
    if any(
        isinstance(d, (bool, np.bool_)) or getattr(d, "dtype", None) == torch.bool for d in group
    ):
        raise ValueError(
            f"{name} must list feature indices in [0, {n}), not a mask of them; "
            f"for a mask use mask.nonzero()[:, 0]"
        )
    indices = [check_index(f"a feature index in {name} (0 <= d < n = {n})", d) for d in group]
    if outside := [d for d in indices if not 0 <= d < n]:
        raise ValueError(
            f"{name} has feature {outside[0]}, outside [0, {n}): "
            f"the problem has n = {n} features, counted from 0"
        )
    if len(set(indices)) < len(indices):
        raise ValueError(f"{name} lists a feature twice: {indices}")
    return indices


def check_index(name: str, value) -> int:
    """`value` as an int of either sign, or a ValueError."""
    try:
        return -check_count(name, -value, 0) if value < 0 else check_count(name, value, 0)
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(f"{name} must be a whole number; got {value!r}") from None


def check_pattern(P: Tensor, n: int) -> Tensor:
    """P as a bool tensor (n_q, n) on the CPU, or a ValueError."""
    P = as_tensor("P (build it with pattern(groups, n, n_q))", P)
    if P.dtype != torch.bool or P.ndim != 2 or P.shape[1] != n or not len(P):
        raise ValueError(
            f"P must be a bool tensor of shape (n_q, n = {n}); "
            f"got {P.dtype} of shape {tuple(P.shape)}. Build it with pattern(groups, n, n_q)"
        )
    return P.cpu().clone()


@checked
def partitions(n: int) -> Iterator[list[list[int]]]:
    """Every set partition of range(n), n <= 12; groups ordered by their smallest member.

    There are Bell(n) of them.
    """
    n = check_count("n", n)
    if n > 12:
        raise ValueError(
            f"partitions enumerates Bell(n) set partitions and stops at n = 12 "
            f"(4,213,597 of them); got n = {n}"
        )

    def grow(d: int, groups: list[list[int]]) -> Iterator[list[list[int]]]:
        if d == n:
            yield [list(group) for group in groups]
            return
        for group in groups:
            group.append(d)
            yield from grow(d + 1, groups)
            group.pop()
        groups.append([d])
        yield from grow(d + 1, groups)
        groups.pop()

    return grow(0, [])


def to_numpy(tensor: Tensor) -> np.ndarray:
    """The same numbers in float64, outside autograd."""
    return tensor.detach().double().cpu().numpy()


def row_theta(sigma: Activation, i: int, n_q: int) -> float:
    """The threshold of neuron i of n_q; ValueError if sigma has another number of them."""
    theta = torch.as_tensor(sigma.theta, dtype=torch.float64)
    if theta.ndim and len(theta) != n_q:
        raise ValueError(f"theta has {len(theta)} entries; the pattern has n_q = {n_q} rows")
    return theta[i].item() if theta.ndim else theta.item()
