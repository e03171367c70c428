"""What leads training out of traps: weight decay, margins, Adam, noise, the true loss, L1. Random
traps of Lt, a nudge, a descent: the share that leaves, when, and where it ends.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch

from ...checks import Tensor
from ...estimate import Estimate, wilson
from ...table import Table
from ...truth.streams import seeded
from .leaving import FELL, Looks, Watched, end_of
from .many import Step, Traps, descend, draw

EVERY = 20  # steps between two looks
BASE: dict[str, Any] = dict(
    groups=2,
    lean=False,
    fewer=0,
    spare=0,
    optimizer="sgd",
    lr=0.1,
    decay=0.0,
    margin=1.0,
    nudge=0.01,
    batch=0,
    S=1.0,
    l1=0.0,
)
LADDER = (0.0, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
SHOWN = 3  # traps whose margins are kept on their way


def head() -> dict:
    """What all rows share."""
    return dict(experiment="exits", traps=96, steps=6000, cool=6000, fell=FELL, seed=0)


def jobs() -> list[dict]:
    """A cell each: one thing changed at a time, the decay beside it; what is plainest first."""
    changes: list[dict[str, Any]] = [dict(decay=decay) for decay in (0.0, 1e-2)]
    changes += [dict(S=S, batch=batch) for S in (0.99, 0.9) for batch in (0, 16)]
    changes += [dict(decay=1e-2, example=True)]
    worlds: tuple[dict, ...] = (dict(), dict(lean=True), dict(groups=3))
    changes += [world | dict(decay=decay) for world in worlds for decay in LADDER]
    changes += [dict(margin=m, decay=decay) for m in (0.1, 10.0) for decay in (0.0, 1e-2)]
    changes += [dict(nudge=0.1), dict(nudge=0.3, lr=0.02)]  # large nudges diverge at .1
    adam = [(1e-3, decay) for decay in (0.0, 1e-1, 1.0)] + [(1e-2, 0.0), (1e-2, 1e-1)]
    changes += [dict(optimizer="adam", lr=lr, decay=decay) for lr, decay in adam]
    changes += [dict(batch=1), dict(batch=4), dict(batch=4, lr=0.05, decay=1e-2)]
    changes += [dict(S=S) for S in (0.999, 0.7)]
    changes += [dict(S=S, margin=10.0) for S in (0.99, 0.9)]
    changes += [dict(l1=l1) for l1 in (0.01, 0.1, 0.3)] + [dict(l1=0.1, decay=1e-2)]
    changes += [dict(spare=2, decay=1e-1), dict(spare=2, S=0.9, batch=16)]
    changes += [dict(groups=3, fewer=1, decay=decay) for decay in LADDER]
    found: list[dict] = []
    for change in changes:
        if BASE | change not in found:
            found.append(BASE | change)
    return found


def run(job: dict, shared: dict | None = None) -> dict:
    """One cell: its traps nudged and descended; `shared` in place of `head()` for a small one."""
    shared = head() if shared is None else shared
    of = {name: job[name] for name in ("lean", "fewer", "spare")}
    traps = draw(job["groups"], **of, count=shared["traps"], seed=shared["seed"])
    traps = traps.with_margins(job["margin"])
    if job.get("example"):
        return job | _example(traps, job, shared)
    noise, looks = seeded("cpu", shared["seed"], 51), Looks(traps.loss)
    end = _descended(traps, job, shared, noise=noise, look=looks)
    left, wanted = looks.left >= 0, traps.steps_to_wall(job["lr"] * job["decay"])
    foreseen = wanted <= shared["steps"]
    cooled = _cooled(end, shared["cool"], noise)
    ends = [end_of(cooled, i, float(looks.start[i])) for i in range(len(left))]
    found = dict(
        traps=len(left),
        left=int(left.sum()),
        crossed=int((looks.crossed >= 0).sum()),
        crossed_by_nudge=int((looks.crossed == 0).sum()),
        open=int(traps.open.any(2).any(1).sum()),
        foreseen=int(foreseen.sum()),
        as_foreseen=int((foreseen == left).sum()),
        steps=_quartiles(looks.left[left].double()),
        left_to=_counts(ends, left),
        stayed_to=_counts(ends, ~left),
    )
    if job["spare"]:
        found["woke"] = int(looks.woke.sum())
    if job["decay"]:
        both = left & foreseen
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


def _cooled(end: Traps, steps: int, noise: torch.Generator) -> Traps:
    """Plain descent of Lt from there; where it diverges, as unbalanced weights may, just there."""
    after = descend(end, Step("sgd", BASE["lr"], 0.0), steps=steps, generator=noise)
    good = torch.isfinite(after.loss)[:, None, None]
    return replace(
        end,
        W_E=torch.where(good, after.W_E, end.W_E),
        W_D=torch.where(good, after.W_D, end.W_D),
    )


def _counts(ends: list[str], those: Tensor) -> dict[str, int]:
    chosen = [end for end, one in zip(ends, those.tolist()) if one]
    return {name: chosen.count(name) for name in dict.fromkeys(ends) if name in chosen}


def _quartiles(values: Tensor) -> list[float] | None:
    if not len(values):
        return None
    return [float(f"{q:.4g}") for q in values.quantile(torch.tensor([0.25, 0.5, 0.75]).double())]


def _example(traps: Traps, job: dict, shared: dict) -> dict:
    """The first few traps that decay is to open, watched."""
    some = traps.open.any(2).any(1).nonzero()[:SHOWN, 0]
    few = Traps(traps.W_p[some], traps.W_E[some], traps.W_D[some], traps.P)
    watched = Watched(few, every=max(shared["steps"] // 2 // 100, EVERY))
    half = shared | dict(steps=shared["steps"] // 2)
    _descended(few, job, half, noise=seeded("cpu", shared["seed"], 52), look=watched)
    lines = {name: [list(one) for one in zip(*watched.kept[name])] for name in ("z", "loss")}
    return watched.kept | lines


@dataclass(frozen=True)
class Exit:
    """A cell: the share of traps that left, with Wilson's 95% interval, when, and where to.

    foreseen : the share for which `Traps.steps_to_wall` is within the steps: none without decay.
    as_foreseen : how many left, or stayed, as that says.
    steps : the median of those that left.
    zero, trap, wall : of those that left the share that ends at zero loss; at another trap; lower,
        at rest on a wall.
    """

    what: str
    traps: int
    left: Estimate
    foreseen: float
    as_foreseen: str
    steps: float | None
    zero: float | None
    trap: float | None
    wall: float | None


def named(row: dict) -> str:
    """What a cell changed, in words."""
    worlds = [
        f"{row['groups']} groups" * (row["groups"] != 2),
        "leaning" * row["lean"],
        f"{row['fewer']} dimension fewer" * (row["fewer"] > 0),
        f"{row['spare']} dead spares" * (row["spare"] > 0),
    ]
    lr = f", lr {row['lr']:g}" * (row["lr"] != BASE["lr"])
    samples = "" if row["S"] == 1 else f"true loss, S = {row['S']:g}"
    if row["batch"]:
        samples = f"{samples or 'single features'}, batch {row['batch']}"
    words = [
        *worlds,
        ("Adam" if row["optimizer"] == "adam" else "descent") + lr,
        samples,
        f"decay {row['decay']:g}" * (row["decay"] > 0),
        f"margins x {row['margin']:g}" * (row["margin"] != 1),
        f"nudge {row['nudge']:g}" * (row["nudge"] != BASE["nudge"]),
        f"L1 {row['l1']:g}" * (row["l1"] > 0),
    ]
    return ", ".join(word for word in words if word)


def summary(rows: list[dict]) -> Table[Exit]:
    """The cells as a table, examples left out."""
    return Table(_exit(row) for row in rows if "example" not in row)


def _exit(row: dict) -> Exit:
    left, traps, to = row["left"], row["traps"], row["left_to"]
    share = lambda name: to.get(name, 0) / left if left else None
    return Exit(
        what=named(row),
        traps=traps,
        left=Estimate(left / traps, *wilson(left, traps)),
        foreseen=row["foreseen"] / traps,
        as_foreseen=f"{row['as_foreseen']} of {traps}",
        steps=row["steps"][1] if row["steps"] else None,
        zero=share("zero loss"),
        trap=share("a lower trap"),
        wall=share("lower, on a wall"),
    )


def show(rows: list[dict]) -> None:
    """Print the table, and what holds of all its cells."""
    table = summary(rows)
    print(table)
    cells = [row for row in rows if "example" not in row]
    if dead := [row for row in cells if row["spare"]]:
        woke, count = (sum(row[name] for row in dead) for name in ("woke", "traps"))
        print(f"strictly dead spares that ever fired: in {woke} of {count} descents")
