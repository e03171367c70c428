"""What latents do on data: how many fire, which never do, how well they tell a feature."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from ..checks import Tensor, as_matrix, check_count
from ..signature import bool_mask, checked, filled, latent_indices
from .matching import CHUNK


@dataclass(frozen=True, eq=False)
class F1Scores:
    """How well single latents tell when a feature is active. All (n,), one entry a feature.

    best, latent : the best F1 of any latent, and which latent.  matched : F1 of the latent given
        for the feature, e.g. the one whose decoder
    column matches best; None if none was given.  seen : active in some sample; the F1 of a feature
    never seen is put at 0 and not averaged.
    """

    best: Tensor
    latent: Tensor
    matched: Tensor | None
    seen: Tensor

    @checked(which=filled("best", "matched"))
    def mean(self, which: str = "best") -> float:
        """Mean of `best` or `matched` over the features seen; ValueError if none was."""
        if not self.seen.any():
            raise ValueError(
                "no feature was active in these samples, so there is no F1; draw more samples"
            )
        return getattr(self, which)[self.seen].mean().item()


class FiringCounts:
    """Which latent fired with which feature, counted batch by batch: the memory is n * n_q counts,
    however many samples come by.

    together : (n, n_q) samples in which feature d was active and latent i fired.  fired (n_q,),
        active (n,) : samples of each.
    """

    @checked
    def __init__(self, n_q: int, n: int, device: torch.device | str = "cpu"):
        self.together = torch.zeros(
            check_count("n", n), check_count("n_q", n_q), dtype=torch.int32, device=device
        )
        self.fired, self.active = (
            self.together.new_zeros(n_q, dtype=torch.long),
            self.together.new_zeros(n, dtype=torch.long),
        )
        self.samples = 0

    @checked(fired=bool_mask, active=bool_mask)
    def update(self, fired: Tensor, active: Tensor) -> FiringCounts:
        """Count a batch: fired (batch, n_q) and active (batch, n), both bool. Returns itself."""
        for name, mask, width in (
            ("fired", fired, len(self.fired)),
            ("active", active, len(self.active)),
        ):
            if (
                mask.dtype != torch.bool
                or mask.ndim != 2
                or mask.shape[1] != width
                or len(mask) != len(fired)
            ):
                raise ValueError(
                    f"{name} must be bool of shape (batch, {width}), such as codes != 0; got "
                    f"{mask.dtype} of shape {tuple(mask.shape)}"
                )
        feature, sample = active.mT.nonzero(as_tuple=True)
        starts = torch.searchsorted(feature, torch.arange(active.shape[1], device=feature.device))
        # features are active rarely: summing the rows of `fired` in their few samples is far less
        # work than active^T fired
        self.together += F.embedding_bag(sample, fired.float(), starts, mode="sum").int()
        self.fired += fired.sum(0)
        self.active += active.sum(0)
        self.samples += len(fired)
        return self

    def f1(self, matched: Tensor | None = None) -> F1Scores:
        """F1 = 2 together / (fired + active) of each feature's best latent, and of latents
        `matched` (n,) if given.
        """
        best, latent = [], []
        for part in torch.arange(len(self.active), device=self.active.device).split(
            max(1, CHUNK // len(self.fired))
        ):
            values, places = self._f1(self.together[part], self.fired, self.active[part, None]).max(
                1
            )
            best.append(values)
            latent.append(places)
        own = None
        if matched is not None:
            matched = matched.to(self.active.device)
            own = self._f1(
                self.together.gather(1, matched[:, None])[:, 0], self.fired[matched], self.active
            )
        return F1Scores(torch.cat(best), torch.cat(latent), own, self.active > 0)

    @staticmethod
    def _f1(together: Tensor, fired: Tensor, active: Tensor) -> Tensor:
        return 2 * together.double() / (fired + active).clamp(min=1)


@checked(fired=bool_mask, active=bool_mask, matched=latent_indices)
def activation_f1(fired: Tensor, active: Tensor, matched: Tensor | None = None) -> F1Scores:
    """F1 of each feature's best latent, from fired (samples, n_q) and active (samples, n), bool;
    over many batches use `FiringCounts`.
    """
    return (
        FiringCounts(fired.shape[1], active.shape[1], fired.device)
        .update(fired, active)
        .f1(matched)
    )


def l0(codes: Tensor) -> float:
    """Mean number of latents that fire, nonzero entries of codes (samples, n_q), per sample."""
    return as_matrix("codes", codes, "(samples, n_q)").count_nonzero().item() / len(codes)


def total_variance(x_r: Tensor) -> float:
    """sum_s ||x_r^s - mean x_r||^2 over samples (samples, n_r), in float64; ValueError if they do
    not vary.
    """
    x_r = as_matrix("x_r", x_r, "(samples, n_r)")
    centre = x_r.mean(0, dtype=torch.float64)
    total = sum((part - centre).square().sum().item() for part in x_r.split(1024))
    if not 0 < total < math.inf:
        raise ValueError(
            f"x_r varies by {total} over {len(x_r)} samples: there is no variance to explain; draw "
            f"more samples"
        )
    return total


def explained_variance(x_r: Tensor, x_hat: Tensor) -> float:
    r"""The share of x_r's variance that x_hat explains, :math:`1 - \sum_s \|x_r - \hat x\|^2 /
    \sum_s \|x_r - \bar x_r\|^2`, for (samples, n_r) each.

    One ratio of totals over all samples and dimensions, not a mean of ratios: x_r's mean scores 0,
    a worse model less than 0, a perfect one 1.
    """
    x_r, x_hat = (
        as_matrix("x_r", x_r, "(samples, n_r)"),
        as_matrix("x_hat", x_hat, "(samples, n_r)"),
    )
    if x_hat.shape != x_r.shape:
        raise ValueError(
            f"x_hat must have x_r's shape {tuple(x_r.shape)}; got {tuple(x_hat.shape)}"
        )
    return 1 - (x_r - x_hat).double().square().sum().item() / total_variance(x_r)


def dead(fired: Tensor) -> Tensor:
    """Mask (n_q,) of the latents that fired in no sample, from fired (samples, n_q) or codes: what
    other libraries call dead.
    """
    return ~(fired != 0).any(0)
