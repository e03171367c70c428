"""Many random traps as one tensor: drawn, their walls looked at, and all descended at once."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import torch

from ...checks import Tensor
from ...problem import Problem
from ...theory.partial_minimum import partial_minimum
from ...theory.patterns import pattern
from ...theory.verdict import Verdict
from ...truth.streams import seeded
from ...weights import Weights

BETAS, EPS = (0.9, 0.999), 1e-8  # Adam's


@dataclass(frozen=True)
class Traps:
    """Traps of Lt (Theorem 3.7, corrected, arXiv:2512.05534), M_d = 1, W_r = W_p, ReLU.

    W_p : (traps, n_p, n), unit columns. W_E : (traps, n_q, n_p). W_D : (traps, n_p, n_q).
    P : (n_q, n), the one pattern of all; empty rows are dead.
    """

    W_p: Tensor
    W_E: Tensor
    W_D: Tensor
    P: Tensor

    @property
    def z(self) -> Tensor:
        """(traps, n_q, n)."""
        return self.W_E @ self.W_p

    @property
    def residual(self) -> Tensor:
        return self.W_p - self.W_D @ self.z.clamp(min=0)

    @property
    def loss(self) -> Tensor:
        """Lt of each."""
        return self.residual.square().sum((1, 2))

    def one(self, i: int) -> tuple[Problem, Weights]:
        """The i-th, as the library has it."""
        return Problem(self.W_p[i]), Weights(self.W_E[i], self.W_D[i])

    @cached_property
    def seen(self) -> Tensor:
        """The part of every row that its own features see, (traps, n_q, n_p); of a dead row none.

        The gradient of Lt lies there while the pattern is P, so the rest of a row, which holds its
        silent codes below zero, is moved by nothing but weight decay.
        """
        parts = []
        for i, on in enumerate(self.P):
            Q = torch.linalg.qr(self.W_p[:, :, on])[0]
            parts.append((Q @ (Q.mT @ self.W_E[:, i, :, None]))[..., 0])
        return torch.stack(parts, 1)

    @property
    def pulls(self) -> Tensor:
        """<r_d, w_D^i>, (traps, n_q, n): where it is > 0 a code of i that rises from 0 pays."""
        return self.W_D.mT @ self.residual

    @property
    def open(self) -> Tensor:
        """Silent pairs (traps, n_q, n) that fire, and pay, once all is gone that nobody sees."""
        return ~self.P & (self.seen @ self.W_p > 0) & (self.pulls > 0)

    def steps_to_wall(self, shrink: float) -> Tensor:
        """After how many steps, each of which shrinks rows by this share, an open pair is at 0.

        (traps,); inf where there is none, or nothing shrinks.
        """
        seen = self.seen @ self.W_p
        left = torch.where(self.open, seen / (seen - self.z), 1.0)  # of what nobody sees, then
        steps = left.log() / math.log1p(-shrink) if shrink else torch.full_like(left, torch.inf)
        return torch.where(self.open, steps, torch.inf).amin((1, 2))

    def with_margins(self, factor: float) -> Traps:
        """The same traps, every silent code this many times as far below zero; n_p = n alone."""
        if factor == 1:
            return self
        z = torch.where(self.P, self.z, factor * self.z)
        return replace(self, W_E=z @ torch.linalg.inv(self.W_p))

    def nudged(self, size: float, generator: torch.Generator) -> Traps:
        """Random noise on every row and column, of this share of their norms."""
        moved = []
        for W, dim in ((self.W_E, 2), (self.W_D, 1)):
            noise = torch.randn(W.shape, generator=generator, dtype=W.dtype)
            scale = W.norm(dim=dim, keepdim=True) / W.shape[dim] ** 0.5
            moved.append(W + size * scale * noise)
        return replace(self, W_E=moved[0], W_D=moved[1])


@lru_cache(maxsize=8)
def draw(
    groups: int, *, lean: bool = False, fewer: int = 0, spare: int = 0, count: int, seed: int = 0
) -> Traps:
    """Random features, a neuron for every two: the first `count` that are traps.

    lean : features that lean to one side, |normal| + .2 in each coordinate: all interfere
        positively. Else uniform directions.
    fewer : dimensions fewer than features. spare : neurons more than groups, strictly dead.

    A row and its column are of equal norm, as far as the row's own features see it: weight decay
    moves there.
    """
    n = 2 * groups
    found: list[tuple[Tensor, Tensor, Tensor]] = []
    world = (groups, int(lean), fewer)
    noise = seeded("cpu", seed, 50, *world)
    P = pattern([[2 * i, 2 * i + 1] for i in range(groups)], n, groups + spare)
    while len(found) < count:
        W = torch.randn(n - fewer, n, generator=noise, dtype=torch.float64)
        W = W.abs() + 0.2 if lean else W
        W = W / W.norm(dim=0)
        answer = partial_minimum(Problem(W), P)
        if answer.verdict is Verdict.TRAP and answer.weights is not None:
            found.append((W, answer.weights.W_E, answer.weights.W_D))
    W_p, W_E, W_D = (torch.stack(parts) for parts in zip(*found))
    traps = Traps(W_p, W_E, W_D, P)
    scale = (traps.W_D.norm(dim=1) / traps.seen.norm(dim=2)).sqrt()
    scale = torch.where(P.any(1), scale, 1.0)
    return Traps(W_p, W_E * scale[..., None], W_D / scale[:, None], P)


def supports(n: int, S: float) -> tuple[Tensor, Tensor]:
    """Samples that are not empty (n, m), active features 1, and their weights, n in sum.

    S = 1: every feature alone, weight 1, whose loss is Lt.
    """
    if S == 1:
        return torch.eye(n, dtype=torch.float64), torch.ones(n, dtype=torch.float64)
    bits = torch.arange(1, 2**n)[:, None] >> torch.arange(n) & 1
    active = bits.sum(1)
    weights = (1 - S) ** active * S ** (n - active)
    return bits.double().mT, (n * weights / weights.sum()).double()


def gradients(
    W_E: Tensor, W_D: Tensor, x_p: Tensor, weights: Tensor, l1: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Of sum_x weight (||x_p - W_D relu(W_E x_p)||^2 + l1 sum_i a_i ||w_D^i||), for all traps.

    x_p : (traps, n_p, m). weights : (m,) or (traps, 1, m).
    """
    z = W_E @ x_p
    a = z.clamp(min=0)
    error = 2 * weights * (W_D @ a - x_p)
    by_code, of_D = W_D.mT @ error, error @ a.mT
    if l1:
        norms = W_D.norm(dim=1)
        by_code = by_code + l1 * norms[..., None] * weights
        unit = W_D / norms.clamp(min=1e-300)[:, None]
        of_D = of_D + l1 * unit * (a * weights).sum(2)[:, None]
    return (by_code * (z > 0)) @ x_p.mT, of_D


