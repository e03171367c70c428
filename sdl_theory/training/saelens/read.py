"""`read_saelens`: a folder becomes the SDLModel that is the same function."""

from __future__ import annotations

from pathlib import Path

import torch

from ...checks import Tensor
from ...files import CheckpointError
from ...signature import checked
from ..model import SDLModel
from .cfg import read_cfg
from .format import (
    ARCHITECTURES,
    CFG,
    DTYPES,
    TRAINED_AS,
    TRANSCODERS,
    VECTORS,
    WEIGHTS,
    check_finite,
)


@checked
def read_saelens(
    folder: str | Path, *, device: torch.device | str = "cpu", dtype: torch.dtype | None = None
) -> SDLModel:
    """The SDLModel that a SAELens folder describes, the same function to rounding.

    `encode` and `forward` equal SAELens's own `encode` and `forward`.

    dtype : of the model. Default: cfg.json's; half precision is read into float32, which holds it
        exactly.

    Folded, in float64, into W_E (n_q, n_p), W_D (n_r, n_q), b_E (n_q,), b_D (n_r,):

    * apply_b_dec_to_input: b_E = b_enc - W_enc^T b_dec (a gated model's b_gate, b_mag likewise).
    * rescale_acts_by_decoder_norm, with c_i = ||W_dec[i]||: w_E^i = c_i W_enc[:, i], b_E likewise,
      w_D^i = W_dec[i] / c_i. The activations are those that SAELens's `encode` returns, in units of
      decoder columns of norm 1, and not those of W_enc itself, which are c_i times smaller.
    * jumprelu: theta = max(threshold, 0), since SAELens computes relu(z) 1{z > threshold}.

    BatchTopK and Matryoshka are jumprelu folders whose metadata tells how they were trained:
    `method`, `k` and `levels` come back from it. If its k is not whole or the threshold differs
    between latents, the model is a "jumprelu", the same function. Biases are absent only if this
    library wrote the folder without them. hook_z: pass the heads flattened,
    (batch, heads * d_head).

    Raises FileNotFoundError for a missing file; CheckpointError (a ValueError) for what is no
    SAELens >= 6 folder, is truncated, has wrong shapes or non-finite weights, or is a function that
    SDLModel cannot express: other architectures, skip connections, normalized inputs.

    >>> import tempfile
    >>> import torch
    >>> from sdl_theory import SDLModel, read_saelens, write_saelens
    >>> model, x = SDLModel(6, 12, k=2, dtype=torch.float64), torch.eye(6, dtype=torch.float64)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_saelens(model, folder)
    ...     again = read_saelens(folder)
    >>> again, torch.allclose(again.encode(x), model.encode(x))
    (SDLModel(topk, k=2: n_p=6, n_q=12, n_r=6), True)
    """
    cfg = read_cfg(Path(folder) / CFG)
    n_p, n_q = cfg["d_in"], cfg["d_sae"]
    n_r = cfg["d_out"] if cfg["architecture"] in TRANSCODERS.values() else n_p
    if dtype is None:
        dtype = torch.float64 if cfg["dtype"] == "float64" else torch.float32
    if dtype not in DTYPES.values():
        raise ValueError(
            f"dtype must be one of {', '.join(map(str, DTYPES.values()))}; got {dtype}"
        )
    kind = ARCHITECTURES[cfg["architecture"]]
    shapes = {"W_enc": (n_p, n_q), "W_dec": (n_q, n_r), "b_dec": (n_r,)} | {
        name: (n_q,) for name in VECTORS[kind]
    }
    values = _fold(_read_weights(Path(folder) / WEIGHTS, shapes), cfg)
    settings = _settings(cfg, kind, values)
    if settings["method"] in TRAINED_AS:
        values["theta"] = values["theta"][0]
    try:
        model = SDLModel(
            n_p,
            n_q,
            n_r,
            **settings,
            generator=torch.Generator().manual_seed(0),
            dtype=dtype,
            device=device,
        )
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"{Path(folder) / CFG}: {error}") from None
    for name, parameter in model.state_dict().items():
        parameter.copy_(values[name])
        check_finite(f"{name} of {folder}, folded into {dtype},", parameter)
    return model


