"""Figure 6 of arXiv:2512.05534 on the bench: the share of features found against the threshold tau,
for Table 1's methods, plain and anchored, beside what random rows score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ...checks import Tensor
from ...estimate import Estimate, interval
from ...measure.heldout import heldout_features, sides
from ...measure.matching import best_matches
from ...measure.recovery import random_matches
from ...table import Table
from ..presets import TABLE_1
from ..rows import Setup, train_row
from .lines import lines
from .runs import prepare, together

TAUS = tuple(round(0.5 + 0.01 * i, 2) for i in range(51))
ARMS = ("plain", "anchored")
MEASURES = ("encoder_raw", "encoder", "decoder", "null_raw", "null")


def jobs() -> list[dict]:
    """Every method of Table 1, plain and anchored."""
    return [dict(method=method, arm=arm) for method in TABLE_1 for arm in ARMS]


def run(
    method: str,
    arm: str,
    *,
    preset: str,
    seeds: Sequence[int],
    device: torch.device | str = "cpu",
) -> dict:
    """Train one, and count: how many held-out features exceed each of TAUS, seed by seed, in each
    of MEASURES. The first is the paper's (section 5.1, appendix B: encoder, inner products), then
    cosines of encoder and decoder, then random rows of the encoder's norms, and of norm one.
    """
    line = next(line for line in lines(1) if line.method == method)
    parts = [list(seeds)] if together(preset, seeds, device) else [[seed] for seed in seeds]
    counts: list[dict] = []
    for part in parts:
        row, shown = prepare(line, arm, preset, part, device=device)
        if train_row(row, progress=False).interrupted:
            raise KeyboardInterrupt(f"stopped within {method}, {arm}; half a run is no run")
        counts.append(counted(row, shown))
    found = {name: [x for one in counts for x in one["found"][name]] for name in MEASURES}
    return dict(method=method, arm=arm, heldout=counts[0]["heldout"], found=found)


@torch.no_grad()
def counted(row: Setup, shown: Sequence[Sequence[int]]) -> dict:
    """The counts of a trained row, with how many features were held out."""
    heldout = heldout_features(shown, row.data)
    counts: dict[str, list[list[int]]] = {name: [] for name in MEASURES}
    model = row.model
    many = model.instances is not None
    each = zip(model.W_E if many else [model.W_E], model.W_D if many else [model.W_D])
    for (W_E, W_D), bench, kept in zip(each, row.data, heldout):
        rows, truth = sides(W_E, W_D, bench, kept)
        norms = rows["encoder"].norm(dim=1)
        norms = torch.stack([norms, torch.ones_like(norms)])
        scores = (
            best_matches(rows["encoder"], truth["encoder"], cosine=False),
            best_matches(rows["encoder"], truth["encoder"]),
            best_matches(rows["decoder"], truth["decoder"]),
            *random_matches(truth["encoder"], norms, draws=1)[:, 0],
        )
        for name, matches in zip(MEASURES, scores):
            counts[name].append(above(matches))
    return dict(heldout=len(heldout[0]), found=counts)


def above(matches: Tensor) -> list[int]:
    """How many exceed each of TAUS."""
    return [int((matches > tau).sum()) for tau in TAUS]


def share(run: dict, tau: float, measure: str = "encoder_raw") -> Estimate:
    """The share found at one of TAUS, with a 95% Student t interval over the seeds."""
    place = TAUS.index(round(tau, 2))
    counts = [found[place] for found in run["found"][measure]]
    return interval([count / run["heldout"] for count in counts]).within(0, 1)


def shares(run: dict, measure: str = "encoder_raw") -> list[Estimate]:
    """The share found at each of TAUS."""
    return [share(run, tau, measure) for tau in TAUS]


@dataclass(frozen=True)
class At:
    """The share found at some thresholds, by the paper's metric (section 5.1)."""

    method: str
    arm: str
    at_50: Estimate
    at_80: Estimate
    at_90: Estimate
    at_95: Estimate
    at_99: Estimate
    null_at_50: Estimate


def at(runs: Sequence[dict]) -> Table[At]:
    """A few places of every curve."""
    table: Table[At] = Table()
    for run in runs:
        own = {f"at_{round(100 * tau)}": share(run, tau) for tau in (0.5, 0.8, 0.9, 0.95, 0.99)}
        table.append(
            At(method=run["method"], arm=run["arm"], **own, null_at_50=share(run, 0.5, "null_raw"))
        )
    return table
