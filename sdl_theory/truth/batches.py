"""What training reads: `Data`, anything that hands out batches."""

from __future__ import annotations

from typing import Protocol

from .streams import Batch


class Data(Protocol):
    """A LinearRepresentationBench, Samples, or a class of your own with their `batch`."""

    def batch(self, t: int, size: int, *, rank: int = 0, world: int = 1) -> Batch:
        """The t-th batch of `size` samples, the same at every call.

        Of these the share of machine `rank` of `world`. Of the answer only x_p (size, n_p) and x_r
        (size, n_r) are read.
        """
        ...
