"""A line of the audit: a claim, where it stands, its check, and how a verdict follows.

The verdict follows from what the check saw, by one rule.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

HOLDS, HYPOTHESIS, FAILS = "holds", "holds under a hypothesis the paper omits", "fails"
OPEN = "not decided by this check"
# a figure below this is rounding and prints as 0; the checks run in float64 on numbers of order 1
ZERO = 1e-10


@dataclass(frozen=True)
class Seen:
    """What a check saw. `verdict` follows from it, by the rule below and nothing else.

    figure : words and rounded numbers, the same on every processor.
    holds : the conclusion was seen in every case tried; with `refuted`, in every case that also
        meets the hypothesis the figure names.
    refuted : a case was seen that meets the hypotheses as stated and misses the conclusion by more
        than rounding.
    """

    figure: str
    holds: bool
    refuted: bool = False

    @property
    def verdict(self) -> str:
        """What follows from what was seen.

        HOLDS : seen, never refuted.
        HYPOTHESIS : refuted as stated, seen with one more hypothesis.
        FAILS : refuted.
        OPEN : neither.
        """
        if self.refuted:
            return HYPOTHESIS if self.holds else FAILS
        return HOLDS if self.holds else OPEN


@dataclass(frozen=True)
class Claim:
    """A claim, where it stands, the verdict we expect, and the check that computes one.

    theorem : number in the authors' walkthrough, or another place of the paper ("abstract",
        "Example 3.5").
    v6 : number in version 6, where it differs.
    ours : a finding of this project about that place; False: the paper says it, or its walkthrough
        where `theorem` says so.
    """

    theorem: str
    v6: str
    claim: str
    problem: str
    expected: str
    call: str
    check: Callable[[], Seen]
    ours: bool = False
    real: bool = False

    @property
    def where(self) -> str:
        return self.theorem if self.v6 in ("", self.theorem) else f"{self.theorem} (v6: {self.v6})"


@dataclass(frozen=True)
class Row:
    """One line of the audit, with what its check saw.

    verdict : computed from what was seen.
    ok : it is the one we expect.
    """

    theorem: str
    claim: str
    problem: str
    figure: str
    verdict: str
    call: str
    ok: bool
    ours: bool = False


def register(claims: list[Claim], *, ours: bool):
    """A decorator maker that files checks under `claims`.

    Its decorator is @claim(theorem, v6, text, problem=..., expected=..., call=...). What we find
    ourselves, we expect to hold.
    """

    def claim(theorem: str, v6: str, text: str, expected: str = HOLDS, **fields):
        def keep(check):
            claims.append(
                Claim(theorem, v6, text, expected=expected, check=check, ours=ours, **fields)
            )
            return check

        return keep

    return claim


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def show(value, digits: int = 4) -> str:
    """A number for a figure: `digits` significant ones, and 0 for what is rounding."""
    value = float(value)
    return "0" if abs(value) < ZERO else f"{value:.{digits}g}"
