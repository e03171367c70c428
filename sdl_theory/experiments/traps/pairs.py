"""Two features, one neuron: do trainings that start merged stay so exactly where `pair_law` says?
Alone in the world, then among others with neurons of their own.

Question. One neuron that fires for two unit features of cosine rho is a trap of the true loss iff
rho > -kappa, kappa = (1-S) m^2/v, and with an L1 term iff shrink sqrt((1+rho)/2) < rho + kappa
(`pair_law`; ours, derived for features that are all there is). Does training end merged there, and
only there? What remains of it once others are there?

Recipe. Ten seeds a cosine; cosines stand at OFFSETS from the law's line, all runs of a job in one
float64 tensor. `descent` "exact": gradient descent with momentum on the enumerated loss, magnitudes
1; a law's name: Adam on fresh samples with such magnitudes. `sigma` "relu", or "top1": the largest
z fires; one neuron alone then fires always, as Eq. 7 of arXiv:2512.05534 has it. `start` "merged":
a row that fires for both; "random": a Gaussian row; columns tied. `alone`: n = 2, one neuron.
`among`: five others, 6 or 7 neurons (one fewer than features, or as many); the others at right
angles to all ("orthogonal") or random directions in 6 dimensions; "merged" plants one neuron on the
pair and one on every other (rows that are silent elsewhere, where 6 dimensions do not forbid it), a
spare one random.

Measured at the end, from single features. `merged`: one neuron fires for both, and no other for
either. `shared`: some neuron fires for both. `lost`: one of the two fires nothing. `wall`: a neuron
stands at the wall of one of them, where its code begins, within a hundredth of its code for the
other: there an L1 holds it, no stationary point in the sense of the law.
"""

from __future__ import annotations

import math

import torch

from ...checks import Tensor
from ...theory.pair_law import pair_law
from ...truth.magnitudes import Constant, Magnitudes, ShiftedExponential
from ...truth.sampling import SparseFeatures
from .pair_tables import alone, among, overall
from .worlds import (
    FIRES,
    SEEDS,
    World,
    adam,
    descend,
    generator_of,
    independent,
    pair_of,
    supports,
    tied,
)

OFFSETS = (-0.4, -0.2, -0.1, -0.05, -0.02, -0.01, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4)
AMONG = (-0.3, -0.1, 0.1, 0.3)
STEPS, LONG, WARMUP, BATCH, N = 3000, 8000, 0.1, 128, 7
LAWS: dict[str, Magnitudes] = dict(constant=Constant(1.0), exponential=ShiftedExponential())


def head() -> dict:
    return dict(experiment="traps pairs", seeds=SEEDS, steps=[STEPS, LONG], batch=BATCH, n=N)


def jobs() -> list[dict]:
    return [*_alone(), *_among()]


def _alone() -> list[dict]:
    job = lambda S, start="merged", sigma="relu", shrink=0.0, descent="exact": dict(
        world="alone", n_q=1, S=S, start=start, sigma=sigma, shrink=shrink, descent=descent
    )
    starts = ("merged", "random")
    plain = [
        job(S, start, sigma)
        for start in starts
        for sigma in ("relu", "top1")
        for S in (0.5, 0.7, 0.9, 0.97, 0.99)
    ]
    punished = [
        job(S, start, shrink=shrink)
        for start in starts
        for shrink in (0.1, 0.3, 0.6)
        for S in (0.5, 0.9, 0.99)
    ]
    sampled = [job(S, descent=law) for law in LAWS for S in (0.5, 0.9)]
    return plain + punished + sampled


def _among() -> list[dict]:
    cells = [("merged", n_q, S) for n_q in (N - 1, N) for S in (0.8, 0.95)] + [("random", N, 0.95)]
    return [
        dict(world=world, n_q=n_q, S=S, start=start, sigma=sigma, shrink=shrink, descent="exact")
        for start, n_q, S in cells
        for sigma, shrink in (("relu", 0.0), ("relu", 0.3), ("top1", 0.0))
        for world in ("orthogonal", "6 dimensions")
    ]


def line(kappa: float, shrink: float) -> float:
    """The cosine above which `pair_law` says trap: 2 x^2 - shrink x = 1 - kappa at
    x = sqrt((1 + rho) / 2)."""
    x = (shrink + math.sqrt(shrink**2 + 8 * (1 - kappa))) / 4
    return 2 * x * x - 1


