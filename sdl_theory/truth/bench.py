"""The Linear Representation Bench: endless or fixed streams x_p = W_p x, x_r = W_r x with the truth
W_p, W_r at hand.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from functools import cached_property
from pathlib import Path

import torch

from ..checks import Tensor, as_matrix, check_count, check_number, own, refuse
from ..machine import check_batch
from ..plain import plain
from ..problem import Problem
from ..signature import checked
from .features import feature_matrix
from .sampling import Constant, Magnitudes, ShiftedExponential, SparseFeatures, Uniform
from .streams import SAMPLE, SET, STREAM, TRUTH, Batch, Codes, Epochs, draw_codes, seeded, share

KINDS = ("sae", "transcoder", "crosscoder")
LAWS = {law.__name__: law for law in (ShiftedExponential, Uniform, Constant)}


class LinearRepresentationBench:
    """Linear Representation Bench, arXiv:2512.05534: x_p = W_p x, x_r = W_r x with n sparse
    non-negative features x and interference mu.

    Parameters
    ----------
    n, n_p : features and input dimension. n_r : target dimension, n_p by default (it may differ for
        a transcoder only).
    S : P(x_d = 0).  mu : maximum interference of the feature directions, see `feature_matrix`.
    magnitudes : law of the active features, ShiftedExponential() by default.
    seed : decides the truth and every stream.
    kind : "sae" (W_r = W_p), "transcoder" (W_r drawn independently of W_p), "crosscoder" (`blocks`
        stacked blocks of rows, each with unit columns and interference mu of its own; W_r = W_p).
        n_p counts the rows of all blocks.
    blocks : a crosscoder's number of blocks (as equal as can be), or their row counts.
    samples : size of the fixed training set (each epoch in a new order), or None for an endless
        stream.
    W_p, W_r : your own directions (unit columns, as for `Problem`) instead of drawn ones: n, n_p,
        n_r and mu are then theirs. A transcoder takes both, the other kinds W_p alone; ValueError
        otherwise.
    dtype, device : of what is drawn. A device has random numbers of its own: the same seed gives
        the same truth everywhere, but other samples on a GPU than on a CPU.

    `.batch(t, size)` is the t-th batch of the stream: the same whenever and wherever it is asked
    for, which is what lets a run be resumed, or shared out over `world` machines, without a change.
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
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}; got {kind!r}")
        if W_p is None and W_r is not None:
            raise ValueError(
                "W_r without W_p: directions of your own are W_p alone, or for a transcoder both"
            )
        if W_p is not None and W_r is None and kind == "transcoder":
            raise ValueError(
                "kind='transcoder' with W_p and no W_r: pass W_r too, or say kind='sae'"
            )
        if W_r is not None and kind != "transcoder":
            raise ValueError(
                f"kind={kind!r} has W_r = W_p: leave W_r out, or say kind='transcoder'"
            )
        if W_p is not None:
            W_p = own(as_matrix("W_p", W_p, "(n_p, n)").detach().double().cpu())
            W_r = (
                None
                if W_r is None
                else own(as_matrix("W_r", W_r, "(n_r, n)").detach().double().cpu())
            )
            if n_r is not None and n_r != len(W_p if W_r is None else W_r):
                raise ValueError(
                    f"n_r = {n_r}, but the directions given have "
                    f"{len(W_p if W_r is None else W_r)} rows; leave n_r out"
                )
            (n_p, n), n_r = W_p.shape, len(W_p if W_r is None else W_r)
        self.n_p, self.kind = check_count("n_p", n_p), kind
        self.features = SparseFeatures(n, plain("S", S), magnitudes or ShiftedExponential())
        self.n, self.S, self.magnitudes = self.features.n, self.features.S, self.features.magnitudes
        self.seed, self.mu = check_count("seed", seed, 0), plain("mu", mu)
        self.samples = None if samples is None else check_count("samples", samples)
        self.blocks = _blocks(kind, self.n_p, blocks)
        self.n_r = self.n_p if n_r is None else check_count("n_r", n_r)
        if kind != "transcoder" and self.n_r != self.n_p:
            raise ValueError(
                f"n_r = {n_r} differs from n_p = {n_p}: only kind='transcoder' has another target "
                f"than its input; got kind={kind!r}"
            )
        self.dtype, self.device = dtype, torch.device(device)
        self._truth = self._draw_truth() if W_p is None else (W_p, W_r)
        self._own = None
        if W_p is not None:
            self.mu = self.problem.mu
            ramp = lambda count: torch.arange(1, count + 1, dtype=torch.float64)
            self._own = [f"{ramp(len(W)) @ W @ ramp(n):.6g}" for W in self._truth if W is not None]
        self._rows_p = self.problem.W_p.mT.to(self.device, dtype).contiguous()
        self._rows_r = (
            self._rows_p
            if self.problem.W_r is self.problem.W_p
            else self.problem.W_r.mT.to(self.device, dtype).contiguous()
        )
        self._order = Epochs(self.samples, self.seed, self.device) if self.samples else None

    def _draw_truth(self) -> tuple[Tensor, Tensor | None]:
        parts = [
            feature_matrix(self.n, rows, self.mu, generator=seeded("cpu", self.seed, TRUTH, b))
            for b, rows in enumerate(self.blocks)
        ]
        target = (
            feature_matrix(
                self.n, self.n_r, self.mu, generator=seeded("cpu", self.seed, TRUTH, 1000)
            )
            if self.kind == "transcoder"
            else None
        )
        return torch.cat(parts), target

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
        if self.samples is None:
            codes = draw_codes(
                self.features, size, seeded(self.device, self.seed, STREAM, t, size), self.dtype
            )
            return self._expand(
                codes if world == 1 else codes.rows(torch.arange(size, device=self.device)[part])
            )
        return self._expand(self._fixed.rows(self._order.slice(t * size, size)[part]))

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
        return self._expand(
            draw_codes(
                self.features, count, seeded(self.device, self.seed, SAMPLE, seed), self.dtype
            )
        )

    def _check_room(self, name: str, size: int, world: int = 1) -> None:
        columns = self.n_p if self._rows_r is self._rows_p else self.n_p + self.n_r
        check_batch(name, size, self.n * (1 - self.S), columns / world, self.dtype, self.device)

    def _expand(self, codes: Codes) -> Batch:
        x_p = codes.times(self._rows_p)
        return Batch(x_p, x_p if self._rows_r is self._rows_p else codes.times(self._rows_r), codes)

    @cached_property
    def _fixed(self) -> Codes:
        check_batch("samples", self.samples, self.n * (1 - self.S), 0, self.dtype, self.device)
        return draw_codes(
            self.features, self.samples, seeded(self.device, self.seed, SET), self.dtype
        )

    @property
    def settings(self) -> dict:
        """All that the truth and the streams follow from, ready for JSON; of directions of your
        own, under "own", a figure that tells them apart.
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
        """Write `bench.json` and `truth.safetensors` (W_p and W_r in float64) into `folder`, each
        at once or not at all.
        """
        from ..files import write_atomically, write_tensors

        folder = Path(folder)
        truth = {
            name: value for name, value in zip(("W_p", "W_r"), self._truth) if value is not None
        }
        write_tensors(folder / "truth.safetensors", truth, {})
        write_atomically(folder / "bench.json", json.dumps(self.settings, indent=1).encode())

    @classmethod
    @checked
    def load(
        cls,
        folder: str | Path,
        *,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> LinearRepresentationBench:
        """The bench that `save` wrote: the same truth, and on the same kind of device the same
        streams.

        ValueError if bench.json and the truth beside it do not go together (shapes, unit columns,
        mu, figures of directions of your own).
        """
        from ..files import read_tensors

        file, truth = Path(folder) / "bench.json", Path(folder) / "truth.safetensors"
        tensors, _ = read_tensors(truth)
        try:
            settings = json.loads(file.read_text(encoding="utf-8"))
            law, own_figures = settings.pop("magnitudes"), settings.pop("own", None)
            magnitudes = LAWS[law.pop("law")](**law)
            _check_truth(settings, tensors)
            made = cls(
                **settings | dict(blocks=tuple(settings["blocks"])),
                magnitudes=magnitudes,
                W_p=tensors["W_p"],
                W_r=tensors.get("W_r"),
                dtype=dtype,
                device=device,
            )
        except (
            KeyError,
            TypeError,
            AttributeError,
            UnicodeDecodeError,
            RecursionError,
            json.JSONDecodeError,
        ) as error:
            raise ValueError(
                f"{file} was not written by LinearRepresentationBench.save: {error}"
            ) from None
        except ValueError as error:
            raise ValueError(
                f"{file} and {truth.name} beside it do not go together: {error}"
            ) from None
        if made.mu > settings["mu"] + 1e-6 or own_figures and not _same(own_figures, made._own):
            says = f"mu = {settings['mu']}" + (f", own = {own_figures}" if own_figures else "")
            raise ValueError(
                f"{file} says {says}; the directions of {truth.name} have mu = {made.mu:.6g}, own "
                f"= {made._own}"
            )
        # what was asked for, not what was reached: the runs' checkpoints carry it
        made.mu, made._own = settings["mu"], own_figures
        return made

    def __repr__(self):
        stream = "endless" if self.samples is None else f"{self.samples:,} samples"
        return (
            f"LinearRepresentationBench({self.kind}: n={self.n}, n_p={self.n_p}, n_r={self.n_r}, "
            f"S={self.S:g}, mu={self.mu:.3g}, "
            f"seed={self.seed}, {stream})"
        )


def _same(stored: list[str], here: list[str]) -> bool:
    """The same six digits, or a rounding apart."""
    return len(stored) == len(here) and all(
        abs(float(a) - float(b)) <= 2e-5 * max(1.0, abs(float(b))) for a, b in zip(stored, here)
    )


def _check_truth(settings: dict, tensors: dict[str, Tensor]) -> None:
    """The stored directions have the shapes that the settings say; or a ValueError."""
    n, n_p, n_r = (check_count(name, settings[name]) for name in ("n", "n_p", "n_r"))
    check_number("mu", settings["mu"])
    wanted = {"W_p": (n_p, n)} | ({"W_r": (n_r, n)} if settings["kind"] == "transcoder" else {})
    found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if found != wanted:
        raise ValueError(
            f"settings n = {n}, n_p = {n_p}, n_r = {n_r}, kind = {settings['kind']!r} call for "
            f"{wanted}; the directions stored are {found}"
        )


def _blocks(kind: str, n_p: int, blocks) -> tuple[int, ...]:
    if kind != "crosscoder":
        return (n_p,)
    if isinstance(blocks, int):
        if blocks > n_p:
            refuse(
                "blocks", f"a whole number <= n_p = {n_p}: every block has a row at least", blocks
            )
        blocks = tuple(
            n_p // blocks + (b < n_p % blocks) for b in range(check_count("blocks", blocks))
        )
    blocks = tuple(check_count("a row count in blocks", rows) for rows in blocks)
    if sum(blocks) != n_p:
        raise ValueError(f"blocks must sum to n_p = {n_p}; got {blocks}")
    return blocks
