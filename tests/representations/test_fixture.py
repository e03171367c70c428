"""The shipped embeddings: what they are of, and that the network gives them still."""

import os

import numpy as np
import pytest
import torch

from sdl_theory import imagenet_directions
from sdl_theory.representations.data import rebuild
from sdl_theory.representations.fixture import FILE, fixture
from sdl_theory.representations.means import class_means
from sdl_theory.representations.texts import imagenet_texts
from sdl_theory.truth.wordnet import WORDNET


@pytest.fixture(scope="module")
def shipped():
    return fixture()


def test_what_is_shipped(shipped):
    assert list(shipped) == ["final", "layer5"] and FILE.stat().st_size < 3e6
    real = imagenet_directions()
    for layer in shipped.values():
        assert (len(layer), layer.n_p, str(layer.x.dtype)) == (1600, 384, "float16")
        assert layer.names == real.names
        classes = layer.labels.unique().tolist()
        assert len(classes) == 200 and set(real.group("dog")) <= set(classes)
        assert (layer.labels.bincount()[classes] == 8).all()
    lengths = shipped["final"].rows(slice(None)).norm(dim=1)
    torch.testing.assert_close(lengths, torch.ones(1600), atol=1e-3, rtol=0)
    notice = (FILE.parent / "NOTICE").read_text()
    for words in ("Apache License, Version 2.0", "MIT License", "Princeton University"):
        assert words in notice


def accuracy(layer, centre):
    """Leave-one-out: how many rows have the mean of their own class's other rows nearest."""
    found = class_means(layer)
    x = layer.rows(slice(None)).double() - (found.mean if centre else 0)
    place = torch.searchsorted(found.classes, layer.labels)
    means = found.means - (found.mean if centre else 0)
    cosine = torch.nn.functional.normalize(means, dim=1) @ x.mT
    own = means[place] * 8 - x  # the class's sum without this row
    cosine[place, torch.arange(len(x))] = (torch.nn.functional.normalize(own, dim=1) * x).sum(1)
    return (cosine.argmax(0) == place).double().mean().item()


def test_classes_are_there_to_be_found(shipped):
    """200 classes, 118 of them dogs: chance is 0.5%."""
    assert accuracy(shipped["final"], True) > 0.85
    assert accuracy(shipped["layer5"], True) > 0.6
    shares = {name: class_means(layer).mean_share for name, layer in shipped.items()}
    assert shares["final"] < 0.35 < 0.65 < shares["layer5"]  # the one that crowds a cone


def test_the_network_gives_them_still(shipped):
    """Of the texts as they are made today: the same texts, the same numbers."""
    if not WORDNET.exists() and not os.environ.get("CI"):
        pytest.skip("WordNet 3.0 is not installed (Debian: apt-get install wordnet-base)")
    texts = imagenet_texts(rebuild.PER_CLASS)
    rows = rebuild.rows_of(texts)
    assert np.load(FILE)["sha256"].item() == rebuild.fingerprint(texts, rows)
    assert torch.equal(texts.labels[rows], shipped["final"].labels)
    some = list(range(0, 1600, 100))
    layers = rebuild.pooled([texts.texts[rows[i]] for i in some], *rebuild.load_minilm())
    final = torch.nn.functional.normalize(layers[6], dim=1)
    torch.testing.assert_close(final, shipped["final"].rows(some), atol=2e-4, rtol=1e-3)
    torch.testing.assert_close(layers[5], shipped["layer5"].rows(some), atol=2e-3, rtol=2e-3)
