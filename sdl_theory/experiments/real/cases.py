"""Labelled embeddings as an experiment reads them: rows to train on, rows held out, the unit class
means to be found; raw, or centred on the mean of the rows to train on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import torch

from ...checks import Tensor
from ...representations.means import ClassMeans, class_means
from ...representations.rows import Rows
from ...representations.store import CHUNK, Representations
from ...truth.batches import Data
from ...truth.streams import seeded

HELD_OUT = 4  # one row in so many of each class
SEEN = 20_000  # rows at most that figures are measured on


class Part(Representations):
    """The rows `index` (m,) of others, read where they are."""

    def __init__(self, whole: Representations, index: Tensor):
        self.x, self.where, self.names = whole.x, whole.where, whole.names
        self.whole, self.index = whole, index
        self.labels = None if whole.labels is None else whole.labels[index]

    def __len__(self) -> int:
        return len(self.index)

    def rows(self, which) -> Tensor:
        return self.whole.rows(self.index[which])

    def chunks(self, rows: int | None = None) -> Iterator[tuple[int, Tensor]]:
        size = max(1, CHUNK // self.n_p) if rows is None else rows
        for start in range(0, len(self), size):
            yield start, self.rows(slice(start, start + size))


@dataclass(frozen=True, eq=False)
class Split:
    """Rows of every class for training, the others held out; class means of the former.

    K : classes.  seen, heldout : up to SEEN rows of each, as they are.
    """

    train: Part
    means: ClassMeans
    seen: Tensor
    heldout: Tensor

    @classmethod
    def of(cls, whole: Representations, *, seed: int = 0) -> Split:
        """One row in HELD_OUT of each class is held out, rounded down; ValueError for a class that
        has fewer rows than that, and so none.
        """
        labels = whole.labels
        if labels is None:
            raise ValueError(f"{whole.where} has no labels: give a class for each row (--labels)")
        rank, counts = ranks(labels, seed)
        if (few := counts < HELD_OUT).any():
            which = labels[few.nonzero()[0]].item()
            raise ValueError(
                f"class {which} has {int(counts[few][0])} rows; a class needs {HELD_OUT} at least, "
                f"one to hold out: leave it out"
            )
        out = rank < counts // HELD_OUT
        train = Part(whole, (~out).nonzero()[:, 0])
        return cls(
            train=train,
            means=class_means(train),
            seen=some(train, seed),
            heldout=some(Part(whole, out.nonzero()[:, 0]), seed),
        )


def ranks(labels: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """Of each row: its place in a random order of its class, and how many the class has."""
    key = torch.rand(len(labels), generator=seeded("cpu", seed, 88), dtype=torch.float64)
    order = key.argsort()
    order = order[labels[order].argsort(stable=True)]
    _, which, counts = labels.unique(return_inverse=True, return_counts=True)
    starts = counts.cumsum(0) - counts
    rank = torch.empty_like(order)
    rank[order] = torch.arange(len(labels)) - starts[which[order]]
    return rank, counts[which]


def some(part: Representations, seed: int) -> Tensor:
    """Up to SEEN rows, random if there are more, in order."""
    index = torch.randperm(len(part), generator=seeded("cpu", seed, 89))[:SEEN]
    return part.rows(index.sort().values).float()


@dataclass(frozen=True, eq=False)
class Case:
    """A Split, raw or centred, scaled to a mean squared norm of 1.

    name : "layer 5, raw".
    truth : (n_p, K), unit class means of the training rows, raw or centred as the rows are.
    mean : (n_p,), the mean of the training rows, raw always.
    mean_share : ||mean||^2 / mean ||x||^2 of the rows as they are trained on: 0 centred.
    """

    name: str
    split: Split
    centred: bool
    scale: float = field(init=False)

    def __post_init__(self):
        size = self._moved(self.split.seen).double().square().sum(1).mean().item()
        if size == 0:
            raise ValueError(f"{self.name}: all embeddings are alike; there is nothing to train on")
        object.__setattr__(self, "scale", size**-0.5)

    n_p = property(lambda self: self.split.train.n_p)
    K = property(lambda self: len(self.split.means.classes))
    mean = property(lambda self: self.split.means.mean.float())

    def _moved(self, x: Tensor) -> Tensor:
        return x - self.mean if self.centred else x

    @cached_property
    def truth(self) -> Tensor:
        return self.split.means.directions(self.centred).float().mT

    @cached_property
    def seen(self) -> Tensor:
        return self._moved(self.split.seen) * self.scale

    @cached_property
    def heldout(self) -> Tensor:
        return self._moved(self.split.heldout) * self.scale

    @property
    def seen_mean(self) -> Tensor:
        """What the mean predictor answers, in the rows' units."""
        return self._moved(self.mean) * self.scale

    @property
    def mean_share(self) -> float:
        return self.seen_mean.double().square().sum().item()

    def data(self, seed: int) -> Data:
        """Shuffled batches of the training rows."""
        mean = self.mean if self.centred else None
        return Rows(self.split.train, mean=mean, scale=self.scale, seed=seed)

    def relabelled(self, seed: int) -> Tensor:
        """(n_p, K), unit means of K random groups of `seen`: classes that mean nothing."""
        order = torch.randperm(len(self.seen), generator=seeded("cpu", seed, 90))
        sums = self.seen.new_zeros(self.K, self.n_p)
        sums.index_add_(0, order % self.K, self.seen)
        return (sums / sums.norm(dim=1, keepdim=True)).mT


def both(name: str, whole: Representations, *, seed: int = 0) -> list[Case]:
    """The raw case and the centred one."""
    split = Split.of(whole, seed=seed)
    return [
        Case(f"{name}, {words}", split, centred)
        for words, centred in (("raw", False), ("centred", True))
    ]
