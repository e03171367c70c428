"""Folders in SAELens's format: trained dictionaries of others come in, ours go out. Nothing of
SAELens is needed for either.

A folder holds cfg.json and sae_weights.safetensors, W_enc (d_in, d_sae) and W_dec (d_sae, d_out):
our W_E and W_D transposed. Written after sae-lens 6.54.12 and tested against folders that it wrote.
https://github.com/decoderesearch/SAELens
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import torch

from ..checks import Tensor, check_count
from ..files import CheckpointError, replacing, write_tensors
from ..signature import checked
from .model import SDLModel

CFG, WEIGHTS, VERSION = "cfg.json", "sae_weights.safetensors", "6.54.12"
ARCHITECTURES = {
    "standard": "relu",
    "jumprelu": "jumprelu",
    "topk": "topk",
    "gated": "gated",
    "transcoder": "relu",
    "jumprelu_transcoder": "jumprelu",
}
WRITTEN_AS = {
    "relu": "standard",
    "jumprelu": "jumprelu",
    "batchtopk": "jumprelu",
    "matryoshka": "jumprelu",
    "topk": "topk",
    "gated": "gated",
}
TRANSCODERS = {"standard": "transcoder", "jumprelu": "jumprelu_transcoder"}
# what SAELens calls them in the metadata of a jumprelu
TRAINED_AS = {"batchtopk": "batchtopk", "matryoshka": "matryoshka_batchtopk"}
VECTORS = {
    "relu": ["b_enc"],
    "topk": ["b_enc"],
    "jumprelu": ["b_enc", "threshold"],
    "gated": ["b_gate", "b_mag", "r_mag"],
}
DTYPES = {
    "float32": torch.float32,
    "float64": torch.float64,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
}
OURS = {
    "sae_lens_version",
    "sae_lens_training_version",
    "training_architecture",
    "training_architecture_details",
    "sdl_theory",
}
HINTS = {
    "batchtopk": "this is a training checkpoint; sae.save_inference_model(folder) in SAELens saves "
    "it as jumprelu",
    "matryoshka_batchtopk": "this is a training checkpoint; sae.save_inference_model(folder) in "
    "SAELens saves it as jumprelu",
    "skip_transcoder": "its skip connection W_skip x_p has no place in x_r = W_D sigma(W_E x_p)",
    "jumprelu_skip_transcoder": "its skip connection W_skip x_p has no place in x_r = W_D "
    "sigma(W_E x_p)",
    "expected_average_only_in": "the scale is not in the folder; in SAELens, "
    "sae.fold_activation_norm_scaling_factor(scale), then save again",
    "covariance_whitening": "the statistics are not in the folder; in SAELens, "
    "sae.fold_activation_whitening(...), then save again",
    "layer_norm": "it divides each x_p by its own deviation, which no W_E and b_E can do",
    "constant_norm_rescale": "it divides each x_p by its own norm, which no W_E and b_E can do",
}


@checked
def read_saelens(
    folder: str | Path, *, device: torch.device | str = "cpu", dtype: torch.dtype | None = None
) -> SDLModel:
    """The SDLModel that a SAELens folder describes: `encode` and `forward` equal SAELens's own
    `encode` and `forward`, to rounding.

    Folded, in float64, into W_E (n_q, n_p), W_D (n_r, n_q), b_E (n_q,), b_D (n_r,):

    * apply_b_dec_to_input: b_E = b_enc - W_enc^T b_dec (a gated model's b_gate, b_mag likewise).
    * rescale_acts_by_decoder_norm, with c_i = ||W_dec[i]||: w_E^i = c_i W_enc[:, i], b_E likewise,
      w_D^i = W_dec[i] / c_i. The activations are those that SAELens's `encode` returns, in units of
      decoder columns of norm 1, and not those of W_enc itself, which are c_i times smaller.
    * jumprelu: theta = max(threshold, 0), since SAELens computes relu(z) 1{z > threshold}.

    BatchTopK and Matryoshka are jumprelu folders whose metadata tells how they were trained:
    `method`, `k` and `levels` come back from it. If its k is not whole or the threshold differs
    between latents, the model is a "jumprelu", the same function. Biases are absent only if this
    library wrote the folder without them. hook_z: pass the heads flattened, (batch, heads *
    d_head).

    dtype : of the model. Default: cfg.json's; half precision is read into float32, which holds it
        exactly.
    Raises FileNotFoundError for a missing file; CheckpointError (a ValueError) for what is no
    SAELens >= 6 folder, is truncated, has wrong shapes or non-finite weights, or is a function that
    SDLModel cannot express: other architectures, skip connections, normalized inputs.
    """
    cfg = _read_cfg(Path(folder) / CFG)
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
        _check_finite(f"{name} of {folder}, folded into {dtype},", parameter)
    return model


@checked
def write_saelens(model: SDLModel, folder: str | Path, *, metadata: dict | None = None) -> None:
    """Write cfg.json and sae_weights.safetensors such that SAELens loads the folder and computes
    the same activations and output.

    relu is written as "standard", topk as "topk", gated as "gated", jumprelu, batchtopk and
    matryoshka as "jumprelu" (the latter two with their threshold for every latent and the metadata
    that SAELens gives them); with n_r != n_p relu as "transcoder" and the jumprelu family as
    "jumprelu_transcoder". Missing biases are written as zeros. `read_saelens` returns the same
    model, exactly, but that a gated model's b_E comes back inside b_gate and b_mag, half precision
    as float32, and matryoshka with ks, which is written as "topk", as a topk.

    metadata : JSON-able extras for cfg.json, e.g. dict(model_name=..., hook_name=...), which
        SAELens shows.
    Both files are written in full before the first takes the place of an older one. ValueError for
    several instances, non-finite weights, a negative theta (SAELens would clip at 0), and plain, or
    topk or gated with n_r != n_p, which SAELens has not.
    """
    if not isinstance(model, SDLModel):
        raise ValueError(f"write_saelens takes an SDLModel; got a {type(model).__name__}")
    if model.instances is not None:
        raise ValueError(
            f"a SAELens folder holds one model, this holds {model.instances}; write "
            f"model.instance(0), model.instance(1), ... to a folder each"
        )
    cfg = _cfg(model, metadata)
    for name, value in model.state_dict().items():
        _check_finite(name, value)
    with replacing(Path(folder) / CFG) as temporary:
        temporary.write_text(cfg, encoding="utf-8")
        write_tensors(Path(folder) / WEIGHTS, _tensors(model), {})


def check_saelens(model: SDLModel, folder: str | Path) -> None:
    """Raise what `write_saelens` would raise, before a training: a model that SAELens has not, or a
    folder that cannot be written.
    """
    _cfg(model, None)
    folder = Path(folder)
    place = (
        folder
        if folder.exists()
        else next(parent for parent in folder.absolute().parents if parent.exists())
    )
    if not place.is_dir() or not os.access(place, os.W_OK):
        raise ValueError(
            f"--saelens {folder}: {place} is "
            f"{'no folder' if not place.is_dir() else 'not writable'}; name another"
        )


def _read_cfg(path: Path) -> dict:
    """cfg.json, checked: every key that decides what the model computes is there and has a value we
    can honour.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; a SAELens folder holds {CFG} and {WEIGHTS}")
    try:
        cfg = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is not JSON ({error})") from None
    metadata = cfg.get("metadata") if isinstance(cfg, dict) else None
    version = str(metadata.get("sae_lens_version")) if isinstance(metadata, dict) else "none"
    if not re.match(r"[0-9]{1,4}\.", f"{version}.") or int(version.split(".")[0]) < 6:
        raise CheckpointError(
            f"{path} names sae_lens_version {version}; this reads the format of SAELens 6: load it "
            f"there and save it again"
        )
    architecture = str(cfg.get("architecture"))
    if architecture not in ARCHITECTURES:
        hint = HINTS.get(architecture, f"SDLModel can be {', '.join(ARCHITECTURES)}")
        raise CheckpointError(f"{path}: architecture {architecture} cannot be read: {hint}")
    if (norm := str(cfg.get("normalize_activations"))) != "none":
        raise CheckpointError(
            f"{path}: normalize_activations = {norm} cannot be folded into the weights: "
            f"{HINTS.get(norm, 'unknown to this reader')}"
        )
    counts = (
        ["d_in", "d_sae"]
        + ["d_out"] * (architecture in TRANSCODERS.values())
        + ["k"] * (architecture == "topk")
    )
    flags = ["apply_b_dec_to_input"] + ["rescale_acts_by_decoder_norm"] * (architecture == "topk")
    for name in counts:
        cfg[name] = _count(path, name, cfg.get(name))
    for name in flags:
        if not isinstance(cfg.get(name), bool):
            raise CheckpointError(f"{path}: {name} must be true or false; got {cfg.get(name)!r}")
    if cfg["apply_b_dec_to_input"] and architecture in TRANSCODERS.values():
        raise CheckpointError(
            f"{path}: apply_b_dec_to_input cannot be true in a transcoder, whose b_dec lives in "
            f"the output; SAELens refuses it too"
        )
    cfg["dtype"] = str(cfg.get("dtype")).removeprefix("torch.")
    if cfg["dtype"] not in DTYPES:
        raise CheckpointError(
            f"{path}: dtype must be one of {', '.join(DTYPES)}; got {cfg['dtype']}"
        )
    return cfg


def _count(path: Path, name: str, value) -> int:
    try:
        return check_count(name, value)
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}") from None


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
            f"{path} holds {', '.join(sorted(tensors))}; {CFG} calls for "
            f"{', '.join(sorted(shapes))}"
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
        _check_finite(f"{name} of {path}", tensors[name])
    return tensors


