"""Features that come together: how correlated must two be to stay merged, and does a child that
implies its parent absorb it?

Questions. (1) `together`: two features, one neuron, activity correlated by r. The theory (ours)
says trap iff rho + kappa > 0, kappa = E[x_1 x_2] / E[x_1^2]: from which r on do they stay merged?
(2) `implied`: one neuron, a parent (p = .1) and a child that is never active without it. The theory
says trap iff rho > -P(child | parent), and nothing with both z > 0 below. (3) `absorption`: a
neuron for each of a parent and its 1 or 3 children (independent given the parent; w_child of cosine
rho with the parent, else at right angles). Is the parent's neuron silent where a child is active,
and does the child's column hold the parent, as P(child | parent) grows? With any L1 the absorbed
dictionary is the cheaper one for one child, and a straight way leads down to it: a column that
leans by e from w_child to w_parent saves e (1 - rho) per sample to first order.

Recipe. As `pairs`: ten seeds a value, exact loss by enumeration, magnitudes 1, gradient descent
with momentum, float64; (1) also by Adam on fresh samples of exponential magnitudes; (3) longer, and
with a warm-up. `sigma` "relu", "top1". `start` "merged": a row that fires for both;
"random": Gaussian rows; "truth": a row along each feature, each entry off by a tenth of a Gaussian.

Measured. `merged`, (1) and (2): the neuron fires for both alone. (3), of twenty seeds, on the first
child: the parent's neuron is the one that answers most to the parent alone; on parent and child
together that one is silent while another fires (`absorbed`), or fires beside another (`apart`), or
alone (`held`: the child has no neuron); else nothing fires for the parent. `cosine`: of the other
neuron's column with the parent, sqrt((1 + rho) / 2) where all of it is absorbed, rho where nothing
is; mean, mean square and count over the runs that have such a neuron.
"""

from __future__ import annotations

import torch

from ...checks import Tensor
from ...truth.magnitudes import Constant, ShiftedExponential
from .correlated_tables import absorption, columns, stay
from .worlds import FIRES, MANY, SEEDS, World, adam, descend, generator_of, pair_of, supports, tied

OFFSETS = (-0.3, -0.2, -0.1, -0.05, -0.02, -0.01, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3)
GIVEN = (0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.95)  # P(child | parent)
STEPS, BATCH, PARENT, JITTER = 3000, 256, 0.1, 0.1
LONG, WARMUP = 8000, 0.1  # of (3): a weak pull takes long, and a sudden start kills neurons
EXPONENTIAL = ShiftedExponential()


def head() -> dict:
    return dict(
        experiment="traps correlated",
        seeds=[SEEDS, MANY],
        steps=[STEPS, LONG],
        batch=BATCH,
        p=PARENT,
    )


def jobs() -> list[dict]:
    together = [
        dict(what="together", S=S, rho=rho, start=start, descent="exact")
        for start in ("merged", "random")
        for S in (0.5, 0.8, 0.95)
        for rho in (-0.8, -0.6, -0.4, -0.2)
    ]
    sampled = [
        dict(what="together", S=0.8, rho=rho, start="merged", descent="exponential")
        for rho in (-0.4, -0.2)
    ]
    implied = [
        dict(what="implied", given=given, start=start)
        for start in ("merged", "random")
        for given in (0.05, 0.2, 0.5, 0.8)
    ]
    arms = [("random", "relu", 0.0), ("random", "relu", 0.1), ("truth", "relu", 0.1)]
    arms += [("truth", "relu", 0.4), ("random", "top1", 0.0)]
    absorbed = [
        dict(what="absorption", children=n, rho=rho, start=start, sigma=sigma, shrink=shrink)
        for start, sigma, shrink in arms
        for n in (1, 3)
        for rho in (0.0, 0.3, 0.6)
    ]
    return together + sampled + implied + absorbed


def run(job: dict) -> dict:
    return dict(together=_together, implied=_implied, absorption=_absorption)[job["what"]](job)


def _together(job: dict) -> dict:
    p, rho = 1 - job["S"], job["rho"]
    law = Constant(1.0) if job["descent"] == "exact" else EXPONENTIAL
    ratio = law.mean**2 / law.second_moment
    least = -min(p / (1 - p), (1 - p) / p)
    line = (-rho / ratio - p) / (1 - p)  # kappa = ratio P(both) / p, P(both) = p^2 + r p (1-p)
    values = [round(line + off, 6) for off in OFFSETS if least <= line + off < 1]
    r = torch.tensor(values, dtype=torch.float64).repeat_interleave(SEEDS)
    merged = _one_neuron(job, torch.full_like(r, rho), correlated_chances(p, r), law)
    stays = [rho + ratio * (p + one * (1 - p)) > 0 for one in values]
    return job | dict(line=round(line, 6), at=values, trap=stays, merged=merged)


def correlated_chances(p: float, r: Tensor) -> Tensor:
    """(runs, 3): of the second alone, the first alone, both, as `supports` has them."""
    both = p * p + r * p * (1 - p)
    return torch.stack([p - both, p - both, both], dim=1)


def _implied(job: dict) -> dict:
    given = job["given"]
    values = [round(off - given, 6) for off in OFFSETS if -1 < off - given < 1]
    rho = torch.tensor(values, dtype=torch.float64).repeat_interleave(SEEDS)
    alone = torch.tensor([0.0, PARENT * (1 - given), PARENT * given], dtype=torch.float64)
    merged = _one_neuron(job, rho, alone.expand(len(rho), 3), Constant(1.0))
    return job | dict(line=-given, at=values, trap=[one > -given for one in values], merged=merged)


