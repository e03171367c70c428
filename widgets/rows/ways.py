"""Ways out of a trap: the loss along each, and the codes where one is; a clone's function."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import torch

from sdl_theory import (
    Escape,
    Path,
    Problem,
    ReLU,
    Way,
    Weights,
    approximate_loss,
    best_split,
    escape,
    gradients,
    partial_minimum,
    pattern,
    sign_row,
    split,
    wall_path,
)

from ..kinds import Out
from .common import pair_problem, table

# what happens on each segment, in the library's order
LAY_OUT = ["the spare's column goes to zero", "its row moves"]
WAYS = {
    "sign row": [*LAY_OUT, "its column rises"],
    "clone": [*LAY_OUT[:1], "its row becomes neuron 1's", "the column is halved", "the two part"],
    "split": [
        *LAY_OUT,
        "codes are handed over",
        "neuron 1 lets go",
        "both columns are fitted",
    ],
    "over the wall": ["a silent code rises to zero", "and beyond"],
}
AFTER = 40  # points of the descent that follows
RATE, STEPS = 0.1, 400


def two_pairs() -> Problem:
    """Four features: two pairs of cosine .6; feature 1 leans on the other pair, by .5."""
    G = [[1, 0.6, 0.5, 0.5], [0.6, 1, 0.2, 0.2], [0.5, 0.2, 1, 0.6], [0.5, 0.2, 0.6, 1]]
    return Problem(torch.linalg.cholesky(torch.tensor(G, dtype=torch.float64)).mT)


def trap_of_pairs(spare: int = 1) -> tuple[Problem, Weights]:
    """A neuron for each of the two pairs, a trap of loss .8; `spare` neurons strictly dead."""
    problem = two_pairs()
    trap = partial_minimum(problem, pattern([[0, 1], [2, 3]], n=4, n_q=2 + spare))
    assert trap.weights is not None
    return problem, trap.weights


@cache
def way_out(name: str) -> Way | Escape:
    """The way of this name, out of the trap of two pairs; over the wall without a spare neuron."""
    problem, weights = trap_of_pairs(spare=int(name != "over the wall"))
    if name == "split":
        return best_split(problem, weights, neuron=0)
    return {"clone": escape, "sign row": sign_row, "over the wall": wall_path}[name](
        problem, weights
    )


@cache
def story_of(name: str) -> tuple[Path, list[Weights], np.ndarray]:
    """The way, plain descent from its end, and Lt along both, whose x runs from 0 to 1 and 2."""
    path = way_out(name).path
    W, after = path.points[-1], [path.points[-1]]
    for step in range(1, STEPS + 1):
        g = gradients(path.problem, W)
        W = Weights(W.W_E - RATE * g.W_E, W.W_D - RATE * g.W_D)
        if step % (STEPS // AFTER) == 0:
            after.append(W)
    losses = [approximate_loss(path.problem, one).item() for one in after[1:]]
    return path, after, np.concatenate([path.losses(40).numpy(), losses])


def place(path: Path, after: list[Weights], t: float) -> Weights:
    """The weights at t: on the way up to 1, then on the descent, up to 2."""
    if t <= 1:
        return path.at(t)
    return after[round((t - 1) * AFTER)]


def way_rows(name: str, t: float) -> tuple[dict[str, np.ndarray], dict]:
    """Lt along a way and the descent after it, the point at t in [0, 2], and all codes there."""
    path, after, losses = story_of(name)
    segments = len(path.points) - 1
    xs = [*np.linspace(0, 1, 40 * segments + 1), *(1 + np.arange(1, AFTER + 1) / AFTER)]
    here = place(path, after, t)
    loss = approximate_loss(path.problem, here).item()
    z = (here.W_E @ path.problem.W_p).numpy()
    on = min(int(t * segments), segments - 1) if t < 1 else segments
    rows = [{"kind": Out.LOSS, "x": x, "y": y, "value": x > 1} for x, y in zip(xs, losses)]
    rows.append({"kind": Out.LOSS, "x": 1, "y": losses[40 * segments], "value": 1})
    rows += [{"kind": Out.STOP, "x": k / segments} for k in range(segments + 1)]
    rows.append({"kind": Out.HERE, "x": t, "y": loss})
    rows += [
        {"kind": Out.CODE, "x": d + 1, "y": i + 1, "value": z[i, d]}
        for i in range(len(z))
        for d in range(z.shape[1])
    ]
    seen = dict(
        loss=loss,
        start=losses[0],
        end=losses[40 * segments],
        descended=losses[-1],
        segment=[*WAYS[name], "plain descent"][on],
    )
    return table(rows), seen


def clone_rows(part: float = 0.4) -> dict[str, np.ndarray]:
    """Errors on all inputs of length 1 in the plane: of a pair's trap, its clone, and one apart.

    Features at cosine .6, which mark the angles; `part` of the way `escape` goes is the third.
    """
    problem = pair_problem(0.6)
    answer = partial_minimum(problem, pattern([[0, 1]], n=2, n_q=2))
    assert answer.weights is not None
    clone = split(answer.weights, neuron=0, spare=1)
    end = escape(problem, answer.weights).weights
    apart = Weights(
        clone.W_E + part * (end.W_E - clone.W_E), clone.W_D + part * (end.W_D - clone.W_D)
    )
    angles = np.linspace(-math.pi, math.pi, 145)
    x = torch.tensor(np.stack([np.sin(angles), np.cos(angles)]))
    rows = []
    for value, weights in enumerate((answer.weights, clone, apart)):
        error = (x - weights.W_D @ ReLU()(weights.W_E @ x)).square().sum(0)
        rows += [
            {"kind": Out.LOSS, "x": math.degrees(a), "y": e, "value": value}
            for a, e in zip(angles, error.tolist())
        ]
    rows += [
        {"kind": Out.STOP, "x": math.degrees(math.atan2(w[0], w[1]))}
        for w in problem.W_p.mT.tolist()
    ]
    return table(rows)
