"""How runs with dead latents end, by how these begin anew: the tables of `resampling`'s rows."""

from __future__ import annotations

from dataclasses import dataclass

from ...estimate import Estimate, interval
from ...table import Table

NOTHING, BRICKEN = "nothing", "bricken"  # an arm, and how the names of two begin


@dataclass(frozen=True)
class Ended:
    """An arm of a case, with 95% Student t intervals over seeds.

    to_nothing, to_bricken : the loss less that without resampling, and less that of Bricken's rows
        of the size that does better there, seed by seed (same truth, start and samples); None where
        it is that arm. And what the interval says, see `said`. Fewer that fire, a smaller l0, make
        a larger loss.
    """

    case: str
    arm: str
    seeds: int
    loss: Estimate
    l0: Estimate
    dead: Estimate
    to_nothing: Estimate | None
    loss_is: str
    to_bricken: Estimate | None
    than_bricken: str


@dataclass(frozen=True)
class Found:
    """What an arm found: section 5.1's metric of the paper first; see `resampling`'s first words.

    raw_gain : raw, less that without resampling, seed by seed; and what its interval says.
    """

    case: str
    arm: str
    raw: Estimate
    raw_mip: Estimate
    raw_null: float
    encoder: Estimate
    decoder: Estimate
    decoder_mip: Estimate
    null_mip: float
    f1: Estimate
    raw_gain: Estimate | None
    raw_is: str
    decoder_gain: Estimate | None
    decoder_is: str


@dataclass(frozen=True)
class Moment:
    """The held-out loss around an arm's first pass.

    at, later : less the loss just before, over that loss: at once, and 20 steps on.
    largest : the largest rise of any pass, in units of the loss.
    begun, awake : latents.
    """

    case: str
    arm: str
    runs: int
    begun: float
    awake: float
    before: Estimate
    at: Estimate
    later: Estimate
    largest: Estimate


def summary(rows: list[dict]) -> Table[Ended]:
    """How the arms end."""
    table: Table[Ended] = Table()
    for case, arm, own in _arms(rows):
        to_nothing = _difference(own, _runs(rows, case, NOTHING), "loss")
        to_bricken = _difference(own, _better_bricken(rows, case), "loss")
        table.append(
            Ended(
                case=case,
                arm=arm,
                seeds=len(own),
                loss=_mean(own, "loss"),
                l0=_mean(own, "l0"),
                dead=_mean(own, "dead").within(0, 1),
                to_nothing=to_nothing,
                loss_is=said(to_nothing),
                to_bricken=to_bricken,
                than_bricken=said(to_bricken),
            )
        )
    return table


def recovered(rows: list[dict]) -> Table[Found]:
    """What the arms find."""
    table: Table[Found] = Table()
    for case, arm, own in _arms(rows):
        gain = lambda name, own=own, case=case: _difference(own, _runs(rows, case, NOTHING), name)
        share = lambda name, own=own: _mean(own, name).within(0, 1)
        table.append(
            Found(
                case=case,
                arm=arm,
                raw=share("raw"),
                raw_mip=_mean(own, "raw_mip"),
                raw_null=_mean(own, "raw_null").value,
                encoder=share("encoder"),
                decoder=share("decoder"),
                decoder_mip=share("decoder_mip"),
                null_mip=_mean(own, "null_mip").value,
                f1=share("f1"),
                raw_gain=gain("raw"),
                raw_is=said(gain("raw")),
                decoder_gain=gain("decoder"),
                decoder_is=said(gain("decoder")),
            )
        )
    return table


def around(rows: list[dict]) -> Table[Moment]:
    """What the moment of resampling does to the loss: runs in which there was none are left out."""
    table: Table[Moment] = Table()
    for case, arm, runs in _arms(rows):
        own = [one for one in runs if one["later"] is not None]
        if not own:
            continue
        rise = lambda when, own=own: interval([one[when] / one["before"] - 1 for one in own])
        table.append(
            Moment(
                case=case,
                arm=arm,
                runs=len(own),
                begun=_mean(own, "begun").value,
                awake=_mean(own, "awake").value,
                before=_mean(own, "before"),
                at=rise("at"),
                later=rise("later"),
                largest=_mean(own, "jump"),
            )
        )
    return table


def said(difference: Estimate | None) -> str:
    """What an interval of differences says: "lower", "higher" or "undecided"; "-" of none."""
    if difference is None:
        return "-"
    if difference.low is None or difference.high is None:
        return "undecided"
    return "lower" if difference.high < 0 else "higher" if difference.low > 0 else "undecided"


def _runs(rows: list[dict], case: str, arm: str) -> list[dict]:
    """Of a case and an arm a dict a seed, by seed."""
    own = [row for row in rows if (row["case"], row["arm"]) == (case, arm)]
    lists = [{k: v for k, v in row.items() if isinstance(v, list)} for row in own]
    runs = [dict(zip(row, values)) for row in lists for values in zip(*row.values())]
    return sorted(runs, key=lambda one: one["seeds"])


def _better_bricken(rows: list[dict], case: str) -> list[dict]:
    """The runs of Bricken's rows of the size of lower mean loss."""
    arms = [_runs(rows, case, arm) for arm in names(rows, "arm") if arm.startswith(BRICKEN)]
    return min(
        (runs for runs in arms if runs), key=lambda runs: _mean(runs, "loss").value, default=[]
    )


def _arms(rows: list[dict]) -> list[tuple[str, str, list[dict]]]:
    pairs = [(case, arm) for case in names(rows, "case") for arm in names(rows, "arm")]
    found = [(case, arm, _runs(rows, case, arm)) for case, arm in pairs]
    return [one for one in found if one[2]]


def names(rows: list[dict], of: str) -> list[str]:
    """All cases, or arms, in the order of the rows."""
    return list(dict.fromkeys(row[of] for row in rows))


def _mean(runs: list[dict], name: str) -> Estimate:
    return interval([one[name] for one in runs])


def _difference(own: list[dict], other: list[dict], name: str) -> Estimate | None:
    """Seed by seed, of the seeds that both have; None of the same runs, or without any."""
    if own == other:
        return None
    theirs = {one["seeds"]: one[name] for one in other}
    both = [one[name] - theirs[one["seeds"]] for one in own if one["seeds"] in theirs]
    return interval(both) if both else None
