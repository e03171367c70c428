"""Sparsity-inducing activations: sigma(z)_i in {0, z_i}, Eq. 10 of arXiv:2512.05534.

That property is what the theory asks of an activation. Latents lie along the first axis, as in
Z = W_E W_p of shape (n_q, n); pass `dim=-1` for batches of rows.

**Active means z > theta, strictly, and selected.** Where the theory reads a pattern off weights it
passes `slack`, what rounding may have added to z: a z within it of theta, or of another latent's z
under Top-k, is *at* it. So a forced z = 0 (two opposite features) is kept 0, and ties stay ties.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from .checks import Tensor, as_tensor, check_count, own, refuse, shown

LEAST_THETA = 1e-30  # below, encoder rows scaled to the threshold underflow


class Activation:
    """sigma(z) = z where active, else 0. Subclasses say what is active.

    One that changes `active` must say its `barrier` and `wall_distance` too: certificates rest on
    all three. A NaN in z stays NaN, active or not.
    """

    theta: float | Tensor = 0.0

    def __init_subclass__(cls):
        own = vars(cls)
        if "active" in own and not {"barrier", "wall_distance"} <= set(own):
            raise TypeError(
                f"{cls.__name__} changes `active`: it must say its `barrier` (what an inactive "
                f"latent must exceed) and its `wall_distance` (how far a change is) too"
            )

    def active(self, z: Tensor, dim: int = 0, slack: float | Tensor = 0.0) -> Tensor:
        """Boolean mask of z's shape: which latents fire; a NaN fires for nothing.

        slack : how far above theta z must be to count, >= 0, broadcastable to z.
        """
        return z > self._theta(z, dim) + slack

    def __call__(self, z: Tensor, dim: int = 0, slack: float | Tensor = 0.0) -> Tensor:
        kept = self.active(z, dim, slack) | z.isnan()
        return torch.where(kept, z, torch.zeros((), dtype=z.dtype, device=z.device))

    def _theta(self, z: Tensor, dim: int) -> float | Tensor:
        """theta, shaped to broadcast along `dim` of z."""
        if not isinstance(self.theta, Tensor) or self.theta.ndim == 0:
            return self.theta
        if self.theta.shape[0] != z.shape[dim]:
            raise ValueError(
                f"theta has {self.theta.shape[0]} entries; "
                f"z has n_q = {z.shape[dim]} latents along dim {dim}"
            )
        shape = [1] * z.ndim
        shape[dim] = -1
        return self.theta.to(z).view(shape)

    @property
    def homogeneous(self) -> bool:
        """sigma(t z) = t sigma(z) for every t > 0: what Theorem 3.1 needs and does not state."""
        theta = torch.as_tensor(self.theta)
        return bool(((theta == 0) | torch.isneginf(theta)).all())

    def barrier(self, z: Tensor, slack: float | Tensor = 0.0) -> Tensor:
        """The level that an inactive latent of z (n_q, n) must exceed to fire: theta.

        Broadcastable to z's shape.
        """
        theta = torch.as_tensor(self._theta(z, 0), dtype=z.dtype, device=z.device)
        return theta if theta.ndim else theta.view(1, 1)

    def wall_distance(self, z: Tensor, dim: int = 0) -> Tensor:
        """Smallest |z - theta|: how far this point is from a change of pattern."""
        theta = self._theta(z, dim)
        if isinstance(theta, Tensor) or z.ndim < 2:
            return (z - theta).abs().min()
        # z may be large: one cache-sized piece at a time
        return torch.stack([(part - theta).abs_().amin() for part in z.split(256)]).min()


def check_sigma(sigma) -> None:
    """Raise a ValueError unless this is an activation object, made and not merely named."""
    if not isinstance(sigma, Activation):
        refuse("sigma", "ReLU(), JumpReLU(theta), TopK(k) or BatchTopK(k), with brackets", sigma)


def _check_theta(theta, plain: bool = False) -> float | Tensor:
    value = as_tensor("theta", theta)
    allowed = torch.isfinite(value) & (value >= 0)
    if plain:
        allowed = allowed | torch.isneginf(value)
    if value.ndim > (0 if plain else 1) or not value.numel() or not allowed.all():
        other = "-inf (plain Top-k)" if plain else "a vector (n_q,) of them"
        refuse("theta", f"a finite number >= 0, or {other}", theta)
    if ((value > 0) & (value < LEAST_THETA)).any():
        raise ValueError(
            f"theta = {shown(theta)} is too small to be told from 0 in floating point; "
            f"use 0 (ReLU) or at least {LEAST_THETA:g}"
        )
    return own(value.detach()) if value.ndim else float(value)


@dataclass(frozen=True, eq=False)
class ReLU(Activation):
    """sigma(z) = max(z, 0): active iff z > 0."""


@dataclass(frozen=True, eq=False)
class JumpReLU(Activation):
    """sigma(z) = z 1{z > theta}.

    theta : >= 0: one number, or one per latent, shape (n_q,), which is copied.
    """

    theta: float | Tensor

    def __post_init__(self):
        object.__setattr__(self, "theta", _check_theta(self.theta))


@dataclass(frozen=True, eq=False)
class TopK(Activation):
    """Keep the k largest latents of each sample, if above theta. Ties go to the lowest index.

    theta : 0 is Top-k after ReLU, as trained in practice; -inf is plain Top-k, which
        always fires k.
    """

    k: int
    theta: float = 0.0

    def __post_init__(self):
        object.__setattr__(self, "k", check_count("k", self.k))
        object.__setattr__(self, "theta", float(_check_theta(self.theta, plain=True)))

    def active(self, z: Tensor, dim: int = 0, slack: float | Tensor = 0.0) -> Tensor:
        return _largest(z, min(self.k, z.shape[dim]), dim, slack) & (z > self.theta + slack)

    def barrier(self, z: Tensor, slack: float | Tensor = 0.0) -> Tensor:
        """theta, or the lowest active latent where all k places are taken."""
        on = self.active(z, 0, slack)
        inf = torch.tensor(math.inf, dtype=z.dtype, device=z.device)
        lowest_on = torch.where(on, z, inf).amin(0)
        full = on.sum(0) == min(self.k, len(z))
        return torch.where(full, lowest_on, torch.full_like(lowest_on, self.theta))[None]

    def wall_distance(self, z: Tensor, dim: int = 0) -> Tensor:
        """Distance to theta, or to the next latent in line where all k places are taken."""
        z = z.movedim(dim, 0)
        on = self.active(z)
        inf = torch.tensor(math.inf, dtype=z.dtype, device=z.device)
        lowest_on = torch.where(on, z, inf).amin(0)
        highest_off = torch.where(on, -inf, z).amax(0)
        full = on.sum(0) == min(self.k, len(z))
        theta = torch.full_like(lowest_on, self.theta)
        rival = torch.where(full, highest_off.clamp(min=self.theta), theta)
        waiting = torch.where(full, inf, self.theta - highest_off)
        return torch.minimum(lowest_on - rival, waiting).min()


@dataclass(frozen=True, eq=False)
class BatchTopK(Activation):
    """Keep the k * batch largest positive latents of a whole batch: the columns of z are coupled.

    No region of a single column decides its pattern, so Theorems 3.2 to 3.10 do not apply as such.
    """

    k: int

    def __post_init__(self):
        object.__setattr__(self, "k", check_count("k", self.k))

    def active(self, z: Tensor, dim: int = 0, slack: float | Tensor = 0.0) -> Tensor:
        latents_first = z.movedim(dim, 0)
        flat = latents_first.reshape(-1)
        batch = flat.numel() // z.shape[dim]
        kept = _largest(flat, min(self.k * batch, flat.numel()), 0)
        return kept.view(latents_first.shape).movedim(0, dim) & (z > slack)

    def barrier(self, z: Tensor, slack: float | Tensor = 0.0) -> Tensor:
        """That of Top-(k * batch) over the whole batch as one sample."""
        slack = torch.as_tensor(slack, dtype=z.dtype, device=z.device).expand_as(z).reshape(-1, 1)
        return TopK(self.k * (z.numel() // len(z))).barrier(z.reshape(-1, 1), slack)

    def wall_distance(self, z: Tensor, dim: int = 0) -> Tensor:
        """Likewise."""
        return TopK(self.k * (z.numel() // z.shape[dim])).wall_distance(z.reshape(-1, 1))


def _largest(z: Tensor, k: int, dim: int, slack: float | Tensor = 0.0) -> Tensor:
    """Mask of the k largest along `dim`, ties (within slack) to the lowest index.

    torch.topk alone promises no order.
    """
    kth = z.topk(k, dim=dim).values.amin(dim, keepdim=True)
    above = z > kth + slack
    tied = (z >= kth - slack) & ~above
    room = k - above.sum(dim, keepdim=True)
    return above | (tied & (tied.cumsum(dim) <= room))
