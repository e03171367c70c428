"""Are the neurons that trained narrow models share among features what the theory calls traps?

Question. Where neurons are fewer than features, some must serve several. If one neuron served a
group as if that were all that is active, would it be a trap of the true loss (`group_minimum` with
moments, and the L1 that was trained with)? How often, against sparsity, beside random groups of the
same sizes: does training choose groups that are traps?

Recipe. n = 32 random unit directions in 16, 32 or 64 dimensions, 16 neurons, exponential
magnitudes; Adam on fresh samples (1500 steps of 128, the rate falling to 0 over the last half), ten
seeds, each with directions of its own. Methods: ReLU without and with an L1 (lam .4), Top-k with k
the mean number of active features, one at least.

Groups, neuron by neuron, in two readings: `fires`, all features it fires for alone, and `owns`,
those whose strongest answer (code times norm of the column) is its own. A neuron is shared if its
group has two or more. Nothing is polished: `polish` descends Lt, and these are trained on L. How
near they are to stationary is said instead (`slope`): the length of L's gradient times that of the
weights, over E||x_r||^2, on 20,000 fresh samples. A verdict is that of the group, not of the point
that training reached; `cosine` says how near the two are, of the neuron's column and the w_D of the
group's stationary point, where there is one (0 on average for random directions).

Measured seed by seed, in both readings: how many neurons are shared, how many of these are traps,
what share random groups of the same sizes are (100 draws a size, averaged over the shared neurons),
the mean size, the mean cosine; and the same counts, [traps, shared], of the untrained start.
"""

from __future__ import annotations

from collections import Counter

import torch

from ...checks import Tensor
from ...problem import Problem
from ...theory.groups import group_minimum
from ...theory.prevalence import prevalence
from ...theory.verdict import Verdict
from ...training.config import Config
from ...training.model import SDLModel
from ...training.threads import one_thread
from ...training.trainer import Trainer
from ...truth.moments import Moments
from ...truth.sampling import SparseFeatures
from ..paper.plane import Stream
from .shared_tables import shared
from .worlds import SEEDS, generator_of

N, N_Q, STEPS, BATCH, DRAWS, FRESH, L1 = 32, 16, 1500, 128, 100, 20_000, 0.4
METHODS = dict(topk=0.0, relu=0.0, relu_l1=L1)  # and their lam


def head() -> dict:
    return dict(
        experiment="traps shared", seeds=SEEDS, n=N, n_q=N_Q, steps=STEPS, batch=BATCH, draws=DRAWS
    )


def jobs() -> list[dict]:
    first = [dict(method=name, n_p=32, S=S) for S in (0.99, 0.9, 0.8) for name in METHODS]
    return first + [dict(method="topk", n_p=n_p, S=0.9) for n_p in (16, 64)]


def run(job: dict) -> dict:
    generator, n_p = generator_of(job), job["n_p"]
    W = torch.randn(SEEDS, n_p, N, generator=generator, dtype=torch.float64)
    W = W / W.norm(dim=1, keepdim=True)
    seed = int(torch.randint(1 << 30, (1,), generator=generator))
    stream, l1 = Stream(W, job["S"], seed), METHODS[job["method"]]
    moments = SparseFeatures(N, job["S"]).moments()
    model, row = new(stream, job["method"], generator), job | dict(l1=l1)
    untrained = {name: groups(W, P, moments, l1) for name, P in patterns(model, W).items()}
    train(model, stream, l1)
    row |= at_rest(model, stream, l1)
    columns = model.W_D.detach()
    for reading, P in patterns(model, W).items():
        row[reading] = groups(W, P, moments, l1) | beside(W, P, columns, moments, l1=l1, S=job["S"])
        row[reading]["untrained"] = untrained[reading]["traps"], untrained[reading]["shared"]
    return row


@torch.no_grad()
def patterns(model: SDLModel, W: Tensor) -> dict[str, Tensor]:
    """Each neuron's group in either reading, (runs, n_q, n)."""
    codes = model.encode(W.mT)  # of single features
    answers = codes * model.W_D.norm(dim=1)[:, None]
    own = (answers == answers.amax(-1, keepdim=True)) & (answers > 0)
    return dict(fires=(codes > 0).mT, owns=own.mT)


