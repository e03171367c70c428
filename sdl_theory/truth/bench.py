"""The Linear Representation Bench: endless or fixed streams of samples, their truth at hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from functools import cached_property
from pathlib import Path

import torch

from ..checks import Tensor, check_count
from ..machine import check_batch
from ..plain import plain
from ..problem import Problem
from ..signature import checked
from .bench_files import read_bench, write_bench
from .bench_kinds import check_kind, fingerprint, read_directions, row_counts
from .features import feature_matrix
from .sampling import Magnitudes, ShiftedExponential, SparseFeatures
from .streams import SAMPLE, SET, STREAM, TRUTH, Batch, Codes, Epochs, draw_codes, seeded, share


class LinearRepresentationBench:
    """Linear Representation Bench, arXiv:2512.05534: x_p = W_p x, x_r = W_r x.

    n sparse non-negative features x, whose directions W_p, W_r, of interference mu, are at hand.

    n, n_p : features and input dimension.
    n_r : target dimension, n_p by default (it may differ for a transcoder only).
    S : P(x_d = 0).
    mu : maximum interference of the feature directions, see `feature_matrix`.
    magnitudes : law of the active features, ShiftedExponential() by default.
    seed : decides the truth and every stream.
    kind : "sae" (W_r = W_p), "transcoder" (W_r drawn independently of W_p), "crosscoder" (`blocks`
        stacked blocks of rows, each with unit columns and interference mu of its own; W_r = W_p).
        n_p counts the rows of all blocks.
    blocks : a crosscoder's number of blocks (as equal as can be), or their row counts.
    samples : size of the fixed training set (each epoch in a new order), or None for an
        endless stream.
    W_p, W_r : your own directions (unit columns, as for `Problem`) instead of drawn ones: n,
        n_p, n_r and mu are then theirs. A transcoder takes both, the other kinds W_p alone;
        ValueError otherwise.
    dtype, device : of what is drawn. A device has random numbers of its own: the same seed gives
        the same truth everywhere, but other samples on a GPU than on a CPU.

    `.batch(t, size)` is the t-th batch of the stream: the same whenever and wherever it is asked
    for, which is what lets a run be resumed, or shared out over `world` machines, without a change.

    >>> import torch
    >>> from sdl_theory import LinearRepresentationBench
    >>> bench = LinearRepresentationBench(n=12, n_p=8, S=0.9, mu=0.5, samples=None)
    >>> bench
    LinearRepresentationBench(sae: n=12, n_p=8, n_r=8, S=0.9, mu=0.5, seed=0, endless)
    >>> batch = bench.batch(0, 32)
    >>> batch.x_p.shape, batch.x.shape
    (torch.Size([32, 8]), torch.Size([32, 12]))
    >>> torch.allclose(batch.x_p, batch.x @ bench.W_p.mT, atol=1e-5)
    True
    """

    @checked
    def __init__(
        self,
        n: int = 1000,
        n_p: int = 768,
        S: float = 0.99,
        mu: float = 0.1,
        magnitudes: Magnitudes | None = None,
        seed: int = 0,
        kind: str = "sae",
        *,
        n_r: int | None = None,
        blocks: int | tuple[int, ...] = 2,
        samples: int | None = 100_000,
        W_p: Tensor | None = None,
        W_r: Tensor | None = None,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ):
        check_kind(kind, W_p, W_r)
        own = None
        if W_p is not None:
            own = read_directions(W_p, W_r, n_r)
            (n_p, n), n_r = own[0].shape, len(own[0] if own[1] is None else own[1])
        self.n_p, self.kind = check_count("n_p", n_p), kind
        self.features = SparseFeatures(n, plain("S", S), magnitudes or ShiftedExponential())
        self.n, self.S, self.magnitudes = self.features.n, self.features.S, self.features.magnitudes
        self.seed, self.mu = check_count("seed", seed, 0), plain("mu", mu)
        self.samples = None if samples is None else check_count("samples", samples)
        self.blocks = row_counts(kind, self.n_p, blocks)
        self.n_r = self.n_p if n_r is None else check_count("n_r", n_r)
        if kind != "transcoder" and self.n_r != self.n_p:
            raise ValueError(
                f"n_r = {n_r} differs from n_p = {n_p}: "
                f"only kind='transcoder' has another target than its input; got kind={kind!r}"
            )
        self.dtype, self.device = dtype, torch.device(device)
        self._truth = own or self._draw_truth()
        if own is not None:
            self.mu = self.problem.mu
        self._own = None if own is None else fingerprint(own)
        as_rows = lambda W: W.mT.to(self.device, dtype).contiguous()
        same = self.problem.W_r is self.problem.W_p
        self._rows_p = as_rows(self.problem.W_p)
        self._rows_r = self._rows_p if same else as_rows(self.problem.W_r)

    def _draw_truth(self) -> tuple[Tensor, Tensor | None]:
        drawn = lambda rows, place: feature_matrix(
            self.n, rows, self.mu, generator=seeded("cpu", self.seed, TRUTH, place)
        )
        W_p = torch.cat([drawn(rows, block) for block, rows in enumerate(self.blocks)])
        return W_p, drawn(self.n_r, 1000) if self.kind == "transcoder" else None

    @cached_property
    def problem(self) -> Problem:
        """The bench as a Problem in float64: W_p, W_r and M_d of the features."""
        return Problem(*self._truth, self.features.M_d, blocks=self.blocks)

    @property
    def W_p(self) -> Tensor:
        """(n_p, n) true directions in the input, in the bench's dtype, on its device."""
        return self._rows_p.mT

    @property
    def W_r(self) -> Tensor:
        """(n_r, n) true directions in the target."""
        return self._rows_r.mT

    @checked
    def batch(self, t: int, size: int, *, rank: int = 0, world: int = 1) -> Batch:
        """The t-th batch of `size` samples; of these the share of machine `rank` of `world`."""
        part, t = share(size, rank, world), check_count("t", t, 0)
        self._check_room("batch", size, world)
        if self.samples is not None:
            return self._expand(self._fixed.rows(self._order.slice(t * size, size)[part]))
        codes = self._draw(size, STREAM, t, size)
        if world > 1:
            codes = codes.rows(torch.arange(size, device=self.device)[part])
        return self._expand(codes)

    @checked
    def batches(self, size: int, *, start: int = 0) -> Iterator[Batch]:
        """The stream from batch `start` on, without end."""
        start = check_count("start", start, 0)
        while True:
            yield self.batch(start, size)
            start += 1

    @checked
    def sample(self, count: int, seed: int = 1) -> Batch:
        """`count` fresh samples that no training stream holds: to evaluate on."""
        self._check_room("count", count := check_count("count", count))
        return self._expand(self._draw(count, SAMPLE, seed))

    def _draw(self, size: int, *words: int) -> Codes:
        """`size` samples of the stream that these words name."""
        generator = seeded(self.device, self.seed, *words)
        return draw_codes(self.features, size, generator, self.dtype)

    def _check_room(self, name: str, size: int, world: int = 1) -> None:
        columns = self.n_p if self._rows_r is self._rows_p else self.n_p + self.n_r
        self._check_bytes(name, size, columns / world)

    def _check_bytes(self, name: str, size: int, columns: float) -> None:
        check_batch(
            name,
            size,
            active=self.n * (1 - self.S),
            columns=columns,
            dtype=self.dtype,
            device=self.device,
        )

    def _expand(self, codes: Codes) -> Batch:
        x_p = codes.times(self._rows_p)
        return Batch(x_p, x_p if self._rows_r is self._rows_p else codes.times(self._rows_r), codes)

    @cached_property
    def _fixed(self) -> Codes:
        assert self.samples is not None
        self._check_bytes("samples", self.samples, 0)
        return self._draw(self.samples, SET)

    @cached_property
    def _order(self) -> Epochs:
        assert self.samples is not None
        return Epochs(self.samples, self.seed, self.device)

    @property
    def settings(self) -> dict:
        """All that the truth and the streams follow from, ready for JSON.

        Of directions of your own, under "own", a figure that tells them apart.
        """
        law = {"law": type(self.magnitudes).__name__} | {
            name: plain(name, value) for name, value in asdict(self.magnitudes).items()
        }
        return dict(
            n=self.n,
            n_p=self.n_p,
            n_r=self.n_r,
            S=self.S,
            mu=self.mu,
            magnitudes=law,
            seed=self.seed,
            kind=self.kind,
            blocks=list(self.blocks),
            samples=self.samples,
        ) | ({"own": self._own} if self._own else {})

    @checked
    def save(self, folder: str | Path) -> None:
        """Write `bench.json` and `truth.safetensors` into `folder`, each at once or not at all.

        The latter holds W_p and W_r in float64.
        """
        write_bench(self, Path(folder))

    @classmethod
    @checked
    def load(
        cls,
        folder: str | Path,
        *,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> LinearRepresentationBench:
        """The bench that `save` wrote: the same truth; the same streams on the same kind of device.

        ValueError if bench.json and the truth beside it do not go together (shapes, unit columns,
        mu, figures of directions of your own).
        """
        return read_bench(cls, Path(folder), dtype, device)

    def __repr__(self):
        stream = "endless" if self.samples is None else f"{self.samples:,} samples"
        return (
            f"LinearRepresentationBench({self.kind}: n={self.n}, n_p={self.n_p}, n_r={self.n_r}, "
            f"S={self.S:g}, mu={self.mu:.3g}, seed={self.seed}, {stream})"
        )
