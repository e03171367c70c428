"""Absorption on ImageNet's directions: dogs, birds and snakes beside a parent that is active
whenever one of them is. Do they leave the parent's latent in the ladder's order?

`python -m sdl_theory.experiments.real.families` trains what is missing (about five minutes) and
writes notebooks/results/real_families.json.

World. A sample is one concept times a magnitude (exponential): the parent alone (one sample in
five), or a child together with its parent, all children as often. The children are a group of
`imagenet_directions`; the network has no row "dog", so the parent's direction is ours: the unit
middle of its children's. A concept's direction is the parent's plus the child's own. Samples of one
concept at a time are what Lt of Theorem 3.1 of arXiv:2512.05534 keeps, so here it is the true loss;
and the ladder of `loss_ladder` (ours, beyond Theorem 3.10 there) starts from a neuron that fires
for all concepts.

Measured. At every look the parent's latent is the one with the largest code for the parent alone.
A child is with it if that latent fires for the child, too; else it is absorbed, though its parent
is active. `start`: a child is with it (1) before training; `stays`: at how many of `LOOKS` looks
during training; `own`: at the end, the best F1 (in hundredths) of any latent as a detector of the
child among the concepts.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch

from ...checks import Tensor
from ...training.config import Config
from ...training.fit import fit
from ...training.model import SDLModel
from ...truth.directions import imagenet_directions
from ...truth.magnitudes import ShiftedExponential
from ...truth.samples import Samples
from ..paper.kept import Kept
from .absorption import ladder_ranks, own_latents
from .family_tables import summary

RESULTS = Path(__file__).resolve().parents[3] / "notebooks" / "results" / "real_families.json"
PARENTS = ("dog", "bird", "snake")
KS, SEEDS = (1, 2, 4), 5
N_P, N_Q, ALONE, SAMPLES = 256, 128, 0.2, 8192
STEPS, LOOKS = 1000, 40
RECIPE = Config(steps=STEPS, batch=256, lr=3e-3, warmup=50, log_every=STEPS // LOOKS)


@dataclass(frozen=True)
class Family:
    """Concepts, the parent alone first.

    concepts : (n_p, 1 + children), what a sample of each is at magnitude 1.
    chances : (1 + children,), how often it comes.
    """

    concepts: Tensor
    chances: Tensor

    @property
    def units(self) -> Tensor:
        return self.concepts / self.concepts.norm(dim=0)

    @property
    def ranks(self) -> list[int]:
        """Of each child, its place in the ladder's order: the smaller, the earlier it leaves."""
        M_d = self.chances * self.concepts.square().sum(0)  # magnitudes weigh all alike
        return ladder_ranks(self.units, M_d)[1:]

    @property
    def cosines(self) -> Tensor:
        """Of each child's concept with the parent."""
        return (self.units.mT @ self.units[:, 0])[1:]

    def samples(self, seed: int) -> Samples:
        """SAMPLES rows of mean squared norm 1."""
        generator = torch.Generator().manual_seed(seed)
        which = torch.multinomial(self.chances, SAMPLES, replacement=True, generator=generator)
        size = ShiftedExponential().draw((SAMPLES,), generator, dtype=torch.float64)
        x = (self.concepts[:, which] * size).mT
        return Samples((x / x.square().sum(1).mean().sqrt()).float(), seed=seed)


@cache
def family(parent: str) -> Family:
    """The ImageNet classes below a WordNet noun, and their parent."""
    directions = imagenet_directions(N_P, generator=torch.Generator().manual_seed(0))
    return family_of(directions.W_p[:, directions.group(parent)])


def family_of(children: Tensor) -> Family:
    """Of unit columns (n_p, children)."""
    middle = children.sum(1, keepdim=True)
    middle = middle / middle.norm()
    count = children.shape[1]
    chances = torch.full((1 + count,), (1 - ALONE) / count, dtype=torch.float64)
    chances[0] = ALONE
    return Family(torch.cat([middle, middle + children], dim=1), chances)


def with_parent(codes: Tensor) -> Tensor:
    """From codes (1 + children, n_q) of the concepts, the parent's first: for which children the
    parent's latent fires, (children,); for none if nothing fires for the parent.
    """
    latent = int(codes[0].argmax())
    return (codes[1:, latent] != 0) & (codes[0, latent] != 0)


def head() -> dict:
    return dict(experiment="families", n_p=N_P, n_q=N_Q, steps=STEPS, looks=LOOKS, alone=ALONE)


def jobs() -> list[dict]:
    """The ladder of each parent; then the trainings."""
    runs = [
        dict(what="run", parent=parent, k=k, seed=seed)
        for seed in range(SEEDS)
        for parent in PARENTS
        for k in KS
    ]
    return [dict(what="ladder", parent=parent) for parent in PARENTS] + runs


def run(job: dict) -> dict:
    """`job`, and its ladder or what its training did."""
    own = family(job["parent"])
    if job["what"] == "ladder":
        cosines = [round(one, 4) for one in own.cosines.tolist()]
        return job | dict(rank=own.ranks, cosine=cosines)
    return job | trained(own, k=job["k"], seed=job["seed"])


def trained(own: Family, *, k: int, seed: int) -> dict:
    """One Top-k dictionary, looked at while it learns."""
    start = torch.Generator().manual_seed(seed)
    model = SDLModel(N_P, N_Q, k=k, generator=start)
    seen: list[Tensor] = []

    @torch.no_grad()
    def look(_row=None) -> None:
        seen.append(model.encode(own.units.mT.float()))

    look()
    history = fit(model, own.samples(seed), RECIPE, callback=look, progress=False)
    if history.interrupted:
        raise KeyboardInterrupt(f"stopped within k {k}, seed {seed}")
    stayed = torch.stack([with_parent(codes) for codes in seen])
    fired, count = seen[-1] != 0, len(own.chances)
    f1, _ = own_latents(fired, torch.arange(count), count)
    return dict(
        start="".join("01"[one] for one in stayed[0].tolist()),
        stays=stayed[1:].sum(0).tolist(),
        own=(100 * f1[1:]).round().int().tolist(),
        end=round(stayed[-1].double().mean().item(), 4),
        alive=int(fired.any(0).sum()),
        loss=round(history.column("loss")[-1], 4),
    )


def load_families(path: Path = RESULTS) -> list[dict]:
    """The rows that `main` wrote."""
    return Kept(path, head()).rows


def main() -> None:
    torch.set_num_threads(1)
    kept = Kept(RESULTS, head())
    for job in kept.missing(jobs()):
        kept.add(run(job))
    print(summary(kept.rows))


if __name__ == "__main__":
    main()
