"""WordNet's nouns, and groups of classes by meaning: all that lie below one, such as the dogs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

SYNONYMS = {"herding dog": "shepherd dog"}  # kennel-club words for WordNet's
WORDNET = Path("/usr/share/wordnet/data.noun")


def read_nouns(path: Path = WORDNET) -> dict[str, dict]:
    """WordNet 3.0's 82,115 nouns by wnid, in the file's order: what each says, and is a kind of.

    words, hypernyms (wnids; of an instance, what it is one of), definition, examples. The offsets
    of nouns are ImageNet's wnids. FileNotFoundError if WordNet is not there, ValueError if the
    file is another.
    """
    if not path.exists():
        raise FileNotFoundError(
            f"WordNet 3.0 is not at {path}; on Debian: apt-get install wordnet-base"
        )
    nouns = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("  "):
            continue  # licence header
        try:
            data, gloss = line.split(" | ", 1)
            fields = data.split()
            count = int(fields[3], 16)
        except (ValueError, IndexError):
            raise ValueError(f"{path} is no data.noun of WordNet: it has {line[:60]!r}") from None
        pointers = fields[5 + 2 * count :]
        nouns["n" + fields[0]] = dict(
            words=[word.replace("_", " ") for word in fields[4 : 4 + 2 * count : 2]],
            hypernyms=[
                "n" + offset
                for symbol, offset in zip(pointers[0::4], pointers[1::4])
                if symbol in ("@", "@i")
            ],
            definition=re.split(r';\s*"', gloss, maxsplit=1)[0].strip(),
            examples=re.findall(r'"([^"]+)"', gloss) if '"' in gloss else [],
        )
    return nouns


def subtrees(nouns: Mapping[str, dict], least: int) -> dict[str, list[str]]:
    """Disjoint classes of nouns: the smallest subtrees with at least `least` synsets.

    From root to all at or below it. Smallest: no synset below the root has that many. Nouns can
    have several hypernyms, so two such subtrees can share some: the larger one is taken.
    """

    @cache
    def at_or_above(wnid: str) -> frozenset[str]:
        return frozenset([wnid]).union(*map(at_or_above, nouns[wnid]["hypernyms"]))

    below: dict[str, list[str]] = {wnid: [] for wnid in nouns}
    for wnid in nouns:
        for above in at_or_above(wnid):
            below[above].append(wnid)
    large = [wnid for wnid in nouns if len(below[wnid]) >= least]
    above_large = {above for wnid in large for above in at_or_above(wnid) if above != wnid}
    smallest = [wnid for wnid in large if wnid not in above_large]
    taken: set[str] = set()
    roots = set()
    for wnid in sorted(smallest, key=lambda wnid: -len(below[wnid])):
        if taken.isdisjoint(below[wnid]):
            roots.add(wnid)
            taken.update(below[wnid])
    return {wnid: below[wnid] for wnid in nouns if wnid in roots}


def classes_below(wnids: Sequence[str], synsets: Mapping[str, dict]) -> dict[str, list[int]]:
    """The classes (places in `wnids`) at or below every synset that has any."""
    below: dict[str, list[int]] = {}
    for d, wnid in enumerate(wnids):
        seen, frontier = set(), [wnid]
        while frontier:
            synset = frontier.pop()
            if synset not in seen:
                seen.add(synset)
                below.setdefault(synset, []).append(d)
                frontier += synsets[synset]["hypernyms"]
    return below


def named_group(
    name: str, below: Mapping[str, list[int]], synsets: Mapping[str, dict]
) -> list[int]:
    """The classes at or below the noun of this name, or of this wnid.

    ValueError if there is none, or more than one.
    """
    if name in below:
        return below[name]
    wanted = SYNONYMS.get(name.lower(), name.lower())
    words = lambda wnid: [word.lower() for word in synsets[wnid]["words"]]
    heads = [wnid for wnid in below if wanted in words(wnid)]
    if len(heads) == 1:
        return below[heads[0]]
    if not heads:
        raise ValueError(
            f"no WordNet noun of name {name!r} has a class below it; "
            f"try 'dog', 'bird', 'vehicle' or a wnid such as 'n02084071'"
        )
    choices = ", ".join(
        f"{wnid} ({synsets[wnid]['words'][0]}, {len(below[wnid])} classes)" for wnid in heads
    )
    raise ValueError(f"name {name!r} has several meanings here; pass one wnid: {choices}")
