"""Files that are cut, flipped, foreign, folders, or say what they do not hold.

The answer is a ValueError or an OSError that names the file, or the truth; never NaN.
"""

import json
import random
import re
import struct
import zipfile

import numpy as np
import pytest
import torch

import sdl_theory as lib
from sdl_theory.files import read_tensors, write_tensors


def model(method="topk", **settings):
    return lib.SDLModel(4, 6, method=method, generator=torch.Generator().manual_seed(0), **settings)


@pytest.fixture
def folder(tmp_path):
    made, bench = model(k=2), lib.LinearRepresentationBench(4, 4, 0.5, 0.2, samples=16)
    made.save(tmp_path / "model.safetensors")
    lib.write_saelens(made, tmp_path / "saelens")
    bench.save(tmp_path / "bench")
    np.save(tmp_path / "directions.npy", np.eye(3))
    lib.History([dict(step=1, instance=0, loss=1.0)]).save(tmp_path / "history.jsonl")
    write_tensors(tmp_path / "directions.safetensors", {"W": torch.eye(3)}, {})
    return tmp_path


READERS = {
    "model.safetensors": lambda f: lib.SDLModel.load(f / "model.safetensors"),
    "saelens/cfg.json": lambda f: lib.read_saelens(f / "saelens"),
    "saelens/sae_weights.safetensors": lambda f: lib.read_saelens(f / "saelens"),
    "bench/bench.json": lambda f: lib.LinearRepresentationBench.load(f / "bench"),
    "bench/truth.safetensors": lambda f: lib.LinearRepresentationBench.load(f / "bench"),
    "directions.npy": lambda f: lib.load_directions(f / "directions.npy"),
    "directions.safetensors": lambda f: lib.load_directions(f / "directions.safetensors"),
}


def tensors_of(answer):
    return (
        list(answer.state_dict().values()) if isinstance(answer, torch.nn.Module) else [answer.W_p]
    )


@pytest.mark.parametrize("name", READERS)
def test_bytes_cut_and_flipped(folder, name):
    path, damaged = folder / name, random.Random(0)
    whole = path.read_bytes()
    READERS[name](folder)
    pieces = [whole[:cut] for cut in {0, 1, 7, 8, 9, len(whole) // 2, len(whole) - 1}] + [
        whole + b"\0",
        b"\xff" * 40,
        b"[" * 10**5,
        b"null",
        b"PK\3\4" + whole,
    ]
    for _ in range(150):
        at = damaged.randrange(min(len(whole), 600))
        pieces.append(whole[:at] + bytes([damaged.randrange(256)]) + whole[at + 1 :])
    refused = 0
    for piece in pieces:
        path.write_bytes(piece)
        try:
            assert all(tensor.isfinite().all() for tensor in tensors_of(READERS[name](folder)))
        except (ValueError, OSError) as error:
            assert str(folder) in str(error) or path.name in str(error), error
            refused += 1
    assert refused > 12


@pytest.mark.parametrize("name", READERS)
def test_a_folder_in_place_of_a_file(folder, name):
    (folder / name).unlink()
    (folder / name).mkdir()
    with pytest.raises((ValueError, OSError), match=re.escape((folder / name).name)):
        READERS[name](folder)


def rewritten(path, change):
    """The stored model with its settings changed, the tensors as they are."""
    tensors, metadata = read_tensors(path)
    metadata["model"] |= change
    write_tensors(path, tensors, metadata)


@pytest.mark.parametrize(
    "change, words",
    [
        (
            dict(n_q=10**9),
            r"W_E of .*model.safetensors has shape \(6, 4\); its settings call for \(1000000000, "
            r"4\)",
        ),
        (dict(n_q=-1), "n_q must be"),
        (dict(n_p="4"), "n_p must be"),
        (dict(method="jumprelu"), "settings call for W_D, W_E, theta"),
        (dict(method="vae"), "vae"),
        (dict(biases=True), "b_D"),
        (dict(instances=2), r"call for \(2, 6, 4\)"),
        (dict(k=99), "model.safetensors.*k = 99"),
        (dict(k="x"), "model.safetensors.*k must be"),
        (dict(decoder_norm=0), "model.safetensors.*decoder_norm"),
        (dict(surprise=1), "surprise"),
        (dict(levels=[6]), "model.safetensors.*levels"),
    ],
)
def test_settings_that_disagree_with_the_tensors(folder, change, words):
    path = folder / "model.safetensors"
    rewritten(path, change)
    with pytest.raises(lib.CheckpointError, match=words):
        lib.SDLModel.load(path)


@pytest.mark.parametrize("method", ["relu", "jumprelu", "topk", "batchtopk", "matryoshka", "gated"])
@pytest.mark.parametrize("settings", [{}, dict(biases=True), dict(instances=2)], ids=str)
def test_every_model_comes_back(tmp_path, method, settings):
    made = model(method, **settings)
    made.save(tmp_path / "m.safetensors")
    again = lib.SDLModel.load(tmp_path / "m.safetensors")
    assert again.settings == made.settings
    assert all(
        torch.equal(value, again.state_dict()[name]) for name, value in made.state_dict().items()
    )


def test_nan_weights_are_not_loaded(folder):
    made = model("jumprelu")
    made.theta.data[2] = torch.nan
    made.save(folder / "model.safetensors")
    with pytest.raises(
        lib.CheckpointError,
        match=r"theta of .*model.safetensors must be finite; entry \(2,\) is nan",
    ):
        lib.SDLModel.load(folder / "model.safetensors")


def test_tensors_of_mixed_kinds_are_not_loaded(folder):
    tensors, metadata = read_tensors(folder / "model.safetensors")
    write_tensors(folder / "model.safetensors", tensors | {"W_D": tensors["W_D"].long()}, metadata)
    with pytest.raises(lib.CheckpointError, match="W_D of .* is torch.int64"):
        lib.SDLModel.load(folder / "model.safetensors")


def test_a_zip_named_npy_and_a_header_larger_than_its_file(folder):
    path = folder / "directions.npy"
    np.savez(folder / "several.npz", a=np.eye(2), b=np.eye(2))
    path.write_bytes((folder / "several.npz").read_bytes())
    with pytest.raises(ValueError, match=r"directions.npy cannot be read as a \.npy file"):
        lib.load_directions(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "a")
    with pytest.raises(ValueError, match="directions.npy"):
        lib.load_directions(path)
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 1000000), }"
    header += b" " * (63 - (len(header) + 10) % 64) + b"\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(80))
    with pytest.raises(ValueError, match="directions.npy"):
        lib.load_directions(path)
    for array in (np.array([["a"]]), np.array([[1j]]), np.zeros((2, 2), dtype=[("a", "f8")])):
        np.save(path, array)
        with pytest.raises(ValueError, match="directions.npy.*not one array of numbers"):
            lib.load_directions(path)
    np.save(path, np.eye(2, dtype=">f4"))
    assert torch.equal(lib.load_directions(path).W_p, torch.eye(2, dtype=torch.float64))


