"""Weights and a tokenizer out of a GGUF file, the format of llama.cpp, without llama.cpp.

Read are the types that the SmolLM2 of `networks.smollm2` is stored in: F32, F16, Q8_0, Q4_1.
https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import math
import mmap
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
import torch

from ..checks import Tensor

NUMBERS = {
    0: "B",
    1: "b",
    2: "H",
    3: "h",
    4: "I",
    5: "i",
    6: "f",
    7: "?",
    10: "Q",
    11: "q",
    12: "d",
}
TEXT, LIST = 8, 9
BLOCK = 32  # values that share a scale in the Q types


@dataclass(frozen=True)
class Stored:
    """Where a tensor lies: its shape (rows first), type and place behind the header."""

    shape: tuple[int, ...]
    kind: int
    place: int


class Gguf:
    """A GGUF file, memory-mapped: `.keys`, what it says of itself, and `.tensor(name)`.

    ValueError, naming the file, for one that is absent, cut short or no GGUF file, and for a tensor
    that it has not or of a type that is not read here.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        if not self.path.is_file():
            raise ValueError(f"{self.path} is not there; name a .gguf file")
        try:
            with open(self.path, "rb") as file:
                self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            self._at = 0
            self._read_header()
        except (struct.error, UnicodeDecodeError, KeyError, ValueError) as error:
            self._refuse(f"is no GGUF file, or is cut short ({error})")

    def _refuse(self, what: str) -> NoReturn:
        raise ValueError(f"{self.path} {what}; fetch it anew, or name another") from None

    def _read_header(self) -> None:
        magic, version, tensors, keys = self._unpack("4sIQQ")
        if magic != b"GGUF" or version < 2:
            raise ValueError(f"it begins with {magic!r}, version {version}")
        self.keys = {self._text(): self._value(self._unpack("I")[0]) for _ in range(keys)}
        self.tensors: dict[str, Stored] = {}
        for _ in range(tensors):
            name, dimensions = self._text(), self._unpack("I")[0]
            shape = self._unpack(f"{dimensions}Q")[::-1]  # the file has the fastest axis first
            self.tensors[name] = Stored(shape, *self._unpack("IQ"))
        step = self.keys.get("general.alignment", BLOCK)
        self._data = -(-self._at // step) * step

    def _unpack(self, form: str) -> tuple:
        values = struct.unpack_from(f"<{form}", self._bytes, self._at)
        self._at += struct.calcsize(f"<{form}")
        return values

    def _text(self) -> str:
        (length,) = self._unpack("Q")
        return self._unpack(f"{length}s")[0].decode(errors="replace")

    def _value(self, kind: int):
        if kind == TEXT:
            return self._text()
        if kind != LIST:
            return self._unpack(NUMBERS[kind])[0]
        of, count = self._unpack("IQ")
        if of == TEXT:
            return [self._text() for _ in range(count)]
        return list(self._unpack(f"{count}{NUMBERS[of]}"))

    def key(self, name: str):
        """What the file says under this name; ValueError where it says nothing."""
        if name not in self.keys:
            self._refuse(f"says nothing of {name}")
        return self.keys[name]

    def tensor(self, name: str) -> Tensor:
        """The tensor of this name in float32, of its stored shape (rows first)."""
        if name not in self.tensors:
            self._refuse(f"has no tensor {name}")
        one = self.tensors[name]
        if one.kind not in READERS:
            self._refuse(f"has {name} in type {one.kind}; read are F32, F16, Q8_0 and Q4_1")
        values, per_block, reader = READERS[one.kind]
        size = math.prod(one.shape) // values * per_block
        start = self._data + one.place
        if start + size > len(self._bytes):
            self._refuse(f"is cut short: {name} would end behind its end")
        raw = np.frombuffer(self._bytes, np.uint8, size, start).reshape(-1, per_block)
        return torch.from_numpy(reader(raw).reshape(one.shape))


def _floats(raw: np.ndarray) -> np.ndarray:
    """Two bytes each as float16, then float32."""
    return raw.copy().view(np.float16).astype(np.float32)


def _q8_0(raw: np.ndarray) -> np.ndarray:
    """d * q: a float16 scale, 32 signed bytes."""
    return raw[:, 2:].copy().view(np.int8) * _floats(raw[:, :2])


def _q4_1(raw: np.ndarray) -> np.ndarray:
    """d * q + m: two float16, 16 bytes whose low halves are the first 16 values."""
    scale, least = _floats(raw[:, :4]).T[..., None]
    return np.concatenate([raw[:, 4:] & 15, raw[:, 4:] >> 4], 1) * scale + least


READERS = {  # by type: values in a block, its bytes, what makes numbers of blocks
    0: (1, 4, lambda raw: raw.copy().view(np.float32)),
    1: (1, 2, _floats),
    3: (BLOCK, 20, _q4_1),
    8: (BLOCK, 34, _q8_0),
}
NAMES = {  # of a block's weights: in GGUF, in transformers
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
}


def unpermuted(W: Tensor, heads: int) -> Tensor:
    """Query or key rows in transformers' order: llama.cpp has a head's two halves interleaved.

    W : (heads * d, n_p). Rows 2 i and 2 i + 1 of a head become its rows i and d / 2 + i, the pair
    that rotary embedding turns.
    """
    return W.reshape(heads, -1, 2, W.shape[1]).swapaxes(1, 2).reshape(W.shape)


def llama(file: Gguf, layers: int | None = None):
    """The file's Llama as transformers' LlamaForCausalLM in float32: its first `layers` blocks."""
    from transformers import LlamaForCausalLM
    from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

    config = _config(file, layers)
    with torch.device("meta"):
        model = LlamaForCausalLM(config)
    weights = {
        "model.embed_tokens.weight": file.tensor("token_embd.weight"),
        "model.norm.weight": file.tensor("output_norm.weight"),
    }
    weights["lm_head.weight"] = weights["model.embed_tokens.weight"]  # tied
    heads = {"attn_q": config.num_attention_heads, "attn_k": config.num_key_value_heads}
    for i in range(config.num_hidden_layers):
        for theirs, ours in NAMES.items():
            W = file.tensor(f"blk.{i}.{theirs}.weight")
            weights[f"model.layers.{i}.{ours}.weight"] = (
                unpermuted(W, heads[theirs]) if theirs in heads else W
            )
    model.load_state_dict(weights, assign=True)
    model.tie_weights()
    model.model.rotary_emb = LlamaRotaryEmbedding(config)  # no weights, and still on "meta"
    return model.eval().requires_grad_(False)


def _config(file: Gguf, layers: int | None):
    from transformers import LlamaConfig

    if (kind := file.key("general.architecture")) != "llama":
        raise ValueError(f"{file.path} holds a {kind!r} network; only 'llama' is read here")
    say = lambda name: file.key(f"llama.{name}")
    if layers is not None and layers > say("block_count"):
        raise ValueError(f"layers must be at most the {say('block_count')} there are; got {layers}")
    return LlamaConfig(
        hidden_size=say("embedding_length"),
        num_hidden_layers=say("block_count") if layers is None else layers,
        intermediate_size=say("feed_forward_length"),
        num_attention_heads=say("attention.head_count"),
        num_key_value_heads=say("attention.head_count_kv"),
        rms_norm_eps=say("attention.layer_norm_rms_epsilon"),
        rope_parameters=dict(rope_type="default", rope_theta=say("rope.freq_base")),
        vocab_size=file.tensors["token_embd.weight"].shape[0],
        max_position_embeddings=say("context_length"),
        tie_word_embeddings=True,
    )


def tokenizer(file: Gguf):
    """The file's byte-level BPE as a transformers tokenizer; digits one by one, as in SmolLM."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    tokens = file.key("tokenizer.ggml.tokens")
    merges = [tuple(pair.split(" ", 1)) for pair in file.key("tokenizer.ggml.merges")]
    bpe = Tokenizer(models.BPE({token: i for i, token in enumerate(tokens)}, merges))
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(False)]
    )
    bpe.decoder = decoders.ByteLevel()
    kinds = file.key("tokenizer.ggml.token_type")
    bpe.add_special_tokens([token for token, kind in zip(tokens, kinds) if kind in (3, 4)])
    end = tokens[file.key("tokenizer.ggml.eos_token_id")]
    return PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token=end, pad_token=end)
