"""Parameters to rows. Pure functions over `sdl_theory`; they return columns of float32, ready for a chart. No altair, no ipywidgets.

Every picture has one table; the column `kind` says which layer a row belongs to, `value` is what colours it.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch

from sdl_theory import (
    Constant,
    Directions,
    GroupMinimum,
    JumpReLU,
    Problem,
    SparseFeatures,
    Verdict,
    Weights,
    absorb,
    approximate_loss,
    certify,
    exact_loss,
    group_minimum,
    hierarchy,
    ideal_weights,
    loss_gap_bound,
    loss_ladder,
    mirrored_weights,
    partial_minimum,
    pattern,
    pseudo_inverse_weights,
    trap_share,
)

VERDICTS = [Verdict.TRAP, Verdict.SADDLE, Verdict.NONE, Verdict.DEGENERATE, Verdict.ESCAPABLE, Verdict.GLOBAL]
CURVE, REGION, POINT, ARROW, BAR = range(5)
W_1, W_2, ROW, COLUMN = range(4)            # the arrows of a disc: two features, an encoder row, a decoder column


def table(rows: list[dict]) -> dict[str, np.ndarray]:
    """Rows with keys among kind, x, y, x2, value as float32 columns; what is missing is 0."""
    return {key: np.array([row.get(key, 0.0) for row in rows], dtype="<f4") for key in ("kind", "x", "y", "x2", "value")}


def pair_problem(rho: float, m_2: float = 1.0) -> Problem:
    """Two unit features at cosine rho, mirrored about the vertical axis; weights (1, m_2)."""
    half = math.acos(rho) / 2
    W = torch.tensor([[math.sin(-half), math.sin(half)], [math.cos(half), math.cos(half)]], dtype=torch.float64)
    return Problem(W, M_d=torch.tensor([1.0, m_2], dtype=torch.float64))


def pair_landscape(problem: Problem, angles: np.ndarray) -> np.ndarray:
    """Lt of one neuron whose encoder row points `angles` (radians from the vertical), with its best decoder column, under ReLU."""
    W, M = problem.W_p.numpy(), problem.M_d.numpy()
    z = np.maximum(np.stack([np.sin(angles), np.cos(angles)], 1) @ W, 0.0)
    fired = (z * z * M).sum(1)
    toward = (z * M) @ W.T                                        # sum_d M_d z_d w_d
    explained = np.divide((toward**2).sum(1), fired, out=np.zeros_like(fired), where=fired > 1e-15)
    return M.sum() - explained


def pair_rows(rho: float, m_2: float = 1.0) -> tuple[dict[str, np.ndarray], GroupMinimum]:
    """The pair's landscape over the encoder's angle, the region where it fires for both, the stationary point, and the arrows."""
    problem = pair_problem(rho, m_2)
    minimum, half = group_minimum(problem, [0, 1]), math.acos(rho) / 2
    angles = np.linspace(-math.pi, math.pi, 181)
    rows = [{"kind": CURVE, "x": math.degrees(a), "y": loss} for a, loss in zip(angles, pair_landscape(problem, angles))]
    reach = math.degrees(math.pi / 2 - half)
    rows.append({"kind": REGION, "x": -reach, "x2": reach})
    arrows = [problem.W_p[:, 0], problem.W_p[:, 1]]
    if minimum.exists:
        y = minimum.y
        w = torch.linalg.solve(problem.W_p.mT, y / problem.M_d.sqrt())
        arrows += [w / w.norm(), problem.W_r @ (problem.M_d.sqrt() * y) * w.norm()]      # the pair (w_E, w_D) with w_E of unit norm
        rows.append({"kind": POINT, "x": math.degrees(math.atan2(w[0], w[1])), "y": minimum.loss, "value": VERDICTS.index(minimum.verdict)})
    rows += [{"kind": ARROW, "x": a[0].item(), "y": a[1].item(), "value": which} for which, a in enumerate(arrows)]
    return table(rows), minimum


GRID = 20                                   # 231 points of the triangle: fine enough to see, few enough to drag


def three_worlds(t: float) -> tuple[float, float, float]:
    """M_d along one path: t = 0 gives (.3, 1, 1), t = 1 gives (1, 1, 1), t = 2 gives (1, 3, 1)."""
    return (0.3 + 0.7 * t, 1.0, 1.0) if t <= 1 else (1.0, 1.0 + 2.0 * (t - 1), 1.0)


def triangle(p: np.ndarray) -> np.ndarray:
    """Barycentric weights (k, 3) to the plane: corner d is y pointing at feature d alone."""
    return p @ np.array([[0.0, 0.0], [1.0, 0.0], [0.5, math.sqrt(0.75)]])


def three_rows(problem: Problem) -> tuple[dict[str, np.ndarray], GroupMinimum]:
    """Lt / tr K, the share of loss left, over all positive y of a group of three, as a triangle; its positive eigenvector if any; and the three eigenvectors' components."""
    minimum = group_minimum(problem, [0, 1, 2])
    A = (problem.W_r * problem.M_d.sqrt()).numpy()
    K = A.T @ A
    p = np.array([[i, j, GRID - i - j] for i in range(GRID + 1) for j in range(GRID + 1 - i)]) / GRID
    left = 1 - np.einsum("ki,ij,kj->k", p, K, p) / (p * p).sum(1) / np.trace(K)
    rows = [{"kind": CURVE, "x": x, "y": y, "value": v} for (x, y), v in zip(triangle(p), left)]
    if minimum.exists:
        y = minimum.y.numpy()
        (x, height), = triangle((y / y.sum())[None])
        rows.append({"kind": POINT, "x": x, "y": height, "value": VERDICTS.index(minimum.verdict)})
    values, vectors = np.linalg.eigh(K)
    for rank in range(3):
        v = vectors[:, 2 - rank] * np.sign(vectors[:, 2 - rank].sum())
        rows += [{"kind": BAR, "x": 4 * rank + d + 1, "y": v[d], "x2": values[2 - rank], "value": float((v > 0).all())} for d in range(3)]
    return table(rows), minimum


