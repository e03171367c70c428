"""Representations: rows of real numbers with labels, in memory or in files larger than memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from ..checks import Tensor, check_count, refuse
from ..files import replacing
from ..signature import checked
from .formats import LABELS, arrays_of, is_whole_map, read
from .labels import as_labels, read_labels, read_names
from .parquet import ParquetMatrix, parquet_column

CHUNK = 1 << 20  # numbers in a chunk by default: 4 MiB of float32


class Representations:
    """Rows x_p of real numbers, one a sample, with a class each where classes are known.

    x : (N, n_p), an array or tensor of any floating dtype, mapped or in memory; not copied.
    labels : (N,) whole numbers >= 0 (floats that are whole will do), or texts, which become
        classes: places in `names`, or in sorted order, which `names` then is; or a file of them.
    names : class c is `names[c]`; a list, a .json or a .txt file.

    `.x`, `.labels` (int64, or None), `.names` (or None), `len(...)`, `.n_p`; rows are handed out
    in float32, each checked as it is read. ValueError on other shapes or dtypes, on labels that
    do not match the rows, and, when they are read, on rows that are not finite.

    >>> import numpy as np
    >>> from sdl_theory.representations.store import Representations
    >>> mine = Representations(np.eye(3, dtype=np.float16), labels=["cat", "dog", "cat"])
    >>> mine.labels, mine.names
    (tensor([0, 1, 0]), ['cat', 'dog'])
    >>> mine.rows([2, 0])
    tensor([[0., 0., 1.],
            [1., 0., 0.]])
    """

    def __init__(self, x, labels=None, names=None, *, where: str = "x"):
        self.x, self.where = _checked_matrix(x, where), where
        self.labels, self.names = as_labels(read_labels(labels), read_names(names), len(x))

    def __len__(self) -> int:
        return int(self.x.shape[0])

    def __repr__(self) -> str:
        classes = "" if self.labels is None else f", {len(self.labels.unique())} classes"
        return f"Representations({len(self)} x {self.n_p}, {self.x.dtype}{classes})"

    @property
    def n_p(self) -> int:
        return int(self.x.shape[1])

    def rows(self, which) -> Tensor:
        """Rows as float32, shape (len(which), n_p): a slice, or an array of places in [0, N).

        ValueError that names the row where one is not finite.
        """
        if isinstance(which, slice):
            places = np.arange(*which.indices(len(self)))
        else:
            places = np.asarray(which)
            if places.ndim != 1 or places.size and places.dtype.kind not in "iu":
                refuse("which", "a slice, or whole numbers in one row", which)
            outside = (places < 0) | (places >= len(self))
            if outside.any():
                refuse("which", f"places in [0, {len(self)})", int(places[np.argmax(outside)]))
            places = places.astype(np.int64)
        # PyTorch knows no steps backwards
        plain = isinstance(which, slice) and (which.step or 1) > 0
        taken = torch.from_numpy(places) if isinstance(self.x, Tensor) else places
        return self._finite(self.x[which if plain else taken], places)

    @checked
    def chunks(self, rows: int | None = None) -> Iterator[tuple[int, Tensor]]:
        """Pairs (start, rows from `start` on) over all rows, at most `rows` at a time.

        A file is read, not mapped: however large it is, one chunk of it is in memory.
        """
        rows = check_count("rows", max(1, CHUNK // self.n_p) if rows is None else rows)
        start = 0
        for part in self._parts(rows):
            yield start, self._finite(part, range(start, start + len(part)))
            start += len(part)

    def _parts(self, rows: int):
        if isinstance(self.x, ParquetMatrix):
            yield from self.x.parts(rows)
            return
        own = getattr(self.x, "read", None)
        for start in range(0, len(self), rows):
            stop = min(start + rows, len(self))
            if own is not None:
                yield own(start, stop)
            elif is_whole_map(self.x):
                yield read(self.x, start, stop)
            else:
                yield self.x[start:stop]

    def _finite(self, part, places) -> Tensor:
        part = part.detach() if isinstance(part, Tensor) else _shared(part)
        part = part.to("cpu", torch.float32, copy=True)
        # one sum is cheaper than a mask of all entries, and not finite if an entry is not
        if part.numel() and not torch.isfinite(part.sum()) and not torch.isfinite(part).all():
            at, column = torch.nonzero(~torch.isfinite(part))[0].tolist()
            raise ValueError(
                f"{self.where} must be finite (in float32); row {int(places[at])}, entry {column} "
                f"is {part[at, column].item()}: drop that row, or repair it"
            )
        return part


def _shared(part: np.ndarray) -> Tensor:
    """A tensor over an array's numbers, which its caller copies and does not write to."""
    if part.dtype in (np.float16, np.float32, np.float64) and part.dtype.isnative:
        # PyTorch takes no array that is not to be written to, and no steps backwards
        usable = part.flags.writeable and min(part.strides) > 0
        return torch.from_numpy(part if usable else part.copy())
    with np.errstate(over="ignore"):  # beyond float32 is inf, which is refused
        return torch.from_numpy(part.astype(np.float32))


