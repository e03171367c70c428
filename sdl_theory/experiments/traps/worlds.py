"""Many tiny trainings in one tensor, in float64: worlds of a few features, their loss exact or on
fresh samples, and which neurons fire for which feature at the end.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch

from ...checks import Tensor
from ...truth.streams import seeded

SEEDS, MANY = 10, 20
FIRES = 0.01
MOMENTUM, DECAY = 0.9, 0.3  # of gradient descent; share of the steps in which its rate falls to 0
Samples = tuple[Tensor, Tensor]  # x_p (runs, samples, n_p); their weights (runs or 1, samples)


@dataclass(frozen=True)
class World:
    """Features of many runs, and what fires.

    W : (runs, n_p, n), unit columns; the target is the input.
    l1 : (runs,), lam of the penalty lam sum_i E[z_i] ||w_D^i||.
    k : how many neurons fire at most; None: all whose z is above 0.
    plain : the k largest fire whatever their sign, Eq. 7 of arXiv:2512.05534.
    """

    W: Tensor
    l1: Tensor
    k: int | None = None
    plain: bool = False

    @cached_property
    def punished(self) -> bool:
        return bool(self.l1.any())

    def codes(self, z: Tensor) -> Tensor:
        """sigma(z), neurons last."""
        rectified = z if self.plain else z.relu()
        if self.k is None or self.k >= z.shape[-1]:
            return rectified
        chosen = z.topk(self.k, dim=-1).indices
        return rectified * torch.zeros_like(z).scatter(-1, chosen, 1.0)

    def loss(self, W_E: Tensor, W_D: Tensor, samples: Samples) -> Tensor:
        """(runs,): E||x_r - W_D sigma(W_E x_p)||^2, penalty included."""
        x_p, weights = samples
        codes = self.codes(x_p @ W_E.mT)
        errors = (x_p - codes @ W_D.mT).square().sum(-1)
        cost = (codes * W_D.norm(dim=-2)[:, None]).sum(-1)
        return ((errors + self.l1[:, None] * cost) * weights).sum(-1)

    def slopes(self, W_E: Tensor, W_D: Tensor, samples: Samples) -> tuple[Tensor, Tensor]:
        """The gradients of `loss`, in closed form: many steps of tiny worlds cost what autograd
        does."""
        x_p, weights = samples
        codes = self.codes(x_p @ W_E.mT)
        errors = torch.baddbmm(x_p, codes, W_D.mT, beta=-1).mul_(2 * weights[..., None])
        pull, down = errors @ W_D, errors.mT @ codes
        if self.punished:
            norms, shares = W_D.norm(dim=-2), self.l1[:, None] * weights
            pull = pull.add_(norms[:, None] * shares[..., None])
            down = down.add_(W_D * ((shares[:, None] @ codes)[:, 0] / norms)[:, None])
        return pull.mul_(codes != 0).mT @ x_p, down

    def fires(self, W_E: Tensor, x: Tensor | None = None) -> Tensor:
        """Which neurons fire for each feature alone, or for each row of x, (runs, n_q, samples):
        with a code above FIRES of their largest. A descent that ends at a wall flickers there.
        """
        x = torch.eye(self.W.shape[-1], dtype=self.W.dtype) if x is None else x
        codes = self.codes(x @ self.W.mT @ W_E.mT)
        return (codes > FIRES * codes.amax(-2, keepdim=True)).mT


def generator_of(job: dict) -> torch.Generator:
    """Of a job alone: what its settings are called decides what is drawn."""
    return seeded("cpu", zlib.crc32(json.dumps(job, sort_keys=True).encode()))


def supports(n: int) -> Tensor:
    """All 2^n - 1 supports that are not empty, (2^n - 1, n), as features of magnitude 1."""
    return torch.cartesian_prod(*[torch.tensor([0.0, 1.0]).double()] * n).view(-1, n)[1:]


def independent(x: Tensor, S: Tensor) -> Tensor:
    """(runs, samples): the probabilities of supports x at every run's sparsity."""
    k, off = x.sum(-1), x.shape[-1] - x.sum(-1)
    return (1 - S[:, None]) ** k * S[:, None] ** off


def descend(
    world: World,
    start: tuple[Tensor, Tensor],
    supports: Samples,
    *,
    steps: int,
    lr: float = 0.05,
    warmup: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """Gradient descent with momentum on the loss of supports x (samples, n) of these probabilities
    (runs, samples), over the largest E[x_d^2].

    warmup : share of the steps in which the rate rises.
    """
    x, weights = supports
    samples = x @ world.W.mT, weights / (weights @ x.square()).amax(-1, keepdim=True)
    W_E, W_D = (one.clone() for one in start)
    pace = [torch.zeros_like(one) for one in start]
    for t in range(steps):
        for slope, speed, one in zip(world.slopes(W_E, W_D, samples), pace, (W_E, W_D)):
            one.sub_(speed.mul_(MOMENTUM).add_(slope), alpha=lr * rate(t, steps, warmup))
    return finite(W_E, W_D)


def adam(
    world: World,
    start: tuple[Tensor, Tensor],
    draw: Callable[[], Samples],
    *,
    steps: int,
    lr: float = 0.01,
) -> tuple[Tensor, Tensor]:
    """Adam on fresh samples: every step reads a new `draw()`, x (runs, samples, n) and weights."""
    W_E, W_D = leaves = [torch.nn.Parameter(one.clone()) for one in start]
    optimizer = torch.optim.Adam(leaves, lr=lr)
    for t in range(steps):
        x, weights = draw()
        slopes = world.slopes(W_E.detach(), W_D.detach(), (x @ world.W.mT, weights))
        for leaf, slope in zip(leaves, slopes):
            leaf.grad = slope
        optimizer.param_groups[0]["lr"] = lr * rate(t, steps)
        optimizer.step()
    return finite(W_E.detach(), W_D.detach())


def rate(t: int, steps: int, warmup: float = 0.0) -> float:
    """Rising to 1, then 1, then falling to 0 over the last DECAY of the steps."""
    up = (t + 1) / (warmup * steps) if warmup else 1.0
    return min(1.0, up, (steps - t) / (DECAY * steps))


def finite(W_E: Tensor, W_D: Tensor) -> tuple[Tensor, Tensor]:
    if not (torch.isfinite(W_E).all() and torch.isfinite(W_D).all()):
        raise ValueError("a training diverged: its weights are not finite; use a smaller lr")
    return W_E, W_D


def pair_of(rho: Tensor) -> Tensor:
    """(runs, 2, 2): two unit columns of cosine rho."""
    half = (1 + rho).div(2).sqrt(), (1 - rho).div(2).sqrt()
    return torch.stack(
        [torch.stack([half[0], half[0]], -1), torch.stack([half[1], -half[1]], -1)], -2
    )


def tied(W_E: Tensor) -> Tensor:
    """Decoder columns: unit vectors along the encoder's rows."""
    return (W_E / W_E.norm(dim=-1, keepdim=True)).mT.clone()
