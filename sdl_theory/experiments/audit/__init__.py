"""The audit, run by `python -m sdl_theory verify`: claims and findings, checked anew.

The paper's claims are in `paper_losses` to `paper_anchoring`, our findings in `found_solutions` to
`found_imagenet`; `claims` holds the rule by which a verdict is computed. Numbering: the authors'
walkthrough, then v6 of the paper.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from . import (
    found_imagenet,
    found_minima,
    found_solutions,
    found_sparsity,
    found_ways_out,
    paper_absorption,
    paper_anchoring,
    paper_losses,
    paper_minima,
    paper_solutions,
)
from .claims import FAILS, HOLDS, HYPOTHESIS, OPEN, Claim, Row, Seen

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

CLAIMS: list[Claim] = [  # in the order in which they are printed
    *paper_losses.LOSSES,
    *paper_solutions.SOLUTIONS,
    *paper_minima.MINIMA,
    *paper_absorption.ABSORPTION,
    *paper_anchoring.ANCHORING,
    *found_solutions.SOLUTIONS,
    *found_minima.MINIMA,
    *found_sparsity.SPARSITY,
    *found_ways_out.WAYS,
    *found_imagenet.IMAGENET,
]


def run(real: bool = False) -> Iterator[Row]:
    """Every claim, then every finding, checked: a row each.

    real : those on the ImageNet directions, in place of those on constructed problems.
    """
    for c in CLAIMS:
        if c.real == real:
            seen = c.check()
            yield Row(
                theorem=c.where,
                claim=c.claim,
                problem=c.problem,
                figure=seen.figure,
                verdict=seen.verdict,
                call=c.call,
                ok=seen.verdict == c.expected,
                ours=c.ours,
            )


def as_markdown(rows: Iterable[Row], *, ours: bool) -> str:
    """One of the page of results' two tables: the paper's claims, or (`ours`) our findings."""
    first = "| about | our finding |" if ours else "| theorem, or where | the paper's claim |"
    lines = [
        first + " checked on | figure | verdict | the call that shows it |",
        "|---|---|---|---|---|---|",
    ]
    for r in rows:
        if r.ours == ours:
            cells = (r.theorem, r.claim, r.problem, r.figure, f"**{r.verdict}**", f"`{r.call}`")
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)
