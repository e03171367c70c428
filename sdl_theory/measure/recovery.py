"""Are the true directions in the learned ones, by how much more than chance, and which rows are
dead, doubled or mirrored?

Weights alone: no samples. `metrics.evaluate` puts these figures together with those on samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ..checks import Tensor, as_matrix, as_tensor, check_count
from ..estimate import Estimate, interval
from ..signature import checked
from .matching import (
    _products,
    _unit_truth,
    gt_recovery,
    max_inner_product,
    recovery_curve,
    unit_rows,
)


@dataclass(frozen=True)
class Null:
    """What chance scores. mip : mean best match; recovery : GT recovery at each tau; each an
    `Estimate` with a 95% interval over the draws.
    """

    mip: Estimate
    recovery: dict[float, Estimate]

    @classmethod
    def of(cls, matches: Tensor, taus: Sequence[float]) -> Null:
        """From `random_matches`, (draws, n)."""
        return cls(
            interval(max_inner_product(matches)),
            {tau: interval(gt_recovery(matches, tau)) for tau in taus},
        )


@checked
def null_baseline(
    n_q: int,
    truth: Tensor,
    *,
    draws: int = 8,
    generator: torch.Generator | None = None,
    taus: Sequence[float] = (0.9, 0.95),
    norms: Tensor | None = None,
) -> Null:
    """The recovery figures of n_q random rows: what a dictionary that learned nothing scores
    against truth (d, n).

    Rows are Gaussian, normalized; with `norms` (n_q,) they are given those norms, the null of raw
    matches. 16,000 rows in R^768 score a mean best |cos| of .148, so an MIP of .2 is no sign of
    learning.
    """
    norms = torch.ones(check_count("n_q", n_q)) if norms is None else as_tensor("norms", norms)
    if norms.shape != (n_q,):
        raise ValueError(
            f"norms must have shape (n_q,) = ({n_q},), one per row; got {tuple(norms.shape)}"
        )
    return Null.of(random_matches(truth, norms[None], draws=draws, generator=generator)[0], taus)


@torch.no_grad()
def random_matches(
    truth: Tensor, norms: Tensor, *, draws: int = 8, generator: torch.Generator | None = None
) -> Tensor:
    """Best matches of random rows with truth (d, n), for several lists of row norms (m, n_q) at
    once: shape (m, draws, n).
    """
    generator, draws = generator or torch.Generator().manual_seed(0), check_count("draws", draws)
    norms, truth = as_matrix("norms", norms, "(m, n_q)").detach(), _unit_truth(truth)
    best = truth.new_zeros(len(norms), draws, truth.shape[1])
    for draw in range(draws):
        rows = torch.randn(
            norms.shape[1],
            len(truth),
            generator=generator,
            dtype=truth.dtype,
            device=generator.device,
        ).to(truth.device)
        for part, products in _products(unit_rows(rows), truth):
            for m, lengths in enumerate(norms.to(truth)):
                best[m, draw] = torch.maximum(best[m, draw], (products * lengths[part]).amax(1))
    return best


@dataclass(frozen=True, eq=False)
class Recovery:
    """The held-out features on one side, "encoder" (W_E against W_p) or "decoder" (W_D against
    W_r), in one measure, "cosine" or "raw".

    Encoder, raw is the paper's literal metric (section 5.1, appendix B).
    matches, latents : (n_heldout,) best matches, and the latents that reach them.  null : what
        random rows, for "raw" of the learned rows'
    norms, score.  mcc : Hungarian, of cosines only.
    """

    side: str
    measure: str
    matches: Tensor
    latents: Tensor
    null: Null
    mcc: float | None

    @property
    def recovery(self) -> dict[float, float]:
        """GT recovery at each tau."""
        return {tau: gt_recovery(self.matches, tau) for tau in self.null.recovery}

    @property
    def mip(self) -> float:
        """Mean best match."""
        return max_inner_product(self.matches)

    @property
    def curve(self) -> tuple[Tensor, Tensor]:
        """GT recovery at every tau, see `recovery_curve`."""
        return recovery_curve(self.matches)

    def figures(self) -> dict[str, float]:
        """recovery_95, mip, null_mip, null_recovery_95 and mcc, by name; a tau of .95 is written
        95.
        """
        label = lambda tau: f"{100 * tau:g}".replace(".", "_")
        figures = {f"recovery_{label(tau)}": share for tau, share in self.recovery.items()} | dict(
            mip=self.mip, null_mip=self.null.mip.value
        )
        return (
            figures
            | {
                f"null_recovery_{label(tau)}": share.value
                for tau, share in self.null.recovery.items()
            }
            | dict(mcc=self.mcc)
        )
