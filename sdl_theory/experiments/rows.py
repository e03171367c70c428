"""A row of the paper's Table 1 by its name and a preset: set up, checked, trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from ..checks import check_count
from ..signature import checked
from ..training.anchors import Anchors
from ..training.config import Config
from ..training.fit import fit
from ..training.history import History
from ..training.methods import METHODS
from ..training.model import SDLModel
from ..training.world import World
from ..truth.bench import LinearRepresentationBench
from ..truth.sampling import ShiftedExponential
from .presets import PRESETS, ROWS, Preset

MODEL = ("n_q", "k", "biases", "levels", "ks", "plain")  # what `setup` hands on to SDLModel


@dataclass(frozen=True)
class Setup:
    """One row of the table, ready to train: a model, its bench(es), anchors or None, and recipe."""

    model: SDLModel
    data: list[LinearRepresentationBench]
    anchors: list[Anchors] | None
    config: Config

    @property
    def shown(self) -> list[list[int]]:
        """The true features that each model is shown, to be left out of its figures."""
        if self.anchors is None:
            return [[] for _ in self.data]
        return [list(one.features or ()) for one in self.anchors]


@checked(bench=dict | None)
def setup(
    preset: str | Preset = "demo",
    method: str = "topk",
    *,
    anchors: int | None = 0,
    seeds: Sequence[int] | None = None,
    instances: bool = True,
    device: torch.device | str = "cpu",
    world: World = World(),
    **override,
) -> Setup:
    """A row of Table 1 by a preset, ready to train.

    method : "relu", "jumprelu", "topk", "batchtopk", "matryoshka", "transcoder", "crosscoder" (or
        "relu_biased", "gated").
    anchors : how many true features are anchored; None: the preset's number.
    seeds : one bench and one start each, all in one batched model when `instances`.
    world : the processes that the model's latents are cut over, if they are.
    override : what takes the place of the preset's: n_q, k, biases, levels, ks, plain of SDLModel;
        any field of Config; bench, a dict with arguments of LinearRepresentationBench, or c_min and
        beta, those of its ShiftedExponential magnitudes.

    >>> from sdl_theory import setup
    >>> row = setup("demo", "batchtopk", anchors=10, seeds=[0, 1], steps=500)
    >>> row.model.instances, row.model.n_q, row.model.k
    (2, 400, 1)
    >>> [(bench.n, bench.n_p, bench.seed) for bench in row.data]
    [(100, 77, 0), (100, 77, 1)]
    >>> row.anchors[0].k, row.config.steps
    (10, 500)
    """
    if isinstance(preset, str) and preset not in PRESETS:
        raise ValueError(f"preset must be one of {', '.join(PRESETS)}; got {preset!r}")
    if method not in ROWS:
        raise ValueError(f"method must be one of {', '.join(ROWS)}; got {method!r}")
    preset = PRESETS[preset] if isinstance(preset, str) else preset
    seeds = _check_seeds(preset, seeds, instances)
    sigma, kind = ROWS[method]
    bench, own, recipe = _settings(preset, method, override)
    benches = [
        LinearRepresentationBench(**bench, kind=kind, seed=seed, device=device) for seed in seeds
    ]
    one = benches[0]
    model = SDLModel(
        one.n_p,
        n_r=one.n_r,
        method=sigma,
        **own,
        instances=len(seeds) if instances else None,
        decoder_norm=len(one.blocks) ** 0.5,
        generator=torch.Generator().manual_seed(seeds[0]),
        device=device,
        world=world,
    )
    count = preset.anchors if anchors is None else check_count("anchors", anchors, 0)
    chosen = [Anchors.of_truth(b, count) for b in benches] if count else None
    return Setup(model, benches, chosen, replace(preset.config, **dict(seed=seeds[0]) | recipe))


def _check_seeds(preset: Preset, seeds: Sequence[int] | None, instances: bool) -> list[int]:
    """The seeds, by default the preset's, or with instances=False one."""
    if seeds is None:
        seeds = range(preset.seeds if instances else 1)
    seeds = [check_count("seed", seed, 0) for seed in seeds]
    if instances and not seeds:
        raise ValueError(f"seeds must name at least one; got {seeds}")
    if not instances and len(seeds) != 1:
        raise ValueError(
            f"instances=False trains one model: seeds must name one; "
            f"got {seeds}. Run them as jobs of their own"
        )
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds must differ, or their intervals mean nothing; got {seeds}")
    return seeds


def _settings(preset: Preset, method: str, override: dict) -> tuple[dict, dict, dict[str, Any]]:
    """What goes to the bench, to the model, and to Config.

    The caller's word goes before the row's, the row's before the preset's.
    """
    row, asked = preset.rows.get(method, {}), dict(override)
    bench = preset.bench | row.get("bench", {}) | (asked.pop("bench", None) or {})
    recipe = dict(n_q=preset.n_q, k=preset.k) | row | asked
    recipe.pop("bench", None)
    own = {name: recipe.pop(name) for name in MODEL if name in recipe}
    if not METHODS[ROWS[method][0]].takes_k or own.get("ks") is not None and "k" not in asked:
        own["k"] = None
    return _magnitudes(bench), own, recipe


def _magnitudes(bench: dict) -> dict:
    """The bench's arguments, c_min and beta among them made into its law."""
    law = {name: bench[name] for name in ("c_min", "beta") if name in bench}
    if law and bench.get("magnitudes") is not None:
        raise ValueError(
            f"c_min and beta are those of ShiftedExponential; give them, or magnitudes, not both; "
            f"got {law} and {bench['magnitudes']}"
        )
    bench = {name: value for name, value in bench.items() if name not in law}
    return bench | dict(magnitudes=ShiftedExponential(**law)) if law else bench


def check_overrides(methods: Sequence[str], override: dict) -> None:
    """ValueError for a setting that none of these methods has, and that would change nothing."""
    kinds = [METHODS[ROWS[method][0]] for method in methods if method in ROWS]
    for name, value in override.items():
        owners = [one for one, kind in METHODS.items() if kind.has_setting(name)]
        if not owners or not kinds or any(kind.has_setting(name) for kind in kinds):
            continue
        none = f"method = {methods[0]!r} has none"
        if len(methods) > 1:
            none = f"none of {', '.join(methods)} has it"
        raise ValueError(
            f"{name} = {value!r} is a setting of {', '.join(owners)}; {none}. Leave it out"
        )


@checked
def train_row(row: Setup, **how) -> History:
    """`fit` on a Setup; `how` goes to `fit` (out, resume, callback, progress, world).

    >>> from sdl_theory import setup, train_row
    >>> history = train_row(setup("demo", "topk", seeds=[0, 1], steps=10), progress=False)
    >>> [(row["instance"], row["samples"]) for row in history.last]  # two models, 10 batches each
    [(0, 2560), (1, 2560)]
    """
    return fit(
        row.model,
        row.data if row.model.instances else row.data[0],
        row.config,
        anchors=row.anchors,
        **how,
    )
