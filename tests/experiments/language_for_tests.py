"""A folder with a saved Llama of three tiny blocks and a file of texts; figure 7 on them."""

import numpy as np
from representations.networks_for_tests import NETWORKS, WORDS

SMALL = "--layer 2 --wide 4 --k 2 --steps 24 --batch 16 --device cpu --seeds 2".split()


def made(folder):
    model, words = (make() for make in NETWORKS["llama"])
    model.save_pretrained(folder / "llama")
    words.save_pretrained(folder / "llama")
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(WORDS[4:], rng.integers(3, 12))) for _ in range(80)]
    (folder / "texts.txt").write_text("\n".join(texts))
    return folder


def words_of(place, *more):
    """The command line."""
    paths = ["--model", place / "llama", "--texts", place / "texts.txt", "--data", place / "data"]
    return ["figure", "7", *map(str, paths), *SMALL, *map(str, more)]
