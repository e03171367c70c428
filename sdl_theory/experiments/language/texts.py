"""Texts to read: WordNet 3.0's glosses with their examples, in a random order."""

from __future__ import annotations

import re
from pathlib import Path

import torch

WORDNET = Path("/usr/share/wordnet")  # Debian's wordnet-base
PARTS = ("noun", "verb", "adj", "adv")
MARKER = re.compile(r"\((a|p|ip)\)$")  # what WordNet writes behind some adjectives


def glosses(count: int, seed: int = 0, folder: Path = WORDNET) -> list[str]:
    """`count` of WordNet's synsets at random, as "word: definition; examples".

    ValueError where WordNet is not installed, or has not as many.
    """
    if missing := [part for part in PARTS if not (folder / f"data.{part}").is_file()]:
        raise ValueError(
            f"WordNet 3.0 is not at {folder} (no data.{missing[0]}): apt-get install wordnet-base, "
            f"or name a file of texts by --texts"
        )
    found = [
        line
        for part in PARTS
        for line in (folder / f"data.{part}").read_text(encoding="utf-8").splitlines()
        if not line.startswith("  ")  # the licence
    ]
    return some([_gloss(line) for line in found], count, seed)


def some(texts: list[str], count: int, seed: int) -> list[str]:
    """`count` of the texts, at random; ValueError where there are fewer."""
    if count > len(texts):
        raise ValueError(f"there are {len(texts)} texts; got a wish for {count}")
    order = torch.randperm(len(texts), generator=torch.Generator().manual_seed(seed))
    return [texts[i] for i in order[:count].tolist()]


def _gloss(line: str) -> str:
    data, gloss = line.split(" | ", 1)
    word = MARKER.sub("", data.split()[4]).replace("_", " ")
    return f"{word}: {gloss.strip()}"
