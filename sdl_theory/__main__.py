"""`python -m sdl_theory verify | train | table | embeddings | sensitivity | figure | traps`: the
audit, a training run, the paper's tables, its Table 2 on your embeddings, what verdicts depend on,
its Figures 4, 6 and 7, what training does about traps.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .experiments.commands import figure, real_embeddings, sensitivity, traps
from .experiments.commands.options import a_place, add_place
from .experiments.commands.paper_table import paper_table
from .experiments.commands.settings import BENCH
from .experiments.commands.table import table
from .experiments.commands.train import train
from .experiments.commands.verify import verify
from .experiments.presets import PRESETS, ROWS
from .experiments.rows import MODEL


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m sdl_theory",
        description="The theory of sparse dictionary learning (arXiv:2512.05534, "
        "Theorems 3.1 to 3.10), certified; and its bench.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    _verify(commands)
    _train(commands)
    _table(commands)
    for command in (real_embeddings, sensitivity, figure, traps):
        command.add_parser(commands)
    return _guarded(parser.parse_args(argv))


def _guarded(arguments: argparse.Namespace) -> int:
    """Run the command; whatever goes wrong is one line on stderr, and a return code of 1."""
    try:
        return arguments.run(arguments)
    except KeyboardInterrupt as stopped:
        print(str(stopped) or "stopped", file=sys.stderr)
        return 130
    except (ValueError, TypeError, OSError, OverflowError, MemoryError, RuntimeError) as error:
        first = (str(error).strip() or "out of memory").splitlines()[0]
        kind = "" if isinstance(error, (ValueError, OSError)) else f"{type(error).__name__}: "
        print(f"error: {kind}{first}", file=sys.stderr)
        return 1


def _verify(commands) -> None:
    parser = commands.add_parser(
        "verify",
        help="audit the paper's claims and our findings: one row each, its figure and its verdict",
    )
    parser.add_argument(
        "--real", action="store_true", help="on the 1000 real ImageNet directions (about a minute)"
    )
    parser.add_argument(
        "--markdown", action="store_true", help="as the tables that the page of results carries"
    )
    parser.set_defaults(run=verify)


def _train(commands) -> None:
    parser = commands.add_parser(
        "train",
        help="train one dictionary on the bench; under torchrun, by all its processes together",
        description="Train one dictionary on the Linear Representation Bench, print how much "
        "of the truth it holds (`evaluate`), and with --out keep it.",
        epilog="Under torchrun: torchrun --nproc-per-node N -m sdl_theory train ... (NCCL on GPUs, "
        "gloo on CPUs). Ctrl-C and SIGTERM write the checkpoint and the report, "
        "and end with 130 and 143; a second one ends at once.",
    )
    _shared(parser, seeds="0")
    parser.add_argument(
        "--method", default="topk", metavar="NAME", help=f"{', '.join(ROWS)} (default: topk)"
    )
    parser.add_argument(
        "--anchors",
        type=int,
        default=0,
        metavar="K",
        help="anchor K random true features (default 0)",
    )
    parser.add_argument(
        "--out",
        type=a_place,
        metavar="FOLDER",
        help="for checkpoint.safetensors, history.jsonl, report.json",
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on from the checkpoint in --out, if there is one"
    )
    parser.add_argument(
        "--saelens", type=Path, metavar="FOLDER", help="also write the model as a SAELens folder"
    )
    parser.add_argument(
        "--shard-latents",
        type=int,
        default=1,
        metavar="P",
        help="under torchrun: cut the latents over P processes, for a dictionary that one device "
        "does not hold; the processes are P, or a multiple (relu, jumprelu, topk, batchtopk)",
    )
    parser.set_defaults(run=train)


def _table(commands) -> None:
    counts = ", ".join(f"{one.seeds} in {name}" for name, one in PRESETS.items())
    parser = commands.add_parser(
        "table",
        help="the paper's Table 1, or with a number Table 1, 4, 5, 6 or 7 beside its figures",
        description="Without a number: Table 1 of arXiv:2512.05534 on a preset's bench, each "
        "method without anchors and with the preset's, both judged on the same held-out features. "
        "With a number: that table's lines, plain, anchored and sham, kept run by run.",
    )
    _lines(parser)
    _shared(parser, seeds=f"from 0 on, {counts}")
    parser.add_argument(
        "--methods",
        nargs="+",
        metavar="NAME",
        help="rows to run, of the methods of train (default: the seven of Table 1)",
    )
    parser.add_argument(
        "--out",
        type=a_place,
        metavar="FILE",
        help="JSON for the table, written after every row; "
        "rows that it holds already are not run again",
    )
    parser.set_defaults(run=_run_table)


def _run_table(given: argparse.Namespace) -> int:
    if given.number == 2:
        raise ValueError(
            "Table 2 is about labelled embeddings, and its command has options of its own: "
            "python -m sdl_theory embeddings --embeddings FILE --labels FILE --out FILE"
        )
    return (paper_table if given.number else table)(given)


def _lines(parser: argparse.ArgumentParser) -> None:
    """What only the tables line by line take."""
    parser.add_argument(
        "number",
        type=int,
        nargs="?",
        choices=(1, 2, 4, 5, 6, 7),
        help="run what is missing of this table, plain, anchored and at sham anchors (of 2: see "
        "the command embeddings), and print ours beside the paper's; none: Table 1, plain and "
        "anchored, methods and settings free",
    )
    parser.add_argument(
        "--rows",
        type=int,
        nargs="+",
        help="lines of that table to run, from 1 (default: all)",
    )
    parser.add_argument(
        "--arms",
        nargs="+",
        metavar="ARM",
        help="which of its arms to run: plain, anchored, sham, and in Table 1 'plain, unclipped' "
        "and 'anchored, unclipped' (default: all)",
    )
    parser.add_argument(
        "--merge",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="put the runs of several files of one table into --out, and print them",
    )


def _shared(parser: argparse.ArgumentParser, seeds: str) -> None:
    """The options of train and table; `seeds` says the default of --seeds."""
    add_place(parser, seeds)
    parser.add_argument(
        "--set",
        nargs="+",
        default=[],
        metavar="NAME=VALUE",
        help=f"override {', '.join(BENCH)} of the bench, {', '.join(MODEL)} of the model, "
        "or any field of sdl_theory.Config but seed: lr=3e-3 steps=500 ks=8,16,32",
    )


if __name__ == "__main__":
    sys.exit(main())
