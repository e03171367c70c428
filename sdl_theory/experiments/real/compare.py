"""Ours beside Table 2 of the paper: differences seed by seed, verdicts of their intervals."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from ...estimate import Estimate, interval
from ...table import Table
from ..paper.compare import NOT, REPRODUCED, UNDECIDED, verdict
from .record import Record
from .runs import METHODS, UNTRAINED

# (M_GT, M_IP) of Table 2, arXiv:2512.05534: plain, anchored
PRINTED = dict(
    topk=((0.0, 0.517), (0.2413, 0.851)),
    batchtopk=((0.0, 0.508), (0.2413, 0.847)),
    matryoshka=((0.0, 0.683), (0.2445, 0.858)),
)
HIGHER = {REPRODUCED: "higher", NOT: "not higher", UNDECIDED: "undecided"}


@dataclass(frozen=True)
class Compared:
    """A method on a case by one figure: the printed one of Table 2, plain -> anchored, and ours
    with 95% Student t intervals over seeds.

    gain : anchored minus plain, seed by seed.
    direction : the verdict on the printed gain.
    """

    case: str
    method: str
    printed: str
    plain: Estimate
    anchored: Estimate
    gain: Estimate
    direction: str


@dataclass(frozen=True)
class Controlled:
    """Is that gain one of training, and of classes?

    control, untrained : the untrained rows that score best on average, and what they score.
    over_control, higher : anchored minus that, seed by seed; and what its interval says.
    nonsense : anchored minus plain on classes whose labels were shuffled.
    specific, of_classes : the gain minus that on nonsense, and what its interval says.
    over_sham : anchored minus anchored at random directions, over the seeds for which that was run;
        None where it was not.
    """

    case: str
    method: str
    anchored: Estimate
    control: str
    untrained: Estimate
    over_control: Estimate
    higher: str
    nonsense: Estimate
    specific: Estimate
    of_classes: str
    over_sham: Estimate | None


def pairs(record: Record, figure: str) -> Iterator[tuple[str, str]]:
    """Cases and methods whose plain and anchored runs are there."""
    for case in record.names("case"):
        for method in METHODS:
            plain, anchored = (
                record.values(case, method, arm, figure) for arm in ("plain", "anchored")
            )
            if plain and set(plain) == set(anchored):
                yield case, method


def compare(record: Record, figure: str) -> Table[Compared]:
    """Ours beside the printed figures, by one figure: such as encoder_raw_found_95 (M_GT),
    encoder_raw_mip (M_IP), or those with `_others`, of the classes that no anchor showed.
    """
    table: Table[Compared] = Table()
    for case, method in pairs(record, figure):
        plain, anchored = (
            record.values(case, method, arm, figure) for arm in ("plain", "anchored")
        )
        gain = difference(anchored, plain)
        before, after = (pair["mip" in figure] for pair in PRINTED[method])
        table.append(
            Compared(
                case=case,
                method=method,
                printed=f"{before:g} -> {after:g}",
                plain=mean(plain, figure),
                anchored=mean(anchored, figure),
                gain=gain,
                direction=verdict(after - before, gain),
            )
        )
    return table


def controls(record: Record, figure: str) -> Table[Controlled]:
    """The same runs beside what nobody trained, and beside classes that mean nothing; for a figure
    of the encoder.
    """
    table: Table[Controlled] = Table()
    for case, method in pairs(record, figure):
        of = lambda arm, name=figure, case=case, method=method: record.values(
            case, method, arm, name
        )
        anchored, plain, sham = of("anchored"), of("plain"), of("sham")
        control = best_control(record, case, figure)
        untrained = record.values(case, "untrained", control, figure)
        over = difference(anchored, untrained)
        theirs = figure.replace("encoder", "relabelled")
        nothing = subtract(of("anchored", theirs), of("plain", theirs))
        specific = difference(subtract(anchored, plain), nothing)
        table.append(
            Controlled(
                case=case,
                method=method,
                anchored=mean(anchored, figure),
                control=control,
                untrained=mean(untrained, figure),
                over_control=over,
                higher=HIGHER[verdict(1, over)],
                nonsense=interval(list(nothing.values())),
                specific=specific,
                of_classes=HIGHER[verdict(1, specific)],
                over_sham=difference({s: anchored[s] for s in sham}, sham) if sham else None,
            )
        )
    return table


def best_control(record: Record, case: str, figure: str) -> str:
    """The untrained rows with the largest mean of a figure; of equals the first of UNTRAINED."""
    have = {name: record.values(case, "untrained", name, figure) for name in UNTRAINED}
    means = {name: sum(one.values()) / len(one) for name, one in have.items() if one}
    if not means:
        raise ValueError(f"{case}: the untrained rows are not there; run the command again")
    return max(means, key=lambda name: means[name])


def mean(values: dict[int, float], figure: str) -> Estimate:
    """A figure over seeds; a share stays in [0, 1], what may exceed 1 above 0."""
    free = ("raw_mip", "l0", "loss")
    most = math.inf if any(word in figure for word in free) else 1
    return interval(list(values.values())).within(0, most)


def difference(some: dict[int, float], others: dict[int, float]) -> Estimate:
    """The mean of `subtract`, with its interval."""
    return interval(list(subtract(some, others).values()))


def subtract(some: dict[int, float], others: dict[int, float]) -> dict[int, float]:
    """Seed by seed; ValueError for a seed that only `some` have."""
    if alone := set(some) - set(others):
        raise ValueError(f"seed {min(alone)} has no run to compare with; run the command again")
    return {seed: some[seed] - others[seed] for seed in sorted(some)}


@dataclass(frozen=True)
class Dead:
    """A case: the mean's share of the squared norm, and the latents that training left dead."""

    case: str
    centred: bool
    mean_share: float
    dead: Estimate


def dead_shares(record: Record, method: str = "topk") -> Table[Dead]:
    """Every case with plain runs of a method."""
    table: Table[Dead] = Table()
    for case, data in record.head["data"].items():
        if values := record.values(case, method, "plain", "dead"):
            share = data["mean_share"]
            table.append(Dead(case, case.endswith("centred"), share, mean(values, "dead")))
    return table


@dataclass(frozen=True)
class Other:
    """One arm of a method on a case by every other measure, and what the latents do."""

    case: str
    method: str
    arm: str
    raw_found: Estimate
    raw_mip: Estimate
    encoder_mip: Estimate
    decoder_mip: Estimate
    raw_null_mip: Estimate
    null_mip: Estimate
    relabelled_mip: Estimate
    dead: Estimate
    loss: Estimate
    l0: Estimate


COLUMNS = dict(
    raw_found="encoder_raw_found_95",
    raw_mip="encoder_raw_mip",
    encoder_mip="encoder_mip",
    decoder_mip="decoder_mip",
    raw_null_mip="null_raw_mip",
    null_mip="null_mip",
    relabelled_mip="relabelled_raw_mip",
    dead="dead",
    loss="loss",
    l0="l0",
)


def others(record: Record) -> Table[Other]:
    """Every trained arm that is there."""
    table: Table[Other] = Table()
    for case in record.names("case"):
        for method in METHODS:
            for arm in record.names("arm"):
                if record.values(case, method, arm, "loss"):
                    figures = {
                        name: mean(record.values(case, method, arm, figure), figure)
                        for name, figure in COLUMNS.items()
                    }
                    table.append(Other(case, method, arm, **figures))
    return table
