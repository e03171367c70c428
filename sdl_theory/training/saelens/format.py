"""The format: its files, and SAELens's names for what we have."""

from __future__ import annotations

import torch

from ...checks import Tensor
from ...files import CheckpointError

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
# what SAELens calls these in the metadata of a jumprelu
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


def check_finite(name: str, tensor: Tensor) -> None:
    if not torch.isfinite(tensor).all():
        entry = tuple(torch.nonzero(~torch.isfinite(tensor))[0].tolist())
        raise CheckpointError(f"{name} must be finite; entry {entry} is {tensor[entry].item()}")
