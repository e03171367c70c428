"""A harvest on disk: one .npy file a part, and a manifest of what is in them so far.

Rows are written piece by piece, each flushed to disk before the manifest names it, with a checksum.
Killed at any moment, the next call does what no manifest names.
"""

from __future__ import annotations

import io
import json
import os
import zlib
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap

from ..files import FULL, write_atomically

MANIFEST = "manifest.json"


class Cache:
    """The folder `out` of one harvest.

    settings : all that the numbers depend on, as JSON has it; a folder of others is a ValueError.
    shapes : rows and width of each file, by name; they have `dtype`.
    """

    def __init__(self, out: Path, settings: dict, shapes: Mapping[str, tuple], dtype: str):
        self.out, self.settings, self.shapes, self.dtype = out, settings, dict(shapes), dtype
        self.done: dict[str, int] = {}  # checksums, by the piece's number
        self.norms: dict[str, dict] | None = None

    def begin(self, pieces: Sequence[Sequence[slice]]) -> list[int]:
        """The numbers of the pieces that are still to be made; `pieces`: the rows of each.

        Files that are not there, or not whole, are begun anew.
        """
        self._read()
        self.out.mkdir(parents=True, exist_ok=True)
        fresh = [name for name in self.shapes if not self._whole(name)]
        for name in fresh:
            self._create(name)
        if fresh:
            self.done, self.norms = {}, None
        if len(self.done) < len(pieces):  # what a killed run, or a full disk, may have spoilt
            arrays = self.arrays()
            good = lambda i: self.done.get(str(i)) == _checksum(arrays, pieces[i])
            self.done = {str(i): self.done[str(i)] for i in range(len(pieces)) if good(i)}
        self._write()
        return [i for i in range(len(pieces)) if str(i) not in self.done]

    def _read(self) -> None:
        path = self.out / MANIFEST
        if not path.exists():
            if self.out.is_dir() and any(p.name != ".lock" for p in self.out.iterdir()):
                raise ValueError(
                    f"out = {self.out} holds other files and no {MANIFEST}; give the harvest an "
                    f"empty folder"
                )
            return
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
            theirs, done, norms = stored["settings"], stored["done"], stored["norms"]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"{path} is no manifest of a harvest ({error}); delete the folder, or name another"
            ) from None
        for name in self.settings | theirs:
            if theirs.get(name) != self.settings.get(name):
                raise ValueError(
                    f"out = {self.out} holds another harvest: its {name} is "
                    f"{theirs.get(name)!r}, this one's is {self.settings.get(name)!r}. Give this "
                    f"one a folder of its own"
                )
        self.done, self.norms = done, norms

    def _write(self) -> None:
        whole = dict(settings=self.settings, done=self.done, norms=self.norms)
        write_atomically(self.out / MANIFEST, json.dumps(whole, indent=1).encode())

    def path(self, name: str) -> Path:
        return self.out / f"{name}.npy"

    def _create(self, name: str) -> None:
        shape, path = self.shapes[name], self.path(name)
        path.unlink(missing_ok=True)
        open_memmap(path, "w+", dtype=self.dtype, shape=shape).flush()

    def _whole(self, name: str) -> bool:
        try:
            array = open_memmap(self.path(name), "r")
        except (OSError, ValueError, EOFError):
            return False
        return array.shape == tuple(self.shapes[name]) and array.dtype == np.dtype(self.dtype)

    def arrays(self) -> dict[str, np.ndarray]:
        """The files, memory-mapped, read-only."""
        return {name: open_memmap(self.path(name), "r") for name in self.shapes}

    def keep(self, piece: int, rows: Sequence[slice], made: Mapping[str, np.ndarray]) -> None:
        """Write a piece: made[name] holds its `rows`, one slice after the other.

        OSError if the disk is full: what the manifest names is good, and a later call goes on.
        """
        try:
            with ExitStack() as stack:
                for name, array in made.items():
                    mapped = open_memmap(self.path(name), "r")
                    file = stack.enter_context(open(self.path(name), "r+b"))
                    _write_rows(file, mapped, rows, array)
                    file.flush()
                    os.fsync(file.fileno())
        except OSError as error:
            if error.errno in FULL:
                raise OSError(
                    error.errno,
                    "the disk is full: what is harvested so far is kept. Free some space and call "
                    "again",
                    str(self.out),
                ) from None
            raise
        self.done[str(piece)] = _checksum(self.arrays(), rows)
        self._write()

    def finish(self, norms: dict[str, dict], text: np.ndarray, token: np.ndarray | None) -> None:
        """Add what is known of all rows together: only then `opened` takes the folder."""
        for name, array in dict(text=text, token=token).items():
            if array is not None and not self.path(name).exists():
                content = io.BytesIO()
                np.save(content, array)
                write_atomically(self.path(name), content.getvalue())
        if self.norms != norms:
            self.norms = norms
            self._write()


def opened(out: Path) -> tuple[dict[str, np.ndarray], dict[str, dict]]:
    """The files of a finished harvest by name, text and token too, and its norms.

    ValueError where there is none, or one that is not finished.
    """
    try:
        stored = json.loads((out / MANIFEST).read_text(encoding="utf-8"))
        names = [*stored["norms"], "text"] + ["token"] * (stored["settings"]["pool"] is None)
        return {name: open_memmap(out / f"{name}.npy", "r") for name in names}, stored["norms"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{out} holds no finished harvest ({type(error).__name__}: {error}); call harvest first"
        ) from None


def _write_rows(file, mapped: np.memmap, rows: Sequence[slice], array: np.ndarray) -> None:
    """By seek and write: through a map, a full disk would kill the process."""
    head, size = mapped.offset, mapped.dtype.itemsize * mapped.shape[1]
    array, at = np.ascontiguousarray(array, mapped.dtype), 0
    for part in rows:
        count = part.stop - part.start
        file.seek(head + part.start * size)
        file.write(array[at : at + count].tobytes())
        at += count


def _checksum(arrays: Mapping[str, np.ndarray], rows: Sequence[slice]) -> int:
    found = 0
    for name in sorted(arrays):
        for part in rows:
            found = zlib.crc32(arrays[name][part].tobytes(), found)
    return found
