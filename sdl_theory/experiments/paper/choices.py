"""What arXiv:2512.05534 leaves open about its Tables 1 and 4 to 7: our one choice for each, and how
the sensitivity table moves it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from ...training.methods import METHODS
from ...truth.streams import seeded
from ..arms import NO_CLIP
from ..presets import PRESETS, ROWS
from ..rows import Setup

BENCH = ("samples", "c_min", "beta")


@dataclass(frozen=True)
class Move:
    """One choice, changed once.

    to : settings by their new values, as `setup` takes them (samples, c_min, beta: of the bench).
    times : settings by the factor on the preset's value; what is a count stays one.
    start : of the start: W_E (a factor on its rows), theta (JumpReLU's), untied (rows of W_E drawn
        by themselves).
    anchored_only : plain runs do not know this setting.
    """

    name: str
    to: Mapping[str, Any] = field(default_factory=dict)
    times: Mapping[str, float] = field(default_factory=dict)
    start: Mapping[str, float] = field(default_factory=dict)
    anchored_only: bool = False

    def applies(self, method: str, preset: str) -> bool:
        """Whether this row of the table has all these settings."""
        kind, row = METHODS[ROWS[method][0]], PRESETS[preset].rows.get(method, {})
        if "theta" in self.start and kind.name != "jumprelu":
            return False
        for name in {*self.to, *self.times}:
            owned = any(one.has_setting(name) for one in METHODS.values())
            if owned and not kind.has_setting(name):
                return False
            if name == "target_l0" and "target_l0" not in row:
                return False
        usual = _usual(method, preset)
        # a k of 1 has no third
        return not self.times or any(
            _times(usual[name], factor) != usual[name] for name, factor in self.times.items()
        )

    def overrides(self, method: str, preset: str) -> dict[str, Any]:
        """What `setup(preset, method, ...)` is to change."""
        usual = _usual(method, preset)
        grown = {name: _times(usual[name], factor) for name, factor in self.times.items()}
        changes = dict(self.to) | grown
        bench = {name: changes.pop(name) for name in BENCH if name in changes}
        return changes | (dict(bench=bench) if bench else {})

    def begin(self, row: Setup) -> None:
        """Change the start of a model that is not trained yet."""
        model, bench = row.model, row.data[0]
        with torch.no_grad():
            if "untied" in self.start:
                noise = seeded("cpu", bench.seed, 77)
                rows = torch.randn(model.W_E.shape, generator=noise).to(model.W_E)
                model.W_E.copy_(rows / rows.norm(dim=-1, keepdim=True) / model.decoder_norm)
            model.W_E.mul_(self.start.get("W_E", 1.0))
            if "theta" in self.start:
                model.theta.fill_(self.start["theta"])


def _usual(method: str, preset: str) -> dict[str, Any]:
    """The preset's settings of a row."""
    own = PRESETS[preset]
    return vars(own.config) | dict(k=own.k, anchors=own.anchors) | own.rows.get(method, {})


def _times(value, factor: float):
    return max(1, round(value * factor)) if isinstance(value, int) else value * factor


@dataclass(frozen=True)
class Choice:
    """Something left open: our choice at the demo preset, why, and how it is moved."""

    open: str
    ours: str
    why: str
    moves: tuple[Move, ...] = ()


def _both(name: str, factor: float = 3.0, **also: Any) -> tuple[Move, ...]:
    """Down and up by a factor."""
    return (
        Move(f"{name} / {factor:g}", times={name: 1 / factor}, **also),
        Move(f"{name} x {factor:g}", times={name: factor}, **also),
    )


