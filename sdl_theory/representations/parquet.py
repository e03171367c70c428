"""A matrix in the columns of a .parquet file, read by row groups; needs pyarrow (extra `real`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from .extras import need
from .formats import LABELS

# by a MiB at a time: a map, or a row group read ahead, would stay in memory
READ = dict(buffer_size=1 << 20, pre_buffer=False)


class ParquetMatrix:
    """Embeddings in one column of lists, or in columns of numbers: shape (N, n_p), by parts.

    A part of many rows is read row group by row group. Rows in random order cost a row group each
    time: to train on them, write them to a .npy file first (`write_npy`).
    """

    def __init__(self, path: Path, key: str | None = None):
        need("pyarrow", "a .parquet file", "'pyarrow>=20'")
        import pyarrow as pa
        import pyarrow.parquet as pq

        if not path.is_file():
            raise ValueError(f"no file at {path}" + (": it is a folder" if path.is_dir() else ""))
        self.path = path
        try:
            self.file = pq.ParquetFile(path, **READ)
        except (pa.ArrowException, OSError) as error:
            raise ValueError(f"{path} is damaged or no .parquet file ({error})") from None
        self.columns = self._columns(key)
        groups = [self.file.metadata.row_group(g) for g in range(self.file.num_row_groups)]
        self.starts = np.cumsum([0, *(group.num_rows for group in groups)])
        first = next(self.parts(1), np.empty((0, 0), np.float32))
        self.dtype, self.shape, self.ndim = first.dtype, (int(self.starts[-1]), first.shape[1]), 2

    def _columns(self, key: str | None) -> list[str]:
        import pyarrow.types as t

        schema = self.file.schema_arrow
        is_list = lambda kind: (
            t.is_fixed_size_list(kind) or t.is_list(kind) or t.is_large_list(kind)
        )
        lists = [f.name for f in schema if is_list(f.type) and t.is_floating(f.type.value_type)]
        plain = [f.name for f in schema if t.is_floating(f.type) and f.name not in LABELS]
        found = [n for n in lists if n == key or key is None and len(lists) == 1]
        found = found or (plain if key is None and not lists else [])
        if not found:
            held = ", ".join(f"{f.name} ({f.type})" for f in schema)
            raise ValueError(
                f"{self.path} needs one column of lists of floats, or columns of floats; it has "
                f"{held}" + (f"; pass key= with one of {lists}" if lists else "")
            )
        return found

    def __len__(self) -> int:
        return self.shape[0]

    def parts(self, rows: int) -> Iterator[np.ndarray]:
        """The matrix from first row to last, at most `rows` at a time."""
        start = 0
        for batch in self._read(self.file.iter_batches, batch_size=rows, columns=self.columns):
            yield self._matrix(batch, start)
            start += len(batch)

    def __getitem__(self, which) -> np.ndarray:
        if isinstance(which, slice):
            which = np.arange(len(self))[which]
        which = np.asarray(which)
        out = np.empty((len(which), self.shape[1]), self.dtype)
        group = np.searchsorted(self.starts, which, side="right") - 1
        for g in np.unique(group):
            (table,) = self._read(lambda: [self.file.read_row_group(g, columns=self.columns)])
            part = self._matrix(table, int(self.starts[g]))
            out[group == g] = part[which[group == g] - self.starts[g]]
        return out

    def _read(self, what, **more):
        import pyarrow as pa

        try:
            yield from what(**more)
        except (pa.ArrowException, OSError) as error:
            raise ValueError(f"{self.path} is damaged: {error}") from None

    def _matrix(self, table, start: int) -> np.ndarray:
        """The numbers of a table's columns; its first row is the file's row `start`."""
        import pyarrow as pa

        columns = [table.column(name) for name in self.columns]
        columns = [c.combine_chunks() if isinstance(c, pa.ChunkedArray) else c for c in columns]
        for name, column in zip(self.columns, columns):
            if column.null_count:
                row = start + int(np.argmax(column.is_null().to_numpy(zero_copy_only=False)))
                raise ValueError(f"{self.path}: {name} is null in row {row}; drop that row")
        if not pa.types.is_nested(columns[0].type):
            return np.stack([c.to_numpy(zero_copy_only=False) for c in columns], axis=1)
        flat, n_p = columns[0].flatten(), int(getattr(self, "shape", (0, 0))[1])
        if pa.types.is_fixed_size_list(columns[0].type):
            n_p = columns[0].type.list_size
        else:
            lengths = columns[0].value_lengths().to_numpy(zero_copy_only=False)
            n_p = n_p or int(lengths[0])
            if (lengths != n_p).any():
                row = int(np.argmax(lengths != n_p))
                raise ValueError(
                    f"{self.path}: {self.columns[0]} has lists of several lengths: row "
                    f"{start + row} has {lengths[row]} numbers, the first has {n_p}"
                )
        if flat.null_count:
            row = start + int(np.argmax(flat.is_null().to_numpy(zero_copy_only=False))) // n_p
            raise ValueError(f"{self.path}: {self.columns[0]} holds a null in row {row}; drop it")
        return flat.to_numpy(zero_copy_only=False).reshape(-1, n_p)


def parquet_column(path: Path, names: tuple[str, ...]):
    """The first of these columns of a .parquet file as an array, or None."""
    need("pyarrow", "a .parquet file", "'pyarrow>=20'")
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path, **READ)
        name = next((n for n in names if n in file.schema_arrow.names), None)
        if name is None:
            return None
        column = file.read(columns=[name]).column(0)
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{path} is damaged or no .parquet file ({error})") from None
    if column.null_count:
        row = int(np.argmax(column.is_null().to_numpy()))
        raise ValueError(f"{path}: {name} is null in row {row}; drop that row")
    return column.to_numpy()
