"""Figure 4 of arXiv:2512.05534, trained many times: four features in the plane, four latents, a
ReLU without biases. How often does it end with zero loss in opposite pairs, how often at the truth?
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from types import SimpleNamespace

import torch

from ...checks import Tensor
from ...estimate import Estimate, wilson
from ...measure.latents import mirrored_share
from ...measure.matching import best_matches, unit_rows
from ...table import Table
from ...training.config import Config
from ...training.model import SDLModel
from ...training.threads import one_thread
from ...training.trainer import Trainer
from ...truth.sampling import SparseFeatures
from ...truth.streams import seeded

RUNS, STEPS, BATCH = 200, 2000, 64
CROSS = (10, 100, 190, 280)  # degrees, our choice: two opposite pairs at right angles
ZERO, TAU = 1e-6, 0.95
ENDS = ("the truth", "opposite pairs", "zero loss, other", "loss left")


@dataclass(frozen=True)
class Plane:
    """One way to train.

    features : "cross", at CROSS, alike in all runs; "random", unit features anew in each.
    S : P(x_d = 0) of the loss L on samples; None: Lt, every feature alone, which is its limit.
    sparsity : of the L1 term.
    start : "random", or "ideal", W* of Theorem 3.3.
    """

    features: str = "cross"
    S: float | None = None
    sparsity: float = 0.0
    start: str = "random"


CELLS = [
    Plane(features=features, S=S, sparsity=sparsity, start=start)
    for features in ("cross", "random")
    for S in (None, 0.75)
    for sparsity in (0.0, 0.03)
    for start in ("random", "ideal")
]


def in_plane(*degrees: float) -> Tensor:
    """Unit columns at these angles, (2, n)."""
    at = torch.tensor(degrees, dtype=torch.float64).deg2rad()
    return torch.stack([at.cos(), at.sin()])


def directions(features: str, runs: int, seed: int = 0) -> Tensor:
    """W_p of every run, (runs, 2, 4)."""
    if features == "cross":
        return in_plane(*CROSS).expand(runs, 2, 4)
    turns = torch.rand(runs, 4, generator=seeded("cpu", seed, 40), dtype=torch.float64)
    return torch.stack([(math.tau * turns).cos(), (math.tau * turns).sin()], dim=1)


@dataclass(frozen=True)
class Stream:
    """Batches of all runs, (runs, batch, 2): each feature once, or samples at sparsity S."""

    W_p: Tensor
    S: float | None
    seed: int

    def batch(self, t: int, size: int, *, rank: int = 0, world: int = 1) -> SimpleNamespace:
        runs, _, n = self.W_p.shape
        if self.S is None:
            x = torch.eye(n, dtype=torch.float64).expand(runs, n, n)
        else:
            noise = seeded("cpu", self.seed, 41, t)
            x = SparseFeatures(n, self.S).sample(runs * size, noise).view(runs, size, n)
        x_p = x @ self.W_p.mT
        return SimpleNamespace(x_p=x_p, x_r=x_p)


@dataclass(frozen=True)
class Trained:
    """All runs at one time: weights, loss Lt (that of answering 0 is 4), best encoder cosines
    (runs, 4), signed, since a row is not to be found by the feature opposite; best raw inner
    products, the metric of section 5.1, which takes absolute values; share of rows in pairs."""

    cell: Plane
    W_p: Tensor
    W_E: Tensor
    W_D: Tensor
    loss: Tensor
    cosines: Tensor
    raw: Tensor
    mirrored: Tensor

    @property
    def zero(self) -> Tensor:
        """Which runs have no loss, up to what an L1 term takes: each code is short by half of its
        coefficient, and two fire for a feature at most."""
        return self.loss <= ZERO + self.W_p.shape[-1] * self.cell.sparsity**2

    @property
    def ends(self) -> Tensor:
        """The place in ENDS of every run: zero loss with all four features found at .95 by the
        encoder's cosines; else with every row in an opposite pair; else zero loss; else none."""
        found = self.zero & (self.cosines > TAU).all(1)
        pairs = self.zero & (self.mirrored == 1) & ~found
        other = self.zero & ~found & ~pairs
        return (pairs * 1 + other * 2 + ~self.zero * 3).long()


