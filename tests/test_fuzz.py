"""Every public call, one argument at a time replaced by what it should not be: an answer without
NaN, or an error that names the argument.
"""

from __future__ import annotations

import dataclasses
import inspect
import itertools
import math
import re
import signal
import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

import sdl_theory as lib
from sdl_theory.measure.firing import FiringCounts

HOSTILE = {
    "None": lambda: None,
    "nan": lambda: math.nan,
    "inf": lambda: math.inf,
    "-inf": lambda: -math.inf,
    "-1": lambda: -1,
    "0": lambda: 0,
    "1.5": lambda: 1.5,
    "True": lambda: True,
    "10**30": lambda: 10**30,
    "1j": lambda: 1j,
    "text": lambda: "x",
    "no text": lambda: "",
    "bytes": lambda: b"x",
    "[]": lambda: [],
    "[[]]": lambda: [[]],
    "[None]": lambda: [None],
    "['x']": lambda: ["x"],
    "[-1]": lambda: [-1],
    "[nan]": lambda: [math.nan],
    "{}": lambda: {},
    "{'a': 1}": lambda: {"a": 1},
    "object": object,
    "Ellipsis": lambda: ...,
    "function": lambda: lambda: 0,
    "class": lambda: int,
    "iterator": lambda: iter([1]),
    "generator of torch": lambda: torch.Generator(),
    "dtype": lambda: torch.int64,
    "path": lambda: Path("/nonexistent/x"),
    "numpy int": lambda: np.int64(3),
    "numpy nan": lambda: np.float64("nan"),
    "array of objects": lambda: np.array([object()]),
    "empty tensor": lambda: torch.empty(0),
    "NaN tensor": lambda: torch.full((2, 2), math.nan),
    "int tensor": lambda: torch.ones(2, 2, dtype=torch.int64),
    "bool tensor": lambda: torch.ones(2, 2, dtype=torch.bool),
    "complex tensor": lambda: torch.ones(2, 2, dtype=torch.complex64),
    "3-D tensor": lambda: torch.ones(2, 2, 2),
    "0-D tensor": lambda: torch.tensor(2.0),
    "variable": lambda: torch.ones(2, 2, requires_grad=True),
    "1e308": lambda: 1e308,
    "5e-324": lambda: 5e-324,
    "3": lambda: 3,
    "long tensor": lambda: torch.ones(7, 5),
    "half tensor": lambda: torch.ones(2, 2, dtype=torch.float16),
    "meta tensor": lambda: torch.empty(2, 2, device="meta"),
}
# an argument's error may also speak of its parts, by their own symbols
ALSO = {
    "problem": ("n_p", "n_r", "W_p", "M_d"),
    "weights": ("W_E", "W_D"),
    "sigma": ("theta", "Top-k", "BatchTopK", "TopK"),
    "features": ("n",),
    "data": ("bench", "x_p"),
    "config": ("precision",),
    "P": ("pattern",),
    "A": ("rank",),
    "matched": ("latent",),
    "bench": ("W_p", "LinearRepresentationBench"),
    "levels": ("level",),
    "seeds": ("seed",),
    "taus": ("tau",),
    "null_draws": ("draws",),
    "source": ("directions",),
    "values": ("value",),
    "parents": ("children_per_parent",),
    "groups": ("group",),
    "methods": ("method",),
    "W_p": ("n_p",),
    "name": ("instance",),
    "fired": ("n_q",),
    "dtype": ("to",),
    "side": ("sides",),
    "measure": ("measures",),
}
# loss nan where there is no minimum: documented
NO_NAN = (lib.PartialMinimum, lib.PartitionRow, lib.GroupMinimum, lib.Realization)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def unit(*shape):
    W = torch.randn(*shape, generator=generator(), dtype=torch.float64)
    return W / W.norm(dim=0)


ANSWERS = (
    ValueError,
    TypeError,
    lib.TrainingError,
    FileNotFoundError,
    FileExistsError,
    IsADirectoryError,
    NotADirectoryError,
    PermissionError,
)
# a callback's own errors are the caller's, and what decodes NaN to NaN hides nothing
RIGHTLY = {
    ("callback", "function"),
    ("callback", "class"),
    ("SDLModel.decode", "codes", "nan"),
    ("SDLModel.decode", "codes", "NaN tensor"),
    # its AssertionError is documented
    ("Farkas.check", "tol", "-1"),
    ("Farkas.check", "tol", "0"),
}


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


