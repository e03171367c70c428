"""Anchored training: the same seeds twice, plain and anchored, on the same held-out features.

All of them in one batched model.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path

import numpy as np
import torch

from sdl_theory import (
    Anchors,
    Batch,
    Config,
    Estimate,
    LinearRepresentationBench,
    SDLModel,
    Trainer,
    TrainingError,
    best_matches,
    gt_recovery,
    interval,
    null_baseline,
)
from sdl_theory.training.anchor_loss import AnchorLoss
from sdl_theory.training.threads import SMALL, one_thread

TAU, EVERY, NO_CLIP = 0.95, 25, 1e9
# the explorer's first picture, made by `python -m widgets.rows.survey`
FIRST = Path(__file__).resolve().parents[1] / "training.json"


class _Shared:
    """A bench that two models train on: each batch is drawn once."""

    def __init__(self, bench: LinearRepresentationBench):
        self.bench, self.drawn = bench, (None, None)

    def batch(self, t: int, size: int, **share) -> Batch:
        if self.drawn[0] != t:
            self.drawn = t, self.bench.batch(t, size, **share)
        return self.drawn[1]


@dataclass(frozen=True)
class Race:
    """What to train: a Top-k dictionary on a bench, every seed twice: plain, and with anchors.

    n, n_p, n_q : features of the bench, its dimensions, latents of the dictionary.
    samples : size of the fixed training set, None for an endless stream.
    seeds : one bench and one start each.
    both : anchor W_E and W_D, as the walkthrough's anchoring loss does; False anchors W_D alone.
    sham : anchor as many random directions instead, the control.
    clip : largest gradient norm, `Config`'s 1 by default; NO_CLIP for none.
    lr : Adam's.
    """

    anchors: int = 16
    lam_anchor: float = 0.1
    both: bool = True
    sham: bool = False
    clip: float = 1.0
    lr: float = 3e-3
    S: float = 0.95
    mu: float = 0.3
    k: int = 3
    n: int = 40
    n_p: int = 31
    n_q: int = 80
    samples: int | None = None
    steps: int = 500
    batch: int = 128
    seeds: tuple[int, ...] = tuple(range(5))

    def start(self) -> tuple[Trainer, torch.Tensor]:
        """A trainer of 2 len(seeds) models, and the held-out features' truth of each.

        The second half is anchored and otherwise like the first; the truth is
        (2 len(seeds), n_p, n - anchors).
        """
        benches = [
            LinearRepresentationBench(
                self.n, self.n_p, self.S, self.mu, seed=seed, samples=self.samples
            )
            for seed in self.seeds
        ]
        anchors = [Anchors.of_truth(bench, self.anchors) for bench in benches]
        if self.sham:
            shams = [_directions(seed, *one.W_E.shape) for seed, one in zip(self.seeds, anchors)]
            anchors = [replace(one, W_E=rows, W_D=rows.mT) for one, rows in zip(anchors, shams)]
        half = len(benches)
        model = SDLModel(
            self.n_p,
            self.n_q,
            k=self.k,
            instances=2 * half,
            generator=torch.Generator().manual_seed(self.seeds[0]),
        )
        with torch.no_grad():
            for W in model.parameters():
                W[half:] = W[:half]
        config = Config(
            steps=self.steps,
            batch=self.batch,
            lr=self.lr,
            warmup=50,
            clip=self.clip,
            lam_anchor=(0.0,) * half + (self.lam_anchor,) * half,
        )
        held_out = [[d for d in range(self.n) if d not in one.features] for one in anchors]
        truth = torch.stack([bench.W_p[:, kept] for bench, kept in zip(benches, held_out)])
        trainer = Trainer(model, [_Shared(bench) for bench in benches] * 2, config, anchors * 2)
        if not self.both:
            trainer.anchor_loss = AnchorLoss(anchors * 2, config.lam_anchor, model, encoder=False)
        return trainer, torch.cat([truth, truth])

    def run(self, upto: int | None = None) -> Iterator[Curves]:
        """Train, by default to the end: yields the same Curves after every step.

        It measures every 25 steps. Raises what training raises. Between two steps torch has the
        threads that it had before.
        """
        steps = self._steps(self.steps if upto is None else upto)
        small = 2 * len(self.seeds) * self.n_q * self.n_p * self.batch < SMALL
        while True:
            with one_thread(small):
                curves = next(steps, None)
            if curves is None:
                return
            yield curves

    def _steps(self, upto: int) -> Iterator[Curves]:
        trainer, truth = self.start()
        curves = Curves(self, _null(self.n_q, truth[: len(self.seeds)]))
        curves.measure(trainer.model, truth, 0)
        while trainer.steps_done < upto:
            trainer.step()
            if not torch.isfinite(trainer.sums).all():
                raise TrainingError(f"the loss is not finite at step {trainer.steps_done}")
            curves.steps_done = trainer.steps_done
            if trainer.steps_done % EVERY == 0 or trainer.steps_done == self.steps:
                curves.measure(trainer.model, truth, trainer.steps_done)
            yield curves

    def train(self, upto: int | None = None) -> Curves:
        """Train to the end, or `upto` a step."""
        *_, curves = self.run(upto)
        return curves


@dataclass
class Curves:
    """What was measured on the held-out features so far.

    null : GT recovery at .95 and mean best cosine of random rows.
    figures : an array (side, measure, set, seed) a checkpoint; sides decoder, encoder; measures as
        in `null`; sets plain, anchored.
    """

    race: Race
    null: tuple[float, float]
    steps: list[int] = field(default_factory=list)
    figures: list[np.ndarray] = field(default_factory=list)
    steps_done: int = 0

    def measure(self, model: SDLModel, truth: torch.Tensor, step: int) -> None:
        """One more checkpoint."""
        best = [best_matches(W.detach(), truth) for W in (model.W_D.mT, model.W_E)]
        both = np.array(
            [[gt_recovery(one, TAU).tolist(), one.double().mean(-1).tolist()] for one in best]
        )
        self.figures.append(both.reshape(2, 2, 2, -1))
        self.steps.append(step)

    @property
    def samples(self) -> list[int]:
        """Samples seen at each checkpoint."""
        return [step * self.race.batch for step in self.steps]

    @property
    def done(self) -> bool:
        return self.steps_done >= self.race.steps

    def paired(self, measure: int = 0) -> np.ndarray:
        """Anchored minus plain in the decoder, (checkpoint, seed)."""
        decoder = np.stack(self.figures)[:, 0, measure]
        return decoder[:, 1] - decoder[:, 0]

    def difference(self, step: int | None = None) -> Estimate:
        """Mean of `paired` over the seeds, with its 95% Student t interval.

        At a step, or averaged over all checkpoints.
        """
        paired = self.paired()
        return interval(paired.mean(0) if step is None else paired[self.steps.index(step)])

    def to_json(self) -> dict:
        """All of it, ready for JSON."""
        return dict(
            race=asdict(self.race),
            null=self.null,
            steps=self.steps,
            figures=[np.round(one, 4).tolist() for one in self.figures],
        )

    @classmethod
    def from_json(cls, stored: dict) -> Curves:
        """What `to_json` gave."""
        race = Race(**stored["race"] | dict(seeds=tuple(stored["race"]["seeds"])))
        return cls(
            race,
            null=tuple(stored["null"]),
            steps=stored["steps"],
            figures=[np.array(one) for one in stored["figures"]],
            steps_done=stored["steps"][-1],
        )


@cache
def first_curves() -> Curves:
    """The default race, as it was run when this was written.

    So the explorer's first picture needs no training.
    """
    return Curves.from_json(json.loads(FIRST.read_text(encoding="utf-8")))


def _directions(seed: int, count: int, n_p: int) -> torch.Tensor:
    return torch.nn.functional.normalize(
        torch.randn(count, n_p, generator=torch.Generator().manual_seed(seed)), dim=1
    )


def _null(n_q: int, truth: torch.Tensor) -> tuple[float, float]:
    """GT recovery and mean best cosine of n_q random rows, over the benches."""
    nulls = [null_baseline(n_q, one, taus=(TAU,)) for one in truth]
    recovery = np.mean([one.recovery[TAU].value for one in nulls])
    return float(recovery), float(np.mean([one.mip.value for one in nulls]))
