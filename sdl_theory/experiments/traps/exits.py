"""What leads training out of traps: weight decay, margins, Adam, noise, the true loss, L1. Random
traps of Lt, a nudge, a descent: the share that leaves, when, and where it ends.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ...checks import Tensor
from ...estimate import Estimate, wilson
from ...table import Table
from ...theory.certify import certify
from ...theory.polish import polish
from ...theory.verdict import Verdict
from ...truth.streams import seeded
from .many import Step, Traps, descend, draw

FELL, ZERO = 0.01, 1e-6  # shares of a trap's loss: it left where Lt fell by so much; none is left
EVERY, NEWTON = 10, 20  # steps between two looks; Newton's, from where a descent has come to
BASE = dict(
    groups=2,
    lean=False,
    fewer=0,
    spare=0,
    optimizer="sgd",
    lr=0.05,
    decay=0.0,
    margin=1.0,
    nudge=0.01,
    batch=0,
    S=1.0,
    l1=0.0,
)
LADDER = (0.0, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
SHOWN = 3  # traps whose margins are kept on their way


def head() -> dict:
    """What all rows share."""
    return dict(experiment="exits", traps=96, steps=12_000, cool=12_000, fell=FELL, seed=0)


def jobs() -> list[dict]:
    """A cell each: one thing changed at a time, the decay beside it; what is plainest first."""
    changes = [dict(decay=decay) for decay in (0.0, 1e-2)]
    changes += [dict(S=S, batch=batch) for S in (0.99, 0.9) for batch in (0, 16)]
    changes += [dict(decay=1e-2, example=True)]
    worlds = (dict(), dict(lean=True), dict(groups=3), dict(groups=3, fewer=1))
    changes += [world | dict(decay=decay) for world in worlds for decay in LADDER]
    changes += [dict(margin=m, decay=decay) for m in (0.1, 10.0) for decay in (0.0, 1e-3, 1e-2)]
    changes += [dict(nudge=size) for size in (0.1, 0.3)]
    adam = [(1e-3, decay) for decay in (0.0, 1e-1, 1.0)] + [(1e-2, 0.0), (1e-2, 1e-1)]
    changes += [dict(optimizer="adam", lr=lr, decay=decay) for lr, decay in adam]
    changes += [dict(batch=batch, lr=lr) for batch in (1, 4) for lr in (0.02, 0.1)]
    changes += [dict(batch=4, decay=decay) for decay in (1e-3, 1e-2)]
    changes += [dict(S=S, batch=batch) for S in (0.999, 0.7) for batch in (0, 16)]
    changes += [dict(S=S, margin=10.0) for S in (0.99, 0.9)]
    changes += [dict(S=0.9, margin=10.0, batch=16)]
    changes += [dict(l1=l1) for l1 in (0.01, 0.03, 0.1, 0.3)]
    changes += [dict(l1=0.1, decay=1e-2)]
    changes += [dict(spare=2, decay=decay) for decay in (0.0, 1e-2, 1e-1)]
    changes += [dict(spare=2, S=0.9, batch=16)]
    found: list[dict] = []
    for change in changes:
        if BASE | change not in found:
            found.append(BASE | change)
    return found


class _Looks:
    """On the way: when each trap left, when a code first crossed a wall, if a dead row fired."""

    def __init__(self, start: Tensor):
        self.start = start
        self.left = torch.full_like(start, -1, dtype=torch.long)
        self.crossed = self.left.clone()
        self.woke = torch.zeros_like(start, dtype=torch.bool)

    def __call__(self, t: int, now: Traps) -> None:
        over = ((now.z > 0) != now.P).any(2).any(1)
        self.crossed[over & (self.crossed < 0)] = t
        self.woke |= (now.z > 0)[:, ~now.P.any(1)].any(2).any(1)
        fell = now.loss < (1 - FELL) * self.start
        self.left[fell & (self.left < 0)] = t


def run(job: dict, shared: dict | None = None) -> dict:
    """One cell: its traps nudged and descended; `shared` in place of `head()` for a small one."""
    shared = head() if shared is None else shared
    of = {name: job[name] for name in ("lean", "fewer", "spare")}
    traps = draw(job["groups"], **of, count=shared["traps"], seed=shared["seed"])
    traps = traps.with_margins(job["margin"])
    if job.get("example"):
        return job | _example(traps, job, shared)
    noise, looks = seeded("cpu", shared["seed"], 51), _Looks(traps.loss)
    end = _descended(traps, job, shared, noise, looks)
    if not (torch.isfinite(end.W_E).all() and torch.isfinite(end.W_D).all()):
        raise ValueError(f"the descent diverged at lr = {job['lr']}; take a smaller one")
    left, foreseen = looks.left >= 0, traps.open.any(2).any(1)
    cooled = descend(end, Step("sgd", BASE["lr"], 0.0), steps=shared["cool"], generator=noise)
    ends = [_end(cooled, i, float(looks.start[i])) for i in range(len(left))]
    found = dict(
        traps=len(left),
        left=int(left.sum()),
        crossed=int((looks.crossed >= 0).sum()),
        crossed_by_nudge=int((looks.crossed == 0).sum()),
        foreseen=int(foreseen.sum()),
        as_foreseen=int((foreseen == left).sum()),
        steps=_quartiles(looks.left[left].double()),
        left_to=_counts(ends, left),
        stayed_to=_counts(ends, ~left),
    )
    if job["spare"]:
        found["woke"] = int(looks.woke.sum())
    if job["decay"]:
        wanted = traps.steps_to_wall(job["lr"] * job["decay"])
        both = left & torch.isfinite(wanted)
        found["steps_to_those_foreseen"] = _quartiles(looks.left[both] / wanted[both])
    return job | found


def _descended(traps: Traps, job: dict, shared: dict, noise: torch.Generator, look) -> Traps:
    return descend(
        traps.nudged(job["nudge"], noise),
        Step(job["optimizer"], job["lr"], job["decay"]),
        steps=shared["steps"],
        S=job["S"],
        batch=job["batch"],
        l1=job["l1"],
        generator=noise,
        look=look,
        every=EVERY,
    )


# "lower, no trap": on a wall, on a saddle, or not at rest yet
ENDS = ("zero loss", "a lower trap", "lower, no trap", "as before", "higher")


def _end(traps: Traps, i: int, start: float) -> str:
    """What a descent of Lt alone, without decay or penalty, has come to: one of ENDS."""
    problem, weights = traps.one(i)
    end = polish(problem, weights, steps=NEWTON)
    loss = end.losses[-1]
    if loss <= ZERO * start:
        return ENDS[0]
    if loss < (1 - FELL) * start:
        return ENDS[1 if certify(problem, end.weights).verdict is Verdict.TRAP else 2]
    return ENDS[3 if loss <= (1 + FELL) * start else 4]


def _counts(ends: list[str], those: Tensor) -> dict[str, int]:
    chosen = [end for end, one in zip(ends, those.tolist()) if one]
    return {name: chosen.count(name) for name in ENDS if name in chosen}


def _quartiles(values: Tensor) -> list[float] | None:
    if not len(values):
        return None
    return [float(f"{q:.4g}") for q in values.quantile(torch.tensor([0.25, 0.5, 0.75]).double())]


def _example(traps: Traps, job: dict, shared: dict) -> dict:
    """The first few traps that decay is to open: loss and nearest open code, on their way."""
    some = traps.open.any(2).any(1).nonzero()[:SHOWN, 0]
    few = Traps(traps.W_p[some], traps.W_E[some], traps.W_D[some], traps.P)
    watched = torch.where(few.open, few.z, -torch.inf)
    at = [tuple(divmod(int(one.argmax()), few.P.shape[1])) for one in watched]
    seen: list[dict] = []

    def look(t: int, now: Traps) -> None:
        if t % (shared["steps"] // 100) == 0:
            z = [round(float(now.z[k, i, d]), 5) for k, (i, d) in enumerate(at)]
            loss = (now.loss / few.loss).tolist()
            seen.append(dict(t=t, z=z, loss=[round(one, 5) for one in loss]))

    _descended(few, job, shared, seeded("cpu", shared["seed"], 52), look)
    return dict(
        trap_loss=[round(one, 5) for one in few.loss.tolist()],
        t=[one["t"] for one in seen],
        z=[list(row) for row in zip(*(one["z"] for one in seen))],
        loss=[list(row) for row in zip(*(one["loss"] for one in seen))],
    )
