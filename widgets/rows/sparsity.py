"""Two features on one neuron under the true loss: a diagram of verdicts, the loss, descents of it.

Magnitude 1, unit directions, W_r = W_p. Everything is in units of P(active) = 1 - S, so that
kappa = 1 - S and the penalty's shrink = l1 / 2.
"""

from __future__ import annotations

import math

import numpy as np

from sdl_theory import Constant, GroupMinimum, SparseFeatures, group_minimum

from ..kinds import Code, Fate, Sparsity
from .common import VERDICTS, pair_problem
from .minima import plane

LOW, HIGH = 0.2, 0.99  # of S
GRID = np.linspace(LOW, HIGH, 26)  # of the diagram
ANGLES = np.radians(np.linspace(-180, 180, 91))
LIMIT_ANGLES = np.radians(np.linspace(-180, 180, 61))
STARTS = np.radians([-106.0, -74.0, -42.0, -11.0, 17.0, 53.0, 89.0])
STEPS, SHOWN = 300, 15  # every so many steps are drawn
RATES = 0.1 * np.minimum(
    1.0, 2 - np.arange(STEPS + 1) / (STEPS / 2)
)  # falling: a penalty has kinks
NO_CODE = 0.05  # an activation below this share of the largest, or of 1, is none
COLUMNS = ("kind", "x", "y", "x2", "value")


def borders(S: np.ndarray, l1: float) -> tuple[np.ndarray, np.ndarray]:
    """The cosines above which a neuron fires for both, and above which it is a trap: `pair_law`'s.

    With t = sqrt((1 + rho) / 2): it fires where shrink < (1 + kappa) t; a trap where
    shrink t < rho + kappa = 2 t^2 - 1 + kappa, a quadratic in t. At most 1.
    """
    kappa, shrink = 1 - S, l1 / 2
    fires = np.minimum(2 * (shrink / (1 + kappa)) ** 2 - 1, 1.0)
    t = (shrink + np.sqrt(shrink**2 + 8 * (1 - kappa))) / 4
    return fires, np.clip(2 * t * t - 1, fires, 1.0)


def true_landscape(rho: float, kappa: float, l1: float, angles: np.ndarray) -> np.ndarray:
    """The loss of one ReLU neuron whose encoder row turns: its share of E||x_r||^2.

    The penalised true loss, at each angle with its best scale and decoder column; kappa = 0 for Lt.

        1 - max(||g|| - (l1 / 2) E[z], 0)^2 / (E[z^2] E||x_r||^2),  g = E[z x_r]

    angles : radians from the two features' bisector.
    """
    x, q = _samples(rho, kappa)
    z = np.maximum(np.stack([np.sin(angles), np.cos(angles)], 1) @ x, 0.0)
    pull = np.linalg.norm((z * q) @ x.T, axis=1) - l1 / 2 * (z @ q)
    fired = z * z @ q
    gain = np.maximum(pull, 0.0) ** 2
    gain = np.divide(gain, fired, out=np.zeros_like(gain), where=fired > 1e-15)
    return 1 - gain / _signal(rho, kappa)


def descents(rho: float, kappa: float, l1: float) -> tuple[np.ndarray, np.ndarray]:
    """Gradient descent on the penalised true loss from STARTS, in steps that shrink at the end.

    Each starts at its best decoder direction, row and column of length .7. Returns the row's angle
    in radians (starts, steps / SHOWN + 1), and how each ends, a `Fate`.
    """
    x, q = _samples(rho, kappa)
    E = 0.7 * np.stack([np.sin(STARTS), np.cos(STARTS)], 1)
    D = (np.maximum(E @ x, 0) * q) @ x.T
    D *= 0.7 / np.maximum(np.linalg.norm(D, axis=1, keepdims=True), 1e-9)
    seen = []
    for step in range(STEPS + 1):
        if step % SHOWN == 0:
            seen.append(np.arctan2(E[:, 0], E[:, 1]))
        z = np.maximum(E @ x, 0)
        zq = z * q
        size = np.sqrt((D * D).sum(1, keepdims=True))
        column = 2 * (D * (z * zq).sum(1, keepdims=True) - zq @ x.T)
        row = 2 * (size * size * z - D @ x)
        if l1:
            column += l1 * zq.sum(1, keepdims=True) * D / np.maximum(size, 1e-9)
            row += l1 * size
        row = ((z > 0) * q * row) @ x.T
        E, D = E - RATES[step] * row, D - RATES[step] * column
    return np.stack(seen, 1), _fates(np.linalg.norm(D, axis=1)[:, None] * (E @ x)[:, :2])