def train(cell: Plane, runs: int = RUNS, steps: int = STEPS, seed: int = 0) -> Trained:
    """All runs of a cell in one batched loop, in float64."""
    *_, end = course(cell, runs=runs, steps=steps, seed=seed, every=steps)
    return end


def course(
    cell: Plane, *, runs: int = RUNS, steps: int = STEPS, seed: int = 0, every: int = 50
) -> Iterator[Trained]:
    """The same on its way: at the start, and then after every so many steps."""
    W_p = directions(cell.features, runs, seed)
    model = SDLModel(
        2, 4, method="relu", instances=runs, generator=seeded("cpu", seed, 42), dtype=W_p.dtype
    )
    if cell.start == "ideal":
        with torch.no_grad():
            model.W_E.copy_(W_p.mT)
            model.W_D.copy_(W_p)
    config = Config(
        steps=steps,
        batch=4 if cell.S is None else BATCH,
        lr=0.01,
        warmup=0,
        decay=0.5,
        clip=1e9,
        sparsity=cell.sparsity,
    )
    trainer = Trainer(model, Stream(W_p, cell.S, seed), config)
    yield _judged(cell, W_p, model)
    while trainer.steps_done < steps:
        with one_thread():
            trainer.step()
        if trainer.steps_done % every == 0 or trainer.steps_done == steps:
            yield _judged(cell, W_p, model)


@torch.no_grad()
def _judged(cell: Plane, W_p: Tensor, model: SDLModel) -> Trained:
    errors = W_p.mT - model(W_p.mT)
    return Trained(
        cell=cell,
        W_p=W_p,
        W_E=model.W_E.detach().clone(),
        W_D=model.W_D.detach().clone(),
        loss=errors.square().sum((-1, -2)),
        cosines=(unit_rows(model.W_E) @ W_p).amax(-2),
        raw=best_matches(model.W_E, W_p, cosine=False),
        mirrored=torch.tensor([mirrored_share(rows) for rows in model.W_E]),
    )


def kept(trained: Trained, examples: int = 2) -> dict:
    """What the file keeps of a cell: how many runs ended how, and of each kind the first few."""
    ends = trained.ends
    rows = lambda run: dict(
        W_p=_rounded(trained.W_p[run].mT),
        W_E=_rounded(trained.W_E[run]),
        W_D=_rounded(trained.W_D[run].mT),
    )
    kinds = {
        name: (ends == place).nonzero()[:examples, 0].tolist() for place, name in enumerate(ENDS)
    }
    literal = (trained.raw > TAU).all(1)
    return asdict(trained.cell) | dict(
        runs=len(ends),
        ends={name: int((ends == place).sum()) for place, name in enumerate(ENDS)},
        found_by_section_5_1=int(literal.sum()),
        zero_and_all_rows_in_pairs=int((trained.zero & (trained.mirrored == 1)).sum()),
        examples={name: [rows(run) for run in which] for name, which in kinds.items() if which},
    )


def _rounded(matrix: Tensor) -> list[list[float]]:
    return [[round(value, 4) for value in row] for row in matrix.tolist()]


@dataclass(frozen=True)
class Ended:
    """Shares of the runs by how they ended, see `Trained.ends`, with Wilson's 95% intervals."""

    features: str
    loss: str
    sparsity: float
    start: str
    runs: int
    truth: Estimate
    opposite_pairs: Estimate
    zero_other: Estimate
    loss_left: Estimate


def ended(cells: list[dict]) -> Table[Ended]:
    """The stored cells as a table."""
    return Table(
        Ended(
            features=one["features"],
            loss="Lt" if one["S"] is None else f"L, S = {one['S']:g}",
            sparsity=one["sparsity"],
            start=one["start"],
            runs=one["runs"],
            **dict(zip(("truth", "opposite_pairs", "zero_other", "loss_left"), shares(one))),
        )
        for one in cells
    )


def shares(cell: dict) -> list[Estimate]:
    """In the order of ENDS."""
    counts = [cell["ends"][name] for name in ENDS]
    return [Estimate(count / cell["runs"], *wilson(count, cell["runs"])) for count in counts]
