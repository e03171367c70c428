"""Figure 7 and ours: how runs end by arm, and whether the resampled ones end lower."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ...checks import check_count
from ...estimate import Estimate, interval
from ...table import Table
from ...training.memory import training_bytes
from ..paper.compare import verdict
from .setting import ARMS, PRESETS, PRINTED

FALL = PRINTED["resampled"] - PRINTED["nothing"]


@dataclass(frozen=True)
class Ended:
    """How the runs of a kind and an arm end, with 95% Student t intervals over seeds.

    loss : the mean training loss since the last point of the curve, as Figure 7 of the paper plots
        it; E ||x_r||^2 is 1 here.  dead : silent for a twelfth of the run's samples.
    The rest as in `reading.read`, on held-out rows.
    """

    kind: str
    mean: str
    steps: int
    arm: str
    seeds: int
    loss: Estimate
    held_out_loss: Estimate
    dead: Estimate
    silent: Estimate
    strictly_dead: Estimate
    lengthen: Estimate
    strongest: Estimate
    spare: Estimate


@dataclass(frozen=True)
class Against:
    """An arm minus "nothing", seed by seed (the same start and batches).

    printed : Figure 7's final losses, without and with: of autoencoders, as its caption in the
        walkthrough says; "-" for other kinds, which are ours.  lower : the verdict on "ends lower"
        for the training loss, which Figure 7 plots; held_out_lower : for rows nobody trained on.
    """

    kind: str
    mean: str
    steps: int
    arm: str
    printed: str
    loss: Estimate
    lower: str
    held_out_loss: Estimate
    held_out_lower: str


def last_loss(row: dict, points: int = 1) -> float:
    """The mean of the curve's last points; each is the mean of the steps since the one before."""
    last = row["curve"]["loss"][-points:]
    return sum(last) / len(last)


def groups(rows: Sequence[dict]) -> dict[tuple[str, str], dict[str, dict[int, dict]]]:
    """Rows by (kind, setting), then by arm and seed."""
    found: dict = {}
    for row in rows:
        key = row["kind"], json.dumps(row["setting"], sort_keys=True)
        found.setdefault(key, {}).setdefault(row["arm"], {})[row["seed"]] = row
    return found


def _named(key: tuple[str, str]) -> dict:
    setting = json.loads(key[1])
    return dict(
        kind=key[0], mean="taken off" if setting["centred"] else "left in", steps=setting["steps"]
    )


def ended(rows: Sequence[dict]) -> Table[Ended]:
    """Every kind and arm of which there are runs."""
    table: Table[Ended] = Table()
    for key, arms in groups(rows).items():
        for arm in (arm for arm in ARMS if arm in arms):
            own = list(arms[arm].values())
            share = lambda name: interval([row["figures"][name] for row in own]).within(0, 1)
            size = lambda name: interval([row["figures"][name] for row in own]).within(0, math.inf)
            table.append(
                Ended(
                    **_named(key),
                    arm=arm,
                    seeds=len(own),
                    loss=interval([last_loss(row) for row in own]).within(0, math.inf),
                    held_out_loss=size("held_out_loss"),
                    dead=share("dead"),
                    silent=share("silent"),
                    strictly_dead=share("strictly_dead"),
                    lengthen=size("lengthen"),
                    strongest=share("strongest"),
                    spare=share("spare"),
                )
            )
    return table


def against_nothing(rows: Sequence[dict], points: int = 1) -> Table[Against]:
    """Every other arm against nothing, where seeds have both.

    points : how many of the curve's last points make the final training loss; ValueError below 1.
    """
    check_count("points", points)
    table: Table[Against] = Table()
    for key, arms in groups(rows).items():
        plain = arms.get("nothing", {})
        for arm in ARMS[1:]:
            seeds = sorted(set(plain) & set(arms.get(arm, {})))
            if not seeds:
                continue
            fall = FALL if key[0] == "sae" and arm != "auxk" else 0.0
            minus = lambda read: interval([read(arms[arm][s]) - read(plain[s]) for s in seeds])
            loss = minus(lambda row: last_loss(row, points))
            held = minus(lambda row: row["figures"]["held_out_loss"])
            table.append(
                Against(
                    **_named(key),
                    arm=arm,
                    printed=f"{PRINTED['nothing']} -> {PRINTED['resampled']}" if fall else "-",
                    loss=loss,
                    lower=verdict(fall, loss),
                    held_out_loss=held,
                    held_out_lower=verdict(fall, held),
                )
            )
    return table


@dataclass(frozen=True)
class Cost:
    """What a run of Figure 7's size takes.

    seconds_a_step : of ours, scaled by the encoder's flops, 2 batch n_q n_p, to that size; of a
        processor's core where ours ran on one, so that other work beside it does not count.
    memory : weights, gradients, Adam and activations of one process with its share of the batch;
        every process holds all weights.
    """

    processes: int
    memory: str
    seconds_a_step: float
    days: float


def costs(rows: Sequence[dict], n_p: int = 4096, processes: Sequence[int] = (1, 8)) -> Table[Cost]:
    """Of preset "paper" at n_p, from the steps measured in `rows` (arm "nothing").

    Assumes that each process is as fast as the one measured, and that flops are all that counts.
    """
    table: Table[Cost] = Table()
    paper = PRESETS["paper"]
    speeds = [_flops_a_second(row) for row in rows if row["arm"] == "nothing"]
    if not speeds:
        return table
    flops = 2.0 * paper.batch * n_p * n_p * paper.wide
    for count in processes:
        need = training_bytes(n_p=n_p, n_q=n_p * paper.wide, batch=paper.batch // count)
        step = flops / (sum(speeds) / len(speeds)) / count
        days = step * paper.steps / 86_400
        table.append(Cost(count, str(need), round(step, 3), round(days, 3)))
    return table


def _flops_a_second(row: dict) -> float:
    own = "step_cpu_seconds" if row["made_with"]["device"] == "CPU" else "step_seconds"
    return 2.0 * row["setting"]["batch"] * row["n_p"] * row["n_q"] / row[own]


Shown = Callable[[str], None]


def show(rows: Sequence[dict], say: Shown = print) -> None:
    """Print the tables."""
    say("Figure 7: dead latents left alone, begun anew once, or woken by AuxK; how runs end\n")
    say(str(ended(rows)))
    say("\nAgainst nothing, seed by seed, beside the printed final losses\n")
    say(str(against_nothing(rows)))
    say("\nThe size printed there, from the speed measured here, scaled by flops\n")
    say(str(costs(rows)))
