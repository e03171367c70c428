"""What an instance of a model is measured on: its bench, and the features held out of training.

And their directions beside the learned ones.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..checks import Tensor, as_matrix
from ..theory.patterns import check_group


def for_each(what: str, given: Sequence, count: int) -> list:
    """One of them for each of `count` instances; a single one serves all."""
    if len(given) not in (1, count):
        raise ValueError(
            f"{len(given)} {what} for {count} model instances; give one for all, or one each"
        )
    return list(given) * (count // len(given))


def heldout_features(anchored, benches: Sequence) -> list[Tensor]:
    """The features of each bench that training was not shown."""
    if anchored is None:
        raise ValueError(
            "anchored must list the true features that training was shown, () if none; "
            "nobody knows which are held out if it is None"
        )
    anchored = list(anchored)
    nested = any(getattr(one, "ndim", isinstance(one, Sequence)) for one in anchored)
    lists = anchored if nested else [anchored]
    heldout = []
    for shown, bench in zip(for_each("lists of anchored features", lists, len(benches)), benches):
        shown = check_group(shown, bench.n, "anchored")
        if len(shown) == bench.n:
            raise ValueError(
                f"all n = {bench.n} features are anchored: "
                f"recovery is judged on held-out features, and none is left. Anchor fewer"
            )
        mask = torch.ones(bench.n, dtype=torch.bool)
        mask[shown] = False
        heldout.append(mask.nonzero()[:, 0])
    return heldout


def sides(W_E: Tensor, W_D: Tensor, bench, kept: Tensor) -> tuple[dict, dict]:
    """The learned rows and the true columns of the encoder and of the decoder."""
    if (W_E.shape[1], W_D.shape[0]) != (bench.n_p, bench.n_r):
        raise ValueError(
            f"the model maps n_p = {W_E.shape[1]} to n_r = {W_D.shape[0]}, "
            f"but the bench n_p = {bench.n_p} to n_r = {bench.n_r}; "
            f"evaluate a model on the bench it was trained on"
        )
    encoder, decoder = as_matrix("W_E", W_E, "(n_q, n_p)"), as_matrix("W_D", W_D, "(n_r, n_q)").mT
    W_p, W_r = bench.W_p[:, kept].to(W_E), bench.W_r[:, kept].to(W_E)
    return dict(encoder=encoder, decoder=decoder), dict(encoder=W_p, decoder=W_r)
