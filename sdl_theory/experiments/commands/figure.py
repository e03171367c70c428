"""`python -m sdl_theory figure 4`, 6 or 7: the runs behind that figure of the paper that are
missing, kept one by one, and what they say.
"""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from pathlib import Path

from ...lock import locked
from ...training.trainer import TrainingError
from ..paper import plane, thresholds
from ..paper.kept import Kept
from ..paper.record import results_folder
from .language import figure_7, figure_7_options
from .options import a_place, add_place
from .paper_table import seeds_of
from .settings import device


def add_parser(commands) -> None:
    """The command's words."""
    parser = commands.add_parser(
        "figure",
        help="the runs behind a figure of the paper (Figures 4, 6, 7), kept and summed up",
        description="Run what is missing of our runs for Figure 4, Figure 6 or Figure 7 of "
        "arXiv:2512.05534, and print what they say.",
    )
    parser.add_argument("number", type=int, choices=tuple(FIGURES), help="which figure")
    add_place(parser, seeds="Figure 6: 0 to 4, Figure 7: 0 to 2")
    parser.add_argument("--out", type=a_place, metavar="FILE", help="JSON of all runs")
    figure_7_options(parser)
    parser.set_defaults(run=figure)


def figure(arguments: Namespace) -> int:
    """0, or 1 with a line on stderr; Ctrl-C is raised on."""
    try:
        stem = "language_model" if arguments.number == 7 else f"figure_{arguments.number}"
        out = arguments.out or results_folder() / f"{stem}.json"
        # one process of torchrun's writes
        with locked(out if int(os.environ.get("RANK", 0)) == 0 else None):
            FIGURES[arguments.number](arguments, out)
    except (TrainingError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _figure_4(arguments: Namespace, out: Path) -> None:
    cells = Kept(out, dict(figure=4, starts=plane.RUNS, steps=plane.STEPS))
    for cell in cells.missing(map(vars, plane.CELLS)):
        cells.add(plane.kept(plane.train(plane.Plane(**cell))))
    print("Four features in the plane, four latents: how trainings of Figure 4's kind end\n")
    print(plane.ended(cells.rows))


def _figure_6(arguments: Namespace, out: Path) -> None:
    how = dict(preset=arguments.preset, seeds=seeds_of(arguments.seeds))
    runs = Kept(out, dict(figure=6) | how | dict(taus=thresholds.TAUS))
    for job in runs.missing(thresholds.jobs()):
        runs.add(thresholds.run(**job, **how, device=device(arguments.device)))
    print("Share found against the threshold tau, plain and anchored\n")
    print(thresholds.at(runs.rows))


FIGURES = {4: _figure_4, 6: _figure_6, 7: figure_7}
