"""Small benches and models that the tests of training share."""

import torch

from sdl_theory import Config, LinearRepresentationBench, SDLModel, Trainer
from sdl_theory.training.descent import Descent
from sdl_theory.training.methods import WITH_K
from sdl_theory.training.resampling import resample
from sdl_theory.training.world import World

BENCH = LinearRepresentationBench(40, 30, 0.9, 0.4, seed=1)
SMALL = LinearRepresentationBench(10, 8, 0.9, 0.5, seed=1)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def model(method="topk", instances=None, n_q=64, seed=0, dtype=torch.float32, **kwargs):
    k = kwargs.pop("k", 4) if method in WITH_K else None
    return SDLModel(
        30,
        n_q,
        method=method,
        k=k,
        instances=instances,
        generator=torch.Generator().manual_seed(seed),
        dtype=dtype,
        **kwargs,
    )


def small(n_q=24, bench=SMALL, **kwargs):
    return SDLModel(
        bench.n_p,
        n_q,
        bench.n_r,
        generator=torch.Generator().manual_seed(0),
        **dict(method="topk", k=2) | kwargs,
    )


def problem(method, biases, dtype=torch.float64, batch=48, n_q=96):
    bench = LinearRepresentationBench(40, 30, 0.9, 0.4, seed=1, dtype=dtype)
    g = seeded(3)
    model = SDLModel(
        30,
        n_q,
        method=method,
        k=5 if method in WITH_K else None,
        biases=biases,
        theta=0.3 if method == "jumprelu" else None,
        generator=g,
        dtype=dtype,
    )
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.startswith(("b_", "r_")):
                parameter.normal_(0, 0.1, generator=g)
        model.W_D *= torch.rand(n_q, generator=g, dtype=dtype) + 0.5
    return model, bench.batch(0, batch), torch.rand(n_q, generator=g) < 0.4


def begun_anew(made, x_p, x_r, dead, seed=0):
    """The latents that `resample` begins anew in a model that was not trained."""
    return resample(Descent(made, Config(), World()), (x_p, x_r), dead, seeded(seed))


def begun_by(rule, made, x_p, x_r, dead, check=False, seed=0):
    """As `begun_anew`, by another rule; with `check` the run itself is asked for first."""
    config = Config(resample=rule, resample_every=1, batch=500)
    if check:
        Trainer(made, BENCH, config)
    return resample(Descent(made, config, World()), (x_p, x_r), dead, seeded(seed))
