"""Arguments read by their annotations, before a function's body runs: whole numbers arrive as int,
flags as bool, arrays as tensors.

`@checked` stands on every public function and method, `check_fields` in the __post_init__ of
records that users build. What a value must be beyond its type, the body says, with the functions of
`checks`.
"""

from __future__ import annotations

import inspect
import os
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from functools import cache, wraps

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


class _Kind:
    """One annotation: `words` for errors, `fits` (a value needs no more than `read`'s own checks),
    `read` (the value as the body wants it).
    """

    def __init__(self, words: str, fits: Callable, read: Callable):
        self.words, self.fits, self.read = words, fits, read


def _is(*classes):
    return lambda value: isinstance(value, classes)


SIMPLE = {
    Tensor: _Kind(
        "a tensor",
        _is(Tensor),
        lambda name, value: check_nan_free(name, as_tensor(SYMBOLS.get(name, name), value)),
    ),
    int: _Kind("a whole number", _is(int), lambda name, value: check_count(name, value, -MOST)),
    float: _Kind("a finite number", _is(float, int), check_number),
    bool: _Kind("True or False", _is(bool), check_flag),
    torch.device: _Kind("a device", _is(torch.device), check_device),
    torch.dtype: _Kind("a dtype", _is(torch.dtype), check_dtype),
    os.PathLike: _Kind("a path", _is(os.PathLike), check_path),
}


@cache
def kind_of(hint) -> _Kind | None:
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
        return _sequence(
            list, None, "a list of whole numbers" if inner[0] is int else "a list of lists"
        )
    if base in (Sequence, list, tuple, Iterable):
        return _sequence(tuple if base is tuple else list, kind_of(inner[0]) if inner else None)
    if base in (Mapping, dict):
        return _instance("a dict, or another mapping", _is(Mapping))
    if base is str:
        return _instance("a text", _is(str))
    if isinstance(base, type) and base is not object:
        return _instance(MADE_BY.get(base.__name__, f"a {base.__name__}"), _is(base))
    return None


def _instance(words: str, fits: Callable) -> _Kind:
    def read(name, value):
        if not fits(value):
            because = (
                " (a pattern without a partial minimum has none: see answer.reason)"
                if value is None and words.startswith("Weights")
                else ""
            )
            refuse(name, words + because, value)
        return value

    return _Kind(words, fits, read)


def _sequence(into: type, element: _Kind | None, words: str = "a list") -> _Kind:
    if element is not None and element.words in ("a whole number", "a finite number", "a text"):
        words = f"a list of {element.words.removeprefix('a ')}s"

    def read(name, value):
        if (
            isinstance(value, (str, bytes, Mapping))
            or not isinstance(value, Iterable)
            or isinstance(value, (Tensor, np.ndarray))
            and not value.ndim
        ):
            refuse(name, words, value)
        values = (
            value.tolist()
            if isinstance(value, (Tensor, np.ndarray)) and not getattr(value, "is_meta", False)
            else list(value)
        )
        return into(
            values
            if element is None
            else [element.read(f"{name}[{i}]", one) for i, one in enumerate(values)]
        )

    return _Kind(words, lambda value: isinstance(value, (list, tuple)), read)


def _union(hint, inner) -> _Kind | None:
    kinds = [kind_of(one) for one in inner if one is not type(None)]
    empty = type(None) in inner
    if None in kinds:
        return None
    if {torch.device, str} <= set(inner):
        kinds = [SIMPLE[torch.device]]
    if str in inner and any(kind is SIMPLE[os.PathLike] for kind in kinds):
        kinds = [
            kind
            for one, kind in zip((o for o in inner if o is not type(None)), kinds)
            if one is not str
        ]
    words = " or ".join([kind.words for kind in kinds] + ["None"] * empty)
    text_is_path = SIMPLE[os.PathLike] in kinds

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

    return _Kind(
        words,
        lambda value: value is None and empty or any(kind.fits(value) for kind in kinds),
        read,
    )


def checked(function: Callable | None = None, **more) -> Callable:
    """Decorator: every argument is read by its annotation before the body runs. Arguments without
    one, and defaults, are taken as they are.

    more : for single arguments, `name=` an annotation where the function has none, or a reader
        (name, value, first) that runs after the annotations
    and may look at the function's first argument; see `rows`, `between`, `having` (which take the
    annotation's place), `place`, `filled`. Annotations are looked up at the first call.
    Inside torch.compile the body runs as it is.
    """
    if function is None:
        return lambda function: checked(function, **more)
    readers = {name: one for name, one in more.items() if inspect.isfunction(one)}
    instead = {
        name: object if name in readers else one
        for name, one in more.items()
        if name not in readers or hasattr(one, "alone")
    }
    plan = []

    @wraps(function)
    def wrapper(*args, **kwargs):
        if torch.compiler.is_compiling():
            return function(*args, **kwargs)
        if not plan:
            plan.append(_plan(function, instead))
        names, kinds = plan[0]
        args = [
            kinds[name].read(name, value) if name in kinds else value
            for name, value in zip(names, args)
        ] + list(args[len(names) :])
        for name, value in kwargs.items():
            if name in kinds:
                kwargs[name] = kinds[name].read(name, value)
        if readers:
            args, kwargs = _read_more(readers, names, args, kwargs)
        return function(*args, **kwargs)

    return wrapper


