"""Does showing some features help to find the others, by the paper's own metric?

Anchored minus plain at the demo preset, with its controls.
`python -m sdl_theory.experiments.gain` runs what is missing, arm by arm, into
notebooks/results/anchoring_gain.json, and prints the differences. It may be killed and started
again. One thread, about twenty minutes a method on an idle machine.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from ..estimate import Estimate, interval
from ..files import write_atomically
from ..lock import locked
from ..table import Table
from .arms import FIGURES, LINES, SHOWN, Arm, arms, run_arm
from .presets import ROWS
from .provenance import provenance

__all__ = [
    "FIGURES",
    "LINES",
    "SHOWN",
    "Arm",
    "Gain",
    "difference",
    "gain_table",
    "load_gain",
    "main",
    "run_arm",
]

SEEDS = tuple(range(1000, 1020))  # looked at by nobody while recipes were chosen
TOGETHER = 5  # seeds in one batched model
RESULTS = Path(__file__).resolve().parents[2] / "notebooks" / "results" / "anchoring_gain.json"


def load_gain(path: Path = RESULTS) -> dict:
    """What `main` wrote: provenance, and a row an arm, seed and number of features left out."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def difference(rows: list[dict], arm: Arm, figure: str) -> Estimate:
    """`arm` minus plain (clipped alike): the mean, with its 95% Student t interval.

    Seed by seed on the same held-out features. ValueError unless both are there for every seed.
    """
    of = lambda wanted: {
        one["seed"]: one[figure]
        for one in rows
        if one["left_out"] == arm.anchors
        and {name: one[name] for name in asdict(wanted)} == asdict(wanted)
    }
    theirs, plain = of(arm), of(Arm(arm.method, clipped=arm.clipped))
    if not theirs or set(theirs) != set(plain):
        raise ValueError(
            f"{arm} and its plain twin must both be there, seed by seed; "
            f"got {len(theirs)} and {len(plain)} seeds. Run python -m sdl_theory.experiments.gain"
        )
    return interval([theirs[seed] - plain[seed] for seed in sorted(theirs)])


@dataclass(frozen=True)
class Gain:
    """An arm's difference to plain training.

    found, mip : by the paper's literal metric (encoder, raw).
    encoder_mip : the encoder's by cosine.
    decoder_found, decoder_mip : the decoder's by cosine.
    """

    method: str
    anchors: str
    lam: float
    clipping: bool
    seeds: int
    found: Estimate
    mip: Estimate
    encoder_mip: Estimate
    decoder_found: Estimate
    decoder_mip: Estimate


COMPARED = dict(  # a Gain's figures, as `run_arm` names them
    found="encoder_raw_recovery_95",
    mip="encoder_raw_mip",
    encoder_mip="encoder_mip",
    decoder_found="decoder_recovery_95",
    decoder_mip="decoder_mip",
)


def gain_table(rows: list[dict]) -> Table[Gain]:
    """Every arm that is complete, as a `Table`."""
    table: Table[Gain] = Table()
    for method in dict.fromkeys(one["method"] for one in rows):
        seeds = len({one["seed"] for one in rows if one["method"] == method})
        for arm in arms(method)[2:]:
            try:
                gained = {name: difference(rows, arm, wide) for name, wide in COMPARED.items()}
            except ValueError:
                continue
            table.append(
                Gain(
                    method=method,
                    anchors=f"{arm.anchors} {'sham' if arm.sham else 'true'}",
                    lam=arm.lam,
                    clipping=arm.clipped,
                    seeds=seeds,
                    **gained,
                )
            )
    return table


def main(argv: list[str] | None = None) -> int:
    """Run what is missing, store after every arm, print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m sdl_theory.experiments.gain", description=__doc__.splitlines()[0]
    )
    parser.add_argument(
        "--methods",
        nargs="+",
        default=["topk", "relu"],
        help="methods of `sdl_theory table` (topk relu)",
    )
    parser.add_argument(
        "--seeds",
        nargs="+",
        type=int,
        default=list(SEEDS),
        help=f"in this order, {TOGETHER} to a batched model ({SEEDS[0]} to {SEEDS[-1]}); others "
        f"need an --out of their own",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=RESULTS,
        help="JSON file of all runs; what it holds is not run again (the project's own record)",
    )
    arguments = parser.parse_args(argv)
    torch.set_num_threads(1)
    try:
        with locked(arguments.out):
            return _run_missing(arguments)
    except (KeyboardInterrupt, OSError, ValueError) as stopped:
        print(
            stopped if isinstance(stopped, KeyboardInterrupt) else f"error: {stopped}",
            file=sys.stderr,
        )
        return 130 if isinstance(stopped, KeyboardInterrupt) else 1


def _run_missing(arguments) -> int:
    from tqdm import tqdm

    rows, made = _stored(arguments.out)
    jobs = _missing(arguments, rows)
    now = provenance() | dict(preset="demo", together=TOGETHER)
    if jobs and made and {name: made.get(name) for name in now} != now:
        made = now | dict(before=made)  # rows of two makings: say both
    for arm, seeds in tqdm(jobs, desc="arms", unit="arm"):
        rows += run_arm(arm, seeds)
        lines, head = ",\n  ".join(map(json.dumps, rows)), json.dumps(made or now)
        write_atomically(
            arguments.out, f'{{\n "made_with": {head},\n "rows": [\n  {lines}\n ]\n}}\n'.encode()
        )
    print(gain_table(rows))
    return 0


def _stored(path: Path) -> tuple[list[dict], dict]:
    """The rows of an earlier call, and what it was made with.

    ValueError for a file of something else.
    """
    if not path.exists():
        return [], {}
    try:
        stored = load_gain(path)
        assert {"method", "seed", "left_out", *FIGURES} <= set(stored["rows"][0])
        return stored["rows"], stored["made_with"]
    except (ValueError, KeyError, IndexError, TypeError, AssertionError):
        raise ValueError(
            f"{path} is no record of anchored and plain runs; give this one a file of its own"
        ) from None


def _missing(arguments, rows: list[dict]) -> list[tuple[Arm, tuple[int, ...]]]:
    """The arms and groups of seeds that are not stored.

    A seed's start depends on those it is trained with, so no group may be stored in part.
    """
    seeds = arguments.seeds
    if unknown := [method for method in arguments.methods if method not in ROWS]:
        raise ValueError(f"--methods {unknown[0]}: no such method; there are {', '.join(ROWS)}")
    if min(seeds) < 0 or len(set(seeds)) < len(seeds):
        raise ValueError(f"--seeds must be whole numbers >= 0, each once; got {seeds}")
    if arguments.out == RESULTS and seeds != list(SEEDS):
        raise ValueError(
            f"--seeds other than {SEEDS[0]} to {SEEDS[-1]} need a file of their own: pass --out"
        )
    have = {json.dumps({name: one[name] for name in asdict(Arm("")) | {"seed": 0}}) for one in rows}
    jobs = []
    for arm in (arm for method in arguments.methods for arm in arms(method)):
        for group in (tuple(seeds[i : i + TOGETHER]) for i in range(0, len(seeds), TOGETHER)):
            there = [json.dumps(asdict(arm) | {"seed": seed}) in have for seed in group]
            if any(there) and not all(there):
                raise ValueError(
                    f"--seeds {list(group)} are trained together, and {arguments.out} "
                    f"holds some of them from another group; give this one a file of its own"
                )
            if not any(there):
                jobs.append((arm, group))
    return jobs


if __name__ == "__main__":
    raise SystemExit(main())
