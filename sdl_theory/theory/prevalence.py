"""How common traps are, against sparsity and size: shares of random groups.

Ours: the two sliders sparsity and interference are the axes of that diagram.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from ..checks import Tensor, check_bytes, check_count, check_number
from ..estimate import wilson
from ..problem import Problem
from ..signature import checked
from ..table import Table
from ..truth.magnitudes import Constant, Magnitudes
from ..truth.moments import Moments
from ..truth.sampling import SparseFeatures
from .groups import group_minimum
from .named_groups import CLEARLY
from .verdict import Verdict


@dataclass(frozen=True)
class Prevalence:
    """The share of random groups that are traps of the true loss, with its 95% Wilson interval.

    kappa : cosine of two activations, E[x_1 x_2] / E[x_1^2].
    """

    size: int
    S: float
    kappa: float
    share: float
    low: float
    high: float


@checked
def prevalence(
    where: Problem | int,
    sizes: Sequence[int],
    S: Sequence[float],
    *,
    draws: int = 300,
    magnitudes: Magnitudes = Constant(1.0),
    l1: float = 0.0,
    generator: torch.Generator | None = None,
) -> Table[Prevalence]:
    """Share of random groups that are traps of the true loss, for every size and sparsity.

    Independent features of equal moments; each group as if it were all that is active, walls
    aside: what `group_minimum(..., moments=...)` calls a trap. As S tends to 1 it is what it calls
    so in Lt, the case of Theorem 3.7 (arXiv:2512.05534). The same groups serve every S.

    l1 : weight of the penalty lam E[z] ||w_D||, as in `group_minimum`.
    where : an int n_p, for fresh random unit directions in n_p dimensions; or a Problem, for
        groups drawn from its features. Its W_r are the targets; its M_d are not read.

    Returns a `Table` of Prevalence, sizes outermost.

    >>> import torch
    >>> from sdl_theory import prevalence
    >>> drawn = torch.Generator().manual_seed(0)
    >>> for row in prevalence(64, sizes=[5], S=[0.999, 0.9], draws=100, generator=drawn):
    ...     print(row.S, row.share)
    0.999 0.1
    0.9 0.51
    """
    draws = check_count("draws", draws)
    most = where.n if isinstance(where, Problem) else None
    sizes = [check_count(f"sizes[{i}]", k, 2) for i, k in enumerate(sizes)]
    S = [check_number(f"S[{i}]", one, at_least=0, below=1) for i, one in enumerate(S)]
    if most is not None and max(sizes, default=0) > most:
        raise ValueError(f"sizes has {max(sizes)}, and where = {where} has n = {most} features")
    l1 = check_number("l1", l1, at_least=0)
    generator = generator or torch.Generator().manual_seed(0)
    table: Table[Prevalence] = Table()
    for size in sizes:
        groups = _drawn(where, size, draws, generator)
        for one in S:
            moments = SparseFeatures(size, one, magnitudes).moments()
            traps, kappa = _traps(groups, moments, l1), float(moments.kappa)
            low, high = wilson(traps, draws)
            table.append(
                Prevalence(size, one, kappa=kappa, share=traps / draws, low=low, high=high)
            )
    return table


@dataclass(frozen=True)
class _Groups:
    """Random groups: directions and targets (draws, n_p, size), and the Gram matrices of both."""

    W_p: Tensor
    W_r: Tensor
    G: Tensor
    independent: Tensor  # (draws,) clearly


def _drawn(where: Problem | int, size: int, draws: int, generator: torch.Generator) -> _Groups:
    if isinstance(where, Problem):
        index = torch.stack(
            [torch.randperm(where.n, generator=generator)[:size] for _ in range(draws)]
        )
        W_p, W_r = (W.double().cpu()[:, index].movedim(1, 0) for W in (where.W_p, where.W_r))
    else:
        n_p = check_count("where = n_p", where)
        fix = "Ask for fewer draws or smaller sizes"
        check_bytes(f"{draws} groups of {size} directions", 8 * draws * n_p * size, fix)
        W_p = torch.randn(draws, n_p, size, generator=generator, dtype=torch.float64)
        W_r = W_p = W_p / W_p.norm(dim=1, keepdim=True)
    between = W_p.mT @ W_p
    least = torch.linalg.eigvalsh(between)[:, 0]
    return _Groups(W_p, W_r, G=W_r.mT @ W_r, independent=least > CLEARLY)


def _traps(groups: _Groups, moments: Moments, l1: float) -> int:
    """How many are traps: all at once, but for those near a tolerance of `group_minimum`."""
    values, E = torch.linalg.eigh(moments.C)
    if values[0] < CLEARLY * values[-1]:
        clear = traps = torch.zeros(len(groups.G), dtype=torch.bool)
    else:
        root = (E * values.sqrt()) @ E.mT
        traps, clear = _judged(root, groups.G, l1 / 2 * torch.linalg.solve(root, moments.m))
        clear &= groups.independent
    count = int((traps & clear).sum())
    for i in (~clear).nonzero()[:, 0].tolist():
        problem = Problem(groups.W_p[i], groups.W_r[i])
        minimum = group_minimum(problem, range(moments.n), moments=moments, l1=l1)
        count += minimum.verdict is Verdict.TRAP
    return count


def _judged(root: Tensor, G: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """Which of the groups are traps, and which of these answers no tolerance touches.

    root : C^(1/2). t : (lam / 2) C^(-1/2) m.
    """
    alpha, Y = torch.linalg.eigh(root @ G @ root)
    total = alpha.sum(1)
    apart = (alpha[:, -1] - alpha[:, -2] > CLEARLY * total) & (
        alpha[:, :-1].sum(1) > CLEARLY * total
    )
    if not t.any():
        c = Y[:, :, -1]
        c = c * torch.where((c @ root).sum(1, keepdim=True) < 0, -1.0, 1.0)
        there = sure = torch.ones_like(apart)
    else:
        sizes = alpha.clamp(min=0).sqrt()
        v, there, sure = _local_maximum(alpha, sizes * (Y.mT @ t))
        c = (Y @ (sizes * v)[:, :, None])[:, :, 0] - t
    a = torch.linalg.solve(root, c.mT).mT
    most = a.abs().amax(1)
    clear = apart & sure & (a.abs().amin(1) > CLEARLY * most) | ~there & sure & apart
    return there & (a.amin(1) > 0), clear


def _local_maximum(alpha: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The local maximizer of `sphere` that is not global, in A's eigenbasis, for each row.

    Its nu = alpha_1 - distance is the largest root of phi = 1 between the top two eigenvalues.
    Also whether there is one, and whether that is clear.
    """
    gap = alpha[:, -1:] - alpha

    def phi(distance, power):
        return (b.square() / (gap - distance[:, None]) ** power).sum(1)

    far = alpha[:, -1] - alpha[:, -2]
    near = far.clamp(min=1e-300) * CLEARLY**2
    lowest = _bisected(lambda d: phi(d, 3), near, far)  # where phi is least
    least = phi(lowest, 2)
    distance = _bisected(lambda d: 1 - phi(d, 2), near, lowest)
    sure = ((least - 1).abs() > CLEARLY) & (distance > 2 * near)
    return -b / (gap - distance[:, None]), least < 1, sure


def _bisected(rising: Callable[[Tensor], Tensor], low: Tensor, high: Tensor) -> Tensor:
    """Where functions that rise through zero once do so, by bisection of the logarithm."""
    low, high = low.log(), high.clamp(min=1e-300).log()
    for _ in range(60):
        middle = (low + high) / 2
        above = rising(middle.exp()) > 0
        low, high = torch.where(above, low, middle), torch.where(above, middle, high)
    return ((low + high) / 2).exp()