def _check_finite(name: str, tensor: Tensor) -> None:
    if not torch.isfinite(tensor).all():
        entry = tuple(torch.nonzero(~torch.isfinite(tensor))[0].tolist())
        raise CheckpointError(f"{name} must be finite; entry {entry} is {tensor[entry].item()}")


def _fold(t: dict[str, Tensor], cfg: dict) -> dict[str, Tensor]:
    """SAELens's tensors as ours: the same function, without input bias and rescaling."""
    c = torch.ones_like(t["W_dec"][:, 0])
    # no other architecture of SAELens reads it
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
    """The constructor's arguments. Metadata may say how a function came about, but what the
    function is, cfg and the weights decide.
    """
    metadata = cfg["metadata"]
    ours, details = (
        value if isinstance(value := metadata.get(name), dict) else {}
        for name in ("sdl_theory", "training_architecture_details")
    )
    biased = ours.get("biases") is not False or bool(values["b_E"].any() or values["b_D"].any())
    settings = dict(
        method=kind,
        k=cfg["k"] if kind == "topk" else None,
        biases=biased,
        decoder_norm=ours.get("decoder_norm", 1.0),
    )
    trained = {theirs: method for method, theirs in TRAINED_AS.items()}.get(
        metadata.get("training_architecture")
    )
    k, theta = details.get("k"), values.get("theta")
    if (
        kind == "jumprelu"
        and trained
        and isinstance(k, int | float)
        and float(k).is_integer()
        and (theta == theta[0]).all()
    ):
        settings |= dict(method=trained, k=int(k), levels=details.get("matryoshka_widths"))
    return settings


