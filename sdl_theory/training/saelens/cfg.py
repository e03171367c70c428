"""cfg.json, read: every key that decides what a model computes is there, and can be honoured."""

from __future__ import annotations

import json
import re
from pathlib import Path

from ...checks import check_count
from ...files import CheckpointError
from .format import ARCHITECTURES, CFG, DTYPES, TRANSCODERS, WEIGHTS

IN_TRAINING = (
    "this is a training checkpoint; "
    "sae.save_inference_model(folder) in SAELens saves it as jumprelu"
)
SKIPS = "its skip connection W_skip x_p has no place in x_r = W_D sigma(W_E x_p)"
HINTS = {
    "batchtopk": IN_TRAINING,
    "matryoshka_batchtopk": IN_TRAINING,
    "skip_transcoder": SKIPS,
    "jumprelu_skip_transcoder": SKIPS,
    "expected_average_only_in": "the scale is not in the folder; in SAELens, "
    "sae.fold_activation_norm_scaling_factor(scale), then save again",
    "covariance_whitening": "the statistics are not in the folder; in SAELens, "
    "sae.fold_activation_whitening(...), then save again",
    "layer_norm": "it divides each x_p by its own deviation, which no W_E and b_E can do",
    "constant_norm_rescale": "it divides each x_p by its own norm, which no W_E and b_E can do",
}


def read_cfg(path: Path) -> dict:
    """cfg.json, checked: every key that decides what a model computes has a value we can honour."""
    cfg = _read_json(path)
    architecture = str(cfg.get("architecture"))
    if architecture not in ARCHITECTURES:
        hint = HINTS.get(architecture, f"SDLModel can be {', '.join(ARCHITECTURES)}")
        raise CheckpointError(f"{path}: architecture {architecture} cannot be read: {hint}")
    if (norm := str(cfg.get("normalize_activations"))) != "none":
        raise CheckpointError(
            f"{path}: normalize_activations = {norm} cannot be folded into the weights: "
            f"{HINTS.get(norm, 'unknown to this reader')}"
        )
    topk, transcoder = architecture == "topk", architecture in TRANSCODERS.values()
    for name in ["d_in", "d_sae"] + ["d_out"] * transcoder + ["k"] * topk:
        cfg[name] = _count(path, name, cfg.get(name))
    for name in ["apply_b_dec_to_input"] + ["rescale_acts_by_decoder_norm"] * topk:
        if not isinstance(cfg.get(name), bool):
            raise CheckpointError(f"{path}: {name} must be true or false; got {cfg.get(name)!r}")
    if cfg["apply_b_dec_to_input"] and transcoder:
        raise CheckpointError(
            f"{path}: apply_b_dec_to_input cannot be true in a transcoder, "
            f"whose b_dec lives in the output; SAELens refuses it too"
        )
    cfg["dtype"] = str(cfg.get("dtype")).removeprefix("torch.")
    if cfg["dtype"] not in DTYPES:
        raise CheckpointError(
            f"{path}: dtype must be one of {', '.join(DTYPES)}; got {cfg['dtype']}"
        )
    return cfg


def _read_json(path: Path) -> dict:
    """A dict that SAELens 6 or later wrote."""
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
            f"{path} names sae_lens_version {version}; "
            f"this reads the format of SAELens 6: load it there and save it again"
        )
    return cfg


def _count(path: Path, name: str, value) -> int:
    try:
        return check_count(name, value)
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}") from None