def share_rows(problem: Problem, directions: Directions, names: list[str], sizes: list[int], draws: int, generator: torch.Generator) -> list[dict]:
    """Random groups of each size, the share that are traps with its interval; and named groups, 1 for a trap, 0 for none."""
    rows = []
    for size in sizes:
        share, low, high = trap_share(problem, size, draws, generator)
        rows.append({"series": "random groups", "name": "", "size": size, "share": share, "low": low, "high": high})
    for name in names:
        group = directions.group(name)
        trap = float(group_minimum(problem, group).verdict is Verdict.TRAP)
        rows.append({"series": "real siblings", "name": name, "size": len(group), "share": trap, "low": trap, "high": trap})
    return rows


GAP, PAPER, TIGHT, HERE, SHARE, CEILING = range(6)
MAGNITUDE = 0.8                             # of every active feature: not 1, or JumpReLU would be excused


@lru_cache(maxsize=64)
def _losses(n: int, theta: float, S: float) -> tuple[float, float, float]:
    """L, Lt and the largest squared error C of one fixed random model of n features in about 3n/4 dimensions."""
    g = torch.Generator().manual_seed(n)
    draw = lambda *shape: torch.randn(*shape, generator=g, dtype=torch.float64)
    n_p = max(2, round(0.75 * n))
    W, features, sigma = draw(n_p, n), SparseFeatures(n, S, Constant(MAGNITUDE)), JumpReLU(theta)
    problem = Problem(W / W.norm(dim=0), M_d=features.M_d)
    weights = Weights(draw(n + 2, n_p), draw(n_p, n + 2) / 2)
    exact, approximate = exact_loss(problem, weights, sigma, features), approximate_loss(problem, weights, sigma)
    return exact.item(), approximate.item(), loss_gap_bound(problem, weights, sigma, features).C