def new(stream: Stream, method: str, generator: torch.Generator) -> SDLModel:
    """All seeds in one batched model, untrained."""
    runs, n_p, n = stream.W_p.shape
    assert stream.S is not None
    k = dict(k=max(1, round(n * (1 - stream.S)))) if method == "topk" else {}
    return SDLModel(
        n_p,
        N_Q,
        method=method.removesuffix("_l1"),
        instances=runs,
        generator=generator,
        dtype=torch.float64,
        **k,
    )


def train(model: SDLModel, stream: Stream, l1: float) -> None:
    """All its steps."""
    config = Config(steps=STEPS, batch=BATCH, lr=0.005, warmup=STEPS // 40, decay=0.5, sparsity=l1)
    trainer = Trainer(model, stream, config)
    with one_thread():
        for _ in range(STEPS):
            trainer.step()


def at_rest(model: SDLModel, stream: Stream, l1: float) -> dict:
    """L on fresh samples as a share of answering 0, and its slope, seed by seed."""
    x = stream.batch(STEPS, FRESH).x_p  # training read 0 to STEPS - 1
    scale = x.square().sum(-1).mean(-1)
    codes = model.encode(x)
    errors = (x - codes @ model.W_D.mT).square().sum(-1).mean(-1)
    loss = errors + l1 * (codes * model.W_D.norm(dim=1)[:, None]).sum(-1).mean(-1)
    slopes = torch.autograd.grad(loss.sum(), [model.W_E, model.W_D])
    lengths = [
        grad.flatten(1).norm(dim=1) * weights.detach().flatten(1).norm(dim=1)
        for grad, weights in zip(slopes, (model.W_E, model.W_D))
    ]
    return dict(
        loss=_rounded(errors.detach() / scale), slope=_rounded((lengths[0] + lengths[1]) / scale)
    )


def _rounded(values: Tensor) -> list[float]:
    return [float(f"{value:.3g}") for value in values.tolist()]


def groups(W: Tensor, P: Tensor, moments: Moments, l1: float) -> dict:
    """How many neurons are shared, seed by seed, and how many of their groups are traps."""
    count: dict[str, list[int]] = dict(shared=[], traps=[])
    for directions, pattern in zip(W, P):
        problem, of_several = Problem(directions), pattern[pattern.sum(1) > 1]
        verdicts = [
            group_minimum(problem, F, moments=moments, l1=l1).verdict
            for F in map(members, of_several)
        ]
        count["shared"].append(len(verdicts))
        count["traps"].append(verdicts.count(Verdict.TRAP))
    return count


def members(fires: Tensor) -> list[int]:
    return fires.nonzero()[:, 0].tolist()


def beside(W: Tensor, P: Tensor, W_D: Tensor, moments: Moments, *, l1: float, S: float) -> dict:
    """Random groups of the same sizes, and columns beside those of the stationary points."""
    rows: dict[str, list] = dict(random=[], size=[], cosine=[])
    for directions, pattern, columns in zip(W, P, W_D):
        problem, shared_ones = Problem(directions), members(pattern.sum(1) > 1)
        sizes = Counter(pattern[shared_ones].sum(1).tolist())
        law = SparseFeatures(N, S).magnitudes
        drawn = prevalence(problem, list(sizes), [S], draws=DRAWS, magnitudes=law, l1=l1)
        cosines = [
            float(columns[:, i] @ found.w_D / columns[:, i].norm() / found.w_D.norm())
            for i in shared_ones
            for found in [group_minimum(problem, members(pattern[i]), moments=moments, l1=l1)]
            if found.w_D is not None and found.w_D.any()
        ]
        rows["random"].append(_mean([one.share for one in drawn for _ in range(sizes[one.size])]))
        rows["size"].append(_mean(list(sizes.elements())))
        rows["cosine"].append(_mean(cosines))
    return rows


def _mean(values: list) -> float | None:
    return round(sum(values) / len(values), 4) if values else None


def show(rows: list[dict]) -> None:
    print("Neurons that trained narrow models share: how many are traps, beside random groups\n")
    print(shared(rows))
