"""The walls z = theta that a point touches, and what a first step over them does to the loss."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from ..checks import Tensor
from ..tolerances import NO_MOVE, RANK_TOLERANCE, SEARCH_WALL, WALL_TOLERANCE, tolerance
from .patterns import to_numpy
from .point import Point
from .separation import separate
from .spectrum import Spectrum, way_down_is_free

MOST_WALLS = 64  # walls that are tried, one by one, for a way over them


@dataclass(frozen=True, eq=False)
class Walls:
    """Where a point's rows touch theta, or under Top-k the lowest selected latent."""

    point: Point

    @cached_property
    def touching(self) -> Tensor:
        """Rows (bool, n_q) with a lossy feature on their wall.

        Most rows fire for nothing: one maximum a row settles those.
        """
        point = self.point
        touching = torch.zeros(len(point.P), dtype=torch.bool, device=point.z.device)
        features = self._lossy
        if not len(features):
            return touching
        z, level = point.z if point.lossy.all() else point.z[:, features], point.barrier
        if level.shape[1] > 1:
            z, level = z - level[:, features], torch.zeros_like(level[:, :1])
        touching = z.amax(1) >= (level - self._slack(slice(None), level))[:, 0]
        touching[point.firing] = self._near(point.firing, features).any(1)
        return touching

    def leak(self) -> bool:
        """Does any lossy feature touch the wall of another row?"""
        return bool(self.touching.any())

    def touched_by(self, rows: np.ndarray) -> bool:
        """Is a lossy feature of these firing rows on a wall of any row?"""
        point = self.point
        own = point.fired[torch.as_tensor(rows, device=point.z.device)].any(0)
        features = (own & point.lossy).nonzero()[:, 0]
        return bool(self._near(torch.arange(len(point.P), device=own.device), features).any())

    def way_down(self, i: int, system: Spectrum) -> bool:
        """Do the walls that row i touches leave its way to the top eigenvector free?"""
        problem, device = self.point.problem, self.point.z.device
        near = self._near(torch.tensor([i], device=device), torch.arange(problem.n, device=device))
        touching = (near[0] & (problem.M_d > 0)).cpu().numpy()
        return way_down_is_free(system, problem.W_p_array, touching)

    def leaves_free(self, rows: np.ndarray, move: np.ndarray) -> bool:
        """Does this move of firing rows' w_E, or its opposite, stay inside the region?

        Of a row's move only what its own features see is given: the rest may turn it from a wall.
        Under Top-k rows hold each other's places, and any that touch count as blocked.

        rows : positions among the firing rows.
        move : (len(rows), n_p).
        """
        point, device = self.point, self.point.z.device
        counted = (point.problem.M_d > 0).nonzero()[:, 0]
        own = point.fired[torch.as_tensor(rows, device=device)]
        if self._places is not None:
            features = counted[own[:, counted].any(0)]
            everyone = torch.arange(len(point.P), device=device)
            return not bool(self._near(everyone, features).any())
        near = self._near(point.firing[torch.as_tensor(rows, device=device)], counted)
        ways = []
        for at in near.any(1).nonzero()[:, 0].tolist():
            W = point.problem.W_p_array
            on = W[:, own[at].cpu().numpy() & (to_numpy(point.problem.M_d) > 0)]
            touched = W[:, counted[near[at]].cpu().numpy()]
            rise = move[at] @ touched
            unseen = touched - on @ np.linalg.lstsq(on, touched, rcond=RANK_TOLERANCE)[0]
            wanted = -rise - np.abs(rise).max(initial=NO_MOVE)
            turn = np.linalg.lstsq(unseen.T, wanted, rcond=RANK_TOLERANCE)[0]
            if np.abs(turn @ unseen - wanted).max() > SEARCH_WALL * np.abs(wanted).max():
                ways.append(rise / max(np.abs(move[at]).max(), NO_MOVE))
        rises = np.concatenate(ways) if ways else np.zeros(1)
        return bool((rises <= NO_MOVE).all() or (rises >= -NO_MOVE).all())

    def way_over(self) -> tuple[str, float]:
        """Where the first leak is, in words, and `first_order`.

        The latter over all walls that rows with a decoder column touch.
        """
        row = self.touching.nonzero()[:1, 0]
        features = self._lossy
        i, d = int(row), int(features[self._near(row, features)[0].nonzero()[0, 0]])
        best = self._first_order()
        # elsewhere a jump or a swap decides, not <r_d, w_D> alone
        smooth = self._places is None and self.point.sigma.homogeneous
        if best > 0:
            way = "a first step over a wall lowers Lt" + ": <r_d, w_D> > 0" * smooth
        elif best < 0:
            way = "but no first step over any wall lowers Lt" + ": <r_d, w_D> < 0" * smooth
        else:
            way = "first order does not decide whether Lt falls"
        return f"neuron {i} is on a wall of feature {d}, whose group has nonzero loss; {way}", best

    @cached_property
    def _lossy(self) -> Tensor:
        return self.point.lossy.nonzero()[:, 0]

    @cached_property
    def _places(self) -> int | None:
        """How many latents Top-k selects; None where theta alone decides."""
        return getattr(self.point.sigma, "k", None)

    def _near(self, rows: Tensor, features: Tensor) -> Tensor:
        """Off-entries of Z on, or within tolerance of, the wall, for these rows and features."""
        point = self.point
        level = point.barrier[rows] if len(point.barrier) > 1 else point.barrier
        level = level[:, features] if level.shape[1] > 1 else level
        off = ~point.P[rows][:, features]
        return (point.z[rows][:, features] >= level - self._slack(rows, level)) & off

    def _slack(self, rows, level: Tensor) -> Tensor:
        size = self.point.weights.W_E[rows].norm(dim=1, keepdim=True).clamp(min=1e-30)
        relative = tolerance(WALL_TOLERANCE, torch.finfo(self.point.z.dtype).eps)
        return relative * torch.maximum(size, level.abs().clamp(max=1e30))

    def _first_order(self) -> float:
        """See `Certificate.first_order`."""
        W_D, features = self.point.weights.W_D, self._lossy
        rows = (self.touching & (W_D.norm(dim=0) > 0)).nonzero()[:, 0]
        at, of = self._near(rows, features).nonzero(as_tuple=True)
        if not len(at):
            return 0.0
        w, r = W_D[:, rows[at]], self.point.residual[:, features[of]]
        sizes, info = w.norm(dim=0) * r.norm(dim=0), torch.finfo(w.dtype)
        cosines = (w * r).sum(0) / sizes.clamp(min=info.tiny)
        least = tolerance(WALL_TOLERANCE, info.eps)
        gains = self._gains(rows[at], features[of], w, r)
        if (toll := self.point.toll) is not None:
            M = self.point.problem.M_d[features[of]]
            gains = gains - toll[features[of]] / (2 * M) * w.norm(dim=0)
        gains = torch.where(gains.abs() <= least * sizes, 0.0, gains)
        if (gains < 0).all():
            return -max(-cosines.max().item(), least)
        gaining = (gains > 0).nonzero()[:MOST_WALLS, 0].tolist()
        free = [p for p in gaining if self._free(p, at, features[of], gains)]
        return max([max(cosines[p].item(), least) for p in free], default=0.0)

    def _gains(self, rows: Tensor, features: Tensor, w: Tensor, r: Tensor) -> Tensor:
        """What crossing each wall gains, up to positive factors."""
        point = self.point
        if self._places is None:
            theta = torch.as_tensor(point.sigma.theta, dtype=w.dtype, device=w.device)
            return (w * r).sum(0) - (theta[rows] if theta.ndim else theta) / 2 * w.square().sum(0)
        on = point.P[:, features]
        z = torch.where(on, point.z[:, features], torch.inf)
        lowest, incumbent = z.min(0)
        swap = r + lowest * (point.weights.W_D[:, incumbent] - w)
        return torch.where(
            on.sum(0) == min(self._places, len(point.P)),
            r.square().sum(0) - swap.square().sum(0),
            (w * r).sum(0),
        )

    def _free(self, p: int, at: Tensor, features: Tensor, gains: Tensor) -> bool:
        """Can the row of pair p cross its wall without crossing one that costs?"""
        same = at == at[p]
        if self._places is not None:
            return int(same.sum()) == 1
        W_p = self.point.problem.W_p
        wanted = to_numpy(W_p[:, features[p : p + 1]]).T
        costs = to_numpy(W_p[:, features[same & (gains < 0)]]).T
        return separate(wanted, -costs).w is not None
