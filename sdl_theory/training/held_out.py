"""Recovery while a model trains, on the true features that no anchor showed it."""

from __future__ import annotations

import torch

from ..checks import Tensor
from ..measure.matching import best_matches, gt_recovery, max_inner_product
from ..truth.bench import LinearRepresentationBench
from .anchors import Anchors
from .world import World


class HeldOut:
    """The features of `bench` in `mask` (n,): nonzero, and not among those that were shown."""

    def __init__(self, bench: LinearRepresentationBench, mask: Tensor):
        self.bench, self.mask = bench, mask

    @torch.no_grad()
    def recovery(self, W_E: Tensor, W_D: Tensor, world: World = World()) -> dict:
        """Shares of features with a best match > .95 and > .9, and the mean best match.

        First by the paper's literal metric, encoder raw (section 5.1, appendix B); then encoder and
        decoder by cosine.
        """
        encoder = (W_E.detach(), self.bench.W_p[:, self.mask])
        decoder = (W_D.mT.detach(), self.bench.W_r[:, self.mask])
        figures: dict = {}
        for side, pair, cosine in (
            ("encoder_raw", encoder, False),
            ("encoder", encoder, True),
            ("decoder", decoder, True),
        ):
            best = world.over_latents(best_matches(*pair, cosine=cosine), "max")
            figures[f"{side}_recovery_95"] = gt_recovery(best, 0.95)
            figures[f"{side}_recovery_90"] = gt_recovery(best, 0.9)
            figures[f"{side}_mip"] = max_inner_product(best)
        return figures


def held_out(bench, anchors: Anchors | None) -> HeldOut | None:
    """What is left to measure recovery on; None where nothing is, or nobody knows.

    Nobody knows: data of one's own, anchors without features. ValueError for anchors that name a
    feature which the bench has not.
    """
    if not isinstance(bench, LinearRepresentationBench):
        return None
    shown = () if anchors is None else anchors.features
    if shown is None:
        return None
    if max(shown, default=-1) >= bench.n:
        raise ValueError(
            f"anchors name feature {max(shown)}; "
            f"the bench has n = {bench.n} features, counted from 0"
        )
    mask = (bench.W_r != 0).any(0)  # a zero column has no direction to recover
    mask[list(shown)] = False
    return HeldOut(bench, mask) if mask.any() else None