@pytest.mark.parametrize("version", ["²", "²6.1", "6²", "", "six", "5.9", "9" * 5000, None, 6])
def test_saelens_versions(folder, version):
    path = folder / "saelens" / "cfg.json"
    cfg = json.loads(path.read_text())
    cfg["metadata"]["sae_lens_version"] = version
    path.write_text(json.dumps(cfg))
    if version == 6:
        assert lib.read_saelens(folder / "saelens").n_q == 6
        return
    with pytest.raises(lib.CheckpointError, match="names sae_lens_version"):
        lib.read_saelens(folder / "saelens")


@pytest.mark.parametrize(
    "change, words",
    [
        (dict(n=5), r"n = 5.*call for.*\(4, 5\)"),
        (dict(n_p=3), "n_p = 3"),
        (dict(S=2), "S = P"),
        (dict(S="half"), "S must be a number"),
        (dict(mu=-0.9), "mu = -0.9"),
        (dict(kind="transcoder"), "W_r"),
        (dict(seed=-1), "seed"),
        (dict(magnitudes=dict(law="check_truth")), "not written by"),
        (dict(magnitudes=dict(law="Constant", v=-1)), "needs a finite v"),
        (dict(own=["3"]), "own"),
        (dict(extra=1), "not written by"),
    ],
)
def test_a_bench_whose_settings_disagree_with_its_truth(folder, change, words):
    path = folder / "bench" / "bench.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ValueError, match=words) as caught:
        lib.LinearRepresentationBench.load(folder / "bench")
    assert "bench.json" in str(caught.value)


def test_a_bench_whose_truth_was_touched(folder):
    path = folder / "bench" / "truth.safetensors"
    tensors, _ = read_tensors(path)
    write_tensors(path, {"W_p": 2 * tensors["W_p"]}, {})
    with pytest.raises(ValueError, match="truth.safetensors.*unit norm"):
        lib.LinearRepresentationBench.load(folder / "bench")
    write_tensors(path, {"W_p": torch.ones(4, 4, dtype=torch.float64) / 2}, {})
    with pytest.raises(ValueError, match="mu = 1"):
        lib.LinearRepresentationBench.load(folder / "bench")


def test_own_directions_come_back_and_are_recognised(tmp_path):
    W = torch.linalg.qr(
        torch.randn(5, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    ).Q
    lib.LinearRepresentationBench(W_p=W, S=0.5).save(tmp_path)
    assert torch.equal(lib.LinearRepresentationBench.load(tmp_path).problem.W_p, lib.Problem(W).W_p)
    write_tensors(tmp_path / "truth.safetensors", {"W_p": W.flip(1)}, {})
    with pytest.raises(ValueError, match="own"):
        lib.LinearRepresentationBench.load(tmp_path)
