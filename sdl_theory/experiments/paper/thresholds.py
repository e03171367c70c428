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
from .runs import prepare

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
    row, shown = prepare(line, arm, preset, seeds, device=device)
    if train_row(row, progress=False).interrupted:
        raise KeyboardInterrupt(f"stopped within {method}, {arm}; half a run is no run")
    return dict(method=method, arm=arm) | counted(row, shown)


@torch.no_grad()
def counted(row: Setup, shown: Sequence[Sequence[int]]) -> dict:
    """The counts of a trained row, with how many features were held out."""
    heldout = heldout_features(shown, row.data)
    counts: dict[str, list[list[int]]] = {name: [] for name in MEASURES}
    for i, (bench, kept) in enumerate(zip(row.data, heldout)):
        rows, truth = sides(row.model.W_E[i], row.model.W_D[i], bench, kept)
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


def shares(run: dict, measure: str = "encoder_raw") -> list[Estimate]:
    """The share found at each of TAUS, with 95% Student t intervals over the seeds."""
    by_tau = zip(*run["found"][measure])
    return [interval([x / run["heldout"] for x in found]).within(0, 1) for found in by_tau]


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
        of = lambda tau, measure="encoder_raw", run=run: shares(run, measure)[TAUS.index(tau)]
        own = {f"at_{round(100 * tau)}": of(tau) for tau in (0.5, 0.8, 0.9, 0.95, 0.99)}
        table.append(
            At(method=run["method"], arm=run["arm"], **own, null_at_50=of(0.5, "null_raw"))
        )
    return table
