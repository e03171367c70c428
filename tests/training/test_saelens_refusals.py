"""SAELens folders and models that are refused by name.

Folders that are damaged, or are what SDLModel cannot be, and models that SAELens has not.
"""

import pytest
import torch
from saelens_for_tests import DATA, edited, random_model, same
from safetensors.torch import load_file

from sdl_theory.files import CheckpointError
from sdl_theory.training.model import SDLModel
from sdl_theory.training.saelens import read_saelens, write_saelens
from sdl_theory.training.saelens import write as saelens_format


@pytest.mark.parametrize(
    "folder, message",
    [
        ("refused_abstopk", "abstopk cannot be read"),
        ("refused_constant_norm", "constant_norm_rescale cannot be folded.*its own norm"),
        ("refused_layer_norm", "layer_norm cannot be folded.*own deviation"),
        ("refused_skip_transcoder", "skip connection W_skip"),
    ],
)
def test_what_cannot_be_expressed_is_refused(folder, message):
    with pytest.raises(CheckpointError, match=message):
        read_saelens(DATA / folder)


@pytest.mark.parametrize(
    "folder, pretence",
    [
        ("refused_abstopk", dict(architecture="topk")),
        ("refused_constant_norm", dict(normalize_activations="none")),
        ("refused_layer_norm", dict(normalize_activations="none")),
        ("refused_skip_transcoder", dict(architecture="transcoder", drop=["W_skip"])),
    ],
)
def test_refusals_are_needed(folder, pretence, tmp_path):
    """Read as the nearest thing that can be expressed, each would compute something else."""
    expected = load_file(DATA / folder / "expected.safetensors")
    model = read_saelens(edited(folder, tmp_path, **pretence), dtype=torch.float64)
    assert (model(expected["x"]) - expected["reconstruction"]).abs().max() > 0.1


@pytest.mark.parametrize(
    "folder, change, message",
    [
        (
            "standard",
            dict(architecture="temporal"),
            "architecture temporal cannot be read: SDLModel can be standard",
        ),
        ("standard", dict(architecture=["standard"]), "cannot be read"),
        ("batchtopk", dict(architecture="batchtopk"), "save_inference_model"),
        (
            "standard",
            dict(normalize_activations="expected_average_only_in"),
            "fold_activation_norm_scaling_factor",
        ),
        (
            "standard",
            dict(normalize_activations="covariance_whitening"),
            "fold_activation_whitening",
        ),
        ("standard", dict(drop=["normalize_activations"]), "normalize_activations = None"),
        (
            "standard",
            dict(metadata=dict(sae_lens_version="5.10.1")),
            "sae_lens_version 5.10.1.*SAELens 6",
        ),
        ("standard", dict(drop=["metadata"]), "sae_lens_version none"),
        (
            "standard",
            dict(d_sae=11),
            r"W_enc of .* has shape \(6, 10\); cfg.json calls for \(6, 11\)",
        ),
        ("standard", dict(d_in="6.5"), "d_in must be a whole number"),
        ("transcoder", dict(d_out=0), "d_out must be a whole number >= 1; got 0"),
        ("transcoder", dict(apply_b_dec_to_input=True), "b_dec lives in the output"),
        (
            "standard",
            dict(apply_b_dec_to_input="false"),
            "apply_b_dec_to_input must be true or false; got 'false'",
        ),
        (
            "topk",
            dict(drop=["rescale_acts_by_decoder_norm"]),
            "rescale_acts_by_decoder_norm must be true or false; got None",
        ),
        ("topk", dict(k=11), "cfg.json: k = 11 latents cannot fire of n_q = 10"),
        ("topk", dict(k=None), "k must be a whole number >= 1; got None"),
        ("standard", dict(dtype="int8"), "dtype must be one of float32.*got int8"),
        (
            "jumprelu",
            dict(drop=["threshold"]),
            "holds W_dec, W_enc, b_dec, b_enc; cfg.json calls for .*threshold",
        ),
        ("standard", dict(tensors=dict(scaling_factor=torch.ones(10))), "holds .*scaling_factor"),
        (
            "standard",
            dict(tensors=dict(b_enc=torch.ones(10, 1))),
            r"b_enc of .* has shape \(10, 1\)",
        ),
        (
            "standard",
            dict(tensors=dict(b_enc=torch.ones(10, dtype=torch.int8))),
            "b_enc of .* is torch.int8",
        ),
        (
            "standard",
            dict(tensors=dict(W_dec=torch.full((10, 6), torch.nan))),
            r"W_dec of .* must be finite; entry \(0, 0\) is nan",
        ),
        (
            "jumprelu",
            dict(tensors=dict(threshold=torch.full((10,), torch.inf))),
            r"threshold of .* must be finite; entry \(0,\) is inf",
        ),
        ("topk_rescaled", dict(tensors=dict(W_dec=torch.zeros(10, 6))), r"W_dec\[0\] is zero.*NaN"),
        (
            "gated_b_dec",
            dict(tensors=dict(r_mag=torch.full((10,), 800.0))),
            "b_mag of .* must be finite",
        ),
        (
            "batchtopk",
            dict(metadata=dict(training_architecture_details=dict(k=10**400))),
            "k must be a whole number",
        ),
        (
            "matryoshka_b_dec",
            dict(metadata=dict(training_architecture_details=dict(k=2, matryoshka_widths=[3, 6]))),
            "levels must increase and end with n_q = 10",
        ),
    ],
)
def test_bad_folders_are_named(folder, change, message, tmp_path):
    with pytest.raises(CheckpointError, match=message):
        read_saelens(edited(folder, tmp_path, **change))


