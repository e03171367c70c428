"""The embeddings that are shipped: what MiniLM makes of 1,600 texts on ImageNet classes."""

from __future__ import annotations

from pathlib import Path

from .store import Representations, open_representations

FILE = Path(__file__).parent / "data" / "imagenet_texts.npz"


def fixture() -> dict[str, Representations]:
    """MiniLM's embeddings of 1,600 texts: "final", its sentence embeddings, and "layer5".

    8 texts (the first of `imagenet_texts`) on each of 200 ImageNet classes: the 118 dogs and 82
    others, evenly spread. "final" is the mean over tokens of the last layer, of unit length;
    "layer5" that of the layer before, as it is, where most of every row is the mean of all.
    384 numbers a row, in float16. Labels are ImageNet's class numbers, 0 to 999, `names` of all
    1000: `imagenet_directions().group("dog")` are those of the dogs. No package is needed to read
    it. Sources and licences: data/NOTICE; made by `data/rebuild.py`.

    >>> from sdl_theory.representations.fixture import fixture
    >>> from sdl_theory.representations.means import class_means
    >>> {layer: round(class_means(x).mean_share, 1) for layer, x in fixture().items()}
    {'final': 0.2, 'layer5': 0.7}
    """
    return {key: open_representations(FILE, key=key) for key in ("final", "layer5")}