def run(job: dict) -> dict:
    alone = job["world"] == "alone"
    law = LAWS.get(job["descent"], LAWS["constant"])
    kappa = SparseFeatures(2, job["S"], law).moments().kappa.item()
    at, offsets = line(kappa, job["shrink"]), OFFSETS if alone else AMONG
    cosines = [round(at + off, 6) for off in offsets if -1 < at + off < 1]
    rho = torch.tensor(cosines, dtype=torch.float64).repeat_interleave(SEEDS)
    generator = generator_of(job)
    W = pair_of(rho) if alone else _with_others(rho, job["world"], generator)
    start = _start(W, job, generator)
    ends = _ends(W, job, law, start=start, generator=generator)
    count = lambda ended: ended.view(-1, SEEDS).sum(1).tolist()
    return job | dict(
        kappa=round(kappa, 6),
        line=round(at, 6),
        rho=cosines,
        law=[str(pair_law(one, kappa, job["shrink"])) for one in cosines],
        **{name: count(ended) for name, ended in ends.items()},
    )


def _with_others(rho: Tensor, world: str, generator: torch.Generator) -> Tensor:
    """(runs, n_p, N): the pair first; the same others at every cosine, seed by seed."""
    n_p = N if world == "orthogonal" else int(world.split()[0])
    runs, pair = len(rho), pair_of(rho)
    W = torch.zeros(runs, n_p, N, dtype=torch.float64)
    W[:, :2, :2] = pair
    if world == "orthogonal":
        W[:, 2:, 2:] = torch.eye(N - 2, dtype=torch.float64)
        return W
    others = torch.randn(SEEDS, n_p, N - 2, generator=generator, dtype=torch.float64)
    W[:, :, 2:] = (others / others.norm(dim=1, keepdim=True)).repeat(runs // SEEDS, 1, 1)
    return W


def _start(W: Tensor, job: dict, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    runs, n_p, n = W.shape
    draw = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)
    W_E = draw(runs, job["n_q"], n_p)
    if job["start"] == "merged":
        share = 0.1 + 0.8 * torch.rand(runs, 1, generator=generator, dtype=torch.float64)
        both = torch.cat([share, 1 - share], dim=1)
        if n == 2:
            W_E = both[:, None] @ torch.linalg.inv(W)
        else:
            # z of every row on every feature: its own 1, others below zero
            z = torch.eye(N - 1, n, dtype=torch.float64).roll(1, dims=1).repeat(runs, 1, 1)
            z = torch.where(z > 0, 1.0, -0.2) + 0.05 * draw(runs, N - 1, n)
            z[:, 0, :2] = both
            W_E[:, : N - 1] = z @ torch.linalg.pinv(W)
    W_E = W_E / W_E.norm(dim=-1, keepdim=True)
    return W_E, tied(W_E)


def _ends(W: Tensor, job: dict, law: Magnitudes, *, start, generator) -> dict[str, Tensor]:
    runs, _, n = W.shape
    S = torch.full((runs,), job["S"], dtype=torch.float64)
    top1 = job["sigma"] == "top1"
    shrunk = 2 * job["shrink"] * law.second_moment / law.mean  # lam, where shrink is (lam/2) m/a
    world = World(W, torch.full_like(S, shrunk), k=1 if top1 else None, plain=top1 and n == 2)
    if job["descent"] == "exact":
        x = supports(n)
        how = dict(steps=LONG, warmup=WARMUP) if n == 2 else dict(steps=STEPS)
        W_E, _ = descend(world, start, (x, independent(x, S)), **how)
    else:
        features, one = SparseFeatures(2, job["S"], law), torch.full((1, BATCH), 1 / BATCH).double()
        fresh = lambda: (features.sample(runs * BATCH, generator).view(runs, BATCH, 2), one)
        W_E, _ = adam(world, start, fresh, steps=STEPS)
    return ended(world, W_E)


def ended(world: World, W_E: Tensor) -> dict[str, Tensor]:
    """Which runs ended how, from the first two features alone; see the module."""
    if world.plain:  # (-w_E, -w_D) is the same neuron
        W_E = W_E * (W_E @ world.W).sum(-1, keepdim=True).sign()
        world = World(world.W, world.l1)
    first, second = world.fires(W_E)[:, :, :2].unbind(-1)
    one, other = (W_E @ world.W)[:, :, :2].unbind(-1)
    low, high = torch.minimum(one, other).abs(), torch.maximum(one, other)
    return dict(
        merged=(first & second).any(1) & ((first | second).sum(1) == 1),
        shared=(first & second).any(1),
        lost=~(first.any(1) & second.any(1)),
        wall=((high > 0) & (low <= FIRES * high)).any(1),
    )


def show(rows: list[dict]) -> None:
    print("Two features, one neuron: runs that end merged, beside the law's line\n")
    print(overall(rows))
    print("\nAt every sparsity\n")
    print(alone(rows))
    print("\nThe same two among five others that have neurons of their own\n")
    print(among(rows))
