"""What an argument must be; else a ValueError that names the argument, the value and the fix.

`signature.checked` calls these by a function's annotations; what a value must be beyond its type (a
range, a shape, a unit norm) bodies say themselves.
"""

from __future__ import annotations

import math
import os
from numbers import Integral, Real
from typing import NoReturn

import numpy as np
import torch

Tensor = torch.Tensor
MOST = 2**63 - 1  # the largest whole number that PyTorch takes
BYTES = 1 << 31  # what a dense helper matrix may take before a function refuses


def shown(value) -> str:
    """A value as an error shows it: short, whatever it is."""
    if isinstance(value, (Tensor, np.ndarray)) and value.ndim:
        what = "a tensor" if isinstance(value, Tensor) else "an array"
        return f"{what} {value.dtype} of shape {tuple(value.shape)}"
    try:
        text = repr(value)
    except Exception:  # anything may be handed in, and its repr may fail in any way
        return f"a {type(value).__name__}"
    return text if len(text) <= 80 else f"{text[:77]}..."


def refuse(name: str, must: str, value) -> NoReturn:
    """The ValueError of this module."""
    raise ValueError(f"{name} must be {must}; got {'None' if value is None else shown(value)}")


def as_tensor(name: str, value) -> Tensor:
    """`value` as a real tensor, or a ValueError that names the symbol."""
    try:
        # Directions and Hierarchy carry theirs
        value = value.W_p if hasattr(value, "W_p") and not hasattr(value, "dtype") else value
        if isinstance(value, (str, bytes, type)):
            raise TypeError("text or a class is no number")
        if isinstance(value, np.ndarray) and any(stride < 0 for stride in value.strides):
            value = value.copy()  # a reversed view, which PyTorch cannot share
        tensor = torch.as_tensor(value)
        if not hasattr(value, "dtype") and not tensor.is_complex():
            # plain numbers and lists are read in float64, not torch's default
            tensor = torch.as_tensor(value, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError, OverflowError, AttributeError) as error:
        raise ValueError(
            f"{name} must be a tensor or an array of numbers; got {type(value).__name__} "
            f"({str(error).splitlines()[0]})"
        ) from None
    if tensor.is_complex():
        raise ValueError(f"{name} must be real; got {tensor.dtype}")
    if tensor.is_meta or tensor.layout != torch.strided:
        raise ValueError(
            f"{name} must be a dense tensor that holds numbers; "
            f"got one on {tensor.device} of layout {tensor.layout}"
        )
    return tensor


def check_nan_free(name: str, tensor: Tensor) -> Tensor:
    """The tensor itself, or a ValueError that says where it is NaN."""
    if tensor.is_floating_point() and tensor.isnan().any():
        entry = tuple(tensor.isnan().nonzero()[0].tolist())
        which = f"entry {entry} is nan" if entry else "got nan"
        raise ValueError(f"{name} must be finite; {which}")
    return tensor


def as_matrix(name: str, value, shape: str) -> Tensor:
    """`value` as a finite floating 2-D tensor, or a ValueError.

    The error names the symbol, the value and the fix.
    """
    matrix = as_tensor(name, value)
    if not matrix.is_floating_point():
        matrix = matrix.to(torch.float64)
    if matrix.ndim != 2 or 0 in matrix.shape:
        raise ValueError(
            f"{name} must be a non-empty matrix of shape {shape}; got shape {tuple(matrix.shape)}"
        )
    if not torch.isfinite(matrix).all():
        bad = torch.nonzero(~torch.isfinite(matrix))[0].tolist()
        raise ValueError(
            f"{name} must be finite; entry {tuple(bad)} is {matrix[tuple(bad)].item()}"
        )
    return matrix


def own(tensor: Tensor) -> Tensor:
    """A copy, so that nobody who holds the original changes what was checked.

    A tensor that requires a gradient stays itself: it is a variable.
    """
    return tensor if tensor.requires_grad else tensor.clone()


def _scalar(value):
    """A number out of NumPy's scalars and 0-d arrays and tensors.

    None of anything else, a bool included.
    """
    if isinstance(value, (Tensor, np.ndarray, np.generic)):
        if getattr(value, "is_meta", False) or value.ndim or value.dtype in (torch.bool, np.bool_):
            return None
        value = value.item()
    return value if isinstance(value, Real) and not isinstance(value, bool) else None


def check_count(name: str, value: int, least: int = 1) -> int:
    """`value` as an int of at least `least` (and below 2^63), or a ValueError."""
    number = value if type(value) is int else _scalar(value)
    if (
        number is not None
        and (isinstance(number, Integral) or math.isfinite(number))
        and int(number) == number
        and least <= number <= MOST
    ):
        return int(number)
    too_large = isinstance(number, Integral) and int(number) > MOST
    bound = " below 2^63" if too_large else f" >= {least}" if least > -MOST else ""
    refuse(name, f"a whole number{bound}", value)


def check_number(
    name: str,
    value: float,
    *,
    at_least: float = -math.inf,
    above: float = -math.inf,
    at_most: float = math.inf,
    below: float = math.inf,
) -> float:
    """`value` as a finite number between the bounds given, or a ValueError."""
    number = value if type(value) is float or type(value) is int else _scalar(value)
    try:
        inside = number is not None and math.isfinite(number) and at_least <= number <= at_most
        if (
            inside
            and (number > above or above == -math.inf)
            and (number < below or below == math.inf)
        ):
            exact = type(number) is float or type(number) is int and abs(number) < 2**53
            return number if exact else float(number)
    except OverflowError:  # a whole number beyond every float
        pass
    bounds = [
        f"{sign} {bound:g}"
        for sign, bound in ((">=", at_least), (">", above), ("<=", at_most), ("<", below))
        if math.isfinite(bound)
    ]
    must = "a number" if number is None else "a finite number"
    refuse(name, f"{must} {' and '.join(bounds)}".strip(), value)


def check_flag(name: str, value: bool) -> bool:
    """`value` as a bool, or a ValueError: 1 and "yes" are not flags."""
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    refuse(name, "True or False", value)


def check_device(name: str, value) -> torch.device:
    """A device that is there and holds numbers, or a ValueError."""
    try:
        if not isinstance(value, (str, torch.device)):
            raise TypeError("it is neither a name nor a torch.device")
        device = torch.device(value)
        if device.type == "meta":
            raise TypeError("it holds no numbers")
        torch.empty(0, device=device)
        return device
    except (RuntimeError, TypeError, AssertionError, ValueError, NotImplementedError) as error:
        raise ValueError(
            f"{name} must be a device that this PyTorch has, such as 'cpu'; got {shown(value)} "
            f"({str(error).splitlines()[0]})"
        ) from None


def check_dtype(name: str, value) -> torch.dtype:
    """A real floating dtype, or a ValueError."""
    if isinstance(value, torch.dtype) and value.is_floating_point:
        return value
    refuse(name, "a real floating torch.dtype, such as torch.float64", value)


def check_path(name: str, value):
    """A file's or folder's name, or a ValueError."""
    if isinstance(value, (str, os.PathLike)) and str(value) and "\0" not in str(value):
        return value
    refuse(name, "a path: a non-empty str or a pathlib.Path", value)


def check_bytes(what: str, size: int, fix: str, limit: int = BYTES) -> None:
    """Refuse before allocating: a ValueError with the bytes, the limit and the fix."""
    if size > limit:
        raise ValueError(
            f"{what} would take {size / 2**30:,.1f} GiB; the limit is {limit / 2**30:g} GiB. {fix}"
        )
