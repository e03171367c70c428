"""Does SAELens itself load what `write_saelens` writes, and compute the same?

And do we read what it saves again? Run by hand from the repository's root, in the environment of
`write.py` beside this file, where SAELens is:

    OMP_NUM_THREADS=1 PYTHONPATH=. peers/bin/python tests/training/data/saelens/check.py
"""

import itertools
import tempfile
from pathlib import Path

import torch
from sae_lens import SAE

from sdl_theory.training.methods import METHODS
from sdl_theory.training.model import SDLModel
from sdl_theory.training.saelens import read_saelens, write_saelens

N_P, N_Q = 6, 10


def random_model(method, n_r, biases, dtype):
    """Every parameter and threshold random, norms far from 1."""
    generator = torch.Generator().manual_seed(7)
    levels = [2, 5, N_Q] if method == "matryoshka" else None
    model = SDLModel(
        N_P,
        N_Q,
        n_r,
        method,
        k=3 if method in ("topk", "batchtopk", "matryoshka") else None,
        levels=levels,
        biases=biases,
        dtype=dtype,
    )
    for name, value in model.state_dict().items():
        draw = torch.randn(value.shape, generator=generator, dtype=torch.float64)
        value.copy_(draw.abs() if name == "theta" else draw)
    return model


@torch.no_grad()
def gap(model, sae):
    """Largest relative difference in activations and output, over inputs of many norms."""
    x = (
        torch.randn(64, N_P, generator=torch.Generator().manual_seed(8), dtype=torch.float64)
        * torch.logspace(-2, 2, 64, dtype=torch.float64)[:, None]
    )
    x = x.to(model.W_E.dtype)
    pairs = (model.encode(x), sae.encode(x)), (model(x), sae(x))
    return max(
        float(((ours - theirs).norm(dim=1) / theirs.norm(dim=1).clamp(min=1e-2)).max())
        for ours, theirs in pairs
    )


def main():
    for method, n_r, biases, dtype in itertools.product(
        METHODS, (N_P, 4), (False, True), (torch.float32, torch.float64)
    ):
        if n_r != N_P and method in ("topk", "gated"):
            continue
        most = 1e-12 if dtype == torch.float64 else 1e-5
        model = random_model(method, n_r, biases, dtype)
        with tempfile.TemporaryDirectory() as folder:
            ours, theirs, folded = (Path(folder) / name for name in ("ours", "theirs", "folded"))
            write_saelens(model, ours, metadata=dict(model_name="toy"))
            sae = SAE.load_from_disk(ours)
            sae.save_model(theirs)
            gaps = [gap(model, sae), gap(read_saelens(ours), sae), gap(read_saelens(theirs), sae)]
            assert sae.dtype == dtype
            assert read_saelens(theirs).settings == model.settings
            assert sae.cfg.metadata.model_name == "toy"
            if method != "topk":  # SAELens refuses to fold norms there
                sae.fold_W_dec_norm()
                sae.save_model(folded)
                gaps.append(gap(read_saelens(folded), sae))
        print(
            f"{method:10} n_r={n_r} biases={biases!s:5} {str(dtype)[6:]}: {type(sae).__name__:18}",
            " ".join(f"{g:.0e}" for g in gaps),
        )
        assert max(gaps) < most


if __name__ == "__main__":
    main()
