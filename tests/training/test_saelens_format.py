"""Folders in SAELens's format. The oracle is SAELens: it wrote `data/saelens` and computed what is
expected (see `write.py` there).
"""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from sdl_theory.files import CheckpointError
from sdl_theory.training.saelens import write as saelens_format
from sdl_theory.training.model import METHODS, SDLModel
from sdl_theory.training.saelens import read_saelens, write_saelens

DATA = Path(__file__).parent / "data/saelens"
READABLE = sorted(
    path.name for path in DATA.iterdir() if path.is_dir() and not path.name.startswith("refused")
)
LIKE = {
    "relu": "standard",
    "jumprelu": "jumprelu",
    "topk": "topk",
    "batchtopk": "batchtopk",
    "matryoshka": "matryoshka_b_dec",
    "gated": "gated",
}


def random_model(method, biases=True, n_r=6, dtype=torch.float32, **options):
    """Every parameter and threshold random; a gated model's b_E stays 0, since it comes back inside
    b_gate and b_mag.
    """
    options |= dict(k=3) if method in ("topk", "batchtopk", "matryoshka") else {}
    options |= dict(levels=[2, 5, 10]) if method == "matryoshka" else {}
    model, generator = (
        SDLModel(6, 10, n_r, method, biases=biases, dtype=dtype, **options),
        torch.Generator().manual_seed(5),
    )
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
    assert (batch.method, batch.k, batch.theta.item()) == (
        "batchtopk",
        3,
        0.75,
    ) and batch.theta.shape == ()
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
    tensors, model = (
        load_file(DATA / "topk_rescaled/sae_weights.safetensors"),
        read_saelens(DATA / "topk_rescaled", dtype=torch.float64),
    )
    x = load_file(DATA / "topk_rescaled/expected.safetensors")["x"]
    W_enc, W_dec, b_enc = (tensors[name].double() for name in ("W_enc", "W_dec", "b_enc"))
    c, plain, codes = W_dec.norm(dim=1), (x @ W_enc + b_enc).relu(), model.encode(x)
    assert (
        torch.allclose(model.W_D.norm(dim=0), torch.ones(10).double(), atol=1e-15)
        and (c - 1).abs().min() > 0.05
    )
    assert torch.allclose(codes, (codes > 0) * c * plain, rtol=1e-13) and not torch.equal(
        (plain * c).topk(3).indices, plain.topk(3).indices
    )
    assert torch.allclose(
        model.decode(codes), (codes / c) @ W_dec + tensors["b_dec"].double(), rtol=1e-12
    )


def test_a_negative_threshold_is_a_threshold_of_zero():
    """SAELens computes relu(z) 1{z > threshold}; z 1{z > threshold} would pass negative z, and the
    inputs show it.
    """
    tensors, model = (
        load_file(DATA / "jumprelu/sae_weights.safetensors"),
        read_saelens(DATA / "jumprelu", dtype=torch.float64),
    )
    z = model.preactivations(load_file(DATA / "jumprelu/expected.safetensors")["x"])[:, 0]
    assert tensors["threshold"][0] == -2 and model.theta[0] == 0 and ((z > -2) & (z < 0)).any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("method", METHODS)
def test_writing_and_reading_is_exact(method, biases, dtype, tmp_path):
    model = random_model(method, biases, dtype=dtype, decoder_norm=1.7)
    write_saelens(model, tmp_path / "a/new/folder")
    assert same(model, read_saelens(tmp_path / "a/new/folder")) and same(
        model.double(), read_saelens(tmp_path / "a/new/folder", dtype=torch.float64)
    )
    assert sorted(path.name for path in (tmp_path / "a/new/folder").iterdir()) == [
        "cfg.json",
        "sae_weights.safetensors",
    ]


@pytest.mark.parametrize("method", ["relu", "jumprelu", "batchtopk", "matryoshka"])
def test_transcoders_too(method, tmp_path):
    write_saelens(random_model(method, n_r=4), tmp_path)
    assert same(random_model(method, n_r=4), read_saelens(tmp_path))


def test_a_gated_models_b_E_comes_back_inside_its_other_biases(tmp_path):
    model, x = (
        random_model("gated", dtype=torch.float64),
        torch.randn(20, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64),
    )
    with torch.no_grad():
        model.b_E.copy_(torch.linspace(-1, 1, 10))
    write_saelens(model, tmp_path)
    again = read_saelens(tmp_path)
    assert (
        torch.allclose(again.encode(x), model.encode(x), rtol=1e-12, atol=1e-12)
        and not again.b_E.any()
    )


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
    assert ours["apply_b_dec_to_input"] is False and theirs.pop(
        "apply_b_dec_to_input"
    ) == folder.endswith("b_dec")
    assert (
        ours.pop("apply_b_dec_to_input") is False
        and set(theirs.pop("metadata")) <= set(mine := ours.pop("metadata"))
        and ours == theirs
    )
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
    assert load_file(tmp_path / "sae_weights.safetensors")[
        "W_enc"
    ].dtype == torch.bfloat16 and same(model.float(), read_saelens(tmp_path))
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
    expected, model = (
        load_file(DATA / folder / "expected.safetensors"),
        read_saelens(edited(folder, tmp_path, **pretence), dtype=torch.float64),
    )
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


def test_a_write_that_fails_leaves_the_old_pair(tmp_path, monkeypatch):
    old = random_model("topk")
    write_saelens(old, tmp_path)

    def full(path, tensors, metadata):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(saelens_format, "write_tensors", full)
    with pytest.raises(OSError, match="disk is full"):
        write_saelens(random_model("gated"), tmp_path)
    assert same(old, read_saelens(tmp_path)) and len(list(tmp_path.iterdir())) == 2
