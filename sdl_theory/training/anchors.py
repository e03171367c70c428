"""Feature anchoring: known directions, towards which a model's first rows and columns are pulled.

They are the first k rows of W_E and columns of W_D (theory: underdetermined otherwise). The pull is
in `anchor_loss.py`.
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
    """k known directions: latent i is pulled to encoder row `W_E[i]`, decoder column `W_D[:, i]`.

    features : which true features they are (they must be left out of recovery figures), or None if
        nobody knows.
    W_E : (k, n_p), finite; a copy of what is given.
    W_D : (n_r, k), likewise.
    """

    features: tuple[int, ...] | None
    W_E: Tensor
    W_D: Tensor

    def __post_init__(self):
        check_fields(self)
        if self.features is not None:
            numbers = tuple(check_count("a number in features", one, 0) for one in self.features)
            object.__setattr__(self, "features", numbers)
        for name in ("W_E", "W_D"):
            matrix = getattr(self, name).detach()
            if not torch.isfinite(matrix).all():
                entry = tuple((~torch.isfinite(matrix)).nonzero()[0].tolist())
                raise ValueError(f"{name} of the anchors must be finite; entry {entry} is not")
            copy = matrix.clone() if matrix.is_floating_point() else matrix.to(torch.float64)
            object.__setattr__(self, name, copy)
        flat = self.W_E.ndim == self.W_D.ndim == 2
        named = self.W_E if self.features is None else self.features
        if not (flat and self.W_D.shape[1] == len(self.W_E) == len(named)):
            raise ValueError(
                f"k anchors are W_E (k, n_p), W_D (n_r, k) and k features or None; got W_E "
                f"{tuple(self.W_E.shape)}, W_D {tuple(self.W_D.shape)}, features {self.features}"
            )

    @property
    def k(self) -> int:
        return len(self.W_E)

    @classmethod
    @checked
    def of_truth(cls, bench: LinearRepresentationBench, k: int, *, seed: int = 0) -> Anchors:
        """k random true features of a bench.

        A crosscoder of m blocks is anchored at W_p^T / m, as its ideal encoder is: see
        `ideal_weights`.

        >>> import torch
        >>> from sdl_theory import Anchors, LinearRepresentationBench
        >>> bench = LinearRepresentationBench(n=10, n_p=8, S=0.9, dtype=torch.float64)
        >>> anchors = Anchors.of_truth(bench, 3)
        >>> len(anchors.features), anchors.W_E.shape, anchors.W_D.shape
        (3, torch.Size([3, 8]), torch.Size([8, 3]))
        >>> torch.equal(anchors.W_E, bench.W_p[:, list(anchors.features)].mT)
        True
        """
        from ..truth.streams import seeded

        k = check_count("anchors k", k, 0)
        if k > bench.n:
            raise ValueError(f"anchors k = {k} exceeds the bench's n = {bench.n} features")
        generator = seeded("cpu", bench.seed, seed, 77)
        features = torch.randperm(bench.n, generator=generator)[:k].to(bench.device)
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
        """Normalized class means of labelled representations.

        x_p, x_r : representations (N, n_p) and (N, n_r); x_r is x_p by default.
        labels : (N,), one a sample.
        classes : the labels that get an anchor; by default all, ascending.
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
                f"x_p, x_r and labels must have one row a sample; "
                f"got {len(x_p)}, {len(x_r)} and {len(labels)}"
            )
        chosen = (
            sorted(set(labels.tolist()))
            if classes is None
            else [check_number("a class in classes", one) for one in classes]
        )
        if not chosen:
            raise ValueError("classes is empty: no class, no anchor")
        if missing := [c for c in chosen if not (labels == c).any()]:
            raise ValueError(f"no sample has label {missing[0]:g}; leave it out of classes")
        rows, columns = (_means(x, labels, chosen, centre) for x in (x_p, x_r))
        return cls(None, rows, columns.mT)


def listed_anchors(
    anchors: int | Anchors | Sequence[Anchors | None] | None,
    data: Sequence,
    instances: int | None,
    seed: int,
) -> list[Anchors | None]:
    """What a run is anchored at, as a list: one an instance, a single one for all, or none.

    anchors : a list, one an instance; one Anchors, for all; k, that many random true features of
        each bench of `data`; 0 or None, none.
    """
    if anchors is None:
        return []
    if isinstance(anchors, Anchors):
        return [anchors]
    if not isinstance(anchors, int):
        check_one_each(anchors, instances)
        return list(anchors)
    if not anchors:
        return []
    drawn: list[Anchors | None] = []
    for bench in data:
        if not isinstance(bench, LinearRepresentationBench):
            raise ValueError(
                f"anchors = {anchors} are drawn from a bench's true features; "
                f"for data of your own pass Anchors, such as Anchors.of_class_means"
            )
        drawn.append(Anchors.of_truth(bench, anchors, seed=seed))
    return drawn * (instances or 1) if len(drawn) == 1 else drawn


def check_one_each(anchors: Sequence, instances: int | None) -> None:
    """ValueError unless there are as many as models."""
    if len(anchors) != (instances or 1):
        raise ValueError(
            f"{len(anchors)} anchors for {instances or 1} models; "
            f"pass one Anchors, or a list with one (or None) per instance"
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
                f"anchors = {anchor.k} are all the n = {bench.n} features: "
                f"recovery is measured on features that are not anchored, "
                f"so leave one out at least (anchors <= {bench.n - 1})"
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