def _one_neuron(job: dict, rho: Tensor, chances: Tensor, law) -> list[int]:
    """How many of the seeds end with a neuron that fires for both.

    chances : (runs, 3), of the second alone, the first alone, both: the order of `supports`.
    """
    generator, runs = generator_of(job), len(rho)
    W = pair_of(rho)
    if job["start"] == "merged":
        share = 0.1 + 0.8 * torch.rand(runs, 1, generator=generator, dtype=torch.float64)
        W_E = torch.cat([share, 1 - share], dim=1)[:, None] @ torch.linalg.inv(W)
    else:
        W_E = torch.randn(runs, 1, 2, generator=generator, dtype=torch.float64)
    W_E = W_E / W_E.norm(dim=-1, keepdim=True)
    world, x = World(W, torch.zeros_like(rho)), supports(2)
    if job.get("descent", "exact") == "exact":
        W_E, _ = descend(world, (W_E, tied(W_E)), (x, chances), steps=STEPS)
    else:
        upto, even = chances.cumsum(1), torch.full((1, BATCH), 1 / BATCH, dtype=torch.float64)

        def fresh() -> tuple[Tensor, Tensor]:
            u = torch.rand(runs, BATCH, generator=generator, dtype=torch.float64)
            active = torch.cat([x, torch.zeros_like(x[:1])])[torch.searchsorted(upto, u)]
            return active * law.draw(active.shape, generator, dtype=W.dtype), even

        W_E, _ = adam(world, (W_E, tied(W_E)), fresh, steps=STEPS)
    return world.fires(W_E)[:, 0].all(-1).view(-1, SEEDS).sum(1).tolist()


def family(children: int, rho: float) -> Tensor:
    """(n, n): the parent's unit column, then its children's."""
    W = torch.eye(children + 1, dtype=torch.float64) * (1 - rho * rho) ** 0.5
    W[0] = rho
    W[:, 0] = torch.eye(children + 1, dtype=torch.float64)[0]
    return W


def family_supports(children: int, given: Tensor) -> tuple[Tensor, Tensor]:
    """Supports with the parent active, (2^children, n), and their chances (runs, 2^children)."""
    x = torch.cat([torch.zeros(1, children, dtype=torch.float64), supports(children)])
    k, c = x.sum(1), given[:, None]
    chances = PARENT * c**k * (1 - c) ** (children - k)
    return torch.cat([torch.ones_like(x[:, :1]), x], dim=1), chances


def _absorption(job: dict) -> dict:
    generator, children = generator_of(job), job["children"]
    given = torch.tensor(GIVEN, dtype=torch.float64).repeat_interleave(MANY)
    runs, n = len(given), children + 1
    W = family(children, job["rho"]).repeat(runs, 1, 1)
    W_E = torch.randn(runs, n, n, generator=generator, dtype=torch.float64)
    if job["start"] == "truth":
        W_E = W.mT + JITTER * W_E
    W_E = W_E / W_E.norm(dim=-1, keepdim=True)
    k = int(job["sigma"][3:]) if job["sigma"] != "relu" else None
    world = World(W, torch.full_like(given, 2 * job["shrink"]), k=k)
    family_alone = family_supports(children, given)
    W_E, W_D = descend(world, (W_E, tied(W_E)), family_alone, steps=LONG, warmup=WARMUP)
    return job | dict(given=GIVEN) | read(world, W_E, W_D)


def read(world: World, W_E: Tensor, W_D: Tensor) -> dict:
    """What the parent's neuron and the first child's do, counted over seeds."""
    runs, n = len(world.W), world.W.shape[-1]
    x = torch.eye(n, dtype=torch.float64)[:2]
    x[1, 0] = 1.0  # the parent alone; then with its first child
    answers = world.codes(x @ world.W.mT @ W_E.mT) * W_D.norm(dim=1)[:, None]
    size, parent = answers[:, 0].max(-1)
    on = answers[:, 1].gather(1, parent[:, None])[:, 0] > FIRES * size
    most, child = answers[:, 1].scatter(1, parent[:, None], 0.0).max(-1)
    column = W_D.gather(2, child[:, None, None].expand(runs, n, 1))[..., 0]
    along = (column * world.W[:, :, 0]).sum(1) / column.norm(dim=1)
    there, most = size > 0, torch.where(most > FIRES * size, most, 0.0)
    cosine = torch.where(there & (most > 0), along, torch.nan)
    count = lambda which: (which & there).view(-1, MANY).sum(1).tolist()
    return dict(
        absorbed=count(~on & (most > 0)),
        apart=count(on & (most > 0)),
        held=count(on & (most == 0)),
        cosine=[_spread(one[one.isfinite()]) for one in cosine.view(-1, MANY)],
    )


def _spread(values: Tensor) -> list[float]:
    """Mean and mean square of these values, and how many they are."""
    if not len(values):
        return [0.0, 0.0, 0]
    return [round(values.mean().item(), 6), round(values.square().mean().item(), 6), len(values)]


def show(rows: list[dict]) -> None:
    print("Two features that come together, one neuron: runs that end merged\n")
    print(stay(rows))
    print("\nA parent, its children, a neuron for each: is it silent where its first child is?\n")
    print(absorption(rows))
    print("\nThe same runs: the cosine of the child's column with the parent\n")
    print(columns(rows))
