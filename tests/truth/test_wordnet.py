"""WordNet's nouns: what a line says, the classes of the whole file, small graphs by brute force."""

import os
import random
import statistics

import pytest

from sdl_theory import imagenet_directions
from sdl_theory.truth.wordnet import WORDNET, read_nouns, subtrees


@pytest.fixture(scope="module")
def nouns():
    if not WORDNET.exists() and not os.environ.get("CI"):
        pytest.skip("WordNet 3.0 is not installed (Debian: apt-get install wordnet-base)")
    return read_nouns()


def test_what_a_noun_is(nouns):
    assert len(nouns) == 82_115
    dog = nouns["n02084071"]
    assert dog["words"] == ["dog", "domestic dog", "Canis familiaris"]
    assert [nouns[above]["words"][0] for above in dog["hypernyms"]] == ["canine", "domestic animal"]
    assert dog["definition"].startswith("a member of the genus Canis")
    assert dog["definition"].endswith("; occurs in many breeds")
    assert dog["examples"] == ["the dog barked all night"]
    assert all(noun["words"] and noun["definition"] for noun in nouns.values())
    assert all(above in nouns for noun in nouns.values() for above in noun["hypernyms"])


def test_shipped_synsets_are_wordnets(nouns):
    for wnid, told in imagenet_directions().synsets.items():
        assert told.items() <= nouns[wnid].items()


def test_classes_of_the_whole(nouns):
    """As a reader written apart from this one found: 590 classes of 34,475 nouns, 44 in the
    median; of at least 100 nouns, 164 classes.
    """
    classes = subtrees(nouns, 30)
    sizes = [len(members) for members in classes.values()]
    assert (len(classes), sum(sizes), statistics.median(sizes)) == (590, 34_475, 44)
    assert (min(sizes), max(sizes)) == (30, 399)
    assert len({wnid for members in classes.values() for wnid in members}) == sum(sizes)
    assert len(subtrees(nouns, 100)) == 164


def graph(size, seed):
    """A random graph of nouns, each with up to two hypernyms before it."""
    drawn = random.Random(seed)
    above = lambda i: sorted({f"n{drawn.randrange(i)}" for _ in range(drawn.randint(1, 2))})
    return {f"n{i}": dict(hypernyms=above(i) if i else []) for i in range(size)}


@pytest.mark.parametrize("seed", range(20))
def test_classes_are_small_disjoint_and_no_more_fit(seed):
    """By the definition: whole subtrees, none with another large one in it, the larger first."""
    nouns, least = graph(60, seed), 4

    def below(root):
        members = {root}
        for wnid in nouns:  # hypernyms come before what is below them
            if members & set(nouns[wnid]["hypernyms"]):
                members.add(wnid)
        return members

    classes = subtrees(nouns, least)
    large = {wnid: below(wnid) for wnid in nouns if len(below(wnid)) >= least}
    smallest = {r: m for r, m in large.items() if not any(o != r and o in m for o in large)}
    assert classes and set(classes) <= set(smallest)
    for root, members in classes.items():
        assert len(members) == len(set(members)) and set(members) == smallest[root]
    for root in set(smallest) - set(classes):  # a class that is as large has some of its nouns
        rivals = [m for r, m in classes.items() if smallest[root] & set(m)]
        assert any(len(m) >= len(smallest[root]) for m in rivals)
    members = [wnid for one in classes.values() for wnid in one]
    assert len(members) == len(set(members))


def test_what_is_no_wordnet_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="apt-get install wordnet-base"):
        read_nouns(tmp_path / "data.noun")
    for text in ("00001740 03 n 01 entity 0 000 and no gloss\n", "short | gloss\n"):
        (tmp_path / "data.noun").write_text("  1 licence\n" + text)
        with pytest.raises(ValueError, match="is no data.noun of WordNet: it has"):
            read_nouns(tmp_path / "data.noun")
