"""Six ways to be sparse, a file each. A seventh is one file, and its line in the registry here."""

from .base import Method
from .batchtopk import BatchTopK
from .gated import Gated
from .jumprelu import JumpReLU
from .matryoshka import Matryoshka
from .relu import ReLU
from .topk import TopK

KINDS: tuple[type[Method], ...] = (ReLU, JumpReLU, TopK, BatchTopK, Matryoshka, Gated)
METHODS = {kind.name: kind for kind in KINDS}
WITH_K = tuple(name for name, kind in METHODS.items() if kind.takes_k)


def method_of(name: str) -> type[Method]:
    """The method of that name; ValueError if there is none."""
    if name not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}; got {name!r}")
    return METHODS[name]
