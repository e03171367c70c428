"""Rows: representations as training reads them, endless shuffled epochs over a mapped file."""

from __future__ import annotations

import torch

from ..checks import Tensor, check_count, check_number
from ..machine import check_batch
from ..signature import checked
from ..truth.streams import Batch, Epochs, share
from .store import Representations

SAMPLE = 256  # rows by which a checkpoint knows the data again: all would be a pass over the file


class Rows:
    """Batches of (x_p - mean) * scale, from rows that stay where they are.

    representations : x_p, (N, n_p).
    targets : x_r, (N, n_r), of a transcoder; x_r = x_p by default.
    mean : (n_p,), taken from every row, such as `class_means(...).mean`; none by default.
    scale : a number > 0; 1 / sqrt of the mean of ||x - mean||^2 makes rows of length 1 on average.
    target_mean, target_scale : the same of `targets`.
    seed : of the order.

    `.batch(t, size)` and `.settings` as of `Samples`. Each epoch shows each row once; its order
    takes 8 N bytes. ValueError on rows that do not match, or, when they are read, are not finite.

    >>> import numpy as np
    >>> from sdl_theory.representations.rows import Rows
    >>> from sdl_theory.representations.store import Representations
    >>> data = Rows(Representations(np.array([[1.0], [2.0], [3.0]])), scale=10.0)
    >>> data.batch(0, 3).x_p.sort(dim=0).values
    tensor([[10.],
            [20.],
            [30.]])
    """

    @checked
    def __init__(
        self,
        representations: Representations,
        *,
        targets: Representations | None = None,
        mean: Tensor | None = None,
        scale: float = 1.0,
        target_mean: Tensor | None = None,
        target_scale: float = 1.0,
        seed: int = 0,
    ):
        self.representations, self.targets = representations, targets
        self.mean, self.scale = _shift("", representations, mean=mean, scale=scale)
        if targets is None and (target_mean is not None or target_scale != 1.0):
            raise ValueError("target_mean and target_scale are of targets; pass targets=")
        if targets is not None:
            if len(targets) != len(representations):
                raise ValueError(
                    f"targets must have one row for each of the {len(representations)} rows; "
                    f"got {len(targets)}"
                )
            self.target_mean, self.target_scale = _shift(
                "target_", targets, mean=target_mean, scale=target_scale
            )
        self._order = Epochs(len(representations), check_count("seed", seed, 0), "cpu")

    def __len__(self) -> int:
        return len(self.representations)

    @property
    def settings(self) -> dict:
        """What a checkpoint remembers, to notice that a run goes on with other data."""
        every = torch.linspace(0, len(self) - 1, min(SAMPLE, len(self)), dtype=torch.float64).long()
        x_p, x_r = self._pair(every)
        return dict(
            shape=[len(self), x_p.shape[1], x_r.shape[1]],
            seed=self._order.seed,
            sum=f"{x_p.double().sum() + x_r.double().sum():.6g}",
            squares=f"{x_p.double().square().sum() + x_r.double().square().sum():.6g}",
        )

    @checked
    def batch(self, t: int, size: int, *, rank: int = 0, world: int = 1) -> Batch:
        """The t-th batch of `size` rows; of these the share of machine `rank` of `world`."""
        part = share(size, rank, world)
        columns = self.representations.n_p + (self.targets.n_p if self.targets else 0)
        check_batch(
            "batch",
            size,
            active=0,
            columns=columns // world,
            dtype=torch.float32,
            device="cpu",
        )
        return Batch(
            *self._pair(self._order.slice(check_count("t", t, 0) * size, size)[part]), None
        )

    def _pair(self, places: Tensor) -> tuple[Tensor, Tensor]:
        x_p = (self.representations.rows(places) - self.mean) * self.scale
        if self.targets is None:
            return x_p, x_p
        return x_p, (self.targets.rows(places) - self.target_mean) * self.target_scale


def _shift(prefix: str, rows: Representations, *, mean, scale) -> tuple[Tensor, float]:
    """A mean (zeros if none) and a scale, checked against the rows that they are for."""
    if mean is not None and mean.shape != (rows.n_p,):
        raise ValueError(
            f"{prefix}mean must have shape ({rows.n_p},), one entry a column; "
            f"got {tuple(mean.shape)}"
        )
    mean = torch.zeros(rows.n_p) if mean is None else mean.detach().to("cpu", torch.float32)
    if not torch.isfinite(mean).all():
        raise ValueError(f"{prefix}mean must be finite")
    return mean, check_number(f"{prefix}scale", scale, above=0)
