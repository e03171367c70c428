"""Absorption in the wild: the order in which the ladder lets breeds leave "dog", against what
training does with the texts on them.

`python -m sdl_theory.experiments.real.absorption` runs it on the shipped embeddings (about a
minute) and writes notebooks/results/real_absorption.json.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch

from ...checks import Tensor
from ...files import write_atomically
from ...problem import Problem
from ...representations.fixture import fixture
from ...theory.ladder import loss_ladder
from ...training.config import Config
from ...training.fit import fit
from ...training.model import SDLModel
from ...truth.directions import imagenet_directions
from ...truth.samples import Samples
from ..provenance import provenance
from .cases import Case, both
from .ranks import rank_correlation

RESULTS = Path(__file__).resolve().parents[3] / "notebooks" / "results" / "real_absorption.json"
N_Q, K = 256, 4  # of Top-k dictionaries
RECIPE = Config(steps=300, batch=256, lr=3e-3, warmup=50)
SEEDS = 5


def ladder_ranks(directions: Tensor, M_d: Tensor | None = None) -> list[int]:
    """Of each direction, a column of (n_p, n): its place in the order in which `loss_ladder` lets
    them leave their common group, 0 first.

    M_d : (n,), their weights; equal ones by default.
    """
    problem = Problem(directions.double(), M_d=M_d)
    ladder = loss_ladder(problem, list(range(directions.shape[1])))
    order = [*ladder[-1].absorbed, *ladder[-1].group]
    return [order.index(d) for d in range(directions.shape[1])]


def own_latents(fired: Tensor, breed: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """From which latents fire for which texts, fired (N, n_q) and breed (N,): of each breed

    own : the best F1 of any latent as a detector of it: how far it has a latent of its own.
    stays : the share of its texts that fire the commonest latent of all, the nearest thing to a
        latent for the parent.
    """
    member = torch.nn.functional.one_hot(breed, count).double()
    together = member.mT @ fired.double()
    f1 = 2 * together / (fired.sum(0) + member.sum(0)[:, None]).clamp(min=1)
    commonest = int(fired.sum(0).argmax())
    return f1.amax(1), together[:, commonest] / member.sum(0)


def dogs_of(case: Case) -> tuple[list[int], Tensor, Tensor]:
    """Places of the dogs among the case's classes; their rows of training; each row's breed."""
    classes = case.split.means.classes.tolist()
    dogs = [c for c in imagenet_directions().group("dog") if c in classes]
    labels = case.split.train.labels
    assert labels is not None  # a Split refuses rows without
    mask = torch.isin(labels, torch.tensor(dogs))
    place = {c: i for i, c in enumerate(dogs)}
    breed = torch.tensor([place[c] for c in labels[mask].tolist()])
    return [classes.index(c) for c in dogs], case.seen[mask], breed


def absorption(case: Case, seeds: Sequence[int]) -> dict:
    """Dictionaries trained on the dogs' rows alone, against the ladder on the breeds' means."""
    places, x, breed = dogs_of(case)
    directions = case.truth[:, places]
    rank = ladder_ranks(directions)
    own, stays, commonest = [], [], []
    for seed in seeds:
        start = torch.Generator().manual_seed(seed)
        model = SDLModel(case.n_p, N_Q, k=K, generator=start)
        fit(model, Samples(x, seed=seed), RECIPE, progress=False)
        fired = model.encode(x) != 0
        one, other = own_latents(fired, breed, len(places))
        own.append(one)
        stays.append(other)
        commonest.append(fired.double().mean(0).max().item())
    means = {"own": torch.stack(own).mean(0), "stays": torch.stack(stays).mean(0)}
    middle = directions.sum(1)
    means["cosine"] = (middle / middle.norm()) @ directions
    plain = {name: [round(value, 4) for value in one.tolist()] for name, one in means.items()}
    return dict(case=case.name, seeds=list(seeds), rank=rank, commonest=commonest) | plain


def correlations(found: dict) -> dict:
    """Rank correlations over the breeds, with 95% bootstrap intervals: the place on the ladder (0
    leaves first) against `own`, `stays` and the cosine with the breeds' middle; the latter against
    `own` and `stays`, too. Pairs with a side that is the same for all breeds are left out.
    """
    pairs = [("rank", "own"), ("rank", "stays"), ("rank", "cosine")]
    pairs += [("cosine", "own"), ("cosine", "stays")]
    varied = [pair for pair in pairs if all(len(set(found[name])) > 1 for name in pair)]
    return {pair: rank_correlation(*(found[name] for name in pair)) for pair in varied}


def load_absorption(path: Path = RESULTS) -> dict:
    """What `main` wrote."""
    return json.loads(path.read_text(encoding="utf-8"))


def main() -> None:
    torch.set_num_threads(1)
    own = fixture()
    cases = [both("layer5", own["layer5"])[0], both("final", own["final"])[1]]
    found = [absorption(case, range(SEEDS)) for case in cases]
    names = own["final"].names or []
    head: dict = dict(n_q=N_Q, k=K, steps=RECIPE.steps, made_with=provenance())
    head["breeds"] = [names[c] for c in imagenet_directions().group("dog")]
    lines = ",\n  ".join(map(json.dumps, found))
    text = f'{{"head": {json.dumps(head)},\n "cases": [\n  {lines}\n ]}}\n'
    write_atomically(RESULTS, text.encode())
    for one in found:
        for pair, estimate in correlations(one).items():
            print(one["case"], " against ".join(pair), estimate)


if __name__ == "__main__":
    main()
