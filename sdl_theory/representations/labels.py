"""Labels and class names in whatever form they come: whole numbers, floats, texts, files."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from ..checks import Tensor, refuse, shown
from .formats import LABELS, arrays_of
from .parquet import parquet_column


def read_labels(source):
    """Labels as they come: an array, or what a file holds of them."""
    if not isinstance(source, (str, os.PathLike)):
        return source
    path = Path(source)
    if path.suffix == ".parquet" and path.is_file():
        held = parquet_column(path, LABELS)
    else:
        arrays = arrays_of(path)
        single = next(iter(arrays.shapes), "") if len(arrays.shapes) == 1 else ""
        held = arrays.side(*LABELS, single)
    if held is None:
        raise ValueError(f"{path} holds no labels: it needs an array or column of name 'labels'")
    return held


def read_names(source) -> list[str] | None:
    """Class names: a list of texts, or what a .json (a list) or .txt (a line each) file holds."""
    if source is None:
        return None
    if isinstance(source, (str, os.PathLike)):
        path = Path(source)
        if not path.is_file() or path.suffix not in (".json", ".txt"):
            refuse("names", "a list of texts, or a .json or .txt file that is there", source)
        try:
            text = path.read_text(encoding="utf-8")
            source = json.loads(text) if path.suffix == ".json" else text.splitlines()
        except (OSError, ValueError) as error:
            raise ValueError(f"names cannot be read from {path}: {error}") from None
    if isinstance(source, np.ndarray):
        source = source.tolist()
    if not isinstance(source, Sequence) or not all(isinstance(name, str) for name in source):
        refuse("names", "a list of texts, one a class", source)
    return list(source)


def as_labels(value, names: list[str] | None, count: int) -> tuple[Tensor | None, list[str] | None]:
    """Labels as int64 (N,) with their names.

    Texts become classes: places in `names`, or in sorted order, which `names` then is. ValueError
    that names the row where labels do not match, are no whole numbers, or have no name.
    """
    if value is None:
        return None, names
    array = value.detach().cpu().numpy() if isinstance(value, Tensor) else np.asarray(value)
    if array.ndim != 1 or len(array) != count:
        raise ValueError(
            f"labels must have one entry for each of the {count} rows; got shape {array.shape}. "
            f"Were rows dropped from one of the two alone?"
        )
    if array.dtype.kind == "O" and all(isinstance(one, (str, bytes)) for one in array):
        array = np.array([o.decode() if isinstance(o, bytes) else o for o in array])
    if array.dtype.kind in "SU":
        return _classes(array.astype(str), names)
    if array.dtype.kind not in "iufb":
        refuse("labels", "whole numbers, or texts", shown(array))
    with np.errstate(invalid="ignore"):  # nan and inf are refused in the next lines
        whole = array.astype(np.int64)
        wrong = (whole != array) | (whole < 0)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ValueError(
            f"labels must be whole numbers >= 0; row {row} has {array[row]}. "
            f"Drop rows without a class"
        )
    if names is not None and len(array) and whole.max() >= len(names):
        row = int(np.argmax(whole >= len(names)))
        raise ValueError(
            f"labels must be below the number of names, {len(names)}; row {row} has {whole[row]}"
        )
    return torch.from_numpy(whole), names


def _classes(texts: np.ndarray, names: list[str] | None) -> tuple[Tensor, list[str]]:
    found, places = np.unique(texts, return_inverse=True)
    if names is None:
        return torch.from_numpy(places.astype(np.int64)), found.tolist()
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"names has {twice!r} twice: labels that are texts must mean one class")
    unknown = [text for text in found.tolist() if text not in set(names)]
    if unknown:
        row = int(np.argmax(texts == unknown[0]))
        raise ValueError(f"labels must be among names; row {row} has {unknown[0]!r}")
    place = np.array([names.index(text) for text in found.tolist()], dtype=np.int64)
    return torch.from_numpy(place[places]), names
