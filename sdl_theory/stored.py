"""What files say of themselves, checked before anything is made of it: a model's settings against
its tensors, an array's header against its file.
"""

from __future__ import annotations

import inspect
import subprocess
from pathlib import Path

import numpy as np
import torch

from .checks import Tensor, check_count
from .files import CheckpointError

FLOATS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)


def stored_model(made_by: type, path, tensors: dict[str, Tensor], metadata, device):
    """The model, an SDLModel, that a file's metadata and tensors are; CheckpointError, before
    anything is allocated, where they do not go together.
    """
    known = set(inspect.signature(made_by).parameters) - {"generator", "dtype", "device", "theta"}
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
    """Raise CheckpointError unless these tensors are, in name, shape and dtype, the model that the
    metadata describe, and finite. Allocates nothing.
    """
    settings = metadata.get("model") if isinstance(metadata, dict) else None
    if not isinstance(settings, dict):
        raise CheckpointError(f"{path} holds no model")
    if foreign := set(settings) - known - {"dtype"}:
        raise CheckpointError(
            f"{path}: {sorted(foreign)} are no settings of a model; there are "
            f"{', '.join(sorted(known))}"
        )
    try:
        wanted = _shapes(settings)
    except (KeyError, ValueError) as error:
        raise CheckpointError(f"{path}: the model's settings are damaged: {error}") from None
    found = {name: tensor for name, tensor in tensors.items() if "/" not in name}
    if set(found) != set(wanted):
        raise CheckpointError(
            f"{path} holds the tensors {', '.join(sorted(found))}; its settings call for "
            f"{', '.join(sorted(wanted))}"
        )
    for name, shape in wanted.items():
        tensor = found[name]
        if tuple(tensor.shape) != shape:
            raise CheckpointError(
                f"{name} of {path} has shape {tuple(tensor.shape)}; its settings call for {shape}"
            )
        if tensor.dtype not in FLOATS or tensor.dtype != found["W_E"].dtype:
            raise CheckpointError(
                f"{name} of {path} is {tensor.dtype}; a model's tensors are floating and alike, "
                f"and W_E is {found['W_E'].dtype}"
            )
        if not torch.isfinite(tensor).all():
            entry = tuple(torch.nonzero(~torch.isfinite(tensor))[0].tolist())
            raise CheckpointError(
                f"{name} of {path} must be finite; entry {entry} is {tensor[entry].item()}: the "
                f"run that wrote it diverged, or the file is damaged"
            )


def _shapes(settings: dict) -> dict[str, tuple[int, ...]]:
    """The shapes of a model's tensors."""
    n_p, n_q, n_r = (check_count(name, settings[name]) for name in ("n_p", "n_q", "n_r"))
    lead = (
        ()
        if settings.get("instances") is None
        else (check_count("instances", settings["instances"]),)
    )
    shapes = {"W_E": (n_q, n_p), "W_D": (n_r, n_q)}
    if settings.get("biases"):
        shapes |= {"b_E": (n_q,), "b_D": (n_r,)}
    # ks: a Top-k of each sample, which learns no threshold
    batched = {} if settings.get("ks") else {"theta": ()}
    vectors = {
        "jumprelu": {"theta": (n_q,)},
        "batchtopk": batched,
        "matryoshka": batched,
        "gated": {name: (n_q,) for name in ("r_mag", "b_gate", "b_mag")},
    }
    return {
        name: lead + shape for name, shape in (shapes | vectors.get(settings["method"], {})).items()
    }


def read_array(path: Path) -> Tensor:
    """The numbers of a .npy file in float64, or a ValueError that names it. Its header is held
    against its length before memory is taken.
    """
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiub":
            found = array.dtype if isinstance(array, np.ndarray) else "several arrays"
            raise ValueError(f"it holds {found}, not one array of numbers")
        return torch.from_numpy(np.array(array, dtype=np.float64))
    except Exception as error:
        # NumPy reads the header as Python text: it may fail in any way that text can
        raise ValueError(
            f"{path} cannot be read as a .npy file: "
            f"{str(error).splitlines()[0] if str(error) else type(error).__name__}"
        ) from None


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a .safetensors file, or a ValueError that names it."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, RuntimeError, KeyError) as error:
        raise ValueError(f"{path} is damaged or no safetensors file ({error})") from None


def own_commit(file: str | Path = Path(__file__).with_name("__init__.py")) -> str | None:
    """The commit of the checkout that `file` belongs to; None where no checkout tracks it: a copy
    inside somebody else's repository has none.
    """
    file = Path(file).resolve()
    git = lambda *words: subprocess.run(
        ["git", *words], cwd=file.parent, capture_output=True, text=True
    )
    try:
        if git("ls-files", "--error-unmatch", "--", file.name).returncode:
            return None
        return git("rev-parse", "--short", "HEAD").stdout.strip() or None
    except OSError:  # no git
        return None
