"""Real feature directions: the 1000 ImageNet classes of a trained network, or your own; and which
named groups of them are traps.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from ..activations import Activation, ReLU
from ..checks import as_matrix, check_count, own, refuse
from ..problem import Problem, Tensor
from ..signature import check_fields, checked
from ..stored import read_array, read_safetensors
from ..theory.groups import group_minimum
from ..theory.partial_minimum import dual_basis, group_row
from ..theory.patterns import check_group, to_numpy
from ..theory.separation import encoder_row
from ..theory.verdict import Verdict
from ..tolerances import EIGEN_TOLERANCE, tolerance

DATA = Path(__file__).parent / "data"
# random groups that every tolerance of `group_minimum` leaves by so much are judged many at a time
CLEARLY = 1e-6
SYNONYMS = {"herding dog": "shepherd dog"}  # kennel-club words for WordNet's


@dataclass(frozen=True)
class Directions:
    """Named feature directions. `W_p` (n_p, n), unit columns, float64; `names` (n,); `wnids` (n,)
    where WordNet knows them. All are copies.
    """

    W_p: Tensor
    names: list[str]
    wnids: list[str] = field(default_factory=list)
    synsets: Mapping[str, dict] = field(default_factory=dict, repr=False)

    def __post_init__(self):
        check_fields(self)
        object.__setattr__(self, "W_p", own(as_matrix("W_p", self.W_p, "(n_p, n)").detach()))
        object.__setattr__(self, "synsets", dict(self.synsets))
        n = self.W_p.shape[1]
        if len(self.names) != n or len(self.wnids) not in (0, n):
            raise ValueError(
                f"names and wnids must have one entry for each of W_p's n = {n} columns (no wnids "
                f"at all will do); got {len(self.names)} and {len(self.wnids)}"
            )

    @checked
    def index(self, name: str) -> int:
        """The feature of this name (any case) or wnid; ValueError if there is none, or more than
        one.
        """
        hits = [d for d, own in enumerate(self.names) if own.lower() == name.lower()] + [
            d for d, own in enumerate(self.wnids) if own == name
        ]
        if len(hits) != 1:
            near = [own for own in self.names if name.lower() in own.lower()][:5]
            raise ValueError(
                f"name {name!r} names {len(hits)} features {hits}; "
                + (
                    f"did you mean one of {near}?"
                    if near and not hits
                    else "use the index or the wnid"
                )
            )
        return hits[0]

    @checked
    def group(self, name: str) -> list[int]:
        """Features at or below the WordNet noun of this name, e.g. "dog" (118 breeds), or of this
        wnid. ValueError if unknown or ambiguous.
        """
        wanted = SYNONYMS.get(name.lower(), name.lower())
        heads = (
            [name]
            if name in self._below
            else [
                w
                for w in self._below
                if wanted in (word.lower() for word in self.synsets[w]["words"])
            ]
        )
        if len(heads) == 1:
            return list(self._below[heads[0]])
        if not heads:
            raise ValueError(
                f"no WordNet noun of name {name!r} has a class below it; try 'dog', 'bird', "
                f"'vehicle' or a wnid such as 'n02084071'"
            )
        choices = ", ".join(
            f"{w} ({self.synsets[w]['words'][0]}, {len(self._below[w])} classes)" for w in heads
        )
        raise ValueError(f"name {name!r} has several meanings here; pass one wnid: {choices}")

    @cached_property
    def _below(self) -> dict[str, list[int]]:
        below: dict[str, list[int]] = {}
        for d, wnid in enumerate(self.wnids):
            seen, frontier = set(), [wnid]
            while frontier:
                synset = frontier.pop()
                if synset not in seen:
                    seen.add(synset)
                    below.setdefault(synset, []).append(d)
                    frontier += self.synsets[synset]["hypernyms"]
        return below


@checked
def imagenet_directions(
    n_p: int | None = None, *, generator: torch.Generator | None = None
) -> Directions:
    """The 1000 ImageNet class directions of EfficientNet-Lite0: real, named, hierarchical, linearly
    independent.

    W_p is (1280, 1000), the classifier's rows, unit-normalized; or with n_p < 1280 their image
    under a Gaussian (n_p, 1280) map drawn from `generator`, renormalized: superposition begins at
    n_p < 1000. Stored in float16 (error 3e-4). Sources and licences: data/NOTICE.
    """
    from safetensors.torch import load_file

    W = load_file(DATA / "imagenet_directions.safetensors")["W_p_rows"].double().mT
    if n_p is not None:
        n_p = check_count("n_p", n_p)
        if n_p > len(W):
            raise ValueError(
                f"n_p must be at most {len(W)}, the network's own dimension; got {n_p}"
            )
        W = (
            torch.randn(
                n_p,
                len(W),
                generator=generator,
                dtype=torch.float64,
                device=generator.device if generator else "cpu",
            ).cpu()
            @ W
        )
    classes = json.loads((DATA / "imagenet_classes.json").read_text(encoding="utf-8"))
    return Directions(W / W.norm(dim=0), classes["names"], classes["wnids"], classes["synsets"])


@checked
def load_directions(
    source: Tensor | str | Path,
    names: Sequence[str] | None = None,
    *,
    key: str | None = None,
    rows: bool = False,
) -> Directions:
    """Your own directions: a tensor, a .npy or a .safetensors file (`key` picks the tensor),
    columns normalized.

    One feature a column, (n_p, n), as in W_p or a decoder W_D; with rows=True one a row (class
    means, a classifier's weight, most stored decoders). `names` default to "0", "1", ... ValueError
    on zero or non-finite columns, unknown files or keys, wrong counts.
    """
    where = f" of {source}" if isinstance(source, (str, Path)) else ""
    matrix = as_matrix(f"directions{where}", _read(source, key), "(n_p, n)").detach().double().cpu()
    matrix = matrix.mT if rows else matrix
    # first, so that no square over- or underflows
    matrix = matrix / matrix.abs().amax(0).where(matrix.any(0), 1.0)
    norms = matrix.norm(dim=0)
    if (norms == 0).any():
        raise ValueError(
            f"direction {int((norms == 0).nonzero()[0])}{where} is zero and has no unit vector; "
            f"drop it (dead latents often are)"
        )
    names = [str(d) for d in range(matrix.shape[1])] if names is None else list(names)
    if len(names) != matrix.shape[1]:
        raise ValueError(
            f"{len(names)} names for {matrix.shape[1]} directions of dimension {matrix.shape[0]}; "
            f"pass rows={not rows} if features lie the other way"
        )
    return Directions(matrix / norms, names)


def _read(source, key):
    if not isinstance(source, (str, Path)):
        return source
    path = Path(source)
    if not path.is_file():
        raise ValueError(
            f"no file of directions at {path}" + (": it is a folder" if path.is_dir() else "")
        )
    if path.suffix == ".npy":
        return read_array(path)
    if path.suffix != ".safetensors":
        raise ValueError(f"directions come as a tensor, .npy or .safetensors; got {path.name}")
    tensors = read_safetensors(path)
    if key is None and len(tensors) == 1:
        key = next(iter(tensors))
    if key not in tensors:
        raise ValueError(
            f"{path.name} holds {sorted(tensors)}; pass key= with one of them"
            + (f", not {key!r}" if key else "")
        )
    return tensors[key]


@dataclass(frozen=True)
class GroupDiagnosis:
    """One named group beside random groups of its size.

    verdict : of `group_minimum`, walls aside: it is a point of the landscape only if `reached`.
        smallest : least component of y (unit norm), None without one.  loss, scale : Lt of the
        group, and tr K.
    cosine : mean pairwise cosine of its w_r.  realizable : some encoder row fires for exactly this
        group; reached : one does so at the
    stationary point.  control : share of random groups that are traps, with its 95% Wilson interval
    [control_low, control_high].
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


class Table(list):
    """A list of records that prints, and shows in a notebook, as a table."""

    def columns(self) -> list[str]:
        return [f.name for f in fields(self[0])] if self else []

    def cells(self) -> list[list[str]]:
        show = lambda v: (
            "-"
            if v is None
            else ("yes" if v else "no")
            if isinstance(v, bool)
            else f"{v:.3g}"
            if isinstance(v, float)
            else str(v)
        )
        return [[show(getattr(row, name)) for name in self.columns()] for row in self]

    def __str__(self) -> str:
        lines = [self.columns()] + self.cells()
        widths = [max(map(len, column)) for column in zip(*lines)]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip()
            for line in lines
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from html import escape

        row = lambda tag, cells: (
            "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"
        )
        rows = [row("th", self.columns()), *(row("td", cells) for cells in self.cells())]
        return f"<table>{''.join(rows)}</table>"


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
    """Beyond arXiv:2512.05534, its Theorem 3.7 on real directions: is one neuron on all of this
    group a trap, and is that special?

    `groups` maps a name to feature indices (or to names, when `names` lists the problem's
    features). For each: the verdict of `group_minimum`, whether an encoder row can fire for exactly
    that group, and the share of `controls` random groups of its size that are traps, with a 95%
    interval. Returns a `Table` of GroupDiagnosis. Groups with a single feature are `global`, not
    traps.
    """
    controls = check_count("controls", controls)
    if hasattr(sigma, "k") or torch.as_tensor(sigma.theta).ndim:
        raise ValueError(
            f"diagnose_groups judges single rows: use ReLU() or JumpReLU(theta) with one theta; "
            f"got {sigma}"
        )
    generator = generator or torch.Generator().manual_seed(0)
    lookup = _Lookup(problem, names)
    W, theta, shares, table = to_numpy(problem.W_p), float(sigma.theta), {}, Table()
    dual = dual_basis(W)
    for name, members in groups.items():
        group = check_group(lookup.features(name, members), problem.n, f"group {name!r} of groups")
        if not group:
            raise ValueError(f"group {name!r} must hold at least one feature")
        minimum, row = (
            group_minimum(problem, group),
            group_row(problem, group, theta, W=W, dual=dual),
        )
        F = np.zeros(problem.n, dtype=bool)
        F[group] = True
        realizable = row.w is not None or dual is not None or encoder_row(W, F, theta) is not None
        if len(group) not in shares:
            shares[len(group)] = trap_share(problem, len(group), controls, generator)
        scale = float((problem.M_d * problem.W_r.square().sum(0))[group].sum())
        table.append(
            GroupDiagnosis(
                name,
                len(group),
                minimum.verdict,
                minimum.y.min().item() if minimum.exists and len(minimum.y) else None,
                minimum.loss,
                scale,
                _mean_cosine(problem.W_r[:, group]),
                realizable,
                row.w is not None,
                *shares[len(group)],
            )
        )
    return table


class _Lookup:
    """Feature names as indices; one that several features bear is refused, as `Directions.index`
    refuses it.
    """

    def __init__(self, problem: Problem, names: Sequence[str] | None):
        if names is not None and len(names) != problem.n:
            raise ValueError(
                f"names must have one entry for each of the problem's n = {problem.n} features; "
                f"got {len(names)}"
            )
        self.known, self.of = names is not None, {}
        for d, name in enumerate(names or []):
            self.of.setdefault(name, []).append(d)

    def features(self, group: str, members) -> list:
        """The members as indices, where they are names; a ValueError for those that are none, or of
        several features.
        """
        if isinstance(members, (str, bytes, Mapping)) or not isinstance(members, Iterable):
            refuse(f"group {group!r} of groups", "a list of feature indices or names", members)
        members = list(members)
        words = [member for member in members if isinstance(member, str)]
        if unknown := [word for word in words if word not in self.of]:
            raise ValueError(
                f"group {group!r} of groups has unknown features {unknown[:5]}; "
                + (
                    "the problem's names do not hold them"
                    if self.known
                    else "pass names= with the problem's feature names"
                )
            )
        if twice := [word for word in words if len(self.of[word]) > 1]:
            raise ValueError(
                f"group {group!r} of groups: {twice[0]!r} names {len(self.of[twice[0]])} features "
                f"{self.of[twice[0]]}; use the index"
            )
        return [self.of[member][0] if isinstance(member, str) else member for member in members]


def _mean_cosine(W: Tensor) -> float:
    k = W.shape[1]
    unit = W / W.norm(dim=0).clamp(min=1e-300)
    return (
        float((unit.sum(1).square().sum() - unit.square().sum()) / (k * (k - 1))) if k > 1 else 1.0
    )


@checked
def trap_share(
    problem: Problem, size: int, draws: int, generator: torch.Generator
) -> tuple[float, float, float]:
    """Share of random groups of `size` features that `group_minimum` calls a trap, and its 95%
    Wilson interval.
    """
    size, draws = check_count("size", size), check_count("draws", draws)
    if size > problem.n:
        raise ValueError(f"a group of {size} features does not fit into n = {problem.n}")
    groups = torch.stack(
        [torch.randperm(problem.n, generator=generator)[:size] for _ in range(draws)]
    )
    if size > 1 and bool((problem.M_d > 0).all()) and _clearly_independent(problem):
        root = problem.M_d.sqrt().double().cpu()
        A = problem.W_r.double().cpu() * root
        K, traps = A.mT @ A, 0
        for part in groups.split(max(1, (1 << 22) // size**2)):
            values, vectors = torch.linalg.eigh(K[part[:, :, None], part[:, None, :]])
            y = vectors[:, :, -1] * torch.where(
                vectors[:, :, -1].sum(1, keepdim=True) < 0, -1.0, 1.0
            )
            z, total = y / root[part], values.sum(1)
            lowest, gap, left = (
                z.amin(1) / z.amax(1),
                (values[:, -1] - values[:, -2]) / total,
                values[:, :-1].sum(1) / total,
            )
            least = max(
                CLEARLY, 10 * tolerance(EIGEN_TOLERANCE, torch.finfo(problem.W_p.dtype).eps, 10)
            )
            # else as one asks singly
            clear = (
                (lowest.abs() > least)
                & (y.abs().amin(1) > least * y.amax(1))
                & (gap > least)
                & (left > least)
            )
            traps += int((clear & (lowest > 0)).sum())
            traps += sum(
                group_minimum(problem, group.tolist()).verdict is Verdict.TRAP
                for group in part[~clear]
            )
    else:
        from tqdm import tqdm

        judged = tqdm(groups, desc=f"random groups of {size}", delay=3, leave=False)
        traps = sum(
            group_minimum(problem, group.tolist()).verdict is Verdict.TRAP for group in judged
        )
    return traps / draws, *wilson(traps, draws)


def _clearly_independent(problem: Problem) -> bool:
    """Are the directions independent by a wide margin? If so V = I, and K alone decides, many
    groups at a time.
    """
    factor, failed = torch.linalg.cholesky_ex((problem.W_p.mT @ problem.W_p).double())
    return problem.n <= problem.n_p and not failed and bool(factor.diagonal().min() > 1e-5)


def wilson(hits: int, draws: int, z: float = 1.959964) -> tuple[float, float]:
    """Wilson's 95% interval for a share."""
    p, spread = hits / draws, z * z / draws
    centre, half = p + spread / 2, z * math.sqrt(p * (1 - p) / draws + spread / (4 * draws))
    low = 0.0 if hits == 0 else max(0.0, (centre - half) / (1 + spread))
    return low, min(1.0, (centre + half) / (1 + spread))
