"""What an annotation cannot say of an argument, such as its range: readers for `signature.checked`.

Also an index into what the first argument holds, or attributes in place of a class.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from .checks import as_tensor, check_nan_free, check_number, refuse


@dataclass(frozen=True)
class Reader:
    """How one argument is read.

    read : `read(name, value, first)` is the value as the body wants it, where `first` is the
        function's first argument.
    alone : in place of the annotation, else after it.
    """

    read: Callable
    alone: bool = False


def rows(width: str, nan: bool = False) -> Reader:
    """A tensor (..., width) in the dtype of the first argument, a model.

    width : "n_p" or "n_q", the model's.
    nan : let NaN through.
    """

    def read(name, value, model):
        value, size, like = as_tensor(name, value), getattr(model, width), model.W_E
        value = value if nan else check_nan_free(name, value)
        if not value.ndim or value.shape[-1] != size:
            columns = value.shape[-1] if value.ndim else "no"
            raise ValueError(f"{name} has {columns} columns; this model's {width} is {size}")
        foreign = value.dtype != like.dtype or value.device != like.device
        if foreign and not torch.is_autocast_enabled(like.device.type):
            raise ValueError(
                f"{name} is {value.dtype} on {value.device}, "
                f"the model {like.dtype} on {like.device}; convert it: {name}.to(model.W_E)"
            )
        return value

    return Reader(read, alone=True)


def place(count: str) -> Reader:
    """An index into the first argument's `count` things."""

    def read(name, value, first):
        most = getattr(first, count)
        if most is not None and not 0 <= value < most:
            refuse(name, f"a whole number in [0, {most}), one of {most} {count}", value)
        return value

    return Reader(read)


def between(low: float, high: float, *, closed: bool = False, none: bool = False) -> Reader:
    """A number in (low, high), or with `closed` in [low, high), or with `none` None."""

    def read(name, value, first):
        try:
            number = None if value is None and none else check_number(name, value)
            if number is None or low < number < high or closed and number == low:
                return number
        except ValueError:
            pass
        refuse(name, f"a number in {'[' if closed else '('}{low:g}, {high:g})", value)

    return Reader(read, alone=True)


def having(*attributes: str, several: bool = False, what: str) -> Reader:
    """Anything with these attributes, whatever its class; with `several`, or a list of such."""

    def read(name, value, first):
        many = several and isinstance(value, (list, tuple))
        fits = lambda one: (
            not isinstance(one, type) and all(hasattr(one, attribute) for attribute in attributes)
        )
        lacking = [one for one in (value if many else [value]) if not fits(one)]
        if lacking or many and not value:
            must = f"{what}, or a list of them" if several else what
            refuse(name, must, lacking[0] if lacking else value)
        return value

    return Reader(read, alone=True)


def filled(*names: str) -> Reader:
    """The name of one of these attributes of the first argument, one that is not None."""

    def read(name, value, first):
        if value not in names or getattr(first, value) is None:
            there = [repr(one) for one in names if getattr(first, one) is not None]
            refuse(name, " or ".join(there), value)
        return value

    return Reader(read)


@Reader
def bool_mask(name, value, first):
    """A bool tensor (samples, width)."""
    if value.dtype != torch.bool or value.ndim != 2 or 0 in value.shape:
        refuse(name, "bool of shape (samples, width), such as codes != 0", value)
    return value


@Reader
def latent_indices(name, value, fired):
    """Latents of the first argument, fired (samples, n_q), as an int64 vector, or None."""
    if value is None:
        return None
    n_q = fired.shape[1]
    if value.dtype != torch.int64 or value.ndim != 1 or not ((value >= 0) & (value < n_q)).all():
        must = f"latents: an int64 tensor of shape (n,) with entries in [0, n_q = {n_q})"
        refuse(name, must, value)
    return value
