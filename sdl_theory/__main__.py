"""`python -m sdl_theory verify | train | table`: the audit of the theory, one training run, the
paper's Table 1.
"""

from __future__ import annotations

import argparse
import ast
import json
import sys
import textwrap
from dataclasses import fields
from pathlib import Path

# what --set knows beside Config
BENCH, MODEL = (
    ("n", "n_p", "S", "mu", "samples", "c_min", "beta"),
    ("n_q", "k", "ks", "plain", "biases"),
)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m sdl_theory",
        description="The theory of sparse dictionary learning, certified; and its bench.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    verify = commands.add_parser(
        "verify",
        help="audit the paper's claims and our findings: one row each, its figure and its verdict",
    )
    verify.add_argument(
        "--real", action="store_true", help="on the 1000 real ImageNet directions (about a minute)"
    )
    verify.add_argument("--markdown", action="store_true", help="as the tables that README carries")
    verify.set_defaults(run=lambda a: _verify(a.real, a.markdown))
    train = commands.add_parser(
        "train",
        help="train one dictionary on the bench; under torchrun, by all its processes together",
        epilog="Under torchrun: torchrun --nproc-per-node N -m sdl_theory train ... (NCCL on GPUs, "
        "gloo on CPUs). Ctrl-C and "
        "SIGTERM write the checkpoint and the report, and end with 130 and 143; a second one ends "
        "at once.",
    )
    _shared(train)
    train.add_argument(
        "--method",
        default="topk",
        help="relu, jumprelu, topk, batchtopk, matryoshka, gated, transcoder, crosscoder or "
        "relu_biased (topk)",
    )
    train.add_argument(
        "--anchors",
        type=int,
        default=0,
        metavar="K",
        help="anchor K random true features (default 0)",
    )
    train.add_argument(
        "--out", type=_path, help="folder for checkpoint.safetensors, history.jsonl, report.json"
    )
    train.add_argument(
        "--resume", action="store_true", help="go on from the checkpoint in --out, if there is one"
    )
    train.add_argument(
        "--saelens", type=Path, metavar="FOLDER", help="also write the model as a SAELens folder"
    )
    train.set_defaults(run=_train)
    table = commands.add_parser(
        "table",
        help="the paper's Table 1: every method, anchored and not, on the same held-out features",
    )
    _shared(table)
    table.add_argument(
        "--methods",
        nargs="+",
        help="rows to run, of the methods of train (default: the seven of Table 1)",
    )
    table.add_argument(
        "--out",
        type=_path,
        help="JSON file for the table, written after every row; rows that it holds already are not "
        "run again",
    )
    table.set_defaults(run=_table)
    arguments = parser.parse_args(argv)
    return _guarded(arguments)


def _guarded(arguments) -> int:
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


def _path(text: str) -> Path:
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty; name a place")
    return Path(text)


def _shared(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--preset",
        choices=("demo", "paper"),
        default="demo",
        help="demo: n = 100, seconds on a laptop; paper: n = 1000, n_q = 16000",
    )
    parser.add_argument("--device", help="cpu, cuda, cuda:1, ... (default: cuda if there is one)")
    parser.add_argument(
        "--seeds",
        type=int,
        nargs="+",
        help="one bench and one start each (several: one batched model)",
    )
    parser.add_argument(
        "--set",
        nargs="+",
        default=[],
        metavar="NAME=VALUE",
        help="override n, n_p, S, mu, samples, c_min, beta of the bench, n_q, k, ks, plain, biases "
        "of the model, or any field of "
        "sdl_theory.Config: lr=3e-3 steps=500 ks=8,16,32",
    )


def _overrides(pairs: list[str]) -> dict:
    """name=value words as keyword arguments of `reproduce.setup`."""
    from .training.config import Config

    known, bench, rest = {f.name for f in fields(Config)}, {}, {}
    for pair in pairs:
        name, _, text = pair.partition("=")
        try:
            value = ast.literal_eval(
                {"true": "True", "false": "False", "none": "None"}.get(text.lower(), text)
            )
        except (ValueError, SyntaxError):
            value = text
        if name == "seed":
            raise SystemExit(
                f"error: --set {pair}: truth, start and stream follow from --seeds; use --seeds "
                f"{text}"
            )
        if name in BENCH:
            bench[name] = value
        elif name in known or name in MODEL:
            rest[name] = value
        else:
            raise SystemExit(
                f"error: --set {pair}: no such setting; there are "
                f"{', '.join([*BENCH, *MODEL, *sorted(known)])}"
            )
    return rest | dict(bench=bench)


def _device(name: str | None):
    import os

    import torch

    if name is None:
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and "LOCAL_RANK" in os.environ:
        name = f"cuda:{os.environ['LOCAL_RANK']}"
    if name.startswith("cuda"):
        if not torch.cuda.is_available():
            raise SystemExit(
                f"error: --device {name}: this PyTorch sees no CUDA device; use --device cpu, or "
                f"install a CUDA build"
            )
        torch.cuda.set_device(name)
    from .checks import check_device

    return check_device("--device", name)


