"""`write_saelens`: an SDLModel becomes a folder that SAELens loads as the same function."""

from __future__ import annotations

import json
import os
from pathlib import Path

import torch

from ...checks import Tensor
from ...files import replacing, write_tensors
from ...signature import checked
from ..model import SDLModel
from .format import CFG, DTYPES, TRAINED_AS, TRANSCODERS, VERSION, WEIGHTS, WRITTEN_AS, check_finite

OURS = {
    "sae_lens_version",
    "sae_lens_training_version",
    "training_architecture",
    "training_architecture_details",
    "sdl_theory",
}


@checked
def write_saelens(model: SDLModel, folder: str | Path, *, metadata: dict | None = None) -> None:
    """Write a folder that SAELens loads, and that computes the same activations and output there.

    metadata : JSON-able extras for cfg.json, e.g. dict(model_name=..., hook_name=...), which
        SAELens shows.

    The folder holds cfg.json and sae_weights.safetensors. What a model is written as:

    * relu as "standard", topk as "topk", gated as "gated".
    * jumprelu, batchtopk and matryoshka as "jumprelu", the latter two with their threshold for
      every latent and the metadata that SAELens gives them.
    * With n_r != n_p, relu as "transcoder" and the jumprelu family as "jumprelu_transcoder".
    * Missing biases as zeros.

    `read_saelens` returns the same model, exactly, but that a gated model's b_E comes back inside
    b_gate and b_mag, half precision as float32, and matryoshka with ks, which is written as "topk",
    as a topk.

    Both files are written in full before the first takes the place of an older one. ValueError for
    several instances, non-finite weights, a negative theta (SAELens would clip at 0), and what
    SAELens has not: plain, topk or gated with n_r != n_p, a method of your own.

    >>> import os, tempfile
    >>> from sdl_theory import SDLModel, write_saelens
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_saelens(SDLModel(6, 12, method="relu"), folder, metadata={"model_name": "toy"})
    ...     sorted(os.listdir(folder))
    ['cfg.json', 'sae_weights.safetensors']
    """
    if not isinstance(model, SDLModel):
        raise ValueError(f"write_saelens takes an SDLModel; got a {type(model).__name__}")
    if model.instances is not None:
        raise ValueError(
            f"a SAELens folder holds one model, this holds {model.instances}; "
            f"write model.instance(0), model.instance(1), ... to a folder each"
        )
    cfg = _cfg(model, metadata)
    for name, value in model.state_dict().items():
        check_finite(name, value)
    with replacing(Path(folder) / CFG) as temporary:
        temporary.write_text(cfg, encoding="utf-8")
        write_tensors(Path(folder) / WEIGHTS, _tensors(model), {})


def check_saelens(model: SDLModel, folder: str | Path) -> None:
    """Raise, before a training, what `write_saelens` would raise after it.

    For a model that SAELens has not, or a folder that cannot be written.
    """
    _cfg(model, None)
    folder = Path(folder)
    place = folder
    if not folder.exists():
        place = next(parent for parent in folder.absolute().parents if parent.exists())
    if not place.is_dir():
        raise ValueError(f"--saelens {folder}: {place} is no folder; name another")
    if not os.access(place, os.W_OK):
        raise ValueError(f"--saelens {folder}: {place} is not writable; name another")


def _cfg(model: SDLModel, extras: dict | None) -> str:
    """cfg.json's text."""
    architecture = _architecture(model)
    if model.n_r != model.n_p:
        if architecture not in TRANSCODERS:
            raise ValueError(
                f"SAELens has no {model.method} transcoder (n_p = {model.n_p}, n_r = {model.n_r}); "
                f"relu, jumprelu, batchtopk, matryoshka it has"
            )
        architecture = TRANSCODERS[architecture]
    dtype = str(model.W_E.dtype).removeprefix("torch.")
    if dtype not in DTYPES:
        raise ValueError(
            f"SAELens stores {', '.join(DTYPES)}; "
            f"this model is {dtype}. Convert it first: model.float()"
        )
    cfg = {
        "d_in": model.n_p,
        "d_sae": model.n_q,
        "dtype": dtype,
        "device": "cpu",
        "apply_b_dec_to_input": False,
        "normalize_activations": "none",
        "reshape_activations": "none",
        "metadata": _metadata(model, extras),
        "architecture": architecture,
    }
    if architecture == "topk":
        cfg |= {"k": model.k, "rescale_acts_by_decoder_norm": False}
    if architecture in TRANSCODERS.values():
        cfg["d_out"] = model.n_r
    try:
        return json.dumps(cfg, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"metadata must be plain JSON: strings, finite numbers, lists, dicts ({error})"
        ) from None


def _architecture(model: SDLModel) -> str:
    """What SAELens calls the function that this model is at inference (if no transcoder)."""
    if model.plain:
        raise ValueError(
            "SAELens's topk has a ReLU after it, and no other architecture is Top-k without one: "
            "a model with plain=True cannot be written"
        )
    if model.method not in WRITTEN_AS:
        raise ValueError(
            f"SAELens has no architecture for method={model.method!r}; "
            f"it has those for {', '.join(WRITTEN_AS)}"
        )
    return "topk" if model.ks else WRITTEN_AS[model.method]


def _metadata(model: SDLModel, extras: dict | None) -> dict:
    """What the function does not depend on: how it was trained, and what the caller adds."""
    if not isinstance(extras or {}, dict):
        raise ValueError(f"metadata must be a dict; got {extras!r}")
    if taken := OURS & set(extras or {}):
        raise ValueError(
            f"metadata keys {sorted(taken)} are written by write_saelens itself; choose other names"
        )
    metadata: dict = {
        "sae_lens_version": VERSION,
        "sae_lens_training_version": None,
        "sdl_theory": {"biases": model.biases, "decoder_norm": model.decoder_norm},
    }
    if model.method in TRAINED_AS and not model.ks:
        details: dict = {"k": model.k}
        if model.levels:
            details["matryoshka_widths"] = list(model.levels)
        metadata["training_architecture"] = TRAINED_AS[model.method]
        metadata["training_architecture_details"] = details
    return metadata | (extras or {})


@torch.no_grad()
def _tensors(model: SDLModel) -> dict[str, Tensor]:
    """The model's parameters in SAELens's names and orientation."""
    b_E = model.W_E.new_zeros(model.n_q) if model.b_E is None else model.b_E
    b_D = model.W_E.new_zeros(model.n_r) if model.b_D is None else model.b_D
    tensors = {"W_enc": model.W_E.mT, "W_dec": model.W_D.mT, "b_dec": b_D}
    if model.method == "gated":
        return tensors | {
            "b_gate": model.b_gate + b_E,
            "b_mag": model.b_mag + model.r_mag.exp() * b_E,
            "r_mag": model.r_mag,
        }
    tensors["b_enc"] = b_E
    if _architecture(model) == "jumprelu":
        if (model.theta < 0).any():
            raise ValueError(
                f"theta must be >= 0, SAELens clips there; "
                f"the least is {model.theta.min().item()}. Clamp it: model.theta.data.clamp_(min=0)"
            )
        tensors["threshold"] = model.theta.expand(model.n_q)
    return tensors