def gap_rows(n: int, log_rate: float, theta: float) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Theorem 3.1's gap |L - Lt| and its bounds over 1 - S, with the point at 1 - S = 10^log_rate; and how many features are active there."""
    rows = []
    for exponent in np.linspace(-5, -0.1, 15):
        q = 10.0**exponent
        exact, approximate, C = _losses(n, theta, 1 - q)
        for kind, y in ((GAP, abs(exact - approximate)), (PAPER, n * n * C * q * q), (TIGHT, C * n * (n - 1) / 2 * q * q), (CEILING, C)):
            rows.append({"kind": kind, "x": q, "y": max(y, 1e-14), "value": kind})
    q = 10.0**log_rate
    exact, approximate, C = _losses(n, theta, 1 - q)
    rows.append({"kind": HERE, "x": q, "y": max(abs(exact - approximate), 1e-14)})
    p = SparseFeatures(n, 1 - q).count_probabilities()
    shares = [p[0].item(), p[1].item(), p[2:].sum().item()]
    rows += [{"kind": SHARE, "x": k, "y": share} for k, share in enumerate(shares)]
    return table(rows), {"L": exact, "Lt": approximate, "C": C, "tight": C * n * (n - 1) / 2 * q * q, "one": shares[1], "more": shares[2]}


SOLUTIONS = ["ideal point W*", "dual basis", "mirrored pair"]
NOTE = 10                                   # kinds 0 to 2: the arrows of each solution's disc; 10 to 12: its two figures


def solution_rows(mu: float, theta: float, angle: float) -> tuple[dict[str, np.ndarray], list[tuple[float, float, float]]]:
    """Three solutions for two features at cosine mu under JumpReLU(theta): arrows, loss, and the mean best cosine of encoder and decoder.

    angle : degrees by which the mirrored pair [A; -A] is turned.
    """
    problem, turn = pair_problem(mu), math.radians(angle)
    A = torch.tensor([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]], dtype=torch.float64)
    rows, figures = [], []
    for panel, weights in enumerate((ideal_weights(problem, 4), pseudo_inverse_weights(problem, 4), mirrored_weights(problem, 4, A))):
        loss = approximate_loss(problem, weights, JumpReLU(theta)).item()
        cosines = [(V / V.norm(dim=0).clamp(min=1e-12)).mT @ problem.W_p for V in (weights.W_E.mT, weights.W_D)]
        best = [c.max(0).values.mean().item() for c in cosines]
        arrows = [(which, problem.W_p[:, which]) for which in (W_1, W_2)]
        arrows += [(ROW, w) for w in weights.W_E if w.any()] + [(COLUMN, w) for w in weights.W_D.mT if w.any()]
        rows += [{"kind": panel, "value": which, "x": w[0].item(), "y": w[1].item()} for which, w in arrows]
        rows.append({"kind": NOTE + panel, "x": loss, "y": best[0], "x2": best[1]})
        figures.append((loss, *best))
    return table(rows), figures


BEFORE, AFTER, BOUND, LOSS, CHOSEN = range(5)
CHILDREN = 4


def family(strength: float) -> Problem:
    """Two parents of four children each, every child at cosine `strength` to its parent; the children's weights differ."""
    tree = hierarchy(2, CHILDREN, 12, strength, generator=torch.Generator().manual_seed(0))
    return Problem(tree.W_p, M_d=torch.tensor([1.0, 0.7, 1.3, 0.5, 1.0, 1.0, 1.0, 1.0], dtype=torch.float64))


