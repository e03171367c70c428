"""Groups of features that somebody named: is one neuron on such a group a trap?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..activations import Activation, ReLU
from ..checks import Tensor, check_count, refuse
from ..estimate import wilson
from ..problem import Problem
from ..signature import checked
from ..table import Table
from ..tolerances import EIGEN_TOLERANCE, tolerance
from .encoder_rows import encoder_row
from .group_row import group_row
from .groups import group_minimum
from .patterns import check_group
from .verdict import Verdict

# random groups that every tolerance of `group_minimum` leaves by so much are judged many at a time
CLEARLY = 1e-6


@dataclass(frozen=True)
class GroupDiagnosis:
    """One named group beside random groups of its size.

    verdict : of `group_minimum`, walls aside: it is a point of the landscape only if `reached`.
    smallest : least component of y (unit norm), None without one.
    loss, scale : Lt of the group, and tr K.
    cosine : mean pairwise cosine of its w_r.
    realizable : some encoder row fires for exactly this group.
    reached : one does so at the stationary point.
    control : share of random groups that are traps, with its 95% Wilson interval [control_low,
        control_high].
    """

    name: str
    size: int
    verdict: Verdict
    smallest: float | None
    loss: float
    scale: float
    cosine: float
    realizable: bool
    reached: bool
    control: float
    control_low: float
    control_high: float


@checked
def diagnose_groups(
    problem: Problem,
    groups: Mapping[str, Sequence[int]],
    *,
    controls: int = 1000,
    generator: torch.Generator | None = None,
    sigma: Activation = ReLU(),
    names: Sequence[str] | None = None,
) -> Table[GroupDiagnosis]:
    """Beyond Theorem 3.7 of arXiv:2512.05534: are these named groups traps, and is that special?

    For each group, as if one neuron held all of it: the verdict of `group_minimum`, whether an
    encoder row can fire for exactly that group, and the share of random groups of its size that are
    traps, with a 95% interval. Returns a `Table` of GroupDiagnosis. Groups with a single feature
    are `global`, not traps.

    groups : maps a name to feature indices (or to names, when `names` lists the
        problem's features).
    controls : number of random groups of each size.

    Features at cosines .6, -.6 and .28; a row that fires for 0 and 2 would fire for 1 too:

    >>> import torch
    >>> from sdl_theory import Problem, diagnose_groups
    >>> problem = Problem(torch.tensor([[1, 0.6, -0.6], [0, 0.8, 0.8]], dtype=torch.float64))
    >>> table = diagnose_groups(problem, {"kin": [0, 1], "opposed": [0, 2]}, controls=10)
    >>> for row in table:
    ...     print(row.name, row.verdict, round(row.loss, 2), row.realizable)
    kin trap 0.4 True
    opposed saddle 1.6 False
    """
    controls = check_count("controls", controls)
    if hasattr(sigma, "k") or torch.as_tensor(sigma.theta).ndim:
        raise ValueError(
            f"diagnose_groups judges single rows: "
            f"use ReLU() or JumpReLU(theta) with one theta; got {sigma}"
        )
    generator = generator or torch.Generator().manual_seed(0)
    table: Table[GroupDiagnosis] = Table()
    lookup, shares = _Lookup(problem, names), {}
    theta = float(sigma.theta)
    for name, members in groups.items():
        group = check_group(lookup.features(name, members), problem.n, f"group {name!r} of groups")
        if not group:
            raise ValueError(f"group {name!r} must hold at least one feature")
        minimum, row = group_minimum(problem, group), group_row(problem, group, theta)
        F = np.zeros(problem.n, dtype=bool)
        F[group] = True
        realizable = (
            row.w is not None
            or problem.dual_basis is not None
            or encoder_row(problem.W_p_array, F, theta) is not None
        )
        if len(group) not in shares:
            shares[len(group)] = trap_share(problem, len(group), controls, generator)
        control, low, high = shares[len(group)]
        diagnosis = GroupDiagnosis(
            name=name,
            size=len(group),
            verdict=minimum.verdict,
            smallest=minimum.y.min().item() if minimum.exists and len(minimum.y) else None,
            loss=minimum.loss,
            scale=float((problem.M_d * problem.W_r.square().sum(0))[group].sum()),
            cosine=_mean_cosine(problem.W_r[:, group]),
            realizable=realizable,
            reached=row.w is not None,
            control=control,
            control_low=low,
            control_high=high,
        )
        table.append(diagnosis)
    return table


class _Lookup:
    """Feature names as indices.

    A name that several features bear is refused, as `Directions.index` refuses it.
    """

    def __init__(self, problem: Problem, names: Sequence[str] | None):
        if names is not None and len(names) != problem.n:
            raise ValueError(
                f"names must have one entry for each of the problem's n = {problem.n} features; "
                f"got {len(names)}"
            )
        self.known = names is not None
        self.of: dict[str, list[int]] = {}
        for d, name in enumerate(names or []):
            self.of.setdefault(name, []).append(d)

    def features(self, group: str, members) -> list:
        """The members as indices, where they are names.

        A ValueError for those that are none, or of several features.
        """
        if isinstance(members, (str, bytes, Mapping)) or not isinstance(members, Iterable):
            refuse(f"group {group!r} of groups", "a list of feature indices or names", members)
        members = list(members)
        words = [member for member in members if isinstance(member, str)]
        if unknown := [word for word in words if word not in self.of]:
            known = "the problem's names do not hold them"
            fix = known if self.known else "pass names= with the problem's feature names"
            raise ValueError(f"group {group!r} of groups has unknown features {unknown[:5]}; {fix}")
        if twice := [word for word in words if len(self.of[word]) > 1]:
            bearers = self.of[twice[0]]
            raise ValueError(
                f"group {group!r} of groups: "
                f"{twice[0]!r} names {len(bearers)} features {bearers}; use the index"
            )
        return [self.of[member][0] if isinstance(member, str) else member for member in members]


def _mean_cosine(W: Tensor) -> float:
    k = W.shape[1]
    if k == 1:
        return 1.0
    unit = W / W.norm(dim=0).clamp(min=1e-300)
    return float((unit.sum(1).square().sum() - unit.square().sum()) / (k * (k - 1)))


@checked
def trap_share(
    problem: Problem, size: int, draws: int, generator: torch.Generator
) -> tuple[float, float, float]:
    """Share of random groups of `size` features that are traps, and its 95% Wilson interval.

    Traps are what `group_minimum` calls so.
    """
    size, draws = check_count("size", size), check_count("draws", draws)
    if size > problem.n:
        raise ValueError(f"a group of {size} features does not fit into n = {problem.n}")
    groups = torch.stack(
        [torch.randperm(problem.n, generator=generator)[:size] for _ in range(draws)]
    )
    if size > 1 and bool((problem.M_d > 0).all()) and problem.clearly_independent:
        traps = _traps_in_batches(problem, groups)
    else:
        from tqdm import tqdm

        judged = tqdm(groups, desc=f"random groups of {size}", delay=3, leave=False)
        traps = sum(_is_trap(problem, group) for group in judged)
    return traps / draws, *wilson(traps, draws)


def _is_trap(problem: Problem, group: Tensor) -> bool:
    return group_minimum(problem, group.tolist()).verdict is Verdict.TRAP


def _traps_in_batches(problem: Problem, groups: Tensor) -> int:
    """How many of the groups (draws, size) are traps, many at a time, when V = I.

    Those that lie near a tolerance of `group_minimum` are judged by it, one at a time.
    """
    root = problem.M_d.sqrt().double().cpu()
    A = problem.W_r.double().cpu() * root
    K, traps, size = A.mT @ A, 0, groups.shape[1]
    equal = tolerance(EIGEN_TOLERANCE, torch.finfo(problem.W_p.dtype).eps, 10)
    least = max(CLEARLY, 10 * equal)
    for part in groups.split(max(1, (1 << 22) // size**2)):
        values, vectors = torch.linalg.eigh(K[part[:, :, None], part[:, None, :]])
        y = vectors[:, :, -1]
        y = y * torch.where(y.sum(1, keepdim=True) < 0, -1.0, 1.0)
        z, total = y / root[part], values.sum(1)
        lowest = z.amin(1) / z.amax(1)
        gap = (values[:, -1] - values[:, -2]) / total
        left = values[:, :-1].sum(1) / total
        nonzero = y.abs().amin(1) > least * y.amax(1)
        clear = (lowest.abs() > least) & nonzero & (gap > least) & (left > least)
        traps += int((clear & (lowest > 0)).sum())
        traps += sum(_is_trap(problem, group) for group in part[~clear])
    return traps
