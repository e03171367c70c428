"""The audit, run by `python -m sdl_theory verify`: the paper's claims (`paper_claims`) and our
findings (`findings`), checked anew.

Numbering: the authors' walkthrough, then v6 of the paper. `claims` holds the rule by which a
verdict is computed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .claims import FAILS, HOLDS, HYPOTHESIS, OPEN, Claim, Row, Seen
from .findings import FINDINGS
from .paper_claims import PAPER

__all__ = [
    "CLAIMS",
    "FAILS",
    "HOLDS",
    "HYPOTHESIS",
    "OPEN",
    "Claim",
    "Row",
    "Seen",
    "as_markdown",
    "run",
]

CLAIMS: list[Claim] = [*PAPER, *FINDINGS]


def run(real: bool = False) -> Iterator[Row]:
    """Every claim, then every finding, on constructed problems; with `real`, those on the ImageNet
    directions instead.
    """
    for c in CLAIMS:
        if c.real == real:
            seen = c.check()
            yield Row(
                c.where,
                c.claim,
                c.problem,
                seen.figure,
                seen.verdict,
                c.call,
                seen.verdict == c.expected,
                c.ours,
            )


def as_markdown(rows: Iterable[Row], *, ours: bool) -> str:
    """One of README's two tables: the paper's claims, or (`ours`) our findings."""
    first = "| about | our finding |" if ours else "| theorem, or where | the paper's claim |"
    lines = [
        first + " checked on | figure | verdict | the call that shows it |",
        "|---|---|---|---|---|---|",
    ]
    cell = lambda text: text.replace("|", "\\|")
    return "\n".join(
        lines
        + [
            "| "
            + " | ".join(
                map(
                    cell,
                    (r.theorem, r.claim, r.problem, r.figure, f"**{r.verdict}**", f"`{r.call}`"),
                )
            )
            + " |"
            for r in rows
            if r.ours == ours
        ]
    )
