"""The library against exact rational arithmetic: `realize` and partial minima have an oracle.

It is the oracle for `realize`, `partial_minimum` and `survey_partitions`. The tests run a few
hundred problems; `python -m tests.exact 50000` runs so many and counts disagreements (about ten
minutes). Problems and answers are in `exact_problem`, and nothing there is from the library.
"""

from __future__ import annotations

import random
import sys
from collections import Counter

import torch

from tests.exact_problem import Exact


def disagreements(seed: int) -> tuple[list[str], str]:
    """Draw problem `seed` and compare; what differs, in words, and the exact verdict."""
    from sdl_theory import partial_minimum, realize, survey_partitions

    exact = Exact.draw(random.Random(seed))
    problem, P, sigma = exact.problem()
    wrong, wanted = [], exact.verdict()
    possible = all(map(exact.realizable, exact.groups))
    answer = realize(problem, P, sigma).check()
    if answer.feasible != possible:
        wrong.append(f"realize says {answer.feasible}, exactly it is {possible}")
    if not answer.feasible and answer.certificate is None:
        wrong.append("no Farkas weights")
    said = partial_minimum(problem, P, sigma)
    if str(said.verdict) not in wanted:
        wrong.append(f"partial_minimum says {said.verdict} ({said.reason}), exactly it is {wanted}")
    if problem.n <= 4:
        row = next(
            row
            for row in survey_partitions(problem, sigma, len(P))
            if sorted(row.groups) == sorted(exact.groups)
        )
        if (row.verdict, row.realizable) != (said.verdict, possible):
            wrong.append(
                f"survey says {row.verdict}, {row.realizable}; "
                f"partial_minimum {said.verdict}; exactly {possible}"
            )
    return wrong, "/".join(sorted(wanted))


def main() -> None:
    first, count = int(sys.argv[2]) if len(sys.argv) > 2 else 0, int(sys.argv[1])
    torch.set_num_threads(1)
    seen, bad = Counter(), 0
    for seed in range(first, first + count):
        try:
            wrong, verdict = disagreements(seed)
        except Exception as error:  # counted, not hidden
            wrong, verdict = [f"{type(error).__name__}: {error}"], "crash"
        seen[verdict] += 1
        bad += bool(wrong)
        for line in wrong:
            print(seed, line, flush=True)
    print(f"{count} problems, {bad} disagree; exact verdicts {dict(seen)}")


if __name__ == "__main__":
    main()
