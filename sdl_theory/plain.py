"""Settings as JSON has them: NumPy's and PyTorch's become plain numbers before they are kept."""

from __future__ import annotations

import json
from numbers import Integral, Real


def plain(name: str, value):
    """`value` of Python's own types; ValueError for what has none.

    NumPy's and PyTorch's scalars become int, float or bool, lists and arrays tuples.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, (list, tuple)) or getattr(value, "ndim", 0) > 0:
        return tuple(plain(name, one) for one in value)
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    if callable(getattr(value, "item", None)):
        return plain(name, value.item())  # NumPy's bools, and PyTorch's tensors of one number
    raise ValueError(
        f"{name} must be a number, True or False, a word, or a list of such; got {value!r}"
    )


def leaves(value, where: str = ""):
    """What JSON holds, leaf by leaf: ("config.lr", .001), ("data[0].seed", 0), ..."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, f"{where}.{name}" if where else name)
    elif isinstance(value, list) and any(isinstance(inner, dict) for inner in value):
        for i, inner in enumerate(value):
            yield from leaves(inner, f"{where}[{i}]")
    else:
        yield where, value


def check_json(settings: dict, of_what: str) -> None:
    """ValueError, naming the setting, if JSON cannot hold `settings`."""
    for where, value in [*leaves(settings), *settings.items()]:
        try:
            json.dumps(value)
        except (TypeError, ValueError, RecursionError) as error:
            raise ValueError(
                f"{where} = {value!r} cannot be written into {of_what} ({error}): "
                f"give it as a plain number, word or list of such"
            ) from None
