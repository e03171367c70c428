"""What latents do on data: how many fire, which never do, how well they tell a feature."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from ..checks import Tensor, as_matrix, check_count
from ..readers import bool_mask, filled, latent_indices
from ..signature import checked
from ..truth.streams import Batch
from .matching import CHUNK


@dataclass(frozen=True, eq=False)
class F1Scores:
    """How well single latents tell when a feature is active. All (n,), one entry a feature.

    best, latent : the best F1 of any latent, and which latent.
    matched : F1 of the latent given for the feature, e.g. the one whose decoder column matches
        best; None if none was given.
    seen : active in some sample; the F1 of a feature never seen is put at 0 and not averaged.
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
    """Which latent fired with which feature, counted batch by batch.

    The memory is n * n_q counts, however many samples come by.

    together : (n, n_q), samples in which feature d was active and latent i fired.
    fired, active : (n_q,) and (n,), samples of each.
    """

    @checked
    def __init__(self, n_q: int, n: int, device: torch.device | str = "cpu"):
        shape = check_count("n", n), check_count("n_q", n_q)
        self.together = torch.zeros(shape, dtype=torch.int32, device=device)
        self.fired = self.together.new_zeros(n_q, dtype=torch.long)
        self.active = self.together.new_zeros(n, dtype=torch.long)
        self.samples = 0

    @checked(fired=bool_mask, active=bool_mask)
    def update(self, fired: Tensor, active: Tensor) -> FiringCounts:
        """Count a batch: fired (batch, n_q) and active (batch, n), both bool. Returns itself."""
        for name, mask, width in (
            ("fired", fired, len(self.fired)),
            ("active", active, len(self.active)),
        ):
            if mask.shape != (len(fired), width):
                raise ValueError(
                    f"{name} must be bool of shape (batch, {width}), such as codes != 0; "
                    f"got {mask.dtype} of shape {tuple(mask.shape)}"
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
        """F1 = 2 together / (fired + active) of each feature's best latent.

        matched : (n,) latents, whose F1 is then given too.
        """
        best, latent = [], []
        features = torch.arange(len(self.active), device=self.active.device)
        for part in features.split(max(1, CHUNK // len(self.fired))):
            scores = self._f1(self.together[part], self.fired, self.active[part, None])
            values, places = scores.max(1)
            best.append(values)
            latent.append(places)
        own = None
        if matched is not None:
            matched = matched.to(self.active.device)
            together = self.together.gather(1, matched[:, None])[:, 0]
            own = self._f1(together, self.fired[matched], self.active)
        return F1Scores(torch.cat(best), torch.cat(latent), own, self.active > 0)

    @staticmethod
    def _f1(together: Tensor, fired: Tensor, active: Tensor) -> Tensor:
        return 2 * together.double() / (fired + active).clamp(min=1)


@checked(fired=bool_mask, active=bool_mask, matched=latent_indices)
def activation_f1(fired: Tensor, active: Tensor, matched: Tensor | None = None) -> F1Scores:
    """F1 of each feature's best latent; over many batches use `FiringCounts`.

    fired, active : (samples, n_q) and (samples, n), bool.
    matched : (n,) latents, whose F1 is then given too.
    """
    counts = FiringCounts(fired.shape[1], active.shape[1], fired.device)
    return counts.update(fired, active).f1(matched)


def l0(codes: Tensor) -> float:
    """Mean number of latents that fire, nonzero entries of codes (samples, n_q), per sample."""
    return as_matrix("codes", codes, "(samples, n_q)").count_nonzero().item() / len(codes)


def total_variance(x_r: Tensor) -> float:
    """sum_s ||x_r^s - mean x_r||^2 over samples (samples, n_r), in float64.

    ValueError if they do not vary.
    """
    x_r = as_matrix("x_r", x_r, "(samples, n_r)")
    centre = x_r.mean(0, dtype=torch.float64)
    total = sum((part - centre).square().sum().item() for part in x_r.split(1024))
    if not 0 < total < math.inf:
        raise ValueError(
            f"x_r varies by {total} over {len(x_r)} samples: there is no variance to explain; "
            f"draw more samples"
        )
    return total


def explained_variance(x_r: Tensor, x_hat: Tensor) -> float:
    r"""The share of x_r's variance that x_hat explains, (samples, n_r) each.

    .. math:: 1 - \sum_s \|x_r - \hat x\|^2 / \sum_s \|x_r - \bar x_r\|^2

    One ratio of totals over all samples and dimensions, not a mean of ratios: x_r's mean scores 0,
    a worse model less than 0, a perfect one 1.
    """
    x_r = as_matrix("x_r", x_r, "(samples, n_r)")
    x_hat = as_matrix("x_hat", x_hat, "(samples, n_r)")
    if x_hat.shape != x_r.shape:
        raise ValueError(
            f"x_hat must have x_r's shape {tuple(x_r.shape)}; got {tuple(x_hat.shape)}"
        )
    return 1 - (x_r - x_hat).double().square().sum().item() / total_variance(x_r)


def dead(fired: Tensor) -> Tensor:
    """Mask (n_q,) of the latents that fired in no sample: what other libraries call dead.

    fired : (samples, n_q), or codes.
    """
    return ~(fired != 0).any(0)


def run(
    model, data: Sequence[Batch], active: Sequence[Tensor], batch: int
) -> list[tuple[FiringCounts, float]]:
    """The model on samples, `batch` of them at a time: for each instance (counts, squared error).

    counts : which latents fired with the features that `active` (samples, n) says.
    squared error : the total over all samples.
    """
    like, many, samples = model.W_E, model.W_E.ndim == 3, len(data[0].x_p)
    counts = [FiringCounts(like.shape[-2], mask.shape[1], like.device) for mask in active]
    errors = torch.zeros(len(data), dtype=torch.float64)
    step = max(1, batch // len(data))
    for start in range(0, samples, step):
        part = slice(start, start + step)
        x_p = torch.stack([one.x_p[part].to(like) for one in data])
        codes = model.encode(x_p if many else x_p[0])
        x_hat = model.decode(codes)
        for i, (code, guess) in enumerate(zip(codes, x_hat) if many else [(codes, x_hat)]):
            counts[i].update(code != 0, active[i][part].to(like.device))
            errors[i] += (guess - data[i].x_r[part].to(like)).double().square().sum().item()
    if not torch.isfinite(errors).all():
        raise ValueError(
            f"the model's reconstruction is not finite: total squared error {errors.tolist()}. "
            f"Its training diverged; lower the learning rate"
        )
    return list(zip(counts, errors.tolist()))
