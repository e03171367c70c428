"""A file of runs that cost something: a line a run, whole after every one, gone on with later."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ...files import write_atomically
from ..provenance import provenance


class Kept:
    """The rows of a file, and its head: settings that all of them share.

    ValueError for a file with another head, or of something else.
    """

    def __init__(self, path: Path, head: dict[str, Any]):
        self.path, self.head = path, json.loads(json.dumps(head))
        self.rows: list[dict] = []
        self.made_with = provenance()
        if path.exists():
            self._read(path)

    def _read(self, path: Path) -> None:
        try:
            whole = json.loads(path.read_text(encoding="utf-8"))
            rows, theirs = whole["rows"], {name: whole.get(name) for name in self.head}
            self.made_with = whole["made_with"] if rows else self.made_with
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"{path} is no record of a figure ({type(error).__name__}: {error}); give this one "
                f"a file of its own"
            ) from None
        if theirs != self.head:
            other = ", ".join(f"{name} {value}" for name, value in theirs.items())
            raise ValueError(f"{path} holds other runs ({other}); give these a file of their own")
        self.rows = rows

    def missing(self, jobs: Iterable[dict]) -> Iterable[dict]:
        """The jobs whose settings no row has, with a bar."""
        wanted = [job for job in jobs if not any(job.items() <= row.items() for row in self.rows)]
        return tqdm(wanted, desc=self.path.stem, unit="run")

    def add(self, row: dict) -> None:
        """Keep a row, and write the file."""
        self.rows.append(json.loads(json.dumps(row)))
        head = json.dumps(self.head | dict(made_with=self.made_with))[:-1]
        lines = ",\n  ".join(map(json.dumps, self.rows))
        write_atomically(self.path, f'{head},\n "rows": [\n  {lines}\n ]}}\n'.encode())
