"""The recordings of all explorers of some notebooks: made by two processes, and kept.

What is kept stands in build/frames under a hash of its sources, so that a page whose words alone
changed is written at once.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from . import explorers
from .drawing import picture
from .frames import CACHE, record, script, sources

WORKERS = 2


class Call(NamedTuple):
    """A cell's last line that makes an explorer, the explorer's name on its page, and the page."""

    source: str
    name: str
    stem: str

    @property
    def file(self) -> str:
        """Where the page finds the explorer's states."""
        return f"frames/{self.stem}-{self.name}.js"


class Recording(NamedTuple):
    """An explorer as a page needs it: its first words and picture (HTML), and its script."""

    headline: str
    words: str
    picture: str
    script: str


def call_of(source: str) -> str | None:
    """The line of a cell that makes an explorer, if the cell's last statement is such a call."""
    last = (ast.parse(source).body or [None])[-1]
    call = getattr(last, "value", None)
    name = getattr(getattr(call, "func", None), "id", "")
    made = isinstance(call, ast.Call) and name.endswith("_explorer") and hasattr(explorers, name)
    return ast.unparse(call) if made else None


def explorer_of(source: str) -> explorers.Explorer | None:
    """The explorer that a cell's last line calls, with literal arguments; None if it calls none.

    The call is read, never evaluated.
    """
    line = call_of(source)
    if line is None:
        return None
    call = ast.parse(line, mode="eval").body
    places = [ast.literal_eval(value) for value in call.args]
    words = {word.arg: ast.literal_eval(word.value) for word in call.keywords}
    return getattr(explorers, call.func.id)(*places, **words)


def calls(cells: list[str], stem: str) -> dict[str, Call]:
    """The explorers of a page by their cell's source; a second one of a kind is "pair-2"."""
    found: dict[str, Call] = {}
    for source in cells:
        if line := call_of(source):
            short = line.split("(")[0].removesuffix("_explorer")
            before = sum(one.name.split("-")[0] == short for one in found.values())
            found[source] = Call(line, f"{short}-{before + 1}" if before else short, stem)
    return found


def place(call: Call, states: int | None = None) -> Path:
    """Where a recording is kept, if it is."""
    key = hashlib.sha256(repr((*call[:2], states)).encode() + sources()).hexdigest()
    return CACHE / f"{key[:24]}.json"


def recording(call: Call, states: int | None = None) -> Recording:
    """The recording of one explorer, from the store if it is there."""
    kept = place(call, states)
    if kept.is_file():
        return Recording(**json.loads(kept.read_text(encoding="utf-8")))
    try:
        explorer = explorer_of(call.source).recorded()
    except ValueError as error:
        raise ValueError(f"{call.stem}.ipynb: {call.source}: {error}") from error
    explorer.name = call.name
    headline, words = explorer.headline, explorer.words
    drawn = picture(explorer.chart.static_spec(), f"{headline}: {words}")
    made = Recording(headline, words, drawn, script(*record(explorer, states)))
    CACHE.mkdir(parents=True, exist_ok=True)
    part = kept.with_suffix(f".{os.getpid()}")
    part.write_text(json.dumps(made._asdict()), encoding="utf-8")
    part.replace(kept)  # whole, or not there
    return made


def _alone() -> None:
    """One thread a process: there are two of them."""
    import torch

    torch.set_num_threads(1)


def recordings(wanted: list[Call], states: int | None = None) -> dict[Call, Recording]:
    """The recordings of all calls; few states are told here, many by two processes."""
    missing = [call for call in dict.fromkeys(wanted) if not place(call, states).is_file()]
    if states is None and len(missing) > 1:
        with ProcessPoolExecutor(WORKERS, get_context("spawn"), initializer=_alone) as pool:
            list(pool.map(recording, missing))  # which keeps them
    return {call: recording(call, states) for call in wanted}
