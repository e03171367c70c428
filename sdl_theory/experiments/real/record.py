"""The file of an experiment's runs: whole after every run, gone on with by a later call."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from ...files import write_atomically

Key = tuple[str, str, str, int]  # case, method, arm, seed
KEYS = ("case", "method", "arm", "seed")


class Record:
    """Runs by (case, method, arm, seed), all made with one `head`: what the data are, the recipe.

    ValueError for a file of something else, or of another head.
    """

    def __init__(self, head: dict, path: Path | None = None):
        self.head, self.path = json.loads(json.dumps(head)), path
        self.runs: dict[Key, dict] = {}
        if path is not None and path.exists():
            theirs, runs = load(path)
            for name, value in self.head.items():
                if theirs.get(name) != value:
                    raise ValueError(
                        f"{path} holds runs of another {name}: {theirs.get(name)}, where these "
                        f"have {value}. Give these a file of their own"
                    )
            self.head = theirs
            self.runs = {key(one): one for one in runs}

    def missing(self, wanted: Iterable[Key]) -> list[Key]:
        return [one for one in wanted if one not in self.runs]

    def keep(self, *runs: dict) -> None:
        """Add runs, and write the file."""
        self.runs |= {key(one): one for one in runs}
        if self.path is not None:
            write_atomically(self.path, self.text().encode())

    def text(self) -> str:
        """The file's JSON, a run a line."""
        rows = ",\n  ".join(map(json.dumps, self.runs.values()))
        return f'{{"head": {json.dumps(self.head)},\n "runs": [\n  {rows}\n ]}}\n'

    def values(self, case: str, method: str, arm: str, figure: str) -> dict[int, float]:
        """A figure by seed; empty where there is no such run."""
        return {
            seed: run["figures"][figure]
            for (*theirs, seed), run in sorted(self.runs.items())
            if theirs == [case, method, arm] and figure in run["figures"]
        }

    def names(self, place: str) -> Sequence[str]:
        """The cases, methods or arms there are, in the order of the runs."""
        return list(dict.fromkeys(one[place] for one in self.runs.values()))


def key(run: dict) -> Key:
    return tuple(run[name] for name in KEYS)


def load(path: Path) -> tuple[dict, list[dict]]:
    """Head and runs of what a Record wrote; ValueError for anything else."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        for one in stored["runs"]:
            assert {*KEYS, "figures"} <= set(one)
            assert all(isinstance(value, float | int) for value in one["figures"].values())
        return dict(stored["head"]), stored["runs"]
    except (ValueError, KeyError, TypeError, AttributeError, AssertionError) as error:
        raise ValueError(
            f"{path} is no record of runs on embeddings ({type(error).__name__}: {error}); name "
            f"the file of one, or one that is not there yet"
        ) from None


def read(path: Path) -> Record:
    """The record of a file, to look at: nothing is written."""
    record = Record(load(path)[0], path)
    record.path = None
    return record
