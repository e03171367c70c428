"""Models with the options of Eqs. 7, 8 and 9 of arXiv:2512.05534, and a step of theirs."""

import torch

from sdl_theory import Config, LinearRepresentationBench, SDLModel
from sdl_theory.training.objective import objective

KS = (2, 5, 9)
KINDS = {
    "matryoshka with ks": dict(method="matryoshka", ks=KS),
    "plain matryoshka with ks": dict(method="matryoshka", ks=KS, plain=True),
    "plain topk": dict(method="topk", k=5, plain=True),
    "topk": dict(method="topk", k=5),
    "matryoshka": dict(method="matryoshka", k=5),
}
NEW = list(KINDS)[:3]
BENCH = LinearRepresentationBench(40, 30, 0.9, 0.4, seed=1, dtype=torch.float64)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


DEAD = torch.rand(96, generator=seeded(5)) < 0.4


def made(kind, biases=False, dtype=torch.float64, n_q=96, **options):
    """A model with columns of all norms, random biases if biased, and few z > 0.

    So few that many a sample's k largest reach below zero.
    """
    model = SDLModel(
        30, n_q, biases=biases, generator=seeded(3), dtype=dtype, **KINDS[kind], **options
    )
    g = seeded(4)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.startswith("b_"):
                parameter.normal_(0, 0.1, generator=g)
        model.W_D *= torch.rand(n_q, generator=g, dtype=dtype) + 0.5
        model.W_E -= 0.35 * torch.linalg.lstsq(
            BENCH.W_p.mT, torch.ones(40, 1, dtype=torch.float64)
        ).solution[:, 0].to(dtype)
    return model


def step(model, knobs, sparse, data=None):
    """Terms and gradients."""
    data = data or BENCH.batch(0, 48)
    model.zero_grad()
    terms = objective(model, data.x_p.to(model.W_E), data.x_r.to(model.W_E), knobs, sparse)
    terms.loss.backward()
    return terms, {name: parameter.grad.clone() for name, parameter in model.named_parameters()}


def assert_close(got, want, tol):
    """Relative to the largest entry: sums over pairs and dense products round in another order."""
    assert set(got) == set(want)
    for name in want:
        assert (
            want[name].abs().max() > 0
            and (got[name] - want[name]).abs().max() <= tol * want[name].abs().max()
        ), name


def config(**changes):
    return Config(
        **dict(
            steps=24,
            batch=32,
            lr=1e-2,
            warmup=5,
            log_every=6,
            checkpoint_every=6,
            dead_after=96,
            aux_coef=0.2,
            aux_k=4,
            aux_target="input",
        )
        | changes
    )
