"""`python -m sdl_theory table`: Table 1 of the paper, printed, and kept row by row in a file.

A later call goes on with that file.
"""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from dataclasses import asdict
from pathlib import Path

import torch

from ...files import write_atomically
from ...lock import locked
from ...table import Table
from ...training.trainer import TrainingError
from ..presets import TABLE_1
from ..provenance import provenance
from ..rows import check_overrides
from ..tables import TableRow, table_1
from .settings import device, overrides


def table(arguments: Namespace) -> int:
    """The return code: 0, or 1 with a line on stderr; Ctrl-C is raised on."""
    try:
        with locked(arguments.out):
            _run(arguments)
    except (TrainingError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _run(arguments: Namespace) -> None:
    on = device(arguments.device)
    methods, override = arguments.methods or TABLE_1, overrides(arguments.set)
    check_overrides(methods, override)
    settings = dict(
        preset=arguments.preset, seeds=arguments.seeds, overrides=arguments.set, tau=0.95
    )
    record = Record(arguments.out, settings, on)
    print(
        table_1(
            arguments.preset,
            methods,
            seeds=arguments.seeds,
            device=on,
            progress=sys.stderr.isatty(),
            done=record.done,
            callback=record.keep,
            **override,
        )
    )


class Record:
    """The file of a table, or None: the rows that it holds already (`done`), and those that come.

    ValueError for a file that is no table, or one of other settings.
    """

    def __init__(self, out: Path | None, settings: dict, on: torch.device):
        self.out, self.settings = out, settings
        self.made = provenance(on) if out else {}
        self.done: list[TableRow] = []
        if out and out.exists():
            self._read(out)

    def _read(self, out: Path) -> None:
        try:
            stored = json.loads(out.read_text())
            self.done = [TableRow.from_json(row) for row in stored["rows"]]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"{out} is no table's JSON that this one could go on with ({error}); "
                f"give this one a file of its own"
            ) from None
        if {name: stored.get(name) for name in self.settings} != self.settings:
            other = ", ".join(f"{name} {stored.get(name)}" for name in self.settings)
            raise ValueError(
                f"{out} holds another table ({other}); give this one a file of its own"
            )
        before = {name: stored.get(name) for name in self.made}
        if self.done and before != self.made:
            # rows of two makings: say both
            self.made["before"] = [*stored.get("before", []), before]

    def keep(self, table: Table[TableRow]) -> None:
        """Say the table's last row, and write all rows, those of methods not asked for too."""
        row = table[-1]
        print(
            row.method,
            "anchored" if row.anchored else "plain",
            f"found by the paper's metric (encoder, raw) {row.literal_recovery}, "
            f"encoder by cosine {row.encoder_recovery}, "
            f"decoder by cosine {row.decoder_recovery}, {row.seconds} s",
            file=sys.stderr,
        )
        if self.out:
            have = {(row.method, row.anchored > 0) for row in table}
            rest = [row for row in self.done if (row.method, row.anchored > 0) not in have]
            rows = [asdict(row) for row in [*table, *rest]]
            whole = self.settings | self.made | dict(rows=rows)
            write_atomically(self.out, json.dumps(whole, indent=1).encode())
