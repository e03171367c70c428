"""Real feature directions: the 1000 ImageNet classes of a trained network, or your own.

And which features a name means: one class, or all below a WordNet noun.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import torch

from ..arrays import read_array, read_safetensors
from ..checks import Tensor, as_matrix, check_count, own
from ..signature import check_fields, checked
from .features import gaussian
from .wordnet import classes_below, named_group

DATA = Path(__file__).parent / "data"


@dataclass(frozen=True)
class Directions:
    """Named feature directions. All are copies.

    W_p : (n_p, n), unit columns, float64.
    names : (n,).
    wnids : (n,) where WordNet knows them.
    synsets : WordNet's words and hypernyms of these and all above them, by wnid.
    """

    W_p: Tensor
    names: list[str]
    wnids: list[str] = field(default_factory=list)
    synsets: Mapping[str, dict] = field(default_factory=dict, repr=False)

    def __post_init__(self):
        check_fields(self)
        object.__setattr__(self, "W_p", own(as_matrix("W_p", self.W_p, "(n_p, n)").detach()))
        object.__setattr__(self, "synsets", dict(self.synsets))
        n = self.W_p.shape[1]
        if len(self.names) != n or len(self.wnids) not in (0, n):
            raise ValueError(
                f"names and wnids must have one entry for each of W_p's n = {n} columns "
                f"(no wnids at all will do); got {len(self.names)} and {len(self.wnids)}"
            )

    @checked
    def index(self, name: str) -> int:
        """The feature of this name (any case) or wnid; ValueError if there is none, or several."""
        hits = [d for d, own in enumerate(self.names) if own.lower() == name.lower()]
        hits += [d for d, own in enumerate(self.wnids) if own == name]
        if len(hits) == 1:
            return hits[0]
        near = [own for own in self.names if name.lower() in own.lower()][:5]
        advice = "use the index or the wnid"
        if near and not hits:
            advice = f"did you mean one of {near}?"
        raise ValueError(f"name {name!r} names {len(hits)} features {hits}; {advice}")

    @checked
    def group(self, name: str) -> list[int]:
        """Features at or below the WordNet noun of this name, or of this wnid.

        "dog" has 118 breeds. ValueError if unknown or ambiguous.
        """
        return list(named_group(name, self._below, self.synsets))

    @cached_property
    def _below(self) -> dict[str, list[int]]:
        return classes_below(self.wnids, self.synsets)


@checked
def imagenet_directions(
    n_p: int | None = None, *, generator: torch.Generator | None = None
) -> Directions:
    """The 1000 ImageNet class directions of EfficientNet-Lite0: real, named, hierarchical.

    W_p is (1280, 1000), the classifier's rows, unit-normalized: linearly independent. Or with
    n_p < 1280 their image under a Gaussian (n_p, 1280) map drawn from `generator`, renormalized:
    superposition begins at n_p < 1000. Stored in float16 (error 3e-4). Sources and licences:
    data/NOTICE.

    >>> from sdl_theory import imagenet_directions
    >>> directions = imagenet_directions(n_p=32)
    >>> directions.W_p.shape
    torch.Size([32, 1000])
    >>> directions.index("Border Collie"), len(directions.group("dog"))
    (232, 118)
    """
    from safetensors.torch import load_file

    W = load_file(DATA / "imagenet_directions.safetensors")["W_p_rows"].double().mT
    if n_p is not None:
        n_p = check_count("n_p", n_p)
        if n_p > len(W):
            raise ValueError(
                f"n_p must be at most {len(W)}, the network's own dimension; got {n_p}"
            )
        W = gaussian(n_p, len(W), generator) @ W
    classes = json.loads((DATA / "imagenet_classes.json").read_text(encoding="utf-8"))
    return Directions(W / W.norm(dim=0), classes["names"], classes["wnids"], classes["synsets"])


@checked
def load_directions(
    source: Tensor | str | Path,
    names: Sequence[str] | None = None,
    *,
    key: str | None = None,
    rows: bool = False,
) -> Directions:
    """Your own directions: a tensor, a .npy or a .safetensors file, columns normalized.

    source : one feature a column, (n_p, n), as in W_p or a decoder W_D.
    names : "0", "1", ... by default.
    key : picks the tensor of a .safetensors file.
    rows : True for one feature a row (class means, a classifier's weight, most stored decoders).

    ValueError on zero or non-finite columns, unknown files or keys, wrong counts.

    >>> import torch
    >>> from sdl_theory import load_directions
    >>> mine = load_directions(torch.tensor([[3.0, 0.0], [4.0, 2.0]]), names=["a", "b"])
    >>> mine.W_p
    tensor([[0.6000, 0.0000],
            [0.8000, 1.0000]], dtype=torch.float64)
    >>> mine.index("b")
    1
    """
    where = f" of {source}" if isinstance(source, (str, Path)) else ""
    matrix = as_matrix(f"directions{where}", _read(source, key), "(n_p, n)").detach().double().cpu()
    matrix = matrix.mT if rows else matrix
    # largest entries become 1 first, so that no square over- or underflows
    matrix = matrix / matrix.abs().amax(0).where(matrix.any(0), 1.0)
    norms = matrix.norm(dim=0)
    if (norms == 0).any():
        raise ValueError(
            f"direction {int((norms == 0).nonzero()[0])}{where} is zero and has no unit vector; "
            f"drop it (dead latents often are)"
        )
    names = [str(d) for d in range(matrix.shape[1])] if names is None else list(names)
    if len(names) != matrix.shape[1]:
        raise ValueError(
            f"{len(names)} names for {matrix.shape[1]} directions of dimension {matrix.shape[0]}; "
            f"pass rows={not rows} if features lie the other way"
        )
    return Directions(matrix / norms, names)


def _read(source, key):
    if not isinstance(source, (str, Path)):
        return source
    path = Path(source)
    if not path.is_file():
        folder = ": it is a folder" if path.is_dir() else ""
        raise ValueError(f"no file of directions at {path}{folder}")
    if path.suffix == ".npy":
        return read_array(path)
    if path.suffix != ".safetensors":
        raise ValueError(f"directions come as a tensor, .npy or .safetensors; got {path.name}")
    tensors = read_safetensors(path)
    if key is None and len(tensors) == 1:
        key = next(iter(tensors))
    if key not in tensors:
        raise ValueError(
            f"{path.name} holds {sorted(tensors)}; pass key= with one of them"
            + (f", not {key!r}" if key else "")
        )
    return tensors[key]
