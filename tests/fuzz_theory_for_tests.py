"""Small things that calls are made of, and good calls of truth and theory.

One of everything public: name -> (function, its arguments).
"""

from __future__ import annotations

from pathlib import Path

import torch

import sdl_theory as lib


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def unit(*shape):
    W = torch.randn(*shape, generator=generator(), dtype=torch.float64)
    return W / W.norm(dim=0)


class World:
    """Small things that calls are made of."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.W = unit(3, 4)
        self.problem = lib.Problem(self.W)
        self.P = lib.pattern([[0], [1], [2], [3]], 4, 5)
        self.weights = lib.Weights(
            torch.randn(5, 3, generator=generator(), dtype=torch.float64),
            torch.randn(3, 5, generator=generator(1), dtype=torch.float64),
        )
        self.sigma = lib.JumpReLU(0.1)
        self.features = lib.SparseFeatures(4, 0.9, lib.Constant(1.0))
        self.bench = lib.LinearRepresentationBench(4, 4, 0.5, 0.2, samples=64)
        self.bench.save(folder / "bench")
        self.model = lib.SDLModel(4, 6, k=2, generator=generator())
        self.model.save(folder / "model.safetensors")
        lib.write_saelens(self.model, folder / "saelens")
        self.history = lib.History([dict(step=1, instance=0, loss=1.0)])
        self.history.save(folder / "history.jsonl")
        self.directions = lib.load_directions(self.W, list("abcd"))
        self.matches = lib.best_matches(self.weights.W_E, self.W)
        self.realization = lib.realize(self.problem, self.P)
        # PyTorch's first optimizer imports for seconds
        lib.Trainer(self.model, self.bench, lib.Config(steps=1, batch=8)).step()
        self.report = lib.evaluate(self.model, self.bench, samples=64)
        W = torch.tensor([[1.0, 0], [0, 1]], dtype=torch.float64)
        self.farkas = lib.realize(
            lib.Problem(W[:, [0, 0, 1]]), lib.pattern([[0]], 3, 1)
        ).certificate
        self.fired = torch.rand(8, 6, generator=generator()) > 0.5
        self.x = torch.rand(8, 4, generator=generator(), dtype=torch.float64)


def of_problems(w: World) -> dict:
    return {
        "Problem": (lib.Problem, dict(W_p=w.W, W_r=w.W, M_d=torch.ones(4), blocks=[3])),
        "Problem.to": (w.problem.to, dict(dtype=torch.float64)),
        "Weights": (lib.Weights, dict(W_E=w.weights.W_E, W_D=w.weights.W_D)),
        "Weights.to": (w.weights.to, dict(device="cpu")),
        "JumpReLU": (lib.JumpReLU, dict(theta=0.1)),
        "TopK": (lib.TopK, dict(k=2, theta=0.0)),
        "BatchTopK": (lib.BatchTopK, dict(k=2)),
        "Estimate.within": (lib.Estimate(0.5, 0.4, 0.6).within, dict(least=0.0, most=1.0)),
        "interval": (lib.interval, dict(values=[1.0, 2.0])),
    }


def of_features(w: World) -> dict:
    one = lib.load_directions(unit(3, 4), list("abcd"))
    return {
        "ShiftedExponential": (lib.ShiftedExponential, dict(c_min=0.1, beta=1.0)),
        "Uniform": (lib.Uniform, dict(a=0.5, b=1.0)),
        "Constant": (lib.Constant, dict(v=1.0)),
        "SparseFeatures": (lib.SparseFeatures, dict(n=4, S=0.9, magnitudes=lib.Constant(1.0))),
        "SparseFeatures.sample": (
            w.features.sample,
            dict(batch=3, generator=generator(), dtype=torch.float64),
        ),
        "SparseFeatures.sample_given_count": (
            w.features.sample_given_count,
            dict(counts=torch.tensor([1, 2]), generator=generator(), dtype=torch.float64),
        ),
        "Directions": (lib.Directions, dict(W_p=w.W, names=list("abcd"), wnids=[], synsets={})),
        "Directions.index": (one.index, dict(name="a")),
        "Directions.group": (lib.imagenet_directions().group, dict(name="dog")),
        "Hierarchy": (lib.Hierarchy, dict(W_p=w.W, groups=[[0, 1], [2, 3]], names=list("abcd"))),
        "imagenet_directions": (lib.imagenet_directions, dict(n_p=3, generator=generator())),
        "load_directions": (
            lib.load_directions,
            dict(source=w.W, names=list("abcd"), key=None, rows=False),
        ),
        "gram": (lib.gram, dict(W=w.W)),
        "interference": (lib.interference, dict(W=w.W)),
        "rankin_bound": (lib.rankin_bound, dict(n=5, n_p=3)),
        "levenshtein_bound": (lib.levenshtein_bound, dict(n=9, n_p=3)),
        "hierarchy": (
            lib.hierarchy,
            dict(parents=2, children_per_parent=[2, 2], n_p=9, strength=0.5, generator=generator()),
        ),
        "feature_matrix": (
            lib.feature_matrix,
            dict(
                n=5,
                n_p=4,
                mu=0.4,
                generator=generator(),
                max_steps=50,
                dtype=torch.float64,
                device="cpu",
            ),
        ),
    }


def of_data(w: World) -> dict:
    return {
        "Samples": (lib.Samples, dict(x_p=w.x, x_r=w.x, seed=0)),
        "Samples.batch": (lib.Samples(w.x).batch, dict(t=0, size=4, rank=0, world=1)),
        "LinearRepresentationBench": (
            lib.LinearRepresentationBench,
            dict(
                n=4,
                n_p=4,
                S=0.5,
                mu=0.2,
                magnitudes=lib.Constant(1.0),
                seed=0,
                kind="transcoder",
                n_r=4,
                blocks=2,
                samples=9,
                dtype=torch.float32,
                device="cpu",
            ),
        ),
        "LinearRepresentationBench, own": (
            lib.LinearRepresentationBench,
            dict(S=0.5, W_p=w.W, W_r=w.W, kind="transcoder"),
        ),
        "LinearRepresentationBench.batch": (w.bench.batch, dict(t=0, size=4, rank=0, world=1)),
        "LinearRepresentationBench.sample": (w.bench.sample, dict(count=3, seed=1)),
        "LinearRepresentationBench.batches": (w.bench.batches, dict(size=3, start=0)),
        "LinearRepresentationBench.save": (w.bench.save, dict(folder=w.folder / "b")),
        "LinearRepresentationBench.load": (
            lib.LinearRepresentationBench.load,
            dict(folder=w.folder / "bench", dtype=torch.float32, device="cpu"),
        ),
    }


def of_patterns(w: World) -> dict:
    p = dict(problem=w.problem)
    pws = p | dict(weights=w.weights, sigma=w.sigma)
    return {
        "pattern": (lib.pattern, dict(groups=[[0, 1], [2]], n=4, n_q=3)),
        "partitions": (lib.partitions, dict(n=4)),
        "activation_pattern": (lib.activation_pattern, pws),
        "realize": (lib.realize, dict(p, P=w.P, sigma=w.sigma)),
        "Realization.check": (w.realization.check, {}),
        "Farkas.check": (w.farkas.check, dict(problem=w.farkas.problem, tol=1e-8)),
        "group_minimum": (
            lib.group_minimum,
            dict(p, group=[0, 1], moments=w.features.moments(), l1=0.1),
        ),
        "printed_recipe": (lib.printed_recipe, dict(p, P=w.P, W_E=w.weights.W_E)),
        "partial_minimum": (lib.partial_minimum, dict(p, P=w.P, sigma=w.sigma)),
        "alternating_convex_search": (
            lib.alternating_convex_search,
            dict(p, P=w.P, sigma=w.sigma, max_steps=2, tol=1e-6, generator=generator()),
        ),
        "survey_partitions": (lib.survey_partitions, dict(p, sigma=w.sigma, n_q=4)),
        "best_partition": (lib.best_partition, dict(p, n_neurons=4, sigma=w.sigma)),
        "diagnose_groups": (
            lib.diagnose_groups,
            dict(
                p,
                groups={"one": [0, 1]},
                controls=3,
                generator=generator(),
                sigma=w.sigma,
                names=list("abcd"),
            ),
        ),
        "trap_share": (lib.trap_share, dict(p, size=2, draws=3, generator=generator())),
    }


def of_losses(w: World) -> dict:
    p = dict(problem=w.problem)
    pws = p | dict(weights=w.weights, sigma=w.sigma)
    return {
        "certify": (lib.certify, dict(pws, tol=1e-10)),
        "approximate_loss": (lib.approximate_loss, pws),
        "exact_loss": (lib.exact_loss, dict(pws, features=w.features)),
        "sampled_loss": (
            lib.sampled_loss,
            dict(pws, features=w.features, samples=8, generator=generator()),
        ),
        "loss_gap_bound": (
            lib.loss_gap_bound,
            dict(pws, features=w.features, samples=8, generator=generator()),
        ),
        "gradients": (lib.gradients, pws),
        "hessian": (lib.hessian, dict(pws, block="joint")),
        "ideal_weights": (lib.ideal_weights, dict(p, n_q=5)),
        "ideal_loss": (lib.ideal_loss, dict(p, sigma=w.sigma)),
        "pseudo_inverse_weights": (
            lib.pseudo_inverse_weights,
            dict(problem=lib.Problem(unit(4, 3)), n_q=5),
        ),
        "mirrored_weights": (lib.mirrored_weights, dict(p, n_q=7, A=torch.eye(3))),
        "absorb": (
            lib.absorb,
            dict(
                p,
                weights=lib.partial_minimum(
                    w.problem, lib.pattern([[0, 1], [2], [3]], 4, 4)
                ).weights,
                sigma=lib.ReLU(),
                neuron=0,
                child=None,
            ),
        ),
        "loss_ladder": (lib.loss_ladder, dict(p, group=[0, 1], rungs=2)),
    }
