"""`python -m sdl_theory embeddings`: Table 2 of the paper on labelled embeddings of yours.

Every run that is missing, kept one by one, beside what no training scores.
"""

from __future__ import annotations

import argparse
import sys
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

from ...checks import check_count
from ...lock import locked
from ...representations.fixture import fixture
from ...representations.store import Representations, open_representations
from ...training.trainer import TrainingError
from ..real.cases import Case, both
from ..real.compare import compare, controls, others
from ..real.nonsense import gains
from ..real.record import Key, Record
from ..real.runs import ARMS, METHODS, UNTRAINED, Recipe, run, untrained
from .settings import device

RECIPE = {one.name: one.default for one in fields(Recipe)}
WORDS = dict(
    n_q="latents; Table 2 of the paper has 16384",
    k="latents that fire",
    anchors="classes whose means are shown, as in Table 2 of the paper",
    lam="lambda_anchor, as in Table 2 of the paper",
    steps="of training",
    batch="rows a step",
    lr="learning rate",
    warmup="steps in which it grows",
)


def add_parser(commands) -> None:
    """The command's words."""
    parser = commands.add_parser(
        "embeddings",
        help="the paper's Table 2 on labelled embeddings of your own, with untrained controls",
        description="Table 2 of arXiv:2512.05534 on labelled embeddings, raw and centred: plain, "
        "anchored at class means, at random directions, unclipped, and at means of shuffled "
        "classes; then rows that nobody trained, scored alike; and what the intervals say.",
        epilog="CLIP's embeddings of ImageNet, at the setting of Table 2: python -m sdl_theory "
        "embeddings --embeddings clip.npy --labels labels.npy --n-q 16384 --out clip.json",
    )
    _files(parser)
    parser.add_argument(
        "--methods",
        nargs="+",
        choices=METHODS,
        default=list(METHODS),
        metavar="NAME",
        help=f"{', '.join(METHODS)} (default: all)",
    )
    parser.add_argument(
        "--arms",
        nargs="+",
        choices=ARMS,
        default=list(ARMS),
        metavar="ARM",
        help=f"{', '.join(map(repr, ARMS))} (default: all)",
    )
    parser.add_argument(
        "--seeds", type=int, default=5, metavar="COUNT", help="seeds 0, 1, ... (default 5)"
    )
    parser.add_argument("--device", help="cpu, cuda, ... (default: cuda if there is one)")
    for name, value in RECIPE.items():
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            type=type(value),
            default=value,
            help=f"{WORDS[name]} (default {value})",
        )
    parser.set_defaults(run=real_embeddings)


def _files(parser: argparse.ArgumentParser) -> None:
    """What is read, and what is written."""
    parser.add_argument(
        "--embeddings",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="a row a sample: .npy, .npz, .safetensors or .parquet; several files (such as layers) "
        "share the labels (default: the shipped embeddings of 1600 texts)",
    )
    parser.add_argument(
        "--keys", nargs="+", metavar="NAME", help="which matrices, where a file holds several"
    )
    parser.add_argument("--labels", type=Path, metavar="FILE", help="a class a sample")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="JSON of all runs; gone on with"
    )


def real_embeddings(arguments: Namespace) -> int:
    """0, or 1 with a line on stderr; Ctrl-C is raised on."""
    try:
        with locked(arguments.out):
            show(_run_missing(arguments))
    except (TrainingError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _run_missing(arguments: Namespace) -> Record:
    from tqdm import tqdm

    recipe = Recipe(**{name: getattr(arguments, name) for name in RECIPE})
    seeds = range(check_count("--seeds", arguments.seeds))
    on, every = device(arguments.device), _cases(arguments)
    head = dict(data=_data(every), recipe=recipe.settings)
    record = Record(head, arguments.out)
    compares = "anchored" in arguments.arms  # else there is nothing to control
    for case in every.values() if compares else ():
        for seed in seeds:
            keys = [(case.name, "untrained", name, seed) for name in UNTRAINED]
            if record.missing(keys):
                record.keep(*untrained(case, seed, recipe))
    jobs = record.missing(_wanted(every, arguments.methods, arguments.arms, seeds))
    for name, method, arm, seed in tqdm(jobs, desc="runs", unit="run"):
        record.keep(run(every[name], method, arm, seed, recipe=recipe, device=on))
    return record


def _wanted(names, methods, arms, seeds) -> list[Key]:
    """Plain and anchored before the other arms, so that what is there compares early."""
    return [
        (name, method, arm, seed)
        for arm in arms
        for method in methods
        for name in names
        for seed in seeds
    ]


def _cases(arguments: Namespace) -> dict[str, Case]:
    """Raw and centred, of every file."""
    every = [case for name, opened in _opened(arguments) for case in both(name, opened)]
    return {case.name: case for case in every}


def _opened(arguments: Namespace) -> Iterator[tuple[str, Representations]]:
    if arguments.embeddings is None:
        yield from sorted(fixture().items(), reverse=True)  # layer5, final
        return
    for path in arguments.embeddings:
        for key in arguments.keys or [None]:
            opened = open_representations(path, labels=arguments.labels, key=key)
            yield key or path.stem, opened


def _data(every: dict[str, Case]) -> dict:
    """What the record remembers of the data, to notice others."""
    return {
        name: dict(
            classes=case.K,
            trained=len(case.split.train),
            heldout=len(case.heldout),
            n_p=case.n_p,
            mean_share=round(case.mean_share, 5),
        )
        for name, case in every.items()
    }


def show(record: Record) -> None:
    """Print ours beside the paper's Table 2, by its metric, then the rest."""
    titles = dict(
        encoder_raw_found_95="M_GT at .95 (section 5.1 and appendix B: encoder, raw), all classes",
        encoder_raw_mip="M_IP, likewise",
        encoder_raw_found_95_others="M_GT, classes that no anchor showed",
        encoder_raw_mip_others="M_IP, likewise",
    )
    for figure, title in titles.items():
        print(f"\n{title}\n\n{compare(record, figure)}")
        print(f"\n... beside rows that nobody trained, and nonsense\n\n{controls(record, figure)}")
        print(f"\n... beside anchors at means of shuffled classes\n\n{gains(record, figure)}")
    print(f"\nThe same runs by cosine, by chance, and what the latents do\n\n{others(record)}")
