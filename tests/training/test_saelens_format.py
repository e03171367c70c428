"""Folders in SAELens's format: what is read computes what SAELens computes.

And what is written comes back.
"""

import json

import pytest
import torch
from saelens_for_tests import DATA, READABLE, edited, random_model, same
from safetensors.torch import load_file

from sdl_theory.training.methods import METHODS
from sdl_theory.training.saelens import read_saelens, write_saelens

LIKE = {
    "relu": "standard",
    "jumprelu": "jumprelu",
    "topk": "topk",
    "batchtopk": "batchtopk",
    "matryoshka": "matryoshka_b_dec",
    "gated": "gated",
}


@pytest.mark.parametrize("folder", READABLE)
def test_a_model_read_computes_what_saelens_computes(folder):
    expected = load_file(DATA / folder / "expected.safetensors")
    exact, default = read_saelens(DATA / folder, dtype=torch.float64), read_saelens(DATA / folder)
    assert default.W_E.dtype == torch.float32 and (expected["activations"] > 0).any(0).sum() >= 7
    for model, tolerance in (exact, 1e-13), (default, 1e-6):
        x = expected["x"].to(model.W_E.dtype)
        for ours, theirs in (
            (model.encode(x), expected["activations"]),
            (model(x), expected["reconstruction"]),
        ):
            assert (ours - theirs).abs().max() <= tolerance * theirs.abs().max()


def test_every_kind_that_saelens_writes_is_there():
    read = {folder: read_saelens(DATA / folder) for folder in READABLE}
    assert {model.method for model in read.values()} == set(METHODS) and len(read) == 15
    assert {name for name, model in read.items() if model.n_r == 4} == {
        "transcoder",
        "jumprelu_transcoder",
    }
    assert all(
        model.biases and model.b_D.any() and (model.method == "gated" or model.b_E.any())
        for model in read.values()
    )


def test_how_a_jumprelu_was_trained_comes_back_from_saelens_own_metadata():
    batch, nested = read_saelens(DATA / "batchtopk"), read_saelens(DATA / "matryoshka_b_dec")
    assert (batch.method, batch.k, batch.theta.item()) == ("batchtopk", 3, 0.75)
    assert batch.theta.shape == ()
    assert (nested.method, nested.k, nested.levels, nested.theta.item()) == (
        "matryoshka",
        2,
        (3, 6, 10),
        0.75,
    )


def test_rescaled_activations_are_in_units_of_decoder_columns_of_norm_1():
    """Of the two conventions, SAELens's `encode`: c_i times what W_enc itself gives, c_i the norm
    of row i of W_dec.
    """
    tensors = load_file(DATA / "topk_rescaled/sae_weights.safetensors")
    model = read_saelens(DATA / "topk_rescaled", dtype=torch.float64)
    x = load_file(DATA / "topk_rescaled/expected.safetensors")["x"]
    W_enc, W_dec, b_enc = (tensors[name].double() for name in ("W_enc", "W_dec", "b_enc"))
    c, plain, codes = W_dec.norm(dim=1), (x @ W_enc + b_enc).relu(), model.encode(x)
    assert torch.allclose(model.W_D.norm(dim=0), torch.ones(10).double(), atol=1e-15)
    assert (c - 1).abs().min() > 0.05
    assert torch.allclose(codes, (codes > 0) * c * plain, rtol=1e-13)
    assert not torch.equal((plain * c).topk(3).indices, plain.topk(3).indices)
    assert torch.allclose(
        model.decode(codes), (codes / c) @ W_dec + tensors["b_dec"].double(), rtol=1e-12
    )


def test_a_negative_threshold_is_a_threshold_of_zero():
    """SAELens computes relu(z) 1{z > threshold}.

    Z 1{z > threshold} would pass negative z, and the inputs show it.
    """
    tensors = load_file(DATA / "jumprelu/sae_weights.safetensors")
    model = read_saelens(DATA / "jumprelu", dtype=torch.float64)
    z = model.preactivations(load_file(DATA / "jumprelu/expected.safetensors")["x"])[:, 0]
    assert tensors["threshold"][0] == -2 and model.theta[0] == 0 and ((z > -2) & (z < 0)).any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("method", METHODS)
def test_writing_and_reading_is_exact(method, biases, dtype, tmp_path):
    model = random_model(method, biases, dtype=dtype, decoder_norm=1.7)
    write_saelens(model, tmp_path / "a/new/folder")
    assert same(model, read_saelens(tmp_path / "a/new/folder"))
    assert same(model.double(), read_saelens(tmp_path / "a/new/folder", dtype=torch.float64))
    assert sorted(path.name for path in (tmp_path / "a/new/folder").iterdir()) == [
        "cfg.json",
        "sae_weights.safetensors",
    ]


