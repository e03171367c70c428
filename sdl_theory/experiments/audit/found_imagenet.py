"""Our findings on the directions of 1000 ImageNet classes: which groups are traps, who leaves.

The number says which place of the paper it is about.
"""

from __future__ import annotations

import math

from ...problem import Problem
from ...theory.ladder import loss_ladder
from ...theory.named_groups import diagnose_groups, trap_share
from ...theory.verdict import Verdict
from ...truth.directions import Directions, imagenet_directions
from .claims import Claim, Seen, register, seeded

IMAGENET: list[Claim] = []
finding = register(IMAGENET, ours=True)
NAMED = ("dog", "herding dog", "spaniel", "terrier", "snake", "bird")


def _diagnosed(directions: Directions, controls: int):
    """The named groups, a row each."""
    groups = {name: directions.group(name) for name in NAMED}
    return diagnose_groups(Problem(directions.W_p), groups, controls=controls, generator=seeded(0))


@finding(
    "3.7",
    "3.6",
    "real siblings are traps",
    problem="1000 ImageNet directions, W_r = W_p, M_d equal",
    call="diagnose_groups",
    real=True,
)
def _real_groups():
    table = _diagnosed(imagenet_directions(), controls=200)
    return Seen(
        ", ".join(f"{row.name} ({row.size}) {row.verdict}" for row in table),
        all(row.verdict is Verdict.TRAP and row.reached for row in table),
    )


@finding(
    "3.7",
    "3.6",
    "random groups seldom are, the larger the more seldom",
    problem="1,000 random groups of ImageNet classes a size",
    call="sdl_theory.trap_share",
    real=True,
)
def _real_random():
    problem = Problem(imagenet_directions().W_p)
    shares = {size: trap_share(problem, size, 1000, seeded(size)) for size in (2, 3, 5, 7, 11, 17)}
    # an independent draw of 1,000 each
    reference = {2: 0.43, 3: 0.19, 5: 0.023, 7: 0.008, 11: 0, 17: 0}
    near = lambda p, q: abs(p - q) <= 3 * math.sqrt((p + q) * (2 - p - q) / 2 / 1000) + 1e-3
    falling = [share for share, _, _ in shares.values()]
    return Seen(
        "; ".join(
            f"size {size}: {p:.1%} [{low:.1%}, {high:.1%}]"
            for size, (p, low, high) in shares.items()
        ),
        all(near(p, reference[size]) for size, (p, _, _) in shares.items())
        and falling == sorted(falling, reverse=True),
    )


@finding(
    "3.10",
    "3.8",
    "if loss led, Border Collie would not leave Dog first",
    problem="118 breeds, 1000 ImageNet directions",
    call="loss_ladder",
    real=True,
)
def _first_to_leave():
    d = imagenet_directions()
    ladder = loss_ladder(Problem(d.W_p), d.group("dog"), rungs=2)
    first = d.names[ladder[1].absorbed[0]]
    return Seen(
        f"first on the ladder: {first}, bound {ladder[0].bound:.3f} -> {ladder[1].bound:.3f}",
        first != "Border Collie" and ladder[1].bound < ladder[0].bound,
    )


@finding(
    "3.7",
    "3.6",
    "squeezed into fewer dimensions, groups keep the eigenvector longer than the row",
    problem="the same groups projected to n_p = 768, 256, 64 (seed 0), theta = 0",
    call="imagenet_directions(n_p)",
    real=True,
)
def _projected():
    out = []
    for n_p in (768, 256, 64):
        table = _diagnosed(imagenet_directions(n_p, generator=seeded(0)), controls=1)
        traps = sum(row.verdict is Verdict.TRAP for row in table)
        out.append((n_p, traps, sum(row.realizable for row in table)))
    return Seen(
        "; ".join(
            f"n_p={n_p}: {traps} of 6 have a positive top eigenvector, "
            f"{rows} can be fired for alone"
            for n_p, traps, rows in out
        ),
        out[0][1] == 6 and out[-1][2] == 0 and all(rows <= traps for _, traps, rows in out),
    )
