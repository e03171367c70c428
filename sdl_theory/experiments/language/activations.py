"""A network's activations as training reads them: scaled, massive rows and held-out texts apart."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ...checks import Tensor
from ...representations import networks
from ...representations.harvest import MASSIVE, Harvest, harvest, open_harvest
from ...representations.store import Representations
from ...truth.streams import Batch, Epochs, share
from .setting import Setting, inputs_and_targets, wanted
from .texts import glosses, some

HELD_OUT = 10  # every tenth text


def gather(setting: Setting, kinds: Sequence[str], folder: Path, progress: bool) -> Harvest:
    """The network's answers to the texts, harvested into `folder` as far as they are not there.

    Several processes only open it: ValueError if it is not finished.

    Position 0 is left out: in a Llama without a token of its own for the beginning it carries a
    massive activation, whatever it says.
    """
    if int(os.environ.get("WORLD_SIZE", 1)) > 1:
        return open_harvest(folder)
    layers, parts = wanted(setting, kinds)
    named = setting.model == "smollm2"
    model, tokenizer = (
        networks.smollm2(max(layers)) if named else networks.pretrained(setting.model, max(layers))
    )
    return harvest(
        model,
        tokenizer,
        _texts(setting),
        folder,
        layer=layers,
        parts=parts,
        max_length=setting.max_length,
        skip_first=True,
        progress=progress,
    )


def _texts(setting: Setting) -> list[str]:
    if isinstance(setting.texts, int):
        return glosses(setting.texts)
    lines = Path(setting.texts).read_text(encoding="utf-8").splitlines()
    texts = [line for line in lines if line.strip()]
    return some(texts, len(texts), 0)


@dataclass(frozen=True)
class Part:
    """Rows (x - mean) * scale."""

    rows: Representations
    mean: Tensor
    scale: float

    def take(self, places: Tensor) -> Tensor:
        return (self.rows.rows(places) - self.mean) * self.scale


class Activations:
    """Batches (x_p, x_r) of the rows `places`: x_p joins `inputs`, x_r joins `targets`.

    targets : None where x_r = x_p.
    """

    def __init__(self, inputs: Sequence[Part], targets: Sequence[Part] | None, places, seed: int):
        self.inputs, self.targets, self.places = inputs, targets, torch.as_tensor(places)
        self._order = Epochs(len(self.places), seed, "cpu")

    def __len__(self) -> int:
        return len(self.places)

    def pair(self, places: Tensor) -> tuple[Tensor, Tensor]:
        """x_p and x_r of the rows at these places of `places`."""
        which = self.places[places]
        x_p = torch.cat([part.take(which) for part in self.inputs], 1)
        if self.targets is None:
            return x_p, x_p
        return x_p, torch.cat([part.take(which) for part in self.targets], 1)

    def batch(self, t: int, size: int, *, rank: int = 0, world: int = 1) -> Batch:
        """The t-th batch of `size` rows; of these the share of machine `rank` of `world`."""
        part = share(size, rank, world)
        return Batch(*self.pair(self._order.slice(t * size, size)[part]), None)


@dataclass(frozen=True)
class Pair:
    """A kind's rows: those to train on, those held out, and what was found on the way.

    facts : rows, held-out rows, massive rows that were left out, and by part the median norm, the
        largest that stayed, and the share of the mean in the squared length.
    """

    train: Activations
    held_out: Activations
    facts: dict


def prepare(setting: Setting, kind: str, found: Harvest, seed: int = 0) -> Pair:
    """The rows of a kind out of a harvest, each part scaled to E ||x_p||^2 = 1 over all of them.

    Rows beyond ten median norms in any part are left out (massive activations): a handful of them
    would be most of the loss. ValueError where too few rows are left to hold some out.
    """
    inputs, targets = inputs_and_targets(setting, kind)
    names = inputs + (targets or [])
    norms = {name: _norms(found[name]) for name in names}
    good = np.all([norms[name] <= MASSIVE * np.median(norms[name]) for name in names], 0)
    held = found.text % HELD_OUT == HELD_OUT - 1
    train, test = np.flatnonzero(good & ~held), np.flatnonzero(good & held)
    if not len(train) or not len(test):
        raise ValueError(
            f"{len(found.text)} rows leave {len(train)} to train on and {len(test)} to hold out; "
            f"give more texts"
        )
    facts: dict = dict(rows=len(train), held_out=len(test), massive=int((~good).sum()))
    parts = {}
    for name in names:
        mean, squares = _moments(found[name], train)
        power = squares - float(mean @ mean) * setting.centred
        blocks = len(inputs if name in inputs else targets or [])
        shift = mean.float() if setting.centred else torch.zeros(len(mean))
        parts[name] = Part(found[name], shift, (power * blocks) ** -0.5)
        facts[name] = dict(
            median_norm=float(np.median(norms[name][train])),
            largest_norm=float(norms[name][train].max()),
            mean_share=float(mean @ mean) / squares,
        )
    sides = [parts[n] for n in inputs], None if targets is None else [parts[n] for n in targets]
    return Pair(Activations(*sides, train, seed), Activations(*sides, test, seed), facts)


def _norms(rows: Representations) -> np.ndarray:
    return torch.cat([part.norm(dim=1) for _, part in rows.chunks()]).numpy()


def _moments(rows: Representations, places: np.ndarray) -> tuple[Tensor, float]:
    """Mean and mean squared norm over the rows at `places`, in float64."""
    total, squares = torch.zeros(rows.n_p, dtype=torch.float64), 0.0
    for some_places in np.array_split(places, max(1, len(places) // 8192)):
        part = rows.rows(some_places).double()
        total += part.sum(0)
        squares += float(part.square().sum())
    return total / len(places), squares / len(places)