@pytest.mark.parametrize("method", ["relu", "jumprelu", "batchtopk", "matryoshka"])
def test_transcoders_too(method, tmp_path):
    write_saelens(random_model(method, n_r=4), tmp_path)
    assert same(random_model(method, n_r=4), read_saelens(tmp_path))


def test_a_gated_models_b_E_comes_back_inside_its_other_biases(tmp_path):
    model = random_model("gated", dtype=torch.float64)
    x = torch.randn(20, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    with torch.no_grad():
        model.b_E.copy_(torch.linspace(-1, 1, 10))
    write_saelens(model, tmp_path)
    again = read_saelens(tmp_path)
    assert torch.allclose(again.encode(x), model.encode(x), rtol=1e-12, atol=1e-12)
    assert not again.b_E.any()


@pytest.mark.parametrize(
    "method, n_r, folder",
    [(method, 6, folder) for method, folder in LIKE.items()]
    + [("relu", 4, "transcoder"), ("jumprelu", 4, "jumprelu_transcoder")],
)
def test_a_folder_we_write_is_like_the_one_saelens_writes(method, n_r, folder, tmp_path):
    write_saelens(random_model(method, n_r=n_r), tmp_path)
    ours, theirs = (
        json.loads((path / "cfg.json").read_text()) for path in (tmp_path, DATA / folder)
    )
    assert ours["apply_b_dec_to_input"] is False
    assert theirs.pop("apply_b_dec_to_input") == folder.endswith("b_dec")
    assert ours.pop("apply_b_dec_to_input") is False
    assert set(theirs.pop("metadata")) <= set(mine := ours.pop("metadata"))
    assert ours == theirs
    details = json.loads((DATA / folder / "cfg.json").read_text())["metadata"].get(
        "training_architecture_details", {}
    )
    assert all(
        type(details[key]) is type(value)
        for key, value in mine.get("training_architecture_details", {}).items()
    )
    ours, theirs = (
        load_file(path / "sae_weights.safetensors") for path in (tmp_path, DATA / folder)
    )
    assert {name: (t.shape, t.dtype) for name, t in ours.items()} == {
        name: (t.shape, t.dtype) for name, t in theirs.items()
    }


def test_half_precision_is_read_into_float32(tmp_path):
    """Which holds it exactly; and SAELens also reads "torch.float32" for "float32"."""
    model = random_model("jumprelu", dtype=torch.bfloat16)
    write_saelens(model, tmp_path)
    assert load_file(tmp_path / "sae_weights.safetensors")["W_enc"].dtype == torch.bfloat16
    assert same(model.float(), read_saelens(tmp_path))
    assert same(
        read_saelens(edited("standard", tmp_path, dtype="torch.float32")),
        read_saelens(DATA / "standard"),
    )


def test_metadata_never_changes_the_function(tmp_path):
    """It tells how a model came about, and is not believed against the weights: a file may be
    edited after its metadata was written.
    """
    threshold = torch.full((10,), 0.75)
    threshold[3] = 0.5
    details = [
        dict(metadata=dict(training_architecture_details=value)) for value in (3, None, dict(k=2.5))
    ]
    nameless = dict(metadata=dict(training_architecture=["batchtopk"]))
    for change in [dict(tensors=dict(threshold=threshold)), nameless, *details]:
        model = read_saelens(edited("batchtopk", tmp_path, **change))
        assert model.method == "jumprelu" and model.theta.shape == (10,)
    assert read_saelens(
        edited("standard", tmp_path, metadata=dict(sdl_theory=dict(biases=False)))
    ).b_E.any()
    zeros = dict(b_enc=torch.zeros(10), b_dec=torch.zeros(6))
    assert read_saelens(edited("standard", tmp_path, tensors=zeros)).biases
    assert not read_saelens(
        edited("standard", tmp_path, tensors=zeros, metadata=dict(sdl_theory=dict(biases=False)))
    ).biases


def test_metadata_goes_where_saelens_shows_it(tmp_path):
    write_saelens(
        random_model("relu"),
        tmp_path,
        metadata=dict(model_name="toy", hook_name="blocks.0.hook_resid_pre"),
    )
    metadata = json.loads((tmp_path / "cfg.json").read_text())["metadata"]
    assert (metadata["model_name"], metadata["hook_name"], metadata["sae_lens_version"]) == (
        "toy",
        "blocks.0.hook_resid_pre",
        "6.54.12",
    )
