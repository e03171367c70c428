"""How each annotation reads a value: the types that arguments have, lists and unions of them."""

from __future__ import annotations

import os
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch

from .checks import (
    MOST,
    Tensor,
    as_tensor,
    check_count,
    check_device,
    check_dtype,
    check_flag,
    check_nan_free,
    check_number,
    check_path,
    refuse,
)

MADE_BY = {
    "Problem": "a Problem; build Problem(W_p) first",
    "Weights": "Weights; build Weights(W_E, W_D)",
    "Activation": "ReLU(), JumpReLU(theta), TopK(k) or BatchTopK(k), with brackets",
    "SparseFeatures": "features; build SparseFeatures(n, S)",
    "LinearRepresentationBench": "a bench; build LinearRepresentationBench(n, n_p)",
    "SDLModel": "a model; build SDLModel(n_p, n_q)",
    "Generator": "a torch.Generator, such as torch.Generator().manual_seed(0)",
    "Config": "a Config(...)",
}
SYMBOLS = {"P": "P (build it with pattern(groups, n, n_q))"}


@dataclass(frozen=True, eq=False)
class Kind:
    """One annotation.

    words : for errors.
    fits : a value needs no more than `read`'s own checks.
    read : the value as the body wants it.
    """

    words: str
    fits: Callable
    read: Callable


def _is(*classes):
    return lambda value: isinstance(value, classes)


def _read_tensor(name: str, value) -> Tensor:
    return check_nan_free(name, as_tensor(SYMBOLS.get(name, name), value))


SIMPLE = {
    Tensor: Kind("a tensor", _is(Tensor), _read_tensor),
    int: Kind("a whole number", _is(int), lambda name, value: check_count(name, value, -MOST)),
    float: Kind("a finite number", _is(float, int), check_number),
    bool: Kind("True or False", _is(bool), check_flag),
    torch.device: Kind("a device", _is(torch.device), check_device),
    torch.dtype: Kind("a dtype", _is(torch.dtype), check_dtype),
    os.PathLike: Kind("a path", _is(os.PathLike), check_path),
}


@cache
def kind_of(hint) -> Kind | None:
    """How to read an argument of this annotation; None where any value will do."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _union(hint, inner)
    if hint in SIMPLE:
        return SIMPLE[hint]
    base = origin or hint
    if base is Callable:
        return _instance("a function", callable)
    if isinstance(base, type) and issubclass(base, os.PathLike):
        return SIMPLE[os.PathLike]
    if base is Sequence and inner and (inner[0] is int or typing.get_origin(inner[0]) is Sequence):
        # feature indices, counts: bodies say more of them
        words = "a list of whole numbers" if inner[0] is int else "a list of lists"
        return _sequence(list, None, words)
    if base in (Sequence, list, tuple, Iterable):
        return _sequence(tuple if base is tuple else list, kind_of(inner[0]) if inner else None)
    if base in (Mapping, dict):
        return _instance("a dict, or another mapping", _is(Mapping))
    if base is str:
        return _instance("a text", _is(str))
    if isinstance(base, type) and base is not object:
        return _instance(MADE_BY.get(base.__name__, f"a {base.__name__}"), _is(base))
    return None


def _instance(words: str, fits: Callable) -> Kind:
    def read(name, value):
        if not fits(value):
            missing = value is None and words.startswith("Weights")
            because = " (a pattern without a partial minimum has none: see answer.reason)"
            refuse(name, words + because * missing, value)
        return value

    return Kind(words, fits, read)


def _sequence(into: type, element: Kind | None, words: str = "a list") -> Kind:
    if element is not None and element.words in ("a whole number", "a finite number", "a text"):
        words = f"a list of {element.words.removeprefix('a ')}s"

    def read(name, value):
        array = isinstance(value, (Tensor, np.ndarray))
        if (
            isinstance(value, (str, bytes, Mapping))
            or not isinstance(value, Iterable)
            or array
            and not value.ndim
        ):
            refuse(name, words, value)
        values = value.tolist() if array and not getattr(value, "is_meta", False) else list(value)
        if element is not None:
            values = [element.read(f"{name}[{i}]", one) for i, one in enumerate(values)]
        return into(values)

    return Kind(words, _is(list, tuple), read)


def _union(hint, inner) -> Kind | None:
    hints = [one for one in inner if one is not type(None)]
    empty = len(hints) < len(inner)
    if {torch.device, str} <= set(hints):
        hints = [torch.device]
    text_is_path = any(kind_of(one) is SIMPLE[os.PathLike] for one in hints)
    if text_is_path:
        hints = [one for one in hints if one is not str]
    kinds = [kind for one in hints if (kind := kind_of(one)) is not None]
    if len(kinds) < len(hints):
        return None
    words = " or ".join([kind.words for kind in kinds] + ["None"] * empty)

    def read(name, value):
        if value is None and empty:
            return None
        if text_is_path and isinstance(value, str):
            return check_path(name, value)
        fitting = kinds if len(kinds) == 1 else [kind for kind in kinds if kind.fits(value)]
        if fitting:
            return fitting[0].read(name, value)
        for kind in kinds:
            try:
                return kind.read(name, value)
            except ValueError:
                continue
        refuse(name, words, value)

    fits = lambda value: value is None and empty or any(kind.fits(value) for kind in kinds)
    return Kind(words, fits, read)
