"""Texts: as many as asked for, all distinct, of their class; the same on every machine."""

import os

import pytest
import torch

from sdl_theory import imagenet_directions
from sdl_theory.representations import texts as texts_module
from sdl_theory.representations.texts import imagenet_texts, wordnet_texts
from sdl_theory.truth.wordnet import WORDNET, read_nouns


@pytest.fixture(scope="module")
def nouns():
    if not WORDNET.exists() and not os.environ.get("CI"):
        pytest.skip("WordNet 3.0 is not installed (Debian: apt-get install wordnet-base)")
    return read_nouns()


@pytest.fixture(autouse=True)
def read_once(nouns, monkeypatch):
    """WordNet is read once for all tests of this file."""
    read = lambda path: nouns if path == WORDNET else read_nouns(path)
    monkeypatch.setattr(texts_module, "read_nouns", read)


@pytest.fixture(scope="module")
def imagenet(nouns):
    return imagenet_texts(12)


def test_texts_on_imagenet(imagenet, nouns):
    shipped = imagenet_directions()
    assert (imagenet.names, imagenet.wnids) == (shipped.names, shipped.wnids)
    assert len(imagenet) == len(imagenet.labels) == len(set(imagenet.texts)) == 12_000
    assert torch.equal(imagenet.labels.bincount(), torch.full((1000,), 12))
    for i, text in enumerate(imagenet.texts):
        c = int(imagenet.labels[i])
        names = [*nouns[imagenet.wnids[c]]["words"], imagenet.names[c]]
        assert any(name in text for name in names), (c, text)
        assert "No description" not in text
    counts = [len(imagenet.group(name)) for name in ("dog", "bird", "vehicle", "snake")]
    assert counts == [118, 59, 67, 17]
    assert imagenet.group("dog") == shipped.group("dog")


def test_fewer_texts_are_the_first_of_more(imagenet):
    """Which texts, no generator decides: the first ones of a class are those of fewer."""
    fewer = imagenet_texts(3)
    first = [imagenet.texts[12 * c + i] for c in range(1000) for i in range(3)]
    assert fewer.texts == first
    other = imagenet_texts(12, seed=1)
    assert 0.1 < len(set(other.texts) & set(imagenet.texts)) / 12_000 < 0.6


def test_more_texts_than_a_class_has_are_refused():
    with pytest.raises(ValueError, match=r"at most 12, .* class 51 \(triceratops\) has; got 13"):
        imagenet_texts(13)


def test_texts_on_wordnet(nouns):
    found = wordnet_texts()
    sizes = found.labels.bincount()
    assert (len(found), len(found.names), int(sizes.median())) == (34_475, 590, 44)
    assert found.texts[0] == (
        f"{nouns[found.wnids[0]]['words'][0]}: {nouns[found.wnids[0]]['definition']}"
    )
    assert len(set(found.texts)) > 0.99 * len(found)
    assert [found.names[c] for c in found.group("dog")] == ["hound", "terrier", "working dog"]
    with pytest.raises(ValueError, match="no WordNet noun of name 'nonsense'"):
        found.group("nonsense")
    with pytest.raises(ValueError, match="least must be at most 82115"):
        wordnet_texts(10**6)


def test_an_absent_wordnet_is_named(tmp_path):
    for make in (imagenet_texts, wordnet_texts):
        with pytest.raises(FileNotFoundError, match="wordnet-base"):
            make(wordnet=tmp_path / "data.noun")
