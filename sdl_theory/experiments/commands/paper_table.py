"""`python -m sdl_theory table 4`: the runs of one of the paper's tables (1, 4, 5, 6 or 7) that are
missing, kept one by one, then ours beside the printed figures.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from contextlib import suppress
from pathlib import Path

from ...checks import check_count
from ...lock import locked
from ...training.trainer import TrainingError
from ..paper.compare import FOUND, MIP, compare, others
from ..paper.lines import Line, chosen
from ..paper.record import Record, merge, stored_at
from ..paper.runs import run
from .settings import device

SEEDS = 5


def paper_table(arguments: Namespace) -> int:
    """0, or 1 with a line on stderr; Ctrl-C is raised on."""
    try:
        if arguments.merge:
            show(merge(arguments.merge, arguments.out or Path("table.json")))
            return 0
        out = arguments.out or stored_at(arguments.number, arguments.preset)
        with locked(out):
            show(_run_missing(arguments, out))
    except (TrainingError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _run_missing(arguments: Namespace, out: Path) -> Record:
    from tqdm import tqdm

    for name in ("methods", "set"):
        if getattr(arguments, name):
            raise ValueError(
                f"--{name} is for `table` without a number; Table {arguments.number}'s settings "
                f"are its lines: choose among them by --rows"
            )
    wanted = chosen(arguments.number, arguments.rows)
    record = Record(arguments.number, arguments.preset, seeds_of(arguments.seeds), out)
    jobs, on = record.missing(wanted, arguments.arms), device(arguments.device)
    for line, arm in tqdm(jobs, desc=f"Table {arguments.number}", unit="run"):
        record.keep(
            run(
                line,
                arm,
                arguments.preset,
                record.seeds,
                device=on,
                progress=sys.stderr.isatty(),
                folder=_folder(out, line, arm),
            )
        )
    with suppress(OSError):  # there is none, or another process has runs in it
        _folder(out, wanted[0], "plain").parent.rmdir()
    return record


def seeds_of(given: list[int] | None) -> list[int]:
    """One number is how many, 0 and on; several are the seeds themselves."""
    if given is None or len(given) == 1:
        return list(range(check_count("--seeds", given[0] if given else SEEDS)))
    return given


def _folder(out: Path, line: Line, arm: str) -> Path:
    """Where the checkpoint of a run lies until it is done."""
    words = arm.replace(", ", "_")
    return out.with_name(f"{out.stem}.running") / f"line_{line.number}_{words}"


def show(record: Record) -> None:
    """Print the tables: by M_GT, by M_IP, by the other measures."""
    print(f"Table {record.table}, preset {record.preset}, {len(record.seeds)} seeds")
    print("\nM_GT at .95 (section 5.1 and appendix B: encoder, raw), held-out features\n")
    print(compare(record, FOUND))
    print("\nM_IP, likewise\n")
    print(compare(record, MIP))
    print("\nThe same runs by cosine, and what random rows score\n")
    print(others(record))