class Step:
    """Plain descent, or Adam, with decoupled weight decay: W -> (1 - lr decay) W - lr step."""

    def __init__(self, optimizer: str, lr: float, decay: float):
        self.adam, self.lr, self.shrink = optimizer == "adam", lr, 1 - lr * decay
        self.t = 0
        self.first: list[Any] = [0.0, 0.0]
        self.second: list[Any] = [0.0, 0.0]

    def __call__(self, W: list[Tensor], found: tuple[Tensor, Tensor]) -> list[Tensor]:
        self.t += 1
        if not self.adam:
            return [self.shrink * w - self.lr * g for w, g in zip(W, found)]
        (b1, b2), moved = BETAS, []
        for k, (w, g) in enumerate(zip(W, found)):
            self.first[k] = b1 * self.first[k] + (1 - b1) * g
            self.second[k] = b2 * self.second[k] + (1 - b2) * g * g
            root = (self.second[k] / (1 - b2**self.t)) ** 0.5
            step = self.first[k] / (1 - b1**self.t) / (root + EPS)
            moved.append(self.shrink * w - self.lr * step)
        return moved


def descend(
    traps: Traps,
    step: Step,
    *,
    steps: int,
    S: float = 1.0,
    batch: int = 0,
    l1: float = 0.0,
    generator: torch.Generator,
    look: Callable[[int, Traps], None] = lambda t, now: None,
    every: int = 10,
) -> Traps:
    """All traps descend for so many steps, on all samples of sparsity S or on batches of them.

    batch : samples to a step, drawn anew for each trap; 0: all, by their weights.
    look : told of every so many steps, the first before any.
    """
    x, weights = supports(traps.P.shape[1], S)
    x_p, count = traps.W_p @ x, len(traps.W_p)
    W_E, W_D = traps.W_E, traps.W_D
    for t in range(steps + 1):
        if t % every == 0:
            look(t, replace(traps, W_E=W_E, W_D=W_D))
        if t == steps:
            break
        now = weights
        if batch:
            drawn = torch.multinomial(weights, count * batch, True, generator=generator)
            cells = drawn.view(count, batch) + len(weights) * torch.arange(count)[:, None]
            seen = torch.bincount(cells.flatten(), minlength=count * len(weights))
            now = seen.view(count, 1, -1) * (weights.sum() / batch)
        W_E, W_D = step([W_E, W_D], gradients(W_E, W_D, x_p, weights=now, l1=l1))
    return replace(traps, W_E=W_E, W_D=W_D)