def test_missing_and_truncated_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="cfg.json is missing"):
        read_saelens(tmp_path / "nowhere")
    folder = edited("standard", tmp_path)
    whole = (folder / "sae_weights.safetensors").read_bytes()
    for size in (0, 5, 100, len(whole) // 2, len(whole) - 1):
        (folder / "sae_weights.safetensors").write_bytes(whole[:size])
        with pytest.raises(CheckpointError, match="truncated or no safetensors file"):
            read_saelens(folder)
    (folder / "sae_weights.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="sae_weights.safetensors is missing"):
        read_saelens(folder)
    for text, message in (
        ('{"d_in": 6', "is not JSON"),
        ("[1, 2]", "sae_lens_version none"),
        ("\ud800", "is not JSON"),
    ):
        (folder / "cfg.json").write_text(text, encoding="utf-8", errors="surrogatepass")
        with pytest.raises(CheckpointError, match=message):
            read_saelens(folder)


def test_a_dtype_that_cannot_hold_the_weights_is_refused(tmp_path):
    with pytest.raises(
        CheckpointError, match="W_E of .* folded into torch.float16, must be finite"
    ):
        read_saelens(
            edited("standard", tmp_path, tensors=dict(W_enc=torch.full((6, 10), 1e6))),
            dtype=torch.float16,
        )
    with pytest.raises(ValueError, match="dtype must be .*got torch.int64"):
        read_saelens(DATA / "standard", dtype=torch.int64)


def test_what_cannot_be_written_is_refused_and_nothing_is_left(tmp_path):
    spoilt, negative = random_model("relu"), random_model("jumprelu")
    with torch.no_grad():
        spoilt.W_D[1, 2], negative.theta[3] = torch.nan, -0.25
    for model, options, message in [
        (torch.nn.Linear(2, 3), {}, "build SDLModel"),
        (
            SDLModel(6, 10, method="relu", instances=2),
            {},
            r"holds one model, this holds 2; write model.instance\(0\)",
        ),
        (spoilt, {}, r"W_D must be finite; entry \(1, 2\) is nan"),
        (negative, {}, "theta must be >= 0.*least is -0.25"),
        (random_model("topk", n_r=4), {}, r"no topk transcoder \(n_p = 6, n_r = 4\)"),
        (random_model("gated", n_r=4), {}, "no gated transcoder"),
        (
            random_model("relu"),
            dict(metadata=dict(training_architecture="magic")),
            r"\['training_architecture'\] are written by write_saelens",
        ),
        (random_model("relu"), dict(metadata=dict(loss=torch.nan)), "metadata must be plain JSON"),
        (random_model("relu"), dict(metadata=dict(model=spoilt)), "metadata must be plain JSON"),
        (random_model("relu"), dict(metadata=[("model_name", "toy")]), "metadata must be a dict"),
        (random_model("relu").to(torch.float8_e5m2), {}, "this model is float8_e5m2"),
    ]:
        with pytest.raises(ValueError, match=message):
            write_saelens(model, tmp_path / "folder", **options)
    assert not (tmp_path / "folder").exists() or not list((tmp_path / "folder").iterdir())


def test_a_write_that_fails_leaves_the_old_pair(tmp_path, monkeypatch):
    old = random_model("topk")
    write_saelens(old, tmp_path)

    def full(path, tensors, metadata):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(saelens_format, "write_tensors", full)
    with pytest.raises(OSError, match="disk is full"):
        write_saelens(random_model("gated"), tmp_path)
    assert same(old, read_saelens(tmp_path)) and len(list(tmp_path.iterdir())) == 2
