"""A bench on disk: `bench.json`, its settings, beside `truth.safetensors`, its directions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from ..checks import Tensor, check_count, check_number
from .bench_kinds import same_figures
from .sampling import Constant, ShiftedExponential, Uniform

if TYPE_CHECKING:
    from .bench import LinearRepresentationBench

LAWS = {law.__name__: law for law in (ShiftedExponential, Uniform, Constant)}
FOREIGN = (KeyError, TypeError, AttributeError, UnicodeDecodeError, RecursionError)


def write_bench(bench: LinearRepresentationBench, folder: Path) -> None:
    """`LinearRepresentationBench.save`."""
    from ..files import write_atomically, write_tensors

    W_p, W_r = bench._truth
    truth = {"W_p": W_p} if W_r is None else {"W_p": W_p, "W_r": W_r}
    write_tensors(folder / "truth.safetensors", truth, {})
    write_atomically(folder / "bench.json", json.dumps(bench.settings, indent=1).encode())


def read_bench(
    made_by: type[LinearRepresentationBench],
    folder: Path,
    dtype: torch.dtype,
    device: torch.device | str,
) -> LinearRepresentationBench:
    """`LinearRepresentationBench.load`."""
    from ..files import read_tensors

    file, truth = folder / "bench.json", folder / "truth.safetensors"
    tensors, _ = read_tensors(truth)
    try:
        settings = json.loads(file.read_text(encoding="utf-8"))
        law, figures = settings.pop("magnitudes"), settings.pop("own", None)
        magnitudes = LAWS[law.pop("law")](**law)
        _check_truth(settings, tensors)
        made = made_by(
            **settings | dict(blocks=tuple(settings["blocks"])),
            magnitudes=magnitudes,
            W_p=tensors["W_p"],
            W_r=tensors.get("W_r"),
            dtype=dtype,
            device=device,
        )
    except (*FOREIGN, json.JSONDecodeError) as error:
        raise ValueError(
            f"{file} was not written by LinearRepresentationBench.save: {error}"
        ) from None
    except ValueError as error:
        raise ValueError(f"{file} and {truth.name} beside it do not go together: {error}") from None
    if made.mu > settings["mu"] + 1e-6 or figures and not same_figures(figures, made._own or []):
        says = f"mu = {settings['mu']}" + (f", own = {figures}" if figures else "")
        raise ValueError(
            f"{file} says {says}; "
            f"the directions of {truth.name} have mu = {made.mu:.6g}, own = {made._own}"
        )
    # what was asked for, not what was reached: the runs' checkpoints carry it
    made.mu, made._own = settings["mu"], figures
    return made


def _check_truth(settings: dict, tensors: dict[str, Tensor]) -> None:
    """The stored directions have the shapes that the settings say; or a ValueError."""
    n, n_p, n_r = (check_count(name, settings[name]) for name in ("n", "n_p", "n_r"))
    check_number("mu", settings["mu"])
    wanted = {"W_p": (n_p, n)} | ({"W_r": (n_r, n)} if settings["kind"] == "transcoder" else {})
    found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if found != wanted:
        raise ValueError(
            f"settings n = {n}, n_p = {n_p}, n_r = {n_r}, kind = {settings['kind']!r} "
            f"call for {wanted}; the directions stored are {found}"
        )
