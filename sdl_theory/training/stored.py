"""What the file of a trained model says of itself, checked before anything is made of it.

Its settings are held against its tensors.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import torch

from ..checks import Tensor, check_count
from ..files import CheckpointError
from .methods import METHODS

if TYPE_CHECKING:
    from .model import SDLModel

FLOATS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)


def settings_of_model(model: SDLModel) -> dict:
    """The arguments of the constructor that made the model, ready for JSON."""
    settings = dict(
        n_p=model.n_p,
        n_q=model.n_q * model.world.shards,
        n_r=model.n_r,
        method=model.method,
        k=model.k,
        levels=model.levels and list(model.levels),
        biases=model.biases,
        decoder_norm=model.decoder_norm,
        instances=model.instances,
    )
    # written only where they are set: files from before they were have neither
    if model.ks:
        settings["ks"] = list(model.ks)
    if model.plain:
        settings["plain"] = True
    return settings


def stored_model(made_by: type, path, tensors: dict[str, Tensor], metadata, device):
    """The model, an SDLModel, that a file's metadata and tensors are.

    CheckpointError, before anything is allocated, where they do not go together.
    """
    known = set(inspect.signature(made_by).parameters) - {
        *("generator", "dtype", "device", "theta", "world")
    }
    check_stored_model(path, metadata, tensors, known)
    settings = {name: value for name, value in metadata["model"].items() if name in known}
    try:
        model = made_by(
            **settings, dtype=tensors["W_E"].dtype, generator=torch.Generator(), device=device
        )
    except (ValueError, TypeError) as error:
        raise CheckpointError(f"{path}: the model's settings are damaged: {error}") from None
    model.load_state_dict({name: value for name, value in tensors.items() if "/" not in name})
    return model


def check_stored_model(path, metadata, tensors: dict[str, Tensor], known: set[str]) -> None:
    """CheckpointError unless these tensors are the model that the metadata describe, and finite.

    In name, shape and dtype. Allocates nothing.
    """
    settings = metadata.get("model") if isinstance(metadata, dict) else None
    if not isinstance(settings, dict):
        raise CheckpointError(f"{path} holds no model")
    if foreign := set(settings) - known - {"dtype"}:
        raise CheckpointError(
            f"{path}: {sorted(foreign)} are no settings of a model; "
            f"there are {', '.join(sorted(known))}"
        )
    try:
        wanted = _shapes(settings)
    except (KeyError, ValueError) as error:
        raise CheckpointError(f"{path}: the model's settings are damaged: {error}") from None
    found = {name: tensor for name, tensor in tensors.items() if "/" not in name}
    if set(found) != set(wanted):
        raise CheckpointError(
            f"{path} holds the tensors {', '.join(sorted(found))}; "
            f"its settings call for {', '.join(sorted(wanted))}"
        )
    for name, shape in wanted.items():
        tensor = found[name]
        if tuple(tensor.shape) != shape:
            raise CheckpointError(
                f"{name} of {path} has shape {tuple(tensor.shape)}; its settings call for {shape}"
            )
        if tensor.dtype not in FLOATS or tensor.dtype != found["W_E"].dtype:
            raise CheckpointError(
                f"{name} of {path} is {tensor.dtype}; "
                f"a model's tensors are floating and alike, and W_E is {found['W_E'].dtype}"
            )
        if not torch.isfinite(tensor).all():
            entry = tuple(torch.nonzero(~torch.isfinite(tensor))[0].tolist())
            raise CheckpointError(
                f"{name} of {path} must be finite; entry {entry} is {tensor[entry].item()}: "
                f"the run that wrote it diverged, or the file is damaged"
            )


def check_run_tensors(tensors: dict[str, Tensor], wanted: dict[str, Tensor]) -> None:
    """ValueError unless `tensors` has all that are wanted, finite, of these shapes and dtypes."""
    for name, value in wanted.items():
        if name not in tensors:
            raise ValueError(f"it has no tensor {name}")
        theirs = tuple(tensors[name].shape), tensors[name].dtype
        ours = tuple(value.shape), value.dtype
        if theirs != ours:
            raise ValueError(f"its {name} is {theirs}, not {ours}")
        if not torch.isfinite(tensors[name]).all():
            raise ValueError(f"its {name} is not finite")


def _shapes(settings: dict) -> dict[str, tuple[int, ...]]:
    """The shapes of a model's tensors."""
    n_p, n_q, n_r = (check_count(name, settings[name]) for name in ("n_p", "n_q", "n_r"))
    many = settings.get("instances")
    lead = () if many is None else (check_count("instances", many),)
    shapes: dict[str, tuple[int, ...]] = {"W_E": (n_q, n_p), "W_D": (n_r, n_q)}
    if settings.get("biases"):
        shapes |= {"b_E": (n_q,), "b_D": (n_r,)}
    if (kind := METHODS.get(str(settings["method"]))) is not None:
        way = kind.variant(settings.get("ks") or None)
        shapes |= {name: (n_q,) for name in way.vectors} | {name: () for name in way.scalars}
    return {name: lead + shape for name, shape in shapes.items()}
