"""Images: Fashion-MNIST as its files have it; features that survive a kill, and name damage."""

import gzip
import os

import numpy as np
import pytest
import torch

from sdl_theory.lock import InUse, locked
from sdl_theory.representations import images as module
from sdl_theory.representations.images import FASHION, FEATURES, fashion_mnist, image_features

GENERATOR = torch.Generator().manual_seed(0)
GREY = torch.randint(0, 256, (150, 9, 7), generator=GENERATOR, dtype=torch.uint8)


@pytest.fixture(scope="module")
def fashion():
    if not FASHION.exists() and not os.environ.get("CI"):
        pytest.skip(
            "Fashion-MNIST is not installed (Debian: apt-get install dataset-fashion-mnist)"
        )
    return fashion_mnist()


def test_fashion_mnist_is_whole(fashion):
    images, labels, names = fashion
    assert images.shape == (10_000, 28, 28) and images.dtype == torch.uint8
    assert torch.equal(labels.bincount(), torch.full((10,), 1000)) and len(names) == 10
    shoe = images[labels == 9].double().mean((1, 2)).mean()  # an ankle boot fills its square
    assert (
        names[9] == "ankle boot" and shoe > 1.5 * images[labels == 5].double().mean((1, 2)).mean()
    )


def test_damaged_image_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="apt-get install dataset-fashion-mnist"):
        fashion_mnist(folder=tmp_path)
    with pytest.raises(ValueError, match="split must be 'test' or 'train'; got 'valid'"):
        fashion_mnist("valid")
    file = tmp_path / "t10k-images-idx3-ubyte.gz"
    whole = bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3]) + bytes(range(6))
    labels = gzip.compress(bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 9]))
    (tmp_path / "t10k-labels-idx1-ubyte.gz").write_bytes(labels)
    file.write_bytes(gzip.compress(whole))
    images, labels, _ = fashion_mnist(folder=tmp_path)
    assert images.tolist() == [[[0, 1, 2]], [[3, 4, 5]]] and labels.tolist() == [7, 9]
    for content in (b"", whole, gzip.compress(whole)[:-9], gzip.compress(whole[:-1])):
        file.write_bytes(content)
        with pytest.raises(ValueError, match="t10k-images-idx3-ubyte.gz is damaged"):
            fashion_mnist(folder=tmp_path)
    file.write_bytes(gzip.compress(whole[:3] + b"\x01" + whole[4:]))
    with pytest.raises(ValueError, match="is damaged: not an idx file of bytes"):
        fashion_mnist(folder=tmp_path)


def test_features_are_what_the_classifier_reads(fashion, tmp_path):
    """By the network's own forward pass: its logits are its last rows times these features."""
    network = module._efficientnet()
    few = fashion[0][:6]
    found = image_features(few, tmp_path / "few.safetensors", progress=False)
    assert found.x.dtype == np.float16 and (len(found), found.n_p) == (6, FEATURES)
    grey = ((few.float() - 127) / 128)[:, None].expand(-1, 3, -1, -1)
    sized = torch.nn.functional.interpolate(grey, size=(64, 64), mode="bilinear", antialias=True)
    with torch.inference_mode():
        logits = network(sized)
        ours = found.rows(slice(None)) @ network._fc.weight.mT + network._fc.bias
    torch.testing.assert_close(ours, logits, atol=0.02, rtol=0)  # float16: 5e-4 of 1280 features
    colours = few[..., None].expand(-1, -1, -1, 3)
    again = image_features(colours, tmp_path / "colours.safetensors", progress=False)
    torch.testing.assert_close(again.rows([0, 5]), found.rows([0, 5]), atol=0.01, rtol=0)


@pytest.fixture()
def cheap(monkeypatch):
    """A network that answers an image's mean; the images that it saw, and when it breaks."""
    seen = dict(images=0, least=None)

    def features(network, images, size):
        seen["images"] += len(images)
        if seen["least"] is not None and seen["images"] > seen["least"]:
            raise KeyboardInterrupt
        return images.float().mean((1, 2))[:, None].expand(-1, FEATURES) / 100

    monkeypatch.setattr(module, "_efficientnet", lambda: None)
    monkeypatch.setattr(module, "_features", features)
    return seen


def run(out, images=GREY, **more):
    return image_features(images, out, progress=False, **more)


def test_a_killed_run_goes_on(cheap, tmp_path):
    out, part = tmp_path / "x.safetensors", tmp_path / ".x.safetensors.part"
    cheap["least"] = 130
    with pytest.raises(KeyboardInterrupt):
        run(out)
    assert part.exists() and not out.exists()
    with open(part, "r+b") as file:
        file.truncate(part.stat().st_size - 7)  # killed in the middle of a row
    cheap.update(images=0, least=None)
    found = run(out, labels=torch.arange(150) % 3, names=["a", "b", "c"])
    assert cheap["images"] == 150 - 127  # two batches of 64 were there, but for one row
    expected = (GREY.float().mean((1, 2)) / 100).half().float()
    assert torch.equal(found.rows(slice(None)), expected[:, None].expand(-1, FEATURES))
    assert found.labels.bincount().tolist() == [50, 50, 50]
    assert [path.name for path in tmp_path.iterdir()] == ["x.safetensors"]
    run(out)
    assert cheap["images"] == 150 - 127  # it is there: nothing was computed


def test_features_of_other_images_are_kept_and_named(cheap, tmp_path):
    out = tmp_path / "x.safetensors"
    run(out)
    for more in (dict(images=255 - GREY), dict(images=GREY[:90]), dict(size=96)):
        with pytest.raises(ValueError, match="x.safetensors holds features of other images"):
            run(out, **more)
    other = tmp_path / "y.safetensors"
    cheap["least"] = cheap["images"] + 70
    with pytest.raises(KeyboardInterrupt):
        run(other)
    with pytest.raises(ValueError, match=".y.safetensors.part is half written, of other images"):
        run(other, images=255 - GREY)
    with locked(other), pytest.raises(InUse):
        run(other)


def test_a_half_written_head_is_begun_anew(cheap, tmp_path):
    (tmp_path / ".x.safetensors.part").write_bytes(b"\x80\x00\x00")
    assert len(run(tmp_path / "x.safetensors")) == 150


@pytest.mark.parametrize(
    "images, more, words",
    [
        (GREY.float(), {}, "images must be uint8 of shape"),
        (GREY[0], {}, "images must be uint8 of shape"),
        (GREY[:0], {}, "images must be uint8 of shape"),
        (GREY[..., None], {}, "with 3 colours as their last axis"),
        (GREY, dict(size=8), "size must be a whole number >= 32"),
        (GREY, dict(labels=torch.zeros(3)), "one entry for each of the 150 rows"),
    ],
)
def test_what_is_no_image_is_refused(images, more, words, cheap, tmp_path):
    with pytest.raises(ValueError, match=words):
        run(tmp_path / "x.safetensors", images=images, **more)


def test_out_is_a_safetensors_file(cheap, tmp_path):
    with pytest.raises(ValueError, match="out must be a .safetensors file; got .*x.npy"):
        run(tmp_path / "x.npy")
