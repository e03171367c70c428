"""Are the true directions in the learned ones, and by how much more than chance?

Weights alone: no samples. `report.evaluate` puts these figures together with those on samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ..checks import Tensor, as_matrix, as_tensor, check_count
from ..estimate import Estimate, interval
from ..signature import checked
from .matching import (
    best_pairs,
    gt_recovery,
    max_inner_product,
    mcc,
    products,
    recovery_curve,
    unit_rows,
    unit_truth,
)

# the paper's own metric (section 5.1) first
ORDER = (("encoder", "raw"), ("encoder", "cosine"), ("decoder", "cosine"), ("decoder", "raw"))


@dataclass(frozen=True)
class Null:
    """What chance scores: each an `Estimate` with a 95% interval over the draws.

    mip : mean best match.
    recovery : GT recovery at each tau.
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
    """The recovery figures of n_q random rows: what a dictionary that learned nothing scores.

    truth : (d, n), the true columns.
    norms : (n_q,), those of the rows, the null of raw matches; by default rows are normalized.

    Rows are Gaussian. 16,000 rows in R^768 score a mean best |cos| of .148, so an MIP of .2 is no
    sign of learning.
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
    """Best matches of random rows with truth (d, n): shape (m, draws, n).

    norms : (m, n_q), several lists of row norms at once.
    """
    generator, draws = generator or torch.Generator().manual_seed(0), check_count("draws", draws)
    norms, truth = as_matrix("norms", norms, "(m, n_q)").detach(), unit_truth(truth)
    best = truth.new_zeros(len(norms), draws, truth.shape[1])
    for draw in range(draws):
        rows = torch.randn(
            norms.shape[1],
            len(truth),
            generator=generator,
            dtype=truth.dtype,
            device=generator.device,
        ).to(truth.device)
        for part, found in products(unit_rows(rows), truth):
            for m, lengths in enumerate(norms.to(truth)):
                best[m, draw] = torch.maximum(best[m, draw], (found * lengths[part]).amax(1))
    return best


@dataclass(frozen=True, eq=False)
class Recovery:
    """The held-out features on one side, in one measure.

    side : "encoder" (W_E against W_p) or "decoder" (W_D against W_r).
    measure : "cosine" or "raw"; encoder, raw is the paper's literal metric (section 5.1,
        appendix B).
    matches, latents : (n_heldout,) best matches, and the latents that reach them.
    null : what random rows, for "raw" of the learned rows' norms, score.
    mcc : Hungarian, of cosines only.
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

    def figures(self) -> dict[str, float | None]:
        """recovery_95, mip, null_mip, null_recovery_95 and mcc, by name.

        A tau of .95 is written 95.
        """
        label = lambda tau: f"{100 * tau:g}".replace(".", "_")
        chance = self.null.recovery.items()
        return {
            **{f"recovery_{label(tau)}": share for tau, share in self.recovery.items()},
            "mip": self.mip,
            "null_mip": self.null.mip.value,
            **{f"null_recovery_{label(tau)}": share.value for tau, share in chance},
            "mcc": self.mcc,
        }


def recoveries(
    rows: dict[str, Tensor],
    truth: dict[str, Tensor],
    *,
    taus: Sequence[float],
    draws: int,
    seed: int,
) -> dict[tuple[str, str], Recovery]:
    """The four Recoveries of one model, by (side, measure), in the order of `ORDER`.

    rows, truth : of its "encoder" and its "decoder", the learned rows (n_q, d) and the true
        columns (d, n).
    """
    found = {}
    # an SAE's two sides have one truth, and its random rows need drawing once
    alike = torch.equal(truth["encoder"], truth["decoder"])
    for sides in [["encoder", "decoder"]] if alike else [["encoder"], ["decoder"]]:
        lengths = [rows[side].norm(dim=1) for side in sides]
        norms = torch.stack([torch.ones_like(lengths[0]), *lengths])
        generator = torch.Generator().manual_seed(seed)
        of_units, *of_rows = random_matches(
            truth[sides[0]], norms, draws=draws, generator=generator
        )
        for side, of_lengths in zip(sides, of_rows):
            pair = rows[side], truth[side]
            for measure, chance in (("cosine", of_units), ("raw", of_lengths)):
                matches, latents = best_pairs(*pair, cosine=measure == "cosine")
                found[side, measure] = Recovery(
                    side=side,
                    measure=measure,
                    matches=matches.cpu(),
                    latents=latents.cpu(),
                    null=Null.of(chance, taus),
                    mcc=mcc(*pair) if measure == "cosine" else None,
                )
    return {which: found[which] for which in ORDER}