def _architecture(model: SDLModel) -> str:
    """What SAELens calls the function that this model is at inference (if no transcoder)."""
    if model.plain:
        raise ValueError(
            "SAELens's topk has a ReLU after it, and no other architecture is Top-k without one: a "
            "model with plain=True cannot be written"
        )
    return "topk" if model.ks else WRITTEN_AS[model.method]


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
    name = str(model.W_E.dtype).removeprefix("torch.")
    if name not in DTYPES:
        raise ValueError(
            f"SAELens stores {', '.join(DTYPES)}; this model is {name}. Convert it first: "
            f"model.float()"
        )
    if not isinstance(extras or {}, dict):
        raise ValueError(f"metadata must be a dict; got {extras!r}")
    if taken := OURS & set(extras or {}):
        raise ValueError(
            f"metadata keys {sorted(taken)} are written by write_saelens itself; choose other names"
        )
    metadata = {
        "sae_lens_version": VERSION,
        "sae_lens_training_version": None,
        "sdl_theory": {"biases": model.biases, "decoder_norm": model.decoder_norm},
    }
    if model.method in TRAINED_AS and not model.ks:
        details = {"k": model.k} | (
            {"matryoshka_widths": list(model.levels)} if model.levels else {}
        )
        metadata |= {
            "training_architecture": TRAINED_AS[model.method],
            "training_architecture_details": details,
        }
    cfg = {
        "d_in": model.n_p,
        "d_sae": model.n_q,
        "dtype": name,
        "device": "cpu",
        "apply_b_dec_to_input": False,
        "normalize_activations": "none",
        "reshape_activations": "none",
        "metadata": metadata | (extras or {}),
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


@torch.no_grad()
def _tensors(model: SDLModel) -> dict[str, Tensor]:
    """The model's parameters in SAELens's names and orientation."""
    zeros = lambda size: model.W_E.new_zeros(size)
    b_E, b_D = (
        zeros(model.n_q) if model.b_E is None else model.b_E,
        zeros(model.n_r) if model.b_D is None else model.b_D,
    )
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
                f"theta must be >= 0, SAELens clips there; the least is "
                f"{model.theta.min().item()}. Clamp it: model.theta.data.clamp_(min=0)"
            )
        tensors["threshold"] = model.theta.expand(model.n_q)
    return tensors