def _train(arguments) -> int:
    from .experiments.tables import check_overrides, provenance, setup, train_row
    from .files import CheckpointError, write_atomically
    from .measure.report import evaluate
    from .training.anchors import check_held_out
    from .training.saelens import check_saelens, write_saelens
    from .training.trainer import TrainingError
    from .training.world import World

    device = _device(arguments.device)
    world = World.start(device)
    many = bool(arguments.seeds and len(arguments.seeds) > 1)
    try:
        override = _overrides(arguments.set)
        check_overrides(arguments.method, override)
        if "lam_anchor" in override and not arguments.anchors:
            raise ValueError(
                f"lam_anchor = {override['lam_anchor']!r} weighs anchors, and there are none; add "
                f"--anchors K"
            )
        if many and arguments.saelens:
            raise ValueError(
                f"a SAELens folder holds one model, --seeds asks for {len(arguments.seeds)}; give "
                f"one seed, or leave --saelens out"
            )
        row = setup(
            arguments.preset,
            arguments.method,
            anchors=arguments.anchors,
            seeds=arguments.seeds or [0],
            instances=many,
            device=device,
            **override,
        )
        check_held_out(row.anchors, row.data)
        if arguments.saelens:
            check_saelens(row.model, arguments.saelens)  # now, and not when the training is done
        history = train_row(
            row,
            out=arguments.out,
            resume=arguments.resume,
            world=world,
            progress=sys.stderr.isatty(),
        )
        if world.rank == 0:
            if history.interrupted:
                how = (
                    f"go on with --resume --out {arguments.out}"
                    if arguments.out
                    else "without --out nothing is kept"
                )
                print(
                    f"stopped at step {history.rows[-1]['step'] if history.rows else 0} (last log) "
                    f"of {row.config.steps}; {how}",
                    file=sys.stderr,
                )
            anchored = (
                [list(a.features) for a in row.anchors] if row.anchors else [[] for _ in row.data]
            )
            report = evaluate(row.model, row.data, anchored=anchored if many else anchored[0])
            print(report if not many else "\n\n".join(map(str, report)))
            if arguments.out:
                whole = dict(
                    preset=arguments.preset,
                    method=arguments.method,
                    anchors=arguments.anchors,
                    seeds=arguments.seeds or [0],
                    overrides=arguments.set,
                    **provenance(device),
                    processes=world.size,
                    interrupted=history.interrupted,
                    reports=[one.summary() for one in (report if many else [report])],
                )
                write_atomically(
                    arguments.out / "report.json", json.dumps(whole, indent=1).encode()
                )
            if arguments.saelens:
                write_saelens(row.model, arguments.saelens)
        # 130: Ctrl-C, 143: SIGTERM
        return 128 + (history.signal or 2) if history.interrupted else 0
    except (TrainingError, CheckpointError, FileExistsError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    finally:
        world.stop()


def _table(arguments) -> int:
    from .lock import locked

    try:
        with locked(arguments.out):
            return _run_table(arguments)
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _run_table(arguments) -> int:
    from dataclasses import asdict

    from .experiments.tables import TABLE_1, TableRow, provenance, table_1
    from .files import write_atomically
    from .training.trainer import TrainingError

    device, out = _device(arguments.device), arguments.out
    settings = dict(
        preset=arguments.preset, seeds=arguments.seeds, overrides=arguments.set, tau=0.95
    )
    done = []
    if out and out.exists():
        try:
            stored = json.loads(out.read_text())
            done = [TableRow.from_json(row) for row in stored["rows"]]
        except (ValueError, KeyError, TypeError) as error:
            print(
                f"error: {out} is no table's JSON that this one could go on with ({error}); give "
                f"this one a file of its own",
                file=sys.stderr,
            )
            return 1
        if {name: stored.get(name) for name in settings} != settings:
            print(
                f"error: {out} holds another table "
                f"({', '.join(f'{name} {stored.get(name)}' for name in settings)}); give this one "
                f"a file of its own",
                file=sys.stderr,
            )
            return 1

    def keep(table) -> None:
        row = table[-1]
        print(
            row.method,
            "anchored" if row.anchored else "plain",
            f"found by the paper's metric (encoder, raw) {row.literal_recovery}, "
            f"encoder by cosine {row.encoder_recovery}, decoder by cosine {row.decoder_recovery}, "
            f"{row.seconds} s",
            file=sys.stderr,
        )
        if out:
            have = {(row.method, row.anchored > 0) for row in table}
            # what --methods does not name stays
            rows = [*table, *(row for row in done if (row.method, row.anchored > 0) not in have)]
            made = provenance(device)
            if done and (before := {name: stored.get(name) for name in made}) != made:
                # rows of two makings: say both
                made["before"] = [*stored.get("before", []), before]
            whole = settings | made | dict(rows=[asdict(row) for row in rows])
            write_atomically(out, json.dumps(whole, indent=1).encode())

    try:
        print(
            table_1(
                arguments.preset,
                arguments.methods or TABLE_1,
                seeds=arguments.seeds,
                device=device,
                progress=sys.stderr.isatty(),
                done=done,
                callback=keep,
                **_overrides(arguments.set),
            )
        )
    except KeyboardInterrupt as stopped:
        print(stopped, file=sys.stderr)
        return 130
    except (TrainingError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _verify(real: bool, markdown: bool) -> int:
    from .experiments.audit import as_markdown, run

    rows = []
    for row in run(real):
        if not markdown and (not rows or rows[-1].ours != row.ours):
            print("OUR FINDINGS\n" if row.ours else "THE PAPER'S CLAIMS\n")
        rows.append(row)
        if not markdown:
            print(f"{row.theorem:<14} {row.claim}\n{'':<14} on: {row.problem}")
            print(
                textwrap.fill(
                    f"saw: {row.figure}", 130, initial_indent=" " * 15, subsequent_indent=" " * 20
                )
            )
            print(
                f"{'':<14} verdict: {'' if row.ok else 'UNEXPECTED: '}{row.verdict}   "
                f"[{row.call}]\n",
                flush=True,
            )
    if markdown:
        print(as_markdown(rows, ours=False), as_markdown(rows, ours=True), sep="\n\n")
    wrong = [row for row in rows if not row.ok]
    print(
        f"{sum(not row.ours for row in rows)} claims of the paper and "
        f"{sum(row.ours for row in rows)} findings checked, {len(wrong)} with an unexpected "
        f"verdict",
        file=sys.stderr,
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
