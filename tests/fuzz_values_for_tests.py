"""What arguments should not be, and which errors are answers to that.

Also by which other words an error may name an argument.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch

import sdl_theory as lib

HOSTILE = {
    "None": lambda: None,
    "nan": lambda: math.nan,
    "inf": lambda: math.inf,
    "-inf": lambda: -math.inf,
    "-1": lambda: -1,
    "0": lambda: 0,
    "1.5": lambda: 1.5,
    "True": lambda: True,
    "10**30": lambda: 10**30,
    "1j": lambda: 1j,
    "text": lambda: "x",
    "no text": lambda: "",
    "bytes": lambda: b"x",
    "[]": lambda: [],
    "[[]]": lambda: [[]],
    "[None]": lambda: [None],
    "['x']": lambda: ["x"],
    "[-1]": lambda: [-1],
    "[nan]": lambda: [math.nan],
    "{}": lambda: {},
    "{'a': 1}": lambda: {"a": 1},
    "object": object,
    "Ellipsis": lambda: ...,
    "function": lambda: lambda: 0,
    "class": lambda: int,
    "iterator": lambda: iter([1]),
    "generator of torch": lambda: torch.Generator(),
    "dtype": lambda: torch.int64,
    "path": lambda: Path("/nonexistent/x"),
    "numpy int": lambda: np.int64(3),
    "numpy nan": lambda: np.float64("nan"),
    "array of objects": lambda: np.array([object()]),
    "empty tensor": lambda: torch.empty(0),
    "NaN tensor": lambda: torch.full((2, 2), math.nan),
    "int tensor": lambda: torch.ones(2, 2, dtype=torch.int64),
    "bool tensor": lambda: torch.ones(2, 2, dtype=torch.bool),
    "complex tensor": lambda: torch.ones(2, 2, dtype=torch.complex64),
    "3-D tensor": lambda: torch.ones(2, 2, 2),
    "0-D tensor": lambda: torch.tensor(2.0),
    "variable": lambda: torch.ones(2, 2, requires_grad=True),
    "1e308": lambda: 1e308,
    "5e-324": lambda: 5e-324,
    "3": lambda: 3,
    "long tensor": lambda: torch.ones(7, 5),
    "half tensor": lambda: torch.ones(2, 2, dtype=torch.float16),
    "meta tensor": lambda: torch.empty(2, 2, device="meta"),
}
# an argument's error may also speak of its parts, by their own symbols
ALSO = {
    "problem": ("n_p", "n_r", "W_p", "M_d"),
    "weights": ("W_E", "W_D"),
    "sigma": ("theta", "Top-k", "BatchTopK", "TopK"),
    "features": ("n",),
    "data": ("bench", "x_p"),
    "config": ("precision",),
    "P": ("pattern",),
    "A": ("rank",),
    "matched": ("latent",),
    "bench": ("W_p", "LinearRepresentationBench"),
    "levels": ("level",),
    "seeds": ("seed",),
    "taus": ("tau",),
    "null_draws": ("draws",),
    "source": ("directions",),
    "values": ("value",),
    "parents": ("children_per_parent",),
    "groups": ("group",),
    "methods": ("method",),
    "W_p": ("n_p",),
    "name": ("instance",),
    "fired": ("n_q",),
    "dtype": ("to",),
    "side": ("sides",),
    "measure": ("measures",),
}
# loss nan where there is no minimum: documented
NO_NAN = (lib.PartialMinimum, lib.PartitionRow, lib.GroupMinimum, lib.Realization)
ANSWERS = (
    ValueError,
    TypeError,
    lib.TrainingError,
    FileNotFoundError,
    FileExistsError,
    IsADirectoryError,
    NotADirectoryError,
    PermissionError,
)
# a callback's own errors are the caller's, and what decodes NaN to NaN hides nothing
RIGHTLY = {
    ("callback", "function"),
    ("callback", "class"),
    ("SDLModel.decode", "codes", "nan"),
    ("SDLModel.decode", "codes", "NaN tensor"),
    # its AssertionError is documented
    ("Farkas.check", "tol", "-1"),
    ("Farkas.check", "tol", "0"),
}
