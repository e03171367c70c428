"""Samples of your own: activations in memory, as seeded shuffled batches."""

from __future__ import annotations

from ..checks import Tensor, as_matrix, check_count
from ..machine import check_batch
from ..signature import checked
from .streams import Batch, Epochs, share


class Samples:
    """Your own pairs (x_p, x_r) as endless shuffled epochs.

    x_p, x_r : tensors of shape (N, n_p) and (N, n_r); x_r = x_p by default. Float tensors are
        shared, not copied (they may be large): leave them alone while a run reads them.

    `.batch(t, size)` as in `LinearRepresentationBench`. Raises ValueError on shapes that do not
    match, or numbers that are not finite.

    >>> import torch
    >>> from sdl_theory import Samples
    >>> data = Samples(torch.tensor([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]], dtype=torch.float64))
    >>> data.batch(0, 3).x_p.sort(dim=0).values  # an epoch, shuffled: each sample once
    tensor([[0., 1.],
            [2., 3.],
            [4., 5.]], dtype=torch.float64)
    """

    @checked
    def __init__(self, x_p: Tensor, x_r: Tensor | None = None, *, seed: int = 0):
        self.x_p = as_matrix("x_p", x_p, "(N, n_p)")
        self.x_r = self.x_p if x_r is None else as_matrix("x_r", x_r, "(N, n_r)")
        if len(self.x_p) != len(self.x_r):
            raise ValueError(
                f"x_p and x_r must have one row a sample; "
                f"got {len(self.x_p)} and {len(self.x_r)} rows"
            )
        self._order = Epochs(len(self.x_p), check_count("seed", seed, 0), self.x_p.device)

    @property
    def settings(self) -> dict:
        """What a checkpoint remembers, to notice that a run goes on with other data."""
        return dict(
            shape=[*self.x_p.shape, self.x_r.shape[1]],
            seed=self._order.seed,
            sum=f"{self.x_p.double().sum() + self.x_r.double().sum():.6g}",
        )

    @checked
    def batch(self, t: int, size: int, *, rank: int = 0, world: int = 1) -> Batch:
        """The t-th batch of `size` samples; of these the share of machine `rank` of `world`."""
        part = share(size, rank, world)
        check_batch(
            "batch",
            size,
            active=0,
            columns=(self.x_p.shape[1] + self.x_r.shape[1]) // world,
            dtype=self.x_p.dtype,
            device=self.x_p.device,
        )
        rows = self._order.slice(check_count("t", t, 0) * size, size)[part]
        x_p = self.x_p[rows]
        return Batch(x_p, x_p if self.x_r is self.x_p else self.x_r[rows], None)
