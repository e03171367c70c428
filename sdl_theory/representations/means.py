"""Class means of representations: one pass over rows that may be more than memory holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from tqdm import tqdm

from ..checks import Tensor, check_bytes, check_count
from ..signature import checked
from .store import Representations

# of the root mean square of ||x||: sums of millions of float32 numbers in float64 are right to
# 1e-13, so what is shorter than this is rounding and points nowhere
NO_DIRECTION = 1e-10


@dataclass(frozen=True)
class ClassMeans:
    """Means of classes, float64.

    classes : (K,), which labels these are.
    counts : (K,), rows of each.
    mean : (n_p,), the mean of *all* rows, those of other classes too.
    means : (K, n_p), raw.
    squares : the mean of ||x||^2 over all rows.
    names : (K,), or None.
    """

    classes: Tensor
    counts: Tensor
    mean: Tensor
    means: Tensor
    squares: float
    names: list[str] | None = None

    @property
    def mean_share(self) -> float:
        """||mean||^2 / mean ||x||^2: what one direction, the mean, has of all squared length."""
        return float(self.mean.square().sum()) / self.squares

    @checked
    def directions(self, centre: bool) -> Tensor:
        """Unit rows (K, n_p): of the raw means, or with `centre` of the means minus `mean`.

        ValueError where a class has no direction: its mean is zero, or with `centre` the mean.
        """
        rows = self.means - self.mean if centre else self.means
        norms = rows.norm(dim=1)
        if (norms <= NO_DIRECTION * self.squares**0.5).any():
            c = int(torch.nonzero(norms <= NO_DIRECTION * self.squares**0.5)[0])
            of = "the mean of all rows" if centre else "zero"
            raise ValueError(
                f"{self._called(c)} has no direction: its mean is {of}; leave it out of classes="
                + (", or pass centre=False" if centre else "")
            )
        return rows / norms[:, None]

    def _called(self, c: int) -> str:
        return f"class {int(self.classes[c])}" + (f" ({self.names[c]})" if self.names else "")


@checked
def class_means(
    representations: Representations,
    classes: Sequence[int] | None = None,
    *,
    least: int = 2,
    progress: bool = False,
) -> ClassMeans:
    """The mean row of every class, and of all rows: one streamed pass with float64 sums.

    Beside a chunk of rows, memory holds K n_p sums and the labels.

    classes : which labels, in that order; by default all that have rows, ascending.
    least : rows that a class must have. A class of one row would be that row, and its mean could
        not be told from the sample: 1 allows it.
    progress : show a bar.

    ValueError without labels, on classes with fewer rows than `least` (with none whatever it is),
    and on rows that are not finite.

    >>> import numpy as np
    >>> from sdl_theory.representations.means import class_means
    >>> from sdl_theory.representations.store import Representations
    >>> x = np.array([[1.0, 0.0], [3.0, 0.0], [0.0, 2.0], [0.0, 4.0]], dtype=np.float32)
    >>> found = class_means(Representations(x, labels=[0, 0, 1, 1]))
    >>> found.means
    tensor([[2., 0.],
            [0., 3.]], dtype=torch.float64)
    >>> found.directions(centre=True)  # two classes, centred: one line
    tensor([[ 0.5547, -0.8321],
            [-0.5547,  0.8321]], dtype=torch.float64)
    """
    wanted, counts, place = _wanted(representations, classes, check_count("least", least))
    K, n_p = len(wanted), representations.n_p
    check_bytes(
        f"the sums of K = {K:,} classes", (K + 1) * n_p * 8, "Name fewer of them in classes="
    )
    sums = torch.zeros(K + 1, n_p, dtype=torch.float64)  # the last row: all other classes
    squares = 0.0
    with tqdm(total=len(representations), unit=" rows", disable=not progress) as bar:
        for start, part in representations.chunks():
            part = part.double()
            sums.index_add_(0, place(start, start + len(part)), part)
            squares += float(torch.dot(part.view(-1), part.view(-1)))
            bar.update(len(part))
    if squares == 0:
        raise ValueError(f"{representations.where} holds zeros alone: they have no direction")
    N, names = len(representations), representations.names
    return ClassMeans(
        classes=wanted,
        counts=counts,
        mean=sums.sum(0) / N,
        means=sums[:K] / counts[:, None],
        squares=squares / N,
        names=None if names is None else [names[c] for c in wanted.tolist()],
    )


def _wanted(representations, classes, least: int) -> tuple[Tensor, Tensor, Callable]:
    """The classes, how many rows each has, and each row's place among them (K for others)."""
    labels, names = representations.labels, representations.names
    if labels is None:
        raise ValueError(
            f"{representations.where} has no labels, and class means need them: pass labels="
        )
    present, count = labels.unique(return_counts=True)
    if classes is not None:
        classes = [check_count(f"classes[{i}]", c, 0) for i, c in enumerate(classes)]
    wanted = present if classes is None else torch.tensor(classes, dtype=torch.int64)
    if len(wanted) == 0 or len(wanted.unique()) < len(wanted):
        raise ValueError(f"classes must be different labels, at least one; got {wanted.tolist()}")
    at = torch.searchsorted(present, wanted).clamp_max(len(present) - 1)
    counts = count[at].where(present[at] == wanted, 0)
    few = counts < least
    if few.any():
        c = int(wanted[few][0])
        called = f"{c} ({names[c]})" if names is not None and c < len(names) else f"{c}"
        raise ValueError(
            f"{int(few.sum())} of {len(wanted)} classes have fewer than least = {least} rows: "
            f"class {called} has {int(counts[few][0])}. Leave them out of classes="
            + (", or pass least=1" if counts[few].min() > 0 else "")
        )
    where = torch.full((len(present),), len(wanted))
    where[at] = torch.arange(len(wanted))
    return wanted, counts, lambda a, b: where[torch.searchsorted(present, labels[a:b])]