def calls(w: World) -> dict:
    """One good call of everything public: name -> (function, its arguments)."""
    p, pws = dict(problem=w.problem), dict(problem=w.problem, weights=w.weights, sigma=w.sigma)
    tiny = dict(steps=2, batch=8, warmup=1)
    setting = dict(preset="demo", bench=dict(n=12, n_p=12, mu=0.2), n_q=12, k=2, seeds=[0], **tiny)
    one = lib.load_directions(unit(3, 4), list("abcd"))
    return {
        "Problem": (lib.Problem, dict(W_p=w.W, W_r=w.W, M_d=torch.ones(4), blocks=[3])),
        "Problem.to": (w.problem.to, dict(dtype=torch.float64)),
        "Weights": (lib.Weights, dict(W_E=w.weights.W_E, W_D=w.weights.W_D)),
        "Weights.to": (w.weights.to, dict(device="cpu")),
        "JumpReLU": (lib.JumpReLU, dict(theta=0.1)),
        "TopK": (lib.TopK, dict(k=2, theta=0.0)),
        "BatchTopK": (lib.BatchTopK, dict(k=2)),
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
        "Anchors": (lib.Anchors, dict(features=(0,), W_E=torch.ones(1, 4), W_D=torch.ones(4, 1))),
        "Anchors.of_truth": (lib.Anchors.of_truth, dict(bench=w.bench, k=2, seed=0)),
        "Anchors.of_class_means": (
            lib.Anchors.of_class_means,
            dict(x_p=w.x, labels=[0, 1] * 4, x_r=w.x, classes=[0, 1], centre=False),
        ),
        "Estimate.within": (lib.Estimate(0.5, 0.4, 0.6).within, dict(least=0.0, most=1.0)),
        "Samples": (lib.Samples, dict(x_p=w.x, x_r=w.x, seed=0)),
        "Samples.batch": (lib.Samples(w.x).batch, dict(t=0, size=4, rank=0, world=1)),
        "Realization.check": (w.realization.check, {}),
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
        "setup": (lib.setup, dict(setting, method="topk", anchors=1, instances=True, device="cpu")),
        "train_row": (lib.train_row, dict(row=lib.setup(**setting), progress=False)),
        "table_1": (
            lib.table_1,
            dict(setting, methods=["topk"], device="cpu", progress=False, done=[], callback=None),
        ),
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
        "Farkas.check": (w.farkas.check, dict(problem=w.farkas.problem, tol=1e-8)),
        "activation_f1": (
            lib.activation_f1,
            dict(fired=w.fired, active=w.fired[:, :4], matched=torch.tensor([0, 1, 2, 3])),
        ),
        "best_matches": (lib.best_matches, dict(rows=w.weights.W_E, truth=w.W, cosine=True)),
        "mcc": (lib.mcc, dict(rows=w.weights.W_E, truth=w.W)),
        "gt_recovery": (lib.gt_recovery, dict(matches=w.matches, tau=0.9)),
        "max_inner_product": (lib.max_inner_product, dict(matches=w.matches)),
        "recovery_curve": (lib.recovery_curve, dict(matches=w.matches, taus=[0.5])),
        "interval": (lib.interval, dict(values=[1.0, 2.0])),
        "mirrored_share": (lib.mirrored_share, dict(W_E=w.weights.W_E, tol=0.95)),
        "null_baseline": (
            lib.null_baseline,
            dict(n_q=5, truth=w.W, draws=2, generator=generator(), taus=[0.9], norms=torch.ones(5)),
        ),
        "diagnose": (
            lib.diagnose,
            dict(model=w.model, bench=w.bench, samples=16, seed=1, tol=1e-10),
        ),
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
        "pattern": (lib.pattern, dict(groups=[[0, 1], [2]], n=4, n_q=3)),
        "partitions": (lib.partitions, dict(n=4)),
        "activation_pattern": (lib.activation_pattern, pws),
        "realize": (lib.realize, dict(p, P=w.P, sigma=w.sigma)),
        "group_minimum": (lib.group_minimum, dict(p, group=[0, 1])),
        "printed_recipe": (lib.printed_recipe, dict(p, P=w.P, W_E=w.weights.W_E)),
        "partial_minimum": (lib.partial_minimum, dict(p, P=w.P, sigma=w.sigma)),
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
        "alternating_convex_search": (
            lib.alternating_convex_search,
            dict(p, P=w.P, sigma=w.sigma, max_steps=2, tol=1e-6, generator=generator()),
        ),
        "survey_partitions": (lib.survey_partitions, dict(p, sigma=w.sigma, n_q=4)),
        "best_partition": (lib.best_partition, dict(p, n_neurons=4, sigma=w.sigma)),
        "training_bytes": (
            lib.training_bytes,
            dict(model=None, batch=8, n_p=4, n_q=6, n_r=4, method="topk"),
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


class Hangs(BaseException):
    """A call took too long. No Exception, so that no handler swallows it."""


@contextmanager
def bounded(seconds: float):
    def over(*_):
        raise Hangs

    usual = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, usual)


def has_nan(answer, depth: int = 0) -> bool:
    """A NaN anywhere in an answer, but where a loss is documented to be NaN."""
    if isinstance(answer, torch.Tensor):
        return not answer.is_meta and answer.dtype.is_floating_point and bool(answer.isnan().any())
    if isinstance(answer, float):
        return math.isnan(answer)
    if isinstance(answer, NO_NAN) or depth > 4:
        return False
    if isinstance(answer, torch.nn.Module):
        return has_nan(list(answer.state_dict().values()), depth + 1)
    if dataclasses.is_dataclass(answer) and not isinstance(answer, type):
        return has_nan([getattr(answer, f.name) for f in dataclasses.fields(answer)], depth + 1)
    return isinstance(answer, (list, tuple)) and any(has_nan(value, depth + 1) for value in answer)


def outcome(function, arguments: dict, name: str) -> str:
    """ "ok", or what was wrong with what this call did."""
    try:
        with bounded(20):
            answer = function(**arguments)
            if inspect.isgenerator(answer):
                answer = list(itertools.islice(answer, 3))
        return "NaN in the answer" if has_nan(answer) else "ok"
    except Hangs:
        return "hangs"
    except (*ANSWERS, *[KeyError] * (name in ("name", "instance"))) as error:
        # History.column, whose KeyError is documented
        told = str(error)
        wanted = [
            name,
            *ALSO.get(name, ()),
            *([str(arguments[name])] if isinstance(arguments.get(name), (str, Path)) else []),
        ]
        named = any(
            re.search(rf"(?<![A-Za-z]){re.escape(word)}(?![A-Za-z])", told)
            for word in wanted
            if word
        )
        return "ok" if named else f"{type(error).__name__} without the name: {told[:150]}"
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:150]}"


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return calls(World(tmp_path_factory.mktemp("fuzz")))


