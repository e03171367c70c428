"""`@checked`: a function's arguments are read by their annotations, before its body runs.

Whole numbers arrive as int, flags as bool, arrays as tensors. `@checked` stands on every public
function and method, `check_fields` in the __post_init__ of records that users build. What a value
must be beyond its type, the body says, with the functions of `checks`, or a reader of `readers`.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from dataclasses import fields
from functools import cache, wraps

import torch

from .hints import Kind, kind_of
from .readers import Reader


def checked(function: Callable | None = None, **more) -> Callable:
    """Decorator: every argument is read by its annotation before the body runs.

    Arguments without one, and defaults, are taken as they are.

    more : for single arguments, `name=` an annotation where the function has none, or a `Reader`,
        which runs after the annotations and may look at the function's first argument; see `rows`,
        `between`, `having` (which take the annotation's place), `place`, `filled`.

    Annotations are looked up at the first call. Inside torch.compile the body runs as it is.
    """
    if function is None:
        return lambda function: checked(function, **more)
    readers = {name: one.read for name, one in more.items() if isinstance(one, Reader)}
    instead = {
        name: object if name in readers else one
        for name, one in more.items()
        if name not in readers or one.alone
    }
    plan: list[tuple[list[str], dict[str, Kind]]] = []

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


def _plan(function: Callable, more: dict) -> tuple[list[str], dict[str, Kind]]:
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
    names = [p.name for p in parameters if p.kind in plain]
    return names, {name: kind for name, kind in kinds.items() if kind is not None}


def check_fields(record) -> None:
    """For a frozen dataclass's __post_init__: every field read by its annotation, and kept."""
    hints = _hints(type(record))  # type: ignore[arg-type]  # a class is hashable
    for one in fields(record):
        kind = kind_of(hints[one.name])
        if kind is not None:
            object.__setattr__(record, one.name, kind.read(one.name, getattr(record, one.name)))


@cache
def _hints(record: type) -> dict:
    return typing.get_type_hints(record)