def _fates(codes: np.ndarray) -> np.ndarray:
    """How neurons of these activations ||w_D|| z_d end."""
    most = codes.max(1)
    merged = np.where(codes.min(1) > NO_CODE * most, Fate.MERGED, Fate.ALONE)
    return np.where(most < NO_CODE, Fate.SILENT, merged)


def _samples(rho: float, kappa: float) -> tuple[np.ndarray, np.ndarray]:
    """Samples (2, 3) of x_p: feature 1 alone, 2 alone, both; and how often, by P(active)."""
    half = math.acos(rho) / 2
    x = np.array([[-math.sin(half), math.sin(half), 0.0], [math.cos(half)] * 2 + [0.0]])
    x[:, 2] = x[:, 0] + x[:, 1]
    return x, np.array([1 - kappa, 1 - kappa, kappa])


def _signal(rho: float, kappa: float) -> float:
    """E||x_r||^2 = tr(G C), by P(active)."""
    return 2 * (1 + rho * kappa)


def sparsity_minimum(S: float, rho: float, l1: float) -> GroupMinimum:
    """The library's answer for the pair."""
    moments = SparseFeatures(2, S, Constant(1.0)).moments()
    return group_minimum(pair_problem(rho), [0, 1], moments=moments, l1=l1)


def sparsity_rows(S: float, rho: float, l1: float) -> tuple[dict[str, np.ndarray], dict]:
    """The diagram with the present point, the loss as the row turns, and descents of it."""
    problem, minimum, kappa = pair_problem(rho), sparsity_minimum(S, rho, l1), 1 - S
    fires, traps = borders(GRID, l1)
    floor, top = np.full_like(GRID, -1.0), np.ones_like(GRID)
    here = VERDICTS.index(minimum.verdict)
    wide = math.pi / 2 - math.acos(rho) / 2
    paths, fates = descents(rho, kappa, l1)
    parts = [
        _part(Sparsity.AREA, GRID, floor, x2=fires, value=Code.NONE),
        _part(Sparsity.AREA, GRID, fires, x2=traps, value=Code.SADDLE),
        _part(Sparsity.AREA, GRID, traps, x2=top, value=Code.TRAP),
        _part(Sparsity.LAW, np.array([LOW, HIGH]), np.array([LOW - 1, HIGH - 1])),
        _part(Sparsity.HERE, np.array([S]), rho, value=here),
        _part(Sparsity.LOSS, np.degrees(ANGLES), true_landscape(rho, kappa, l1, ANGLES)),
        _part(Sparsity.LIMIT, np.degrees(LIMIT_ANGLES), true_landscape(rho, 0.0, l1, LIMIT_ANGLES)),
        _part(Sparsity.BOTH, np.degrees([-wide]), 0.0, np.degrees(wide)),
    ]
    if minimum.exists:
        u, v = plane(problem)
        w = np.linalg.solve(problem.W_p.numpy().T, minimum.z.numpy())
        angle = np.degrees([math.atan2(v @ w, u @ w)])
        share = minimum.loss / ((1 - S) * _signal(rho, kappa))
        parts.append(_part(Sparsity.THERE, angle, share, value=here))
    steps = np.arange(0, STEPS + 1, SHOWN)
    for path, fate in zip(np.degrees(paths), fates):
        parts.append(_part(Sparsity.DESCENT, path, steps, x2=len(parts), value=fate))
    columns = {name: np.concatenate([part[name] for part in parts]) for name in COLUMNS}
    ends = {one: int((fates == one).sum()) for one in Fate}
    return columns, {"minimum": minimum, "ends": ends, "kappa": kappa}


def _part(kind: int, x: np.ndarray, y, x2=0.0, value=0.0) -> dict[str, np.ndarray]:
    """Rows of one kind as columns."""
    full = lambda one: np.broadcast_to(np.asarray(one, dtype="<f4"), len(x))
    return dict(zip(COLUMNS, map(full, (kind, x, y, x2, value))))
