"""Groups of classes by meaning: all that lie below a WordNet noun, such as the dogs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

SYNONYMS = {"herding dog": "shepherd dog"}  # kennel-club words for WordNet's


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
