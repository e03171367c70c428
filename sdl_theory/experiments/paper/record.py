"""The file of a table's runs: whole after every run, gone on with by a later call, merged from
several machines.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from ...files import write_atomically
from .lines import Line, chosen
from .runs import arms, prepare, settings

RESULTS = Path(__file__).resolve().parents[3] / "notebooks" / "results"


def stored_at(table: int, preset: str) -> Path:
    """Where the project keeps a table's runs; ValueError outside a checkout."""
    return results_folder() / f"table_{table}_runs_{preset}.json"


def results_folder() -> Path:
    """Where the project keeps results; ValueError outside a checkout."""
    if not RESULTS.is_dir():
        raise ValueError(f"{RESULTS} is not there: outside a checkout say --out, a file")
    return RESULTS


class Record:
    """Runs of one table at one preset with one set of seeds, by (line, arm).

    ValueError for a file of something else.
    """

    def __init__(self, table: int, preset: str, seeds: Sequence[int], path: Path | None = None):
        self.table, self.preset, self.seeds, self.path = table, preset, list(seeds), path
        self.runs: dict[tuple[int, str], dict] = {}
        if path is not None and path.exists():
            self._take(load(path), path)

    def _take(self, stored: dict, path: Path) -> None:
        asked = dict(table=self.table, preset=self.preset, seeds=self.seeds)
        theirs = {name: stored[name] for name in asked}
        if theirs != asked:
            other = ", ".join(f"{name} {value}" for name, value in theirs.items())
            raise ValueError(f"{path} holds other runs ({other}); give these a file of their own")
        for one in stored["runs"]:
            self.runs[one["line"], one["arm"]] = one

    def missing(
        self, lines: Iterable[Line], some: Sequence[str] | None = None
    ) -> list[tuple[Line, str]]:
        """The runs of these lines that are not there, of all arms or of `some`; ValueError where
        one is there that would be trained with other settings today, or for an arm there is not.
        """
        jobs, own = [], arms(self.table)
        if unknown := set(some or ()) - set(own):
            raise ValueError(
                f"--arms {sorted(unknown)[0]!r}: those of Table {self.table} are "
                f"{', '.join(map(repr, own))}"
            )
        for line in lines:
            for arm in some or own:
                have = self.runs.get((line.number, arm))
                if have is None:
                    jobs.append((line, arm))
                else:
                    self._check(have, line, arm)
        return jobs

    def _check(self, have: dict, line: Line, arm: str) -> None:
        now = settings(prepare(line, arm, self.preset, self.seeds[:1])[0])
        for part, wanted in now.items():
            if have["settings"][part] != wanted:
                raise ValueError(
                    f"{self.path}: the run {line.name}, {arm}, was made with another {part}: "
                    f"{have['settings'][part]} where today's is {wanted}. Delete it, or give these "
                    f"runs a file of their own"
                )

    def keep(self, run: dict) -> None:
        """Add a run, and write the file."""
        self.runs[run["line"], run["arm"]] = run
        if self.path is not None:
            write_atomically(self.path, self.text().encode())

    def text(self) -> str:
        """The file's JSON, a run a line, in the table's order."""
        order = arms(self.table)
        places = sorted(self.runs, key=lambda key: (key[0], order.index(key[1])))
        rows = ",\n  ".join(json.dumps(self.runs[key]) for key in places)
        head = json.dumps(dict(table=self.table, preset=self.preset, seeds=self.seeds))[1:-1]
        return f'{{{head},\n "runs": [\n  {rows}\n ]}}\n'


def load(path: Path) -> dict:
    """What a Record wrote; ValueError for anything else."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        numbers = {line.number for line in chosen(stored["table"], None)}
        order = arms(stored["table"])
        for one in stored["runs"]:
            assert one["line"] in numbers and one["arm"] in order
            assert {"settings", "figures", "seconds", "made_with"} <= set(one)
            assert all(len(values) == len(stored["seeds"]) for values in one["figures"].values())
        assert {"preset", "seeds"} <= set(stored)
        return stored
    except (ValueError, KeyError, TypeError, AttributeError, AssertionError) as error:
        raise ValueError(
            f"{path} is no record of a table's runs ({type(error).__name__}: {error}); name the "
            f"file of one"
        ) from None


def merge(paths: Sequence[Path], out: Path) -> Record:
    """One record of the runs of several files, of one table, preset and set of seeds: what many
    machines made. ValueError where two of them hold different figures for one run.
    """
    if not paths:
        raise ValueError("--merge needs the files of some runs; got none")
    first = load(paths[0])
    whole = Record(first["table"], first["preset"], first["seeds"], out)
    for path in paths:
        part = Record(whole.table, whole.preset, whole.seeds, path)
        for key, one in part.runs.items():
            have = whole.runs.get(key)
            if have is not None and have["figures"] != one["figures"]:
                raise ValueError(
                    f"{path} and another file hold different figures for {one['name']}, "
                    f"{one['arm']}; leave one of them out"
                )
            whole.runs[key] = have or one
    write_atomically(out, whole.text().encode())
    return whole