def _read_more(
    readers: dict[str, Callable], names: list[str], args: list, kwargs: dict
) -> tuple[list, dict]:
    first = args[0] if args else kwargs.get(names[0])
    args = [
        readers[name](name, value, first) if name in readers else value
        for name, value in zip(names, args)
    ] + args[len(names) :]
    return args, {
        name: readers[name](name, value, first) if name in readers else value
        for name, value in kwargs.items()
    }


def rows(width: str, nan: bool = False) -> Callable:
    """Reader: a tensor (..., width) in the dtype of the first argument, a model, where `width` is
    the model's n_p or n_q. nan: let NaN through.
    """

    def read(name, value, model):
        value, size, like = as_tensor(name, value), getattr(model, width), model.W_E
        value = value if nan else check_nan_free(name, value)
        if not value.ndim or value.shape[-1] != size:
            raise ValueError(
                f"{name} has {value.shape[-1] if value.ndim else 'no'} columns; this model's "
                f"{width} is {size}"
            )
        if (
            value.dtype != like.dtype or value.device != like.device
        ) and not torch.is_autocast_enabled(like.device.type):
            raise ValueError(
                f"{name} is {value.dtype} on {value.device}, the model {like.dtype} on "
                f"{like.device}; convert it: {name}.to(model.W_E)"
            )
        return value

    read.alone = True
    return read


def place(count: str) -> Callable:
    """Reader: an index into the first argument's `count` things."""

    def read(name, value, first):
        most = getattr(first, count)
        if most is not None and not 0 <= value < most:
            refuse(name, f"a whole number in [0, {most}), one of {most} {count}", value)
        return value

    return read


def between(low: float, high: float, *, closed: bool = False, none: bool = False) -> Callable:
    """Reader: a number in (low, high), with `closed` in [low, high); none: or None."""

    def read(name, value, first):
        try:
            number = None if value is None and none else check_number(name, value)
            if number is None or low < number < high or closed and number == low:
                return number
        except ValueError:
            pass
        refuse(name, f"a number in {'[' if closed else '('}{low:g}, {high:g})", value)

    read.alone = True
    return read


def having(*attributes: str, several: bool = False, what: str) -> Callable:
    """Reader: anything with these attributes, whatever its class; with `several`, or a list of
    such.
    """

    def read(name, value, first):
        many = several and isinstance(value, (list, tuple))
        lacking = [
            one
            for one in (value if many else [value])
            if isinstance(one, type) or not all(hasattr(one, attribute) for attribute in attributes)
        ]
        if lacking or many and not value:
            refuse(
                name,
                f"{what}, or a list of them" if several else what,
                lacking[0] if lacking else value,
            )
        return value

    read.alone = True
    return read


def filled(*names: str) -> Callable:
    """Reader: the name of one of these attributes of the first argument, one that is not None."""

    def read(name, value, first):
        if value not in names or getattr(first, value) is None:
            refuse(
                name,
                " or ".join(repr(one) for one in names if getattr(first, one) is not None),
                value,
            )
        return value

    return read


def bool_mask(name, value, first):
    """Reader: a bool tensor (samples, width)."""
    if value.dtype != torch.bool or value.ndim != 2 or 0 in value.shape:
        refuse(name, "bool of shape (samples, width), such as codes != 0", value)
    return value


def latent_indices(name, value, fired):
    """Reader: latents of the first argument, fired (samples, n_q), as an int64 vector, or None."""
    if value is not None and (
        value.dtype != torch.int64
        or value.ndim != 1
        or not ((value >= 0) & (value < fired.shape[1])).all()
    ):
        refuse(
            name,
            f"latents: an int64 tensor of shape (n,) with entries in [0, n_q = {fired.shape[1]})",
            value,
        )
    return value


def _plan(function: Callable, more: dict) -> tuple[list[str], dict[str, _Kind]]:
    hints = typing.get_type_hints(function) | more
    parameters = inspect.signature(function).parameters.values()
    plain = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    kinds = {
        p.name: kind_of(hints[p.name])
        for p in parameters
        if p.name in hints and p.kind not in variable
    }
    kinds |= {name: kind_of(hint) for name, hint in more.items()}
    return [p.name for p in parameters if p.kind in plain], {
        name: kind for name, kind in kinds.items() if kind is not None
    }


def check_fields(record) -> None:
    """For a frozen dataclass's __post_init__: every field read by its annotation, and put in its
    place.
    """
    hints = _hints(type(record))
    for one in fields(record):
        kind = kind_of(hints[one.name])
        if kind is not None:
            object.__setattr__(record, one.name, kind.read(one.name, getattr(record, one.name)))


@cache
def _hints(record: type) -> dict:
    return typing.get_type_hints(record)
