"""Matryoshka: several reconstructions of a sample, each with more latents, all to be good.

They go over prefixes of the dictionary (Bussmann et al. 2025), or over several k (Eq. 9 of
arXiv:2512.05534).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ...checks import Tensor, check_count
from ..pairs import Pairs, decode_pairs, top_k
from ..step import Knobs, Step
from .base import Fit, Method
from .batchtopk import BatchTopK
from .topk import TopK, largest


class Nested(Method):
    """Reconstructions from more and more latents; the last has them all.

    A pair belongs to the first of them whose bound its place is below.
    """

    usual: str  # how the loss weighs them, unless knobs.level_loss says

    def outs(self, step: Step, codes: Tensor) -> Tensor:
        """All reconstructions, (levels, ..., batch, n_r)."""
        raise NotImplementedError

    def places(self, pairs: Pairs) -> tuple[Tensor, Sequence[int]]:
        """Where each pair stands, and the bounds."""
        raise NotImplementedError

    def over_levels(self, errors: Tensor, knobs: Knobs) -> Tensor:
        """One loss of (levels, ...)."""
        return errors.sum(0) if (knobs.level_loss or self.usual) == "sum" else errors.mean(0)

    def fit(self, step: Step, codes: Tensor) -> Fit:
        outs = self.outs(step, codes)
        errors = (step.x_r - outs).square().sum((-1, -2)) * step.knobs.share
        return Fit(self.over_levels(errors, step.knobs), errors[-1], outs[-1])

    def pair_fit(self, step: Step, values: Tensor, pairs: Pairs) -> Fit:
        model, (places, bounds) = step.model, self.places(pairs)
        level = torch.searchsorted(torch.tensor(bounds, device=places.device), places, right=True)
        out = decode_pairs(values, model.W_D, pairs, levels=level, n_levels=len(bounds))
        out = out if model.b_D is None else out + model.b_D
        errors = (step.x_r[:, None] - out).square().sum(-1).sum(0) * step.knobs.share
        return Fit(self.over_levels(errors, step.knobs), errors[-1], out[:, -1])


class Matryoshka(Nested, BatchTopK):
    """Nested prefixes: the first levels[0], levels[1], ... latents must each reconstruct alone.

    BatchTopK picks the codes.
    """

    name = "matryoshka"
    dense_copies = 6
    settings = ("ks", "levels", "level_loss", "plain")
    usual = "mean"
    levels: tuple[int, ...]

    @classmethod
    def variant(cls, ks):
        return cls if ks is None else MatryoshkaOfKs

    def check_levels(self, levels):
        levels = levels or sorted({max(1, self.n_q >> shift) for shift in range(5)})
        levels = tuple(check_count("a level", level) for level in levels)
        if list(levels) != sorted(set(levels)) or levels[-1] != self.n_q:
            raise ValueError(f"levels must increase and end with n_q = {self.n_q}; got {levels}")
        return levels

    def outs(self, step: Step, codes: Tensor) -> Tensor:
        model, starts = step.model, (0, *self.levels[:-1])
        parts = [codes[..., a:b] @ model.W_D[..., a:b].mT for a, b in zip(starts, self.levels)]
        b_D = 0 if model.b_D is None else model.b_D.unsqueeze(-2)
        return torch.stack(parts).cumsum(0) + b_D

    def places(self, pairs: Pairs):
        return pairs.latents, self.levels


class MatryoshkaOfKs(Nested, TopK):
    """Eq. 9 of arXiv:2512.05534: for each k of ks the Top-k of all n_q latents must reconstruct.

    The Top-k is taken sample by sample. At inference the largest k.
    """

    name = "matryoshka"
    usual = "sum"
    ks: tuple[int, ...]

    def __init__(self, n_q: int, **settings):
        super().__init__(n_q, **settings)
        self.dense_copies = TopK.dense_copies + 1.5 * (len(self.ks) - 1)

    def check_ks(self, ks, k, levels):
        if levels is not None:
            return super().check_ks(ks, k, levels)
        if isinstance(ks, str) or not isinstance(ks, Sequence):
            raise ValueError(
                f"ks must list the numbers k_1 < ... < k_m, such as (8, 16, 32); got {ks!r}"
            )
        ks = tuple(check_count("a k of ks", one) for one in ks)
        if not ks or list(ks) != sorted(set(ks)) or k not in (None, ks[-1]):
            raise ValueError(
                f"ks must increase, and k, if given, be the last of them; got ks = {ks}, k = {k}"
            )
        return ks

    def outs(self, step: Step, codes: Tensor) -> Tensor:
        fewer = [step.model.decode(codes * largest(step.z, k)) for k in self.ks[:-1]]
        return torch.stack([*fewer, step.model.decode(codes)])

    def pairs(self, step: Step, most: float):
        """By rank: the k_j largest of the k_m come first."""
        values, latents = top_k(step.z, self.k)
        latents = latents.gather(1, values.argsort(dim=1, descending=True, stable=True))
        return Pairs.of_top_k(latents, self.n_q), None

    def places(self, pairs: Pairs):
        return torch.arange(self.k, device=pairs.latents.device).repeat(pairs.batch), self.ks
