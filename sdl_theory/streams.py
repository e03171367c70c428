"""Streams of samples: seeds that depend on nothing but their words, sparse codes row by row, and endless shuffled epochs."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from .checks import Tensor, as_matrix, check_bytes, check_count
from .sampling import SparseFeatures
from .signature import checked

SPARE = 6.0           # standard deviations of room for more active features than expected; if it does not do, more are drawn
TRUTH, SET, ORDER, STREAM, SAMPLE = range(5)         # what a random stream is for: each has its own seeds


def seeded(device, *words: int) -> torch.Generator:
    """A generator whose seed mixes all the words: the same words, the same stream, whatever ran before. Trailing zeros do not count."""
    mixed = np.random.SeedSequence([word & 0xFFFFFFFFFFFFFFFF for word in words]).generate_state(1, np.uint64)[0]
    return torch.Generator(device).manual_seed(int(mixed) & 0x7FFFFFFFFFFFFFFF)


@dataclass(frozen=True)
class Codes:
    """Sparse features x, row by row: sample b has features `indices[offsets[b]:offsets[b+1]]` with `values` there."""

    indices: Tensor
    values: Tensor
    offsets: Tensor       # (batch + 1,)
    n: int

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def rows(self, which: Tensor) -> Codes:
        """The samples `which`, in that order."""
        lengths = (self.offsets[1:] - self.offsets[:-1])[which]
        offsets = F.pad(lengths.cumsum(0), (1, 0))
        place = torch.repeat_interleave(self.offsets[which] - offsets[:-1], lengths) + torch.arange(int(offsets[-1]), device=which.device)
        return Codes(self.indices[place], self.values[place], offsets, self.n)

    @property
    def dense(self) -> Tensor:
        """x, shape (batch, n)."""
        x = torch.zeros(len(self), self.n, dtype=self.values.dtype, device=self.values.device)
        x[torch.repeat_interleave(torch.arange(len(self), device=x.device), self.offsets.diff()), self.indices] = self.values
        return x

    def times(self, rows: Tensor) -> Tensor:
        """x rows, shape (batch, d), for rows (n, d): a sum over the active features alone."""
        return F.embedding_bag(self.indices, rows, self.offsets, mode="sum", per_sample_weights=self.values, include_last_offset=True)


@dataclass(frozen=True)
class Batch:
    """`x_p` (batch, n_p), `x_r` (batch, n_r), and the features they came from: sparse `codes`, dense `.x` (batch, n)."""

    x_p: Tensor
    x_r: Tensor
    codes: Codes | None

    @property
    def x(self) -> Tensor:
        return self.codes.dense


def draw_codes(features: SparseFeatures, batch: int, generator: torch.Generator, dtype=torch.float32) -> Codes:
    """`batch` samples of x in time proportional to the *active* features: the gaps between them are geometric. Exact in law but for u's 53 bits."""
    n, S, total = features.n, features.S, batch * features.n
    expected, places, last = total * (1 - S), [], -1
    check_bytes(f"{batch} samples of n = {n} features at S = {S}, samples' codes,", int(40 * expected), "Ask for fewer samples, or none fixed: samples=None", 1 << 35)
    while last < total - 1:
        count = int(expected + SPARE * math.sqrt(expected + 1)) + 16
        u = torch.rand(count, generator=generator, dtype=torch.float64, device=generator.device)
        gaps = torch.log1p(-u).div_(math.log(S)).long() + 1 if S > 0 else torch.ones(count, dtype=torch.long, device=generator.device)
        places.append(last + gaps.cumsum(0))
        last = int(places[-1][-1])
    places = torch.cat(places)
    places = places[places < total]
    values = features.magnitudes.draw(places.shape, generator, dtype=dtype, device=generator.device)
    edges = torch.arange(batch + 1, device=generator.device) * n
    return Codes(places % n, values, torch.searchsorted(places, edges), n)


class Samples:
    """Your own pairs (x_p, x_r), tensors of shape (N, n_p) and (N, n_r) (x_r = x_p by default), as endless shuffled epochs.

    Float tensors are shared, not copied (they may be large): leave them alone while a run reads them. `.batch(t, size)` as in `LinearRepresentationBench`. Raises ValueError on shapes that do not match, or numbers that are not finite.
    """

    @checked
    def __init__(self, x_p: Tensor, x_r: Tensor | None = None, *, seed: int = 0):
        self.x_p = as_matrix("x_p", x_p, "(N, n_p)")
        self.x_r = self.x_p if x_r is None else as_matrix("x_r", x_r, "(N, n_r)")
        if len(self.x_p) != len(self.x_r):
            raise ValueError(f"x_p and x_r must have one row a sample; got {len(self.x_p)} and {len(self.x_r)} rows")
        self._order = Epochs(len(self.x_p), seed, self.x_p.device)

    @property
    def settings(self) -> dict:
        """What a checkpoint remembers, to notice that a run goes on with other data."""
        return dict(shape=[*self.x_p.shape, self.x_r.shape[1]], seed=self._order.seed, sum=f"{self.x_p.double().sum() + self.x_r.double().sum():.6g}")

    @checked
    def batch(self, t: int, size: int, *, rank: int = 0, world: int = 1) -> Batch:
        """The t-th batch of `size` samples; of these the share of machine `rank` of `world`."""
        part = share(size, rank, world)
        rows = self._order.slice(check_count("t", t, 0) * size, size)[part]
        x_p = self.x_p[rows]
        return Batch(x_p, x_p if self.x_r is self.x_p else self.x_r[rows], None)


class Epochs:
    """The endless row of shuffled epochs of `count` samples: numbers start, start + 1, ... of it."""

    def __init__(self, count: int, seed: int, device):
        self.count, self.seed, self.device, self._shuffled = count, seed, device, {}

    def slice(self, start: int, size: int) -> Tensor:
        parts, end = [], start + size
        while start < end:
            epoch, at = divmod(start, self.count)
            if epoch not in self._shuffled:
                self._shuffled = {epoch: torch.randperm(self.count, generator=seeded(self.device, self.seed, ORDER, epoch), device=self.device)}
            parts.append(self._shuffled[epoch][at:at + end - start])
            start += len(parts[-1])
        return torch.cat(parts)


def share(size: int, rank: int, world: int) -> slice:
    """The rows of a batch of `size` that machine `rank` of `world` takes."""
    size, world = check_count("size", size), check_count("world", world)
    if check_count("rank", rank, 0) >= world:
        raise ValueError(f"rank must lie in [0, world = {world}); got {rank}")
    if size % world:
        raise ValueError(f"batch size {size} cannot be shared out evenly over {world} processes; make it a multiple of {world} (size = {size}, world = {world})")
    return slice(rank * size // world, (rank + 1) * size // world)
