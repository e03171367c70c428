"""The pull of anchors on a model's first rows and columns: a term of the loss."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..checks import Tensor
from .anchors import Anchors, check_one_each
from .model import SDLModel


class AnchorLoss:
    r"""The pull of known directions on a model: a term of the loss, summed over instances.

    :math:`\lambda (\|W_E[:k] - \tilde W_p^T\|_F^2 + \|W_D[:, :k] - \tilde W_r\|_F^2)`

    anchors : Anchors, for all instances; or with instances a list of them, one each (None: that one
        is not anchored).
    lam : lambda_anchor, a number or one per instance.
    encoder : False anchors the decoder alone.

    k : how many of the model's latents are pulled; of latents cut over processes, of its part.
    """

    def __init__(
        self,
        anchors: Anchors | Sequence[Anchors | None],
        lam: float | Sequence[float],
        model: SDLModel,
        *,
        encoder: bool = True,
    ):
        many = model.instances or 1
        listed = [anchors] if isinstance(anchors, Anchors) else list(anchors)
        if len(listed) == 1:
            listed = listed * many
        check_one_each(listed, many)
        self.encoder = encoder
        k, n_q = max((a.k for a in listed if a is not None), default=0), model.settings["n_q"]
        if k > n_q:
            raise ValueError(f"anchors k = {k} exceeds the model's n_q = {n_q} latents")
        self.k = len(range(k)[model.part])
        like = model.W_E
        weights = _weights(lam, many, like)
        self.rows = like.new_zeros(many, self.k, model.n_p)
        self.columns = like.new_zeros(many, model.n_r, self.k)
        self.weight = like.new_zeros(many, self.k)
        for i, a in enumerate(listed):
            if a is None:
                continue
            if a.W_E.shape[1] != model.n_p or a.W_D.shape[0] != model.n_r:
                raise ValueError(
                    f"anchors have n_p = {a.W_E.shape[1]}, n_r = {a.W_D.shape[0]}; "
                    f"the model has {model.n_p}, {model.n_r}"
                )
            rows, columns = a.W_E[model.part].to(like), a.W_D[:, model.part].to(like)
            self.rows[i, : len(rows)], self.columns[i, :, : len(rows)] = rows, columns
            self.weight[i, : len(rows)] = weights[i]
        if model.instances is None:
            self.rows, self.columns, self.weight = self.rows[0], self.columns[0], self.weight[0]

    def __call__(self, model: SDLModel) -> Tensor:
        misses = (model.W_D[..., : self.k] - self.columns).square().sum(-2)
        if self.encoder:
            rows = (model.W_E[..., : self.k, :] - self.rows).square().sum(-1)
            misses = rows + misses
        return (self.weight * misses).sum()


def _weights(lam: float | Sequence[float], many: int, like: Tensor) -> Tensor:
    """lambda_anchor of each model, (many,)."""
    weights = torch.as_tensor(lam, dtype=like.dtype, device=like.device)
    if weights.ndim and len(weights) != many:
        raise ValueError(
            f"lam_anchor has {len(weights)} weights for {many} models; "
            f"give one number, or one for each"
        )
    weights = weights.expand(many)
    if not (weights >= 0).all():
        raise ValueError(f"lam_anchor must be >= 0; got {weights.tolist()}")
    return weights
