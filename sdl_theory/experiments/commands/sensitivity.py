"""`python -m sdl_theory sensitivity`: Table 1 with each of our choices moved once, at one preset;
runs what is missing, keeps it run by run, prints what the verdicts depend on.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence

from ...lock import locked
from ...table import Table
from ...training.trainer import TrainingError
from ..paper.choices import MOVES
from ..paper.sensitivity import choices, nearest, sensitivity, summary
from ..paper.trials import Trials, kept_at
from ..presets import TABLE_1
from .options import a_place, add_place
from .paper_table import seeds_of
from .settings import device


def add_parser(commands) -> None:
    """The command's words."""
    parser = commands.add_parser(
        "sensitivity",
        help="Table 1 with each choice that the paper leaves open moved once: what depends on it",
        description="Table 1 of arXiv:2512.05534, plain and anchored, with each of our own choices "
        "(learning rate, batch, start, ...) moved once; kept run by run, and gone on with.",
    )
    names = dict(nargs="+", metavar="NAME")
    parser.add_argument("--methods", **names, help="of Table 1 (default: all seven)")
    parser.add_argument("--moves", **names, help="such as 'lr / 3' (default: all)")
    add_place(parser, seeds="0 to 4")
    parser.add_argument("--out", type=a_place, metavar="FILE", help="JSON of all runs")
    parser.set_defaults(run=moved_choices)


def moved_choices(arguments: Namespace) -> int:
    """0, or 1 with a line on stderr; Ctrl-C is raised on."""
    try:
        methods = _known("--methods", arguments.methods, TABLE_1)
        names = _known("--moves", arguments.moves, list(MOVES))
        out = arguments.out or kept_at(arguments.preset)
        with locked(out):
            show(_run_missing(arguments, methods, names, out), methods)
    except (TrainingError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _known(option: str, given: list[str] | None, all_of: Sequence[str]) -> Sequence[str]:
    for name in given or ():
        if name not in all_of:
            raise ValueError(f"{option} {name!r}: there are {', '.join(map(repr, all_of))}")
    return all_of if given is None else given


def _run_missing(arguments: Namespace, methods: Sequence[str], names: Sequence[str], out) -> Trials:
    from tqdm import tqdm

    trials, on = Trials(arguments.preset, seeds_of(arguments.seeds), out), device(arguments.device)
    for line, move, arm in tqdm(trials.missing(methods, names), desc="moves", unit="run"):
        trials.add(line, move, arm, device=on, progress=sys.stderr.isatty())
    return trials


def show(trials: Trials, methods: Sequence[str]) -> None:
    """Print our choices, what each verdict does under each move, and the nearest recipes."""
    print("What is left open, and our choices\n")
    print(choices())
    for method in methods:
        print(f"\nTable 1, {method}, preset {trials.preset}, {len(trials.seeds)} seeds\n")
        print(sensitivity(trials, method))
        print("\nnearest to the printed figures, plain\n")
        print(Table(nearest(trials, method)[:3]))
    print("\nAll methods: what turns their verdicts\n")
    print(summary(trials))
