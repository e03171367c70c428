"""A trained model at the next stationary point of Lt, where overlapping neurons are decided."""

from __future__ import annotations

import torch

from ..problem import Problem
from ..theory.certificate import Certificate
from ..theory.certify import certify
from ..theory.point import Point
from ..theory.polish import Polished, polish
from ..theory.second_order import verdicts_of_neurons
from ..theory.verdict import Verdict


def polished_model(model, problem: Problem, theory: bool, steps: int) -> Polished:
    """Where a descent of Lt from the model ends, in float64."""
    if not theory:
        raise ValueError(
            "polish=True descends Lt, which needs a model without biases or gates and features "
            "that are sometimes alone (S > 0); diagnose this one with polish=False"
        )
    return polish(
        problem.to(torch.float64), model.weights.to(torch.float64), model.sigma, steps=steps
    )


def decided(
    model, problem: Problem, end: Polished, neurons: list[Verdict], *, tol: float
) -> tuple[Certificate, list[Verdict]]:
    """The certificate of the polished point, and what undecided neurons are there."""
    problem = problem.to(torch.float64)
    certificate = certify(problem, end.weights, model.sigma, tol)
    point = Point(problem, end.weights, model.sigma)
    known = verdicts_of_neurons(point, certificate.tol)
    alone = point.P.sum(0) == 1

    def at_the_end(i: int) -> Verdict:
        fires = point.P[i]
        if i not in known or fires.sum() == 1 and (alone & fires).any():
            return certificate.neurons[i]  # dead, or monosemantic
        reached = known[i] is not Verdict.NOT_STATIONARY  # else the descent ended too soon
        return known[i] if reached else Verdict.UNDECIDED

    undecided = Verdict.UNDECIDED
    return certificate, [at_the_end(i) if v is undecided else v for i, v in enumerate(neurons)]