def _checked_matrix(x, where: str):
    shape, dtype = getattr(x, "shape", None), getattr(x, "dtype", None)
    if shape is None or dtype is None:
        refuse(where, "an array or tensor of shape (N, n_p); np.asarray makes one of a list", x)
    if len(shape) != 2 or 0 in shape:
        raise ValueError(
            f"{where} must be a non-empty matrix of shape (N, n_p), one row a sample; "
            f"got shape {tuple(shape)}"
            + (". Pool over tokens, or flatten: x.reshape(-1, n_p)" if len(shape) == 3 else "")
        )
    floats = dtype.is_floating_point if isinstance(dtype, torch.dtype) else dtype.kind == "f"
    if not floats:
        raise ValueError(
            f"{where} must hold real floating numbers; got {dtype}. "
            f"Convert it: x.astype(np.float32)"
        )
    return x


@checked
def open_representations(
    path: str | Path, labels=None, names=None, *, key: str | None = None
) -> Representations:
    """Representations from a file, mapped into memory wherever its format allows.

    path : .npy; .npz (mapped unless compressed); .safetensors (bfloat16 too); .parquet (a column
        of lists, or columns of floats; read by row groups, needs pyarrow).
    labels : an array, or a file of one of these kinds; by default what `path` itself holds as
        "labels" (in .parquet the column "label" or "labels").
    names : a list, a .json or a .txt file; by default a .npz's "names".
    key : which matrix, or column of lists, where there are several.

    ValueError that names the file where it is absent, damaged, or holds no such matrix.

    >>> import numpy as np, tempfile
    >>> from sdl_theory.representations.store import open_representations
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez(f"{folder}/mine.npz", x=np.ones((4, 2), np.float16), labels=[0, 0, 1, 1])
    ...     print(open_representations(f"{folder}/mine.npz"))
    Representations(4 x 2, float16, 2 classes)
    """
    path = Path(path)
    if path.suffix == ".parquet":
        x = ParquetMatrix(path, key)
        labels = parquet_column(path, LABELS) if labels is None else labels
        return Representations(x, labels, names, where=str(path))
    arrays = arrays_of(path)
    name = arrays.matrix(key)
    labels = arrays.side(*LABELS) if labels is None else labels
    names = arrays.side("names") if names is None else names
    where = str(path) if path.suffix == ".npy" else f"{path}: {name}"
    return Representations(arrays.get(name), labels, names, where=where)


@checked
def write_npy(representations: Representations, path: str | Path) -> Path:
    """Write the rows to a .npy file in float32, chunk by chunk, whole or not at all.

    For formats that cannot be mapped: training reads rows in random order.
    """
    path = Path(path)
    with replacing(path) as temporary, open(temporary, "wb") as file:
        shape = (len(representations), representations.n_p)
        header = dict(descr="<f4", fortran_order=False, shape=shape)
        np.lib.format.write_array_header_1_0(file, header)
        for _, part in representations.chunks():
            file.write(part.numpy().data)
    return path
