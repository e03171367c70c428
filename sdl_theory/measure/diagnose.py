"""A trained model read by the theory (ours, beyond arXiv:2512.05534): a verdict for every neuron.

Its pattern, neuron by neuron, and how far it is from Lt's landscape.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import torch

from ..checks import Tensor, check_count
from ..problem import Problem
from ..readers import between, having
from ..signature import checked
from ..table import Table
from ..theory.certificate import Certificate
from ..theory.certify import certify
from ..theory.groups import group_minimum
from ..theory.loss import approximate_loss
from ..theory.polish import Polished
from ..theory.verdict import Verdict
from ..truth.bench import LinearRepresentationBench
from ..truth.streams import Batch
from .decided import decided, polished_model
from .latents import strictly_dead
from .report import firing_level


@dataclass(frozen=True)
class NeuronDiagnosis:
    """One isolated neuron that fires for several features.

    They fire nothing else, so the group's eigen-problem judges it.
    """

    neuron: int
    size: int
    features: tuple[int, ...]
    verdict: Verdict
    group_loss: float
    own_loss: float


@dataclass(frozen=True, eq=False, repr=False)
class Diagnosis:
    """What `diagnose` read. Prints as a short report.

    P : the activation pattern (n_q, n), from single features of magnitude 1.
    neurons : a Verdict each.
    groups : the isolated neurons that fire for several features, a `Table`.
    lost : features that fire nothing.
    certificate : of (W_E, W_D), or None for models with biases or gates, which are no point of the
        theory's landscape, and where no feature is ever alone (S = 0), so that Lt sees nothing.
    loss, approximate_loss : L on fresh samples and Lt, both as shares of the loss of a model
        that answers 0.
    polished : where `polish` led, or None.
    one_active, two_active : P(exactly one feature active), P(two or more): Lt sees only the first
        kind of sample.
    """

    P: Tensor
    neurons: list[Verdict]
    groups: Table[NeuronDiagnosis]
    lost: list[int]
    certificate: Certificate | None
    loss: float
    approximate_loss: float | None
    one_active: float
    two_active: float
    polished: Polished | None = None

    @property
    def counts(self) -> dict[str, int]:
        """Number of neurons by verdict."""
        return {str(name): count for name, count in Counter(self.neurons).most_common()}

    def __str__(self) -> str:
        counts, given = self.P.sum(0), self.certificate
        one, several = int((counts == 1).sum()), int((counts > 1).sum())
        verdicts = ", ".join(sorted({str(g.verdict) for g in self.groups}))
        certificate = "none: biases or gates" if self.one_active else "none: no feature is alone"
        if given is not None:
            certificate = f"{given.verdict}, {given.reason}"
        if (end := self.polished) is not None:
            certificate += (
                f" (polished: Lt {end.losses[0]:.3g} -> {end.losses[-1]:.3g}, W_E moved by "
                f"{end.moved_E:.2g} of its length, W_D by {end.moved_D:.2g}, {end.reason})"
            )
        lost = "-" if self.approximate_loss is None else f"{self.approximate_loss:.4g}"
        lines = [
            f"neurons           {', '.join(f'{n} {name}' for name, n in self.counts.items())}",
            f"features          {one} fire one neuron, {several} fire several, "
            f"{len(self.lost)} fire none",
            f"isolated groups   {len(self.groups)}{f': {verdicts}' if verdicts else ''}",
            f"certificate       {certificate}",
            f"L, share lost     {self.loss:.4g}",
            f"Lt, share lost    {lost}",
            f"one feature active in {self.one_active:.2g} of all samples, "
            f"two or more in {self.two_active:.2g}: verdicts are facts about Lt,",
            "which sees the former alone. Neurons are read from single features: "
            "what is dead here (under Top-k: wins no place) a mixture may wake.",
        ]
        return "\n".join(lines)

    __repr__ = __str__


@checked(
    model=having(
        *("encode", "decode", "W_E", "W_D", "biases", "plain", "instances", "way"),
        what="a model; build SDLModel(n_p, n_q)",
    ),
    tol=between(0, 1),
)
@torch.no_grad()
def diagnose(
    model,
    bench: LinearRepresentationBench,
    *,
    samples: int = 10_000,
    seed: int = 1,
    tol: float = 1e-10,
    polish: bool = False,
    polish_steps: int = 200,
) -> Diagnosis:
    """Read a trained model by Theorem 3.7 (corrected): which features each neuron fires for.

    And what that says where it says anything. The pattern comes from the n true features one at a
    time, at magnitude 1:

    * A neuron all of whose features fire nothing else is *isolated*: alone with one feature it is
      monosemantic, with several its group's verdict is `group_minimum`'s (trap, saddle, none, ...).
    * Neurons that share a feature are `undecided`: overlapping patterns have no closed form, and a
      trained model sits at no stationary point of Lt. With `polish` it is first brought down to
      one (`sdl_theory.polish`), and every neuron that shares features gets the verdict of those
      it shares them with, by second derivatives *there*: `.polished` says how far that is. Where
      `polish_steps` end before, it stays `undecided` (at n = 1000, n_q = 16,000 a step takes about
      25 seconds of one core, and 30 were too few).
    * Silent neurons are strictly dead or merely asleep; under Top-k that is said of places won,
      not of z > 0 as in `evaluate`: a neuron that no single feature gives a place may still win
      one in a mixture.

    Where no feature is ever alone (all M_d = 0, as at S = 0), there is no certificate and shared
    neurons are undecided. `tol` is passed to `certify`. Only single models: of many instances take
    model.instance(i).

    >>> import torch
    >>> from sdl_theory import LinearRepresentationBench, SDLModel, diagnose, ideal_weights
    >>> bench = LinearRepresentationBench(n=12, n_p=8, S=0.9, mu=0.5, dtype=torch.float64)
    >>> best = ideal_weights(bench.problem, 16)
    >>> model = SDLModel(8, 16, method="jumprelu", theta=0.6, dtype=torch.float64)
    >>> _ = model.load_state_dict(dict(W_E=best.W_E, W_D=best.W_D), strict=False)
    >>> read = diagnose(model, bench, samples=1000)
    >>> read.counts
    {'monosemantic': 12, 'strictly_dead': 4}
    >>> print(read.certificate.verdict)  # theta is above mu: Lt = 0
    global
    """
    if model.plain:
        raise ValueError(
            "a plain Top-k fires below zero too, "
            "where group_minimum, which looks for z > 0, says nothing; "
            "diagnose a model with plain=False"
        )
    if model.instances is not None:
        raise ValueError(f"this holds {model.instances} models; diagnose one: model.instance(0)")
    samples, problem = check_count("samples", samples), bench.problem
    polish_steps = check_count("polish_steps", polish_steps)
    codes = model.encode(bench.W_p.mT.to(model.W_E))
    P = (codes > 0).mT.cpu()
    # all M_d = 0: no feature is ever alone, and Lt sees nothing
    theory = model.way.in_theory and not model.biases and problem.scale > 0
    end = polished_model(model, problem, theory, polish_steps) if polish else None
    certificate = certify(problem, model.weights, model.sigma, tol) if theory else None
    if certificate is None:
        dead = strictly_dead(model.W_E, bench.W_p, firing_level(model)).tolist()
    else:
        dead = [verdict is Verdict.STRICTLY_DEAD for verdict in certificate.neurons]
    neurons, groups = _read_neurons(model, problem, codes, dead)
    if end is not None:
        certificate, neurons = decided(model, problem, end, neurons, tol=tol)
    lost = approximate_loss(problem, model.weights, model.sigma).item() if theory else None
    counts = bench.features.count_probabilities()
    return Diagnosis(
        P=P,
        neurons=neurons,
        groups=groups,
        lost=(P.sum(0) == 0).nonzero()[:, 0].tolist(),
        certificate=certificate,
        loss=_share_lost(model, bench.sample(samples, seed)),
        approximate_loss=None if lost is None else lost / problem.scale,
        one_active=counts[1].item(),
        two_active=counts[2:].sum().item(),
        polished=end,
    )


def _read_neurons(
    model, problem: Problem, codes: Tensor, dead: list[bool]
) -> tuple[list[Verdict], Table[NeuronDiagnosis]]:
    """A verdict for each neuron, and the isolated groups.

    codes : (n, n_q), of single features.
    """
    P = (codes > 0).mT.cpu()
    at_once = P.sum(0)
    neurons: list[Verdict] = []
    groups: Table[NeuronDiagnosis] = Table()
    for i, fires in enumerate(P):
        features = fires.nonzero()[:, 0].tolist()
        if not features:
            neurons.append(Verdict.STRICTLY_DEAD if dead[i] else Verdict.ESCAPABLE_DEAD)
        elif (at_once[features] > 1).any() or len(features) > 1 and problem.scale == 0:
            neurons.append(Verdict.UNDECIDED)
        elif len(features) == 1:
            neurons.append(Verdict.MONOSEMANTIC)
        else:
            groups.append(_isolated(problem, i, features, model.decode(codes[features])))
            neurons.append(groups[-1].verdict)
    return neurons, groups


def _isolated(
    problem: Problem, neuron: int, features: list[int], answers: Tensor
) -> NeuronDiagnosis:
    """What the theory says of a group, beside what the model loses on it.

    answers : the model's, (len(features), n_r), to the group's features.
    """
    minimum = group_minimum(problem, features)
    errors = problem.W_r[:, features] - answers.double().cpu().mT
    return NeuronDiagnosis(
        neuron=neuron,
        size=len(features),
        features=tuple(features),
        verdict=minimum.verdict,
        group_loss=minimum.loss,
        own_loss=(problem.M_d[features] * errors.square().sum(0)).sum().item(),
    )


def _share_lost(model, batch: Batch) -> float:
    """L on these samples, as a share of the loss of a model that answers 0."""
    errors = 0.0
    for x_p, x_r in zip(batch.x_p.split(1024), batch.x_r.split(1024)):
        guess = model.decode(model.encode(x_p.to(model.W_E)))
        errors += (guess - x_r.to(model.W_E)).square().sum().item()
    return errors / batch.x_r.square().sum().item()
