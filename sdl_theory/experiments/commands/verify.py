"""`python -m sdl_theory verify`: the audit, row by row as it comes, or as tables for the page.

The page is that of the results.
"""

from __future__ import annotations

import sys
import textwrap
from argparse import Namespace

from ..audit import Row, as_markdown, run

WIDTH = 130


def verify(arguments: Namespace) -> int:
    """The return code: 0 if every verdict is the expected one, else 1."""
    rows: list[Row] = []
    for row in run(arguments.real):
        if not arguments.markdown:
            if not rows or rows[-1].ours != row.ours:
                print("OUR FINDINGS\n" if row.ours else "THE PAPER'S CLAIMS\n")
            print(_printed(row), flush=True)
        rows.append(row)
    if arguments.markdown:
        print(as_markdown(rows, ours=False), as_markdown(rows, ours=True), sep="\n\n")
    ours = sum(row.ours for row in rows)
    wrong = sum(not row.ok for row in rows)
    print(
        f"{len(rows) - ours} claims of the paper and {ours} findings checked, "
        f"{wrong} with an unexpected verdict",
        file=sys.stderr,
    )
    return 1 if wrong else 0


def _printed(row: Row) -> str:
    """Four lines and an empty one: the claim, on what, what was seen, the verdict."""
    margin = " " * 15
    seen = textwrap.fill(
        f"saw: {row.figure}", WIDTH, initial_indent=margin, subsequent_indent=margin + " " * 5
    )
    return (
        f"{row.theorem:<14} {row.claim}\n{margin}on: {row.problem}\n{seen}\n"
        f"{margin}verdict: {'' if row.ok else 'UNEXPECTED: '}{row.verdict}   [{row.call}]\n"
    )
