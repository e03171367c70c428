"""How common traps are, against sparsity and size: shares of random groups.

Ours: the two sliders sparsity and interference are the axes of that diagram.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ..checks import Tensor, check_bytes, check_count, check_number
from ..estimate import wilson
from ..problem import Problem
from ..signature import checked
from ..table import Table
from ..truth.magnitudes import Constant, Magnitudes
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
    generator: torch.Generator | None = None,
) -> Table[Prevalence]:
    """Share of random groups that are traps of the true loss, for every size and sparsity.

    Independent features of equal moments; each group as if it were all that is active, walls
    aside: what `group_minimum(..., moments=...)` calls a trap. As S tends to 1 it is what it calls
    so in Lt, the case of Theorem 3.7 (arXiv:2512.05534). The same groups serve every S.

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
    generator = generator or torch.Generator().manual_seed(0)
    table: Table[Prevalence] = Table()
    for size in sizes:
        groups = _drawn(where, size, draws, generator)
        for one in S:
            features = SparseFeatures(size, one, magnitudes)
            traps = _traps(groups, features)
            low, high = wilson(traps, draws)
            kappa = float(features.moments().kappa)
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


def _traps(groups: _Groups, features: SparseFeatures) -> int:
    """How many are traps: all at once, but for those near a tolerance of `group_minimum`."""
    moments, n = features.moments(), features.n
    values, E = torch.linalg.eigh(moments.C)
    if values[0] < CLEARLY * values[-1]:
        clear = torch.zeros(len(groups.G), dtype=torch.bool)
        lowest = clear.double()
    else:
        root = (E * values.sqrt()) @ E.mT
        eigenvalues, vectors = torch.linalg.eigh(root @ groups.G @ root)
        z = torch.linalg.solve(root, vectors[:, :, -1:])[:, :, 0]
        z = z * torch.where(z.sum(1, keepdim=True) < 0, -1.0, 1.0)
        total = eigenvalues.sum(1)
        gap = (eigenvalues[:, -1] - eigenvalues[:, -2]) / total
        left = eigenvalues[:, :-1].sum(1) / total
        lowest = z.amin(1) / z.amax(1)
        nonzero = z.abs().amin(1) > CLEARLY * z.amax(1)
        clear = groups.independent & nonzero & (gap > CLEARLY) & (left > CLEARLY)
    traps = int((clear & (lowest > 0)).sum())
    for i in (~clear).nonzero()[:, 0].tolist():
        problem = Problem(groups.W_p[i], groups.W_r[i])
        minimum = group_minimum(problem, range(n), moments=moments)
        traps += minimum.verdict is Verdict.TRAP
    return traps