def fuzz(table: dict, names=None) -> tuple[int, dict[tuple[str, str, str], str]]:
    """The number of calls, and what was not ok, by (function, argument, hostile value)."""
    count, bad = 0, {}
    for call in names or table:
        function, arguments = table[call]
        for argument, (what, make) in itertools.product(arguments, HOSTILE.items()):
            if (call, argument, what) in RIGHTLY or (argument, what) in RIGHTLY:
                continue
            count += 1
            if (was := outcome(function, arguments | {argument: make()}, argument)) != "ok":
                bad[call, argument, what] = was
    return count, bad


def test_good_calls_are_good(table):
    assert {
        name: was
        for name, (function, arguments) in table.items()
        if (was := outcome(function, arguments, "")) != "ok"
    } == {}


def test_everything_public_is_attacked(table):
    """Functions, and the classes that users build; records that functions return, and errors, are
    left out.
    """
    returned = {
        "Absorption",
        "Batch",
        "Certificate",
        "Diagnosis",
        "Estimate",
        "Farkas",
        "GapBound",
        "GroupDiagnosis",
        "GroupMinimum",
        "IdealLoss",
        "PartialMinimum",
        "PartitionRow",
        "Realization",
        "Report",
        "Rung",
        "SearchResult",
        "TrainingBytes",
        "ReLU",
        "Verdict",
    }
    errors = {
        name
        for name in lib.__all__
        if isinstance(getattr(lib, name), type) and issubclass(getattr(lib, name), Exception)
    }
    assert set(lib.__all__) - set(table) - returned - errors == set()
    for name, (function, arguments) in table.items():
        parameters = inspect.signature(function).parameters
        forgotten = (
            set(parameters)
            - set(arguments)
            - {"args", "kwargs", "override", "how", "world", "W_p", "W_r", "theta", "instances"}
        )
        assert not forgotten or "," in name, (name, forgotten)


def test_no_argument_breaks_a_call_in_silence_or_with_a_foreign_error(table, tmp_path, monkeypatch):
    """Some 15,800 calls in seconds. On the code before `checked`: 5,325 wrong outcomes over 232
    arguments.
    """
    monkeypatch.chdir(tmp_path)  # "x" is a good path
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        count, bad = fuzz(table)
    assert count > 15_000 and bad == {}