def absorption_rows(strength: float, child: int, theta: float) -> tuple[dict[str, np.ndarray], dict]:
    """One parent's neuron, `child` (0 to 3) leaving it: the patterns before and after, and the ladder of losses of the whole family."""
    problem, sigma = family(strength), JumpReLU(theta)
    groups = [list(range(CHILDREN)), list(range(CHILDREN, 2 * CHILDREN))]
    parent = partial_minimum(problem, pattern(groups, 2 * CHILDREN, 3), sigma)
    rows, answer, after = [], None, None
    if parent.exists:
        answer = absorb(problem, parent.weights, sigma, 0, child)
        after = partial_minimum(problem, answer.pattern, sigma) if answer.realizable else None
    patterns = [(BEFORE, pattern(groups, 2 * CHILDREN, 3))] + ([(AFTER, answer.pattern)] if answer and answer.realizable else [])
    rows += [{"kind": kind, "x": d + 1, "y": i + 1, "value": float(P[i, d])} for kind, P in patterns for i in range(3) for d in range(2 * CHILDREN)]
    ladder = loss_ladder(problem, groups[0])
    rows += [{"kind": BOUND, "x": step, "y": rung.bound} for step, rung in enumerate(ladder)]
    rows += [{"kind": LOSS, "x": step, "y": rung.loss} for step, rung in enumerate(ladder) if rung.loss is not None]
    other = group_minimum(problem, groups[1])
    if after is not None and after.exists:
        rows.append({"kind": CHOSEN, "x": 1, "y": after.loss - other.loss, "value": VERDICTS.index(after.verdict)})
    return table(rows), {"parent": parent, "answer": answer, "after": after, "other": other.loss, "first": ladder[1].absorbed[0]}


def ladder_rows(problem: Problem, directions: Directions, name: str) -> list[dict]:
    """The ladder of one named group: how much loss is left when its children leave one by one, and who leaves."""
    ladder = loss_ladder(problem, directions.group(name))
    left = lambda step: directions.names[ladder[step].absorbed[-1]] if step else "all together"
    return [{"step": step, "loss": rung.bound, "leaver": left(step), "verdict": str(rung.verdict)} for step, rung in enumerate(ladder)]


def descend(problem: Problem, weights: Weights, theta: float, nudge: float, seeds: int, steps: int, rate: float) -> np.ndarray:
    """Losses (seeds, steps + 1) of plain gradient descent on Lt from random nudges of size `nudge`, all seeds at once, by Theorem 3.2's gradients."""
    W_p, W_r, M = (t.numpy() for t in (problem.W_p, problem.W_r, problem.M_d))
    draw = lambda *shape: torch.randn(*shape, generator=noise, dtype=torch.float64).numpy()
    noise = torch.Generator().manual_seed(0)
    E, D = (W.numpy() + nudge * draw(seeds, *W.shape) for W in (weights.W_E, weights.W_D))
    losses = []
    for _ in range(steps + 1):
        z = E @ W_p
        P = z > theta
        Z = P * z
        RM = (W_r - D @ Z) * M
        losses.append(((W_r - D @ Z) ** 2 * M).sum((1, 2)))
        E, D = E + 2 * rate * (P * (D.mT @ RM)) @ W_p.T, D + 2 * rate * RM @ Z.mT
    return np.stack(losses, 1)


SEEDS, STEPS = 6, 600


def dead_rows(depth: float, log_nudge: float, theta: float) -> tuple[dict[str, np.ndarray], dict]:
    """A pair at cosine .6 on one neuron, beside a dead one `depth` below zero on both features; six descents from nudges of 10^log_nudge."""
    problem, sigma = pair_problem(0.6), JumpReLU(theta)
    alone = partial_minimum(problem, pattern([[0, 1]], 2, 1), sigma).weights
    down = torch.tensor([[0.0, -depth / problem.W_p[1, 0].item()]], dtype=torch.float64)
    weights = Weights(torch.cat([alone.W_E, down]), torch.cat([alone.W_D, torch.zeros(2, 1, dtype=torch.float64)], 1))
    certificate = certify(problem, weights, sigma)
    losses = descend(problem, weights, theta, 10.0**log_nudge, SEEDS, STEPS, rate=0.1)
    rows = [{"kind": CURVE, "x": step, "y": losses[seed, step], "value": seed} for seed in range(SEEDS) for step in range(0, STEPS + 1, 10)]
    arrows = [(W_1, problem.W_p[:, 0]), (W_2, problem.W_p[:, 1]), (ROW, weights.W_E[0] / weights.W_E[0].norm()), (COLUMN + 1, weights.W_E[1])]
    rows += [{"kind": ARROW, "x": a[0].item(), "y": a[1].item(), "value": which} for which, a in arrows]
    return table(rows), {"certificate": certificate, "fell": int((losses[:, -1] < 0.3).sum()), "margin": theta + depth}

