"""Feature anchoring: pull the first k rows of W_E and columns of W_D towards directions one knows
(theory: underdetermined otherwise).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ..checks import Tensor, as_matrix, as_tensor, check_count, check_number
from ..signature import check_fields, checked
from ..truth.bench import LinearRepresentationBench


@dataclass(frozen=True, eq=False)
class Anchors:
    """k known directions: latent i is pulled to encoder row `W_E[i]` and decoder column `W_D[:,
    i]`.

    features : which true features they are (they must be left out of recovery figures), or None if
        nobody knows.
    W_E : (k, n_p).  W_D : (n_r, k). Copies of what is given, finite.
    """

    features: tuple[int, ...] | None
    W_E: Tensor
    W_D: Tensor

    def __post_init__(self):
        check_fields(self)
        if self.features is not None:
            object.__setattr__(
                self,
                "features",
                tuple(check_count("a number in features", feature, 0) for feature in self.features),
            )
        for name in ("W_E", "W_D"):
            matrix = getattr(self, name).detach()
            if not torch.isfinite(matrix).all():
                raise ValueError(
                    f"{name} of the anchors must be finite; entry "
                    f"{tuple((~torch.isfinite(matrix)).nonzero()[0].tolist())} is not"
                )
            object.__setattr__(
                self,
                name,
                matrix.clone() if matrix.is_floating_point() else matrix.to(torch.float64),
            )
        if not (
            self.W_E.ndim == self.W_D.ndim == 2
            and self.W_D.shape[1]
            == len(self.W_E)
            == len(self.W_E if self.features is None else self.features)
        ):
            raise ValueError(
                f"k anchors are W_E (k, n_p), W_D (n_r, k) and k features or None; got W_E "
                f"{tuple(self.W_E.shape)}, W_D {tuple(self.W_D.shape)}, "
                f"features {self.features}"
            )

    @property
    def k(self) -> int:
        return len(self.W_E)

    @classmethod
    @checked
    def of_truth(cls, bench: LinearRepresentationBench, k: int, *, seed: int = 0) -> Anchors:
        """k random true features of a bench. A crosscoder of m blocks is anchored at W_p^T / m, as
        its ideal encoder is (`ideal_weights`).
        """
        from ..truth.streams import seeded

        k = check_count("anchors k", k, 0)
        if k > bench.n:
            raise ValueError(f"anchors k = {k} exceeds the bench's n = {bench.n} features")
        features = torch.randperm(bench.n, generator=seeded("cpu", bench.seed, seed, 77))[:k].to(
            bench.device
        )
        return cls(
            tuple(features.tolist()),
            bench.W_p[:, features].mT / len(bench.blocks),
            bench.W_r[:, features],
        )

    @classmethod
    @checked
    def of_class_means(
        cls,
        x_p: Tensor,
        labels: Sequence[int] | Tensor,
        x_r: Tensor | None = None,
        *,
        classes: Sequence[int] | None = None,
        centre: bool = False,
    ) -> Anchors:
        """Normalized class means of labelled representations x_p (N, n_p), x_r (N, n_r), for
        `classes` (default: all, ascending).

        centre : subtract the mean of all samples first. Raw class means of real embeddings share a
            large common part.
        """
        x_p, labels = as_matrix("x_p", x_p, "(N, n_p)"), as_tensor("labels", labels)
        if labels.ndim != 1:
            raise ValueError(
                f"labels must have shape (N,), one label a sample; got shape {tuple(labels.shape)}"
            )
        x_r = x_p if x_r is None else as_matrix("x_r", x_r, "(N, n_r)")
        if not len(x_p) == len(x_r) == len(labels):
            raise ValueError(
                f"x_p, x_r and labels must have one row a sample; got {len(x_p)}, {len(x_r)} and "
                f"{len(labels)}"
            )
        classes = (
            sorted(set(labels.tolist()))
            if classes is None
            else [check_number("a class in classes", one) for one in classes]
        )
        if not classes:
            raise ValueError("classes is empty: no class, no anchor")
        if missing := [c for c in classes if not (labels == c).any()]:
            raise ValueError(f"no sample has label {missing[0]:g}; leave it out of classes")
        return cls(
            None, _means(x_p, labels, classes, centre), _means(x_r, labels, classes, centre).mT
        )


def check_held_out(
    anchors: Sequence[Anchors | None] | None, benches: Sequence[LinearRepresentationBench]
) -> None:
    """ValueError if the anchors leave no true feature of their bench to measure recovery on."""
    for anchor, bench in zip(anchors or [], benches):
        if (
            anchor is not None
            and anchor.features is not None
            and len(set(anchor.features)) >= bench.n
        ):
            raise ValueError(
                f"anchors = {anchor.k} are all the n = {bench.n} features: recovery is measured on "
                f"features that are not anchored, so leave "
                f"one out at least (anchors <= {bench.n - 1})"
            )


def _means(x: Tensor, labels: Tensor, classes: list, centre: bool) -> Tensor:
    x = x - x.mean(0) if centre else x
    means = torch.stack([x[labels == c].mean(0) for c in classes])
    norms = means.norm(dim=1, keepdim=True)
    if not (norms > 0).all():
        raise ValueError(
            f"the mean of class {classes[int(norms.argmin())]:g} is zero: it has no direction"
        )
    return means / norms


class AnchorLoss:
    r""":math:`\lambda (\|W_E[:k] - \tilde W_p^T\|_F^2 + \|W_D[:, :k] - \tilde W_r\|_F^2)`, summed
    over instances.

    anchors : Anchors, or with instances a list of them, one each (None: that one is not anchored).
    lam : lambda_anchor, a number or one per instance.
    """

    def __init__(
        self, anchors: Anchors | Sequence[Anchors | None], lam: float | Sequence[float], model
    ):
        many = model.instances
        listed = list(anchors) if isinstance(anchors, Sequence) else [anchors] * (many or 1)
        if len(listed) != (many or 1):
            raise ValueError(
                f"{len(listed)} anchors for {many or 1} models; pass one Anchors, or a list with "
                f"one (or None) per instance"
            )
        self.k = max((a.k for a in listed if a is not None), default=0)
        if self.k > model.n_q:
            raise ValueError(f"anchors k = {self.k} exceeds the model's n_q = {model.n_q} latents")
        lead, like = (len(listed),), dict(dtype=model.W_E.dtype, device=model.W_E.device)
        lam = torch.as_tensor(lam, **like)
        if lam.ndim and len(lam) != len(listed):
            raise ValueError(
                f"lam_anchor has {len(lam)} weights for {len(listed)} models; give one number, or "
                f"one for each"
            )
        lam = lam.expand(lead)
        if not (lam >= 0).all():
            raise ValueError(f"lam_anchor must be >= 0; got {lam.tolist()}")
        self.rows, self.columns = (
            torch.zeros(*lead, self.k, model.n_p, **like),
            torch.zeros(*lead, model.n_r, self.k, **like),
        )
        self.weight = torch.zeros(*lead, self.k, **like)
        for i, a in enumerate(listed):
            if a is not None:
                if a.W_E.shape[1] != model.n_p or a.W_D.shape[0] != model.n_r:
                    raise ValueError(
                        f"anchors have n_p = {a.W_E.shape[1]}, n_r = {a.W_D.shape[0]}; the model "
                        f"has {model.n_p}, {model.n_r}"
                    )
                self.rows[i, : a.k], self.columns[i, :, : a.k], self.weight[i, : a.k] = (
                    a.W_E.to(**like),
                    a.W_D.to(**like),
                    lam[i],
                )
        if many is None:
            self.rows, self.columns, self.weight = self.rows[0], self.columns[0], self.weight[0]

    def __call__(self, model) -> Tensor:
        rows = (model.W_E[..., : self.k, :] - self.rows).square().sum(-1)
        columns = (model.W_D[..., : self.k] - self.columns).square().sum(-2)
        return (self.weight * (rows + columns)).sum()
