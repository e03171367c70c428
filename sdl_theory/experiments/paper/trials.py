"""The runs of the sensitivity table: Table 1's lines, each of our choices moved once; one file,
whole after every run.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch

from ...files import write_atomically
from .choices import MOVES, UNMOVED, Move, moves
from .lines import Line, lines
from .record import RESULTS, Record, results_folder
from .runs import prepare, run, settings

ARMS = ("plain", "anchored")
FIGURES = (
    "encoder_raw_recovery_95",
    "encoder_raw_mip",
    "encoder_raw_null_mip",
    "encoder_mip",
    "decoder_recovery_95",
    "decoder_mip",
    "null_mip",
    "l0",
    "loss",
)
Key = tuple[str, str, str]  # method, move, arm


def kept_at(preset: str) -> Path:
    """Where the project keeps them; ValueError outside a checkout."""
    return results_folder() / f"sensitivity_{preset}.json"


class Trials:
    """Runs by (method, move, arm), at one preset with one set of seeds.

    ValueError for a file of something else.
    """

    def __init__(self, preset: str, seeds: Sequence[int], path: Path | None = None):
        self.preset, self.seeds, self.path = preset, list(seeds), path
        self.lines = {line.method: line for line in lines(1)}
        self.runs: dict[Key, dict] = {}
        self.made_with: list[dict] = []
        if path is not None and path.exists():
            self._take(path)

    def _take(self, path: Path) -> None:
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
            theirs, self.made_with = (stored["preset"], stored["seeds"]), stored["made_with"]
            for one in stored["runs"]:
                assert all(len(one["figures"][name]) == len(theirs[1]) for name in FIGURES)
                assert one["method"] in self.lines and one["arm"] in ARMS and "changed" in one
                self.runs[one["method"], one["move"], one["arm"]] = one
        except (ValueError, KeyError, TypeError, AttributeError, AssertionError) as error:
            raise ValueError(
                f"{path} is no record of the sensitivity table ({type(error).__name__}: {error}); "
                f"give these runs a file of their own"
            ) from None
        if theirs != (self.preset, self.seeds):
            raise ValueError(
                f"{path} holds other runs (preset {theirs[0]}, seeds {theirs[1]}); give these a "
                f"file of their own"
            )

    def missing(self, methods: Sequence[str], names: Sequence[str]) -> list[tuple[Line, Move, str]]:
        """What of these is not there, the unmoved runs first; ValueError where a run is there that
        would be made with other settings today.
        """
        jobs = []
        for method in methods:
            own = [move for move in moves(method, self.preset) if move.name in names]
            for move in [UNMOVED, *own]:
                for arm in ARMS[move.anchored_only :]:
                    have = self.runs.get((method, move.name, arm))
                    if have is None:
                        jobs.append((self.lines[method], move, arm))
                    else:
                        self._check(have, changed(self.lines[method], move, arm, self.preset))
        return jobs

    def _check(self, have: dict, now: dict) -> None:
        if have["changed"] != now:
            raise ValueError(
                f"{self.path}: {have['method']}, {have['move']!r}, {have['arm']}, was made with "
                f"{have['changed']} where today's is {now}. Delete it, or give these runs a file "
                f"of their own"
            )

    def add(
        self, line: Line, move: Move, arm: str, device: torch.device | str, progress: bool
    ) -> None:
        """Run one, and write the file. Table 1's own record has the unmoved ones already."""
        whole = self._of_table_1(line, arm) if move is UNMOVED else None
        whole = whole or run(
            line, arm, self.preset, self.seeds, device=device, progress=progress, move=move
        )
        self.keep(line, move, arm, whole)

    def keep(self, line: Line, move: Move, arm: str, whole: dict) -> None:
        """Take over what `run` gave, and write the file."""
        if whole["made_with"] not in self.made_with:
            self.made_with.append(whole["made_with"])
        self.runs[line.method, move.name, arm] = dict(
            method=line.method,
            move=move.name,
            arm=arm,
            changed=changed(line, move, arm, self.preset),
            figures={name: [round(x, 5) for x in whole["figures"][name]] for name in FIGURES},
            seconds=whole["seconds"],
            made_with=self.made_with.index(whole["made_with"]),
        )
        if self.path is not None:
            write_atomically(self.path, self.text().encode())

    def _of_table_1(self, line: Line, arm: str) -> dict | None:
        path = RESULTS / f"table_1_runs_{self.preset}.json"
        if not path.exists() or self.seeds != json.loads(path.read_text("utf-8"))["seeds"]:
            return None
        record = Record(1, self.preset, self.seeds, path)
        record.missing([line], [arm])  # ValueError where today's settings are others
        return record.runs.get((line.number, arm))

    def text(self) -> str:
        """The file's JSON, a run a line: methods in Table 1's order, moves in that of `CHOICES`."""
        methods, names = list(self.lines), [UNMOVED.name, *MOVES]
        place = lambda key: (methods.index(key[0]), names.index(key[1]), ARMS.index(key[2]))
        rows = ",\n  ".join(json.dumps(self.runs[key]) for key in sorted(self.runs, key=place))
        head = json.dumps(dict(preset=self.preset, seeds=self.seeds, made_with=self.made_with))
        return f'{head[:-1]},\n "runs": [\n  {rows}\n ]}}\n'


def changed(line: Line, move: Move, arm: str, preset: str) -> dict:
    """What the move changes, by setting: {"config.lr": 0.009}; and the start, by its own words."""
    flat = lambda move: dict(_flat(settings(prepare(line, arm, preset, [0], move=move)[0])))
    usual, now = flat(UNMOVED), flat(move)
    other = {name: now[name] for name in now if now[name] != usual[name]}
    return other | {f"start.{name}": value for name, value in move.start.items()}


def _flat(parts: dict, above: str = "") -> Iterable[tuple[str, object]]:
    for name, value in parts.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value
