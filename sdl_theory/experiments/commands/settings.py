"""What the words of --set and --device mean: keyword arguments and a device."""

from __future__ import annotations

import ast
import os
from dataclasses import fields

import torch

from ...checks import check_device
from ...training.config import Config
from ..rows import MODEL

# what --set knows of the bench, beside MODEL and Config
BENCH = ("n", "n_p", "S", "mu", "samples", "c_min", "beta")
WORDS = {"true": True, "false": False, "none": None}


def overrides(pairs: list[str]) -> dict:
    """name=value words as keyword arguments of `setup`."""
    # the seed has an option of its own
    known = {one.name for one in fields(Config)} - {"seed"}
    bench, rest = {}, {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise SystemExit(f"error: --set {pair}: write NAME=VALUE, such as steps=500")
        if name == "seed":
            raise SystemExit(
                f"error: --set {pair}: truth, start and stream follow from --seeds; "
                f"use --seeds {text}"
            )
        if name in BENCH:
            bench[name] = _value(text)
        elif name in known or name in MODEL:
            rest[name] = _value(text)
        else:
            raise SystemExit(
                f"error: --set {pair}: no such setting; "
                f"there are {', '.join([*BENCH, *MODEL, *sorted(known)])}"
            )
    return rest | dict(bench=bench)


def _value(text: str):
    """A Python literal, or a text."""
    if text.lower() in WORDS:
        return WORDS[text.lower()]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def device(name: str | None) -> torch.device:
    """The device of --device: by default CUDA where there is any.

    Under torchrun the process's own.
    """
    if name is None:
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and "LOCAL_RANK" in os.environ:
        name = f"cuda:{os.environ['LOCAL_RANK']}"
    if name.startswith("cuda"):
        if not torch.cuda.is_available():
            raise SystemExit(
                f"error: --device {name}: this PyTorch sees no CUDA device; "
                f"use --device cpu, or install a CUDA build"
            )
        torch.cuda.set_device(name)
    return check_device("--device", name)
