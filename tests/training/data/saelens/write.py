"""The folders beside this file, written by SAELens itself.

`tests/training/test_saelens_format.py` holds our reader and writer to them. Run by hand, never by a
test, in an environment of its own (the folders there now are of sae-lens 6.54.12 with torch 2.13.0,
on a CPU):

    python3 -m venv peers && peers/bin/pip install torch==2.13.0 sae-lens==6.54.12
    PYTHONHASHSEED=0 OMP_NUM_THREADS=1 peers/bin/python tests/training/data/saelens/write.py

Each folder holds cfg.json and sae_weights.safetensors in SAELens's format, and
expected.safetensors: inputs `x`, and what SAELens makes of them after loading the folder again in
float64, `activations` = encode(x) and `reconstruction` = forward(x). Folders named refused_* cannot
be read exactly; they are there to be refused. Weights are random, thresholds too: one of JumpReLU's
is negative, as SAELens allows.
"""

import zlib
from pathlib import Path

import torch
from sae_lens import SAE, BatchTopKTrainingSAE
from sae_lens.registry import get_sae_class, get_sae_training_class
from safetensors.torch import save_file

HERE = Path(__file__).parent
SIZES = dict(d_in=6, d_sae=10)
FOLDERS = {
    "standard": ("standard", dict(apply_b_dec_to_input=False)),
    "standard_b_dec": ("standard", dict(apply_b_dec_to_input=True)),
    "standard_hook_z": ("standard", dict(apply_b_dec_to_input=True, reshape_activations="hook_z")),
    "gated": ("gated", dict(apply_b_dec_to_input=False)),
    "gated_b_dec": ("gated", dict(apply_b_dec_to_input=True)),
    "topk": ("topk", dict(apply_b_dec_to_input=False, k=3)),
    "topk_b_dec": ("topk", dict(apply_b_dec_to_input=True, k=3)),
    "topk_rescaled": (
        "topk",
        dict(apply_b_dec_to_input=False, k=3, rescale_acts_by_decoder_norm=True),
    ),
    "topk_rescaled_b_dec": (
        "topk",
        dict(apply_b_dec_to_input=True, k=3, rescale_acts_by_decoder_norm=True),
    ),
    "jumprelu": ("jumprelu", dict(apply_b_dec_to_input=False)),
    "jumprelu_b_dec": ("jumprelu", dict(apply_b_dec_to_input=True)),
    "batchtopk": ("batchtopk", dict(apply_b_dec_to_input=False, k=3)),
    "matryoshka_b_dec": (
        "matryoshka_batchtopk",
        dict(apply_b_dec_to_input=True, k=2, matryoshka_widths=[3, 6, 10]),
    ),
    "transcoder": ("transcoder", dict(apply_b_dec_to_input=False, d_out=4)),
    "jumprelu_transcoder": ("jumprelu_transcoder", dict(apply_b_dec_to_input=False, d_out=4)),
    "refused_skip_transcoder": ("skip_transcoder", dict(apply_b_dec_to_input=False, d_out=4)),
    "refused_abstopk": ("abstopk", dict(apply_b_dec_to_input=False, k=3)),
    "refused_layer_norm": (
        "standard",
        dict(apply_b_dec_to_input=False, normalize_activations="layer_norm"),
    ),
    "refused_constant_norm": (
        "topk",
        dict(apply_b_dec_to_input=False, k=3, normalize_activations="constant_norm_rescale"),
    ),
}


def build(architecture, options, generator):
    """A model of this architecture, with every parameter random.

    A training class where SAELens has no other.
    """
    get_class = get_sae_training_class if "batchtopk" in architecture else get_sae_class
    sae_class, config_class = get_class(architecture)
    sae = sae_class(config_class(**SIZES, **options))
    scale = dict(W_enc=0.6, r_mag=0.4, threshold=0.5)
    with torch.no_grad():
        for name, parameter in sorted(sae.named_parameters()):
            parameter.copy_(
                scale.get(name, 1.0) * torch.randn(parameter.shape, generator=generator)
            )
        if "jumprelu" in architecture:
            sae.threshold.abs_()[0] = -2
        if isinstance(sae, BatchTopKTrainingSAE):
            sae.topk_threshold.fill_(0.75)
    return sae


def main():
    for name, (architecture, options) in FOLDERS.items():
        generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
        sae, folder = build(architecture, options, generator), HERE / name
        (sae.save_inference_model if isinstance(sae, BatchTopKTrainingSAE) else sae.save_model)(
            folder
        )
        sae = SAE.load_from_disk(folder, dtype="float64")
        x = 2 * torch.randn(16, SIZES["d_in"], generator=generator, dtype=torch.float64)
        # two heads of three
        fed = x.view(16, 2, 3) if options.get("reshape_activations") == "hook_z" else x
        with torch.no_grad():
            expected = dict(
                x=x, activations=sae.encode(fed), reconstruction=sae(fed).reshape(16, -1)
            )
        save_file(
            {key: value.contiguous() for key, value in expected.items()},
            folder / "expected.safetensors",
        )


if __name__ == "__main__":
    main()
