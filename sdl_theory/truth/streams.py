"""Samples of sparse features, drawn in time proportional to the active ones.

As triples (sample, feature, value).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from ..checks import Tensor, check_count
from .sampling import SparseFeatures

TRUTH, SET, ORDER, STREAM, SAMPLE = range(5)  # what a random stream is for: each has its own seeds
# standard deviations of room for more active features than expected; where it does not do, more
# are drawn
SPARE = 6.0


@dataclass(frozen=True)
class Codes:
    """Sparse features x, row by row.

    Sample b has features `indices[offsets[b]:offsets[b+1]]` with `values` there.
    """

    indices: Tensor
    values: Tensor
    offsets: Tensor  # (batch + 1,)
    n: int

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def rows(self, which: Tensor) -> Codes:
        """The samples `which`, in that order."""
        lengths = (self.offsets[1:] - self.offsets[:-1])[which]
        offsets = F.pad(lengths.cumsum(0), (1, 0))
        shift = torch.repeat_interleave(self.offsets[which] - offsets[:-1], lengths)
        place = shift + torch.arange(int(offsets[-1]), device=which.device)
        return Codes(self.indices[place], self.values[place], offsets, self.n)

    @property
    def dense(self) -> Tensor:
        """x, shape (batch, n)."""
        x = torch.zeros(len(self), self.n, dtype=self.values.dtype, device=self.values.device)
        samples = torch.arange(len(self), device=x.device)
        x[torch.repeat_interleave(samples, self.offsets.diff()), self.indices] = self.values
        return x

    def times(self, rows: Tensor) -> Tensor:
        """x rows, shape (batch, d), for rows (n, d): a sum over the active features alone."""
        return F.embedding_bag(
            self.indices,
            rows,
            self.offsets,
            mode="sum",
            per_sample_weights=self.values,
            include_last_offset=True,
        )


@dataclass(frozen=True)
class Batch:
    """Samples, and the features they came from.

    x_p, x_r : (batch, n_p) and (batch, n_r).
    codes : the features, sparse; None where they are not known. Dense, `.x` (batch, n).
    """

    x_p: Tensor
    x_r: Tensor
    codes: Codes | None

    @property
    def x(self) -> Tensor:
        if self.codes is None:
            raise AttributeError("no features are known of samples of your own: they have no x")
        return self.codes.dense


def draw_codes(
    features: SparseFeatures, batch: int, generator: torch.Generator, dtype=torch.float32
) -> Codes:
    """`batch` samples of x in time proportional to the *active* features.

    The gaps between them are geometric. Exact in law but for u's 53 bits.
    """
    n, S, total = features.n, features.S, batch * features.n
    expected, last = total * (1 - S), -1
    drawn: list[Tensor] = []
    while last < total - 1:
        count = int(expected + SPARE * math.sqrt(expected + 1)) + 16
        u = torch.rand(count, generator=generator, dtype=torch.float64, device=generator.device)
        if S > 0:
            gaps = torch.log1p(-u).div_(math.log(S)).long() + 1
        else:
            gaps = torch.ones(count, dtype=torch.long, device=generator.device)
        drawn.append(last + gaps.cumsum(0))
        last = int(drawn[-1][-1])
    places = torch.cat(drawn)
    places = places[places < total]
    values = features.magnitudes.draw(places.shape, generator, dtype=dtype, device=generator.device)
    edges = torch.arange(batch + 1, device=generator.device) * n
    return Codes(places % n, values, torch.searchsorted(places, edges), n)


def seeded(device, *words: int) -> torch.Generator:
    """A generator whose seed mixes all the words: the same words, the same stream.

    Whatever ran before. Trailing zeros do not count.
    """
    words_64 = [word & 0xFFFFFFFFFFFFFFFF for word in words]
    mixed = int(np.random.SeedSequence(words_64).generate_state(1, np.uint64)[0])
    return torch.Generator(device).manual_seed(mixed & 0x7FFFFFFFFFFFFFFF)


class Epochs:
    """Shuffled epochs of `count` samples, one after the other, in an endless row."""

    def __init__(self, count: int, seed: int, device):
        self.count, self.seed, self.device = count, seed, device
        self._shuffled: dict[int, Tensor] = {}  # the present epoch's order alone

    def slice(self, start: int, size: int) -> Tensor:
        """The numbers of the row from place `start` on, `size` of them."""
        parts, end = [], start + size
        while start < end:
            epoch, at = divmod(start, self.count)
            if epoch not in self._shuffled:
                generator = seeded(self.device, self.seed, ORDER, epoch)
                order = torch.randperm(self.count, generator=generator, device=self.device)
                self._shuffled = {epoch: order}
            parts.append(self._shuffled[epoch][at : at + end - start])
            start += len(parts[-1])
        return torch.cat(parts)


def share(size: int, rank: int, world: int) -> slice:
    """The rows of a batch of `size` that machine `rank` of `world` takes."""
    size, world = check_count("size", size), check_count("world", world)
    if check_count("rank", rank, 0) >= world:
        raise ValueError(f"rank must lie in [0, world = {world}); got {rank}")
    if size % world:
        raise ValueError(
            f"batch size {size} cannot be shared out evenly over {world} processes; "
            f"make it a multiple of {world} (size = {size}, world = {world})"
        )
    return slice(rank * size // world, (rank + 1) * size // world)
