"""`python -m sdl_theory traps pairs`, shared, correlated, exits, resampling: does training know of
traps? Runs what is missing, kept one by one, and prints what they say.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Mapping
from itertools import islice
from pathlib import Path

from ...checks import check_count
from ...lock import locked
from ...training.trainer import TrainingError
from ..paper.kept import Kept
from ..paper.record import results_folder
from ..traps import correlated, exits, pairs, resampling, shared_neurons
from ..traps.shape import Experiment
from .options import a_place

EXPERIMENTS: Mapping[str, Experiment] = dict(
    pairs=pairs,
    shared=shared_neurons,
    correlated=correlated,
    exits=exits,
    resampling=resampling,
)


def add_parser(commands) -> None:
    """The command's words."""
    parser = commands.add_parser(
        "traps",
        help="how trainings end, beside what the theory calls a trap of the true loss",
        description="Run what is missing of one of our experiments on traps, and print what all "
        "of its runs say, with 95% intervals.",
        epilog="May be killed at any moment: what is done is kept, and not run again.",
    )
    parser.add_argument("name", choices=tuple(EXPERIMENTS), help="which")
    parser.add_argument(
        "--out",
        type=a_place,
        metavar="FILE",
        help="JSON of all runs, gone on with (default: the project's own, traps_NAME.json)",
    )
    parser.add_argument(
        "--most", type=int, metavar="N", help="run N of what is missing (default: all; 0: print)"
    )
    parser.set_defaults(run=traps)


def traps(arguments: Namespace) -> int:
    """0, or 1 with a line on stderr; Ctrl-C is raised on."""
    try:
        out = arguments.out or results_folder() / f"traps_{arguments.name}.json"
        most = None if arguments.most is None else check_count("--most", arguments.most, 0)
        with locked(out):
            run_missing(EXPERIMENTS[arguments.name], out, most)
    except (TrainingError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def run_missing(experiment: Experiment, out: Path, most: int | None = None) -> None:
    """Run and keep `most` of the jobs that no row of `out` has, then show all rows."""
    kept = Kept(out, experiment.head())
    for job in islice(kept.missing(experiment.jobs()), most):
        kept.add(experiment.run(job))
    experiment.show(kept.rows)
