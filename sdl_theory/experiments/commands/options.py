"""Options that several commands take."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_place(parser: argparse.ArgumentParser, seeds: str) -> None:
    """Which size, where, with which seeds; `seeds` says the default of --seeds."""
    parser.add_argument(
        "--preset",
        choices=("demo", "half", "paper"),
        default="demo",
        help="demo (default): n = 100, seconds on a laptop; half: n = 250, n_q = 4000; "
        "paper: n = 1000, n_q = 16000",
    )
    parser.add_argument("--device", help="cpu, cuda, cuda:1, ... (default: cuda if there is one)")
    parser.add_argument(
        "--seeds",
        type=int,
        nargs="+",
        metavar="SEED",
        help=f"one bench and one start each (several: one batched model; default: {seeds})",
    )


def a_place(text: str) -> Path:
    """A file or folder to write; what is empty is none."""
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty; name a place")
    return Path(text)