UNMOVED = Move("as it is")
CHOICES = (
    Choice(
        "learning rate",
        "3e-3, 50 steps up, the last fifth down to 0",
        "by hand on seeds that no table uses; 1e-4 is a usual rate for dictionaries",
        (Move("lr / 30", times=dict(lr=1 / 30)), *_both("lr")),
    ),
    Choice(
        "optimizer",
        "Adam, betas .9 and .999",
        "what dictionaries are usually trained with; Config has no other, so SGD is not tried",
        (
            Move("beta_1 = 0", to=dict(betas=(0.0, 0.999))),
            Move("beta_2 = .99", to=dict(betas=(0.9, 0.99))),
        ),
    ),
    Choice(
        "batch",
        "256",
        "small enough for a laptop; moved with as many samples seen in all",
        (
            Move("batch / 3", times=dict(batch=1 / 3, steps=3.0)),
            Move("batch x 3", times=dict(batch=3.0, steps=1 / 3)),
        ),
    ),
    Choice(
        "samples seen", "307,200: 1200 steps", "until TopK has found nearly all", _both("steps")
    ),
    Choice(
        "fresh samples or epochs",
        "100,000 samples in three epochs; N is that of Table 3",
        "as in Table 3; the theory's expectation is over endless ones",
        (Move("endless samples", to=dict(samples=None)),),
    ),
    Choice(
        "L1, L0 coefficient",
        "ReLU .3; JumpReLU .02, steered to one active latent a sample",
        "by hand; the bench has one active feature a sample on average",
        (
            *_both("sparsity"),
            *_both("target_l0"),
            Move("not steered", to=dict(target_l0=None)),
        ),
    ),
    Choice(
        "k of Table 1",
        "3 a sample; BatchTopK and Matryoshka 1 on average",
        "Table 7's k = 32 beside ten active features, carried over; the 1 by hand",
        _both("k"),
    ),
    Choice(
        "AuxK",
        "none",
        "Eq. 8 has one; its weight we did not find",
        (Move("AuxK / 32", to=dict(aux_coef=1 / 32)),),
    ),
    Choice(
        "biases",
        "none",
        "section 2.3 omits them from the theory",
        (Move("biases", to=dict(biases=True)),),
    ),
    Choice(
        "c_min", "0", "the plainest shifted exponential", (Move("c_min = 1", to=dict(c_min=1.0)),)
    ),
    Choice(
        "beta",
        "1",
        "a unit; a ReLU is indifferent to it, thresholds, L1 and clipping are not",
        (Move("beta = 1/3", to=dict(beta=1 / 3)), Move("beta = 3", to=dict(beta=3.0))),
    ),
    Choice(
        "lambda of Table 1",
        ".1, that of Table 4",
        "what Table 4 states for the same bench",
        (
            Move("lambda = .01", to=dict(lam_anchor=0.01), anchored_only=True),
            Move("lambda = 1", to=dict(lam_anchor=1.0), anchored_only=True),
        ),
    ),
    Choice(
        "anchors of Table 1",
        "10 of 100 features",
        "Table 4 has 100 of 1000",
        (Move("anchors x 3", times=dict(anchors=3.0)),),
    ),
    Choice(
        "row norms",
        "W_D's columns held at norm 1; W_E's rows begin at 1 and are free",
        "usual; rows of W_E cannot be held, their cosines say what that would show",
        (Move("columns free", to=dict(unit_norm=False)),),
    ),
    Choice(
        "clipping", "gradients at norm 1", "usual", (Move("no clipping", to=dict(clip=NO_CLIP)),)
    ),
    Choice(
        "start",
        "W_E the transpose of W_D, unit rows",
        "usual",
        (
            Move("rows / 3", start=dict(W_E=1 / 3)),
            Move("rows x 3", start=dict(W_E=3.0)),
            Move("not tied", start=dict(untied=1)),
        ),
    ),
    Choice(
        "JumpReLU's threshold and window",
        "theta begins at .1, window .5",
        "by hand; .001 is Rajamanoharan et al. (2024)'s for both",
        (
            Move("theta = .001", start=dict(theta=0.001)),
            Move("theta = .5", start=dict(theta=0.5)),
            Move("window .05", to=dict(bandwidth=0.05)),
            Move("window .001", to=dict(bandwidth=0.001)),
            Move("both .001", to=dict(bandwidth=0.001), start=dict(theta=0.001)),
        ),
    ),
)
MOVES = {move.name: move for choice in CHOICES for move in choice.moves}


def moves(method: str, preset: str = "demo") -> list[Move]:
    """The moves that a row of Table 1 has.

    >>> from sdl_theory.experiments.paper.choices import moves
    >>> [len(moves(method)) for method in ("relu", "jumprelu", "topk")]
    [24, 32, 25]
    """
    return [move for move in MOVES.values() if move.applies(method, preset)]
