"""`python -m sdl_theory verify [--real] [--markdown]`: the audit. Exits 1 if any verdict is not the expected one."""

from __future__ import annotations

import argparse
import sys
import textwrap


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m sdl_theory", description="The theory of sparse dictionary learning, certified.")
    commands = parser.add_subparsers(dest="command", required=True)
    verify = commands.add_parser("verify", help="audit every claim of the paper: one row a claim, its figure and its verdict")
    verify.add_argument("--real", action="store_true", help="on the 1000 real ImageNet directions (about a minute)")
    verify.add_argument("--markdown", action="store_true", help="as the table that README carries")
    arguments = parser.parse_args(argv)
    return _verify(arguments.real, arguments.markdown)


def _verify(real: bool, markdown: bool) -> int:
    from .audit import as_markdown, run

    rows = []
    for row in run(real):
        rows.append(row)
        if not markdown:
            print(f"{row.theorem:<14} {row.claim}\n{'':<14} on: {row.problem}")
            print(textwrap.fill(f"saw: {row.figure}", 130, initial_indent=" " * 15, subsequent_indent=" " * 20))
            print(f"{'':<14} verdict: {row.verdict.upper() if not row.ok else row.verdict}   [{row.call}]\n", flush=True)
    if markdown:
        print(as_markdown(rows))
    wrong = [row for row in rows if not row.ok]
    print(f"{len(rows)} claims checked, {len(wrong)} with an unexpected verdict", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
