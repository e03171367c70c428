"""One run: a dictionary trained on a case, plain or anchored, and judged; and the rows that nobody
trained, judged alike.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass

import torch

from ...checks import Tensor, check_count
from ...training.anchors import Anchors
from ...training.config import Config
from ...training.fit import fit
from ...training.model import SDLModel
from ...truth.streams import seeded
from ..arms import NO_CLIP, sham_anchors
from ..provenance import provenance
from .cases import Case
from .score import score_model, score_rows

METHODS = ("topk", "batchtopk", "matryoshka")  # of Table 2, in its order
ARMS = ("plain", "anchored", "sham", "anchored, unclipped", "anchored, relabelled")
UNTRAINED = ("anchors alone", "the mean alone", "sham alone", "random rows", "relabelled alone")


@dataclass(frozen=True)
class Recipe:
    """How every run is trained; n_q, anchors and lam as in Table 2, scaled.

    n_q, k : latents, and how many fire.
    anchors, lam : classes shown, and lambda_anchor.
    steps, batch, lr, warmup : as in Config.
    """

    n_q: int = 1024
    k: int = 16
    anchors: int = 30
    lam: float = 1.0
    steps: int = 400
    batch: int = 256
    lr: float = 3e-3
    warmup: int = 50

    def __post_init__(self):
        for name in ("n_q", "k", "anchors", "steps", "batch"):
            check_count(name, getattr(self, name))

    @property
    def settings(self) -> dict:
        return asdict(self)


def shown(case: Case, count: int, seed: int) -> Tensor:
    """The classes that a seed's anchors show, (count,); its plain run leaves them out as well."""
    if not 0 < count < case.K:
        raise ValueError(
            f"anchors must be fewer than the {case.K} classes, or none is left to find; got {count}"
        )
    return torch.randperm(case.K, generator=seeded("cpu", seed, 77))[:count]


def others_of(case: Case, count: int, seed: int) -> Tensor:
    """Mask (K,) of the classes not shown."""
    mask = torch.ones(case.K, dtype=torch.bool)
    mask[shown(case, count, seed)] = False
    return mask


def anchors_of(case: Case, count: int, seed: int) -> Anchors:
    """Unit class means of the shown classes, of the case's own centring."""
    rows = case.truth.mT[shown(case, count, seed)]
    return Anchors(None, rows, rows.mT)


def relabelled_anchors(case: Case, count: int, seed: int) -> Anchors:
    """As many unit means of classes that mean nothing. They have the numbers of the shown classes,
    so that the figures on nonsense leave out, as `..._others`, the very ones that were shown.
    """
    rows = case.relabelled(seed).mT[shown(case, count, seed)]
    return Anchors(None, rows, rows.mT)


def anchors_for(case: Case, arm: str, count: int, seed: int) -> Anchors | None:
    """What an arm of `ARMS` pulls to; None of "plain"."""
    if arm == "plain":
        return None
    if arm == "anchored, relabelled":
        return relabelled_anchors(case, count, seed)
    anchors = anchors_of(case, count, seed)
    return sham_anchors(anchors, seed) if arm == "sham" else anchors


def train(
    case: Case, method: str, arm: str, seed: int, *, recipe: Recipe, device="cpu", progress=False
) -> SDLModel:
    """A dictionary; arms of one seed share start and batches."""
    anchors = anchors_for(case, arm, recipe.anchors, seed)
    config = Config(
        steps=recipe.steps,
        batch=recipe.batch,
        lr=recipe.lr,
        warmup=recipe.warmup,
        lam_anchor=recipe.lam,
        seed=seed,
        clip=NO_CLIP if arm.endswith("unclipped") else Config.clip,
    )
    start = torch.Generator().manual_seed(seed)
    model = SDLModel(
        case.n_p, recipe.n_q, method=method, k=recipe.k, generator=start, device=device
    )
    if fit(model, case.data(seed), config, anchors=anchors, progress=progress).interrupted:
        raise KeyboardInterrupt(f"stopped within {case.name}, {method}, {arm}, seed {seed}")
    return model


def run(
    case: Case, method: str, arm: str, seed: int, *, recipe: Recipe, device="cpu", progress=False
) -> dict:
    """Train and judge: a row of a Record."""
    start = time.perf_counter()
    model = train(case, method, arm, seed, recipe=recipe, device=device, progress=progress)
    figures = score_model(model, case, others_of(case, recipe.anchors, seed), seed)
    seconds = round(time.perf_counter() - start, 1)
    return row(case, method, arm, seed, figures=figures) | dict(
        seconds=seconds, made_with=provenance(device)
    )


def untrained(case: Case, seed: int, recipe: Recipe) -> list[dict]:
    """The controls of a seed: what rows score that nobody trained.

    anchors alone : the very rows that the anchored run is pulled to.
    the mean alone : one row, the mean of all embeddings, raw.
    sham alone, random rows : unit rows in random directions, as many as anchors and as latents.
    relabelled alone : class means of shuffled labels, as many as anchors.
    """
    anchors = anchors_of(case, recipe.anchors, seed)
    noise = torch.randn(recipe.n_q, case.n_p, generator=seeded("cpu", seed, 44))
    rows = (
        anchors.W_E,
        case.mean[None] / case.mean.norm(),
        sham_anchors(anchors, seed).W_E,
        noise / noise.norm(dim=1, keepdim=True),
        case.relabelled(seed).mT[: recipe.anchors],
    )
    others = others_of(case, recipe.anchors, seed)
    return [
        row(case, "untrained", name, seed, figures=score_rows(those.float(), case, others))
        for name, those in zip(UNTRAINED, rows)
    ]


def row(case: Case, method: str, arm: str, seed: int, *, figures: dict[str, float]) -> dict:
    rounded = {name: round(value, 5) for name, value in figures.items()}
    return dict(case=case.name, method=method, arm=arm, seed=seed, figures=rounded)