def _read_weights(path: Path, shapes: dict[str, tuple]) -> dict[str, Tensor]:
    """The tensors in float64, if they are those of `shapes`, no more and no less, and finite."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; a SAELens folder holds {CFG} and {WEIGHTS}")
    try:
        tensors = load_file(path)
    except SafetensorError as error:
        raise CheckpointError(f"{path} is truncated or no safetensors file ({error})") from None
    if set(tensors) != set(shapes):
        raise CheckpointError(
            f"{path} holds {', '.join(sorted(tensors))}; "
            f"{CFG} calls for {', '.join(sorted(shapes))}"
        )
    for name, shape in shapes.items():
        tensor = tensors[name]
        if tuple(tensor.shape) != shape:
            raise CheckpointError(
                f"{name} of {path} has shape {tuple(tensor.shape)}; {CFG} calls for {shape}"
            )
        if not tensor.is_floating_point():
            raise CheckpointError(
                f"{name} of {path} is {tensor.dtype}; weights are floating point numbers"
            )
        tensors[name] = tensor.double()
        check_finite(f"{name} of {path}", tensors[name])
    return tensors


def _fold(t: dict[str, Tensor], cfg: dict) -> dict[str, Tensor]:
    """SAELens's tensors as ours: the same function, without input bias and rescaling."""
    c = torch.ones_like(t["W_dec"][:, 0])
    # rescale_acts_by_decoder_norm: no other architecture of SAELens reads it
    if cfg["architecture"] == "topk" and cfg.get("rescale_acts_by_decoder_norm"):
        c = t["W_dec"].norm(dim=1)
        if (c == 0).any():
            row = int((c == 0).nonzero()[0])
            raise CheckpointError(
                f"W_dec[{row}] is zero, and rescale_acts_by_decoder_norm divides by its norm: "
                f"SAELens computes NaN; drop that latent"
            )
    shift = -(t["b_dec"] @ t["W_enc"]) if cfg["apply_b_dec_to_input"] else torch.zeros_like(c)
    values = {"W_E": (t["W_enc"] * c).mT, "W_D": t["W_dec"].mT / c, "b_D": t["b_dec"]}
    if "b_gate" in t:
        return values | {
            "b_E": torch.zeros_like(c),
            "b_gate": t["b_gate"] + shift,
            "b_mag": t["b_mag"] + t["r_mag"].exp() * shift,
            "r_mag": t["r_mag"],
        }
    values["b_E"] = (t["b_enc"] + shift) * c
    return values | {"theta": t["threshold"].clamp(min=0)} if "threshold" in t else values


def _settings(cfg: dict, kind: str, values: dict[str, Tensor]) -> dict:
    """The constructor's arguments.

    Metadata may say how a function came about, but what the function is, cfg and the weights
    decide.
    """
    metadata = cfg["metadata"]
    ours, details = (
        value if isinstance(value := metadata.get(name), dict) else {}
        for name in ("sdl_theory", "training_architecture_details")
    )
    settings = dict(
        method=kind,
        k=cfg["k"] if kind == "topk" else None,
        biases=ours.get("biases") is not False or bool(values["b_E"].any() or values["b_D"].any()),
        decoder_norm=ours.get("decoder_norm", 1.0),
    )
    name = metadata.get("training_architecture")
    trained = [method for method, theirs in TRAINED_AS.items() if theirs == name]
    if kind != "jumprelu" or not trained:
        return settings
    k, theta = details.get("k"), values["theta"]
    if isinstance(k, float) and k.is_integer():
        k = int(k)
    if isinstance(k, int) and (theta == theta[0]).all():
        settings |= dict(method=trained[0], k=int(k), levels=details.get("matryoshka_widths"))
    return settings
