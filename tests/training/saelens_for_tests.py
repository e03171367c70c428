"""Folders that SAELens wrote, and models to write: for the tests beside this file.

The oracle is SAELens: it wrote `data/saelens` and computed what is expected (see `write.py` there).
"""

import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from sdl_theory.training.model import SDLModel

DATA = Path(__file__).parent / "data/saelens"
READABLE = sorted(
    path.name for path in DATA.iterdir() if path.is_dir() and not path.name.startswith("refused")
)


def random_model(method, biases=True, n_r=6, dtype=torch.float32, **options):
    """Every parameter and threshold random.

    A gated model's b_E stays 0, since it comes back inside b_gate and b_mag.
    """
    options |= dict(k=3) if method in ("topk", "batchtopk", "matryoshka") else {}
    options |= dict(levels=[2, 5, 10]) if method == "matryoshka" else {}
    model = SDLModel(6, 10, n_r, method, biases=biases, dtype=dtype, **options)
    generator = torch.Generator().manual_seed(5)
    for name, value in model.state_dict().items():
        value.copy_(
            torch.randn(value.shape, generator=generator).abs()
            * (method != "gated" or name != "b_E")
        )
    return model


def edited(folder, tmp_path, *, drop=(), tensors=None, metadata=None, **cfg):
    """A copy of a committed folder with keys of cfg.json, metadata or tensors changed."""
    copy = Path(shutil.copytree(DATA / folder, tmp_path / "copy", dirs_exist_ok=True))
    written = json.loads((copy / "cfg.json").read_text()) | cfg
    written["metadata"] |= metadata or {}
    (copy / "cfg.json").write_text(
        json.dumps({key: value for key, value in written.items() if key not in drop})
    )
    weights = load_file(copy / "sae_weights.safetensors") | (tensors or {})
    save_file(
        {name: value for name, value in weights.items() if name not in drop},
        copy / "sae_weights.safetensors",
    )
    return copy


def same(one, other):
    pairs = [(value, other.state_dict()[name]) for name, value in one.state_dict().items()]
    return one.settings == other.settings and all(
        a.dtype == b.dtype and torch.equal(a, b) for a, b in pairs
    )
