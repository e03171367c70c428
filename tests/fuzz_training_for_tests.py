"""Good calls of measure, training and experiments.

One of everything public: name -> (function, its arguments).
"""

from __future__ import annotations

import dataclasses

import torch
from fuzz_theory_for_tests import World, generator

import sdl_theory as lib
from sdl_theory.measure.firing import FiringCounts


def of_metrics(w: World) -> dict:
    return {
        "evaluate": (
            lib.evaluate,
            dict(
                model=w.model,
                bench=w.bench,
                anchored=[0],
                samples=64,
                seed=1,
                taus=[0.9, 0.95],
                batch=32,
                null_draws=2,
            ),
        ),
        "F1Scores.mean": (lib.activation_f1(w.fired, w.fired[:, :4]).mean, dict(which="best")),
        "Report.of": (w.report.of, dict(side="decoder", measure="raw")),
        "FiringCounts": (FiringCounts, dict(n_q=6, n=4, device="cpu")),
        "FiringCounts.update": (
            FiringCounts(6, 4).update,
            dict(fired=w.fired, active=w.fired[:, :4]),
        ),
        "activation_f1": (
            lib.activation_f1,
            dict(fired=w.fired, active=w.fired[:, :4], matched=torch.tensor([0, 1, 2, 3])),
        ),
        "best_matches": (lib.best_matches, dict(rows=w.weights.W_E, truth=w.W, cosine=True)),
        "mcc": (lib.mcc, dict(rows=w.weights.W_E, truth=w.W)),
        "gt_recovery": (lib.gt_recovery, dict(matches=w.matches, tau=0.9)),
        "max_inner_product": (lib.max_inner_product, dict(matches=w.matches)),
        "recovery_curve": (lib.recovery_curve, dict(matches=w.matches, taus=[0.5])),
        "mirrored_share": (lib.mirrored_share, dict(W_E=w.weights.W_E, tol=0.95)),
        "null_baseline": (
            lib.null_baseline,
            dict(n_q=5, truth=w.W, draws=2, generator=generator(), taus=[0.9], norms=torch.ones(5)),
        ),
        "diagnose": (
            lib.diagnose,
            dict(
                model=w.model,
                bench=w.bench,
                samples=16,
                seed=1,
                tol=1e-10,
                polish=True,
                polish_steps=200,
            ),
        ),
    }


def of_models(w: World) -> dict:
    return {
        "SDLModel": (
            lib.SDLModel,
            dict(
                n_p=4,
                n_q=8,
                n_r=4,
                method="matryoshka",
                k=2,
                levels=[4, 8],
                ks=None,
                plain=False,
                biases=False,
                decoder_norm=1.0,
                instances=None,
                generator=generator(),
                dtype=torch.float32,
                device="cpu",
            ),
        ),
        "SDLModel, jumprelu": (
            lib.SDLModel,
            dict(n_p=4, n_q=8, method="jumprelu", theta=0.1, instances=2),
        ),
        "SDLModel.encode": (w.model.encode, dict(x_p=w.x.float())),
        "SDLModel.decode": (w.model.decode, dict(codes=torch.rand(3, 6))),
        "SDLModel.instance": (lib.SDLModel(4, 6, instances=2).instance, dict(i=1)),
        "SDLModel.save": (w.model.save, dict(path=w.folder / "m.safetensors")),
        "SDLModel.load": (
            lib.SDLModel.load,
            dict(path=w.folder / "model.safetensors", device="cpu"),
        ),
        "training_bytes": (
            lib.training_bytes,
            dict(model=None, batch=8, n_p=4, n_q=6, n_r=4, method="topk", shards=1),
        ),
        "read_saelens": (
            lib.read_saelens,
            dict(folder=w.folder / "saelens", device="cpu", dtype=torch.float32),
        ),
        "write_saelens": (
            lib.write_saelens,
            dict(model=w.model, folder=w.folder / "s", metadata={"a": 1}),
        ),
    }


def of_training(w: World) -> dict:
    tiny = dict(steps=2, batch=8, warmup=1)
    return {
        "Anchors": (lib.Anchors, dict(features=(0,), W_E=torch.ones(1, 4), W_D=torch.ones(4, 1))),
        "Anchors.of_truth": (lib.Anchors.of_truth, dict(bench=w.bench, k=2, seed=0)),
        "Anchors.of_class_means": (
            lib.Anchors.of_class_means,
            dict(x_p=w.x, labels=[0, 1] * 4, x_r=w.x, classes=[0, 1], centre=False),
        ),
        "Config": (
            lib.Config,
            {
                f.name: getattr(lib.Config(aux_k=3, target_l0=1.0), f.name)
                for f in dataclasses.fields(lib.Config)
            },
        ),
        "Trainer": (
            lib.Trainer,
            dict(
                model=w.model,
                data=w.bench,
                config=lib.Config(**tiny),
                anchors=lib.Anchors.of_truth(w.bench, 1),
            ),
        ),
        "fit": (
            lib.fit,
            dict(
                model=w.model,
                data=w.bench,
                config=lib.Config(**tiny),
                anchors=1,
                out=None,
                resume=False,
                callback=None,
                progress=False,
            ),
        ),
        "History": (lib.History, dict(rows=[dict(step=1, instance=0)])),
        "History.column": (w.history.column, dict(name="loss", instance=0)),
        "History.save": (w.history.save, dict(path=w.folder / "h.jsonl")),
        "History.load": (lib.History.load, dict(path=w.folder / "history.jsonl", upto=3)),
    }


def of_tables(w: World) -> dict:
    tiny = dict(steps=2, batch=8, warmup=1)
    setting = dict(preset="demo", bench=dict(n=12, n_p=12, mu=0.2), n_q=12, k=2, seeds=[0], **tiny)
    return {
        "setup": (lib.setup, dict(setting, method="topk", anchors=1, instances=True, device="cpu")),
        "train_row": (lib.train_row, dict(row=lib.setup(**setting), progress=False)),
        "table_1": (
            lib.table_1,
            dict(setting, methods=["topk"], device="cpu", progress=False, done=[], callback=None),
        ),
    }
