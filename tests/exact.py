"""Integer problems and their answers in exact rational arithmetic: the oracle for `realize`,
`partial_minimum` and `survey_partitions`.

`python -m tests.exact 50000` runs so many and counts disagreements (about ten minutes); the tests
run a few hundred. Nothing here is from the library.

Directions are rational unit vectors, many of them opposite, equal or dependent. Each group's K =
sum_j lambda_j q_j q_j^T / |q_j|^2 is made from rational orthogonal vectors q_j and rational
lambda_j, repeated and zero ones among them, so its eigenvectors are known and not computed.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction as Q

import torch

UNIT = {
    1: [(1,)],
    2: [(1, 0), (0, 1), (3, 4), (4, 3), (5, 12), (12, 5)],
    3: [
        (1, 0, 0),
        (0, 1, 0),
        (0, 0, 1),
        (1, 2, 2),
        (2, 1, 2),
        (2, 2, 1),
        (2, 3, 6),
        (3, 4, 0),
        (0, 3, 4),
    ],
    4: [
        (1, 0, 0, 0),
        (0, 1, 0, 0),
        (0, 0, 1, 0),
        (0, 0, 0, 1),
        (1, 1, 1, 1),
        (1, 2, 2, 0),
        (0, 1, 2, 2),
        (1, 1, 3, 5),
        (2, 4, 5, 6),
        (1, 3, 1, 5),
    ],
}


def dot(a, b) -> Q:
    return sum((x * y for x, y in zip(a, b)), Q(0))


def null_space(rows: list, width: int) -> list:
    """A basis of {x : <row, x> = 0 for all rows}, by elimination."""
    rows, pivots = [list(row) for row in rows], []
    for column in range(width):
        done = len(pivots)
        best = next((i for i in range(done, len(rows)) if rows[i][column]), None)
        if best is None:
            continue
        rows[done], rows[best] = rows[best], rows[done]
        rows[done] = [x / rows[done][column] for x in rows[done]]
        for i in range(len(rows)):
            if i != done and rows[i][column]:
                rows[i] = [x - rows[i][column] * y for x, y in zip(rows[i], rows[done])]
        pivots.append(column)
    basis = []
    for free in set(range(width)) - set(pivots):
        x = [Q(0)] * width
        x[free] = Q(1)
        for row, column in zip(rows, pivots):
            x[column] = -row[free]
        basis.append(x)
    return basis


def orthogonalized(vectors: list) -> list:
    """Gram-Schmidt without square roots; dependent ones are dropped."""
    kept = []
    for v in vectors:
        for q in kept:
            share = dot(v, q) / dot(q, q)
            v = [x - share * y for x, y in zip(v, q)]
        if any(v):
            kept.append(v)
    return kept


def feasible(strict: list, weak: list) -> bool:
    """Is there a w with <w, strict> > 0 and <w, weak> >= 0? By Motzkin: not iff strict^T a + weak^T
    b = 0, sum a = 1 has a solution a, b >= 0.

    Phase one of the simplex method with Bland's rule.
    """
    if not strict:
        return True
    columns = [[*row, Q(1)] for row in strict] + [[*row, Q(0)] for row in weak]
    m = len(columns[0])
    # right-hand side (0, ..., 0, 1)
    table = [[column[i] for column in columns] + [Q(i == m - 1)] for i in range(m)]
    base = [len(columns) + i for i in range(m)]  # artificial
    cost = [sum(row[j] for row in table) for j in range(len(columns) + 1)]
    while True:
        enter = next((j for j in range(len(columns)) if cost[j] > 0), None)
        if enter is None:
            return cost[-1] > 0
        ratios = [
            (table[i][-1] / table[i][enter], base[i], i) for i in range(m) if table[i][enter] > 0
        ]
        leave = min(ratios)[2]
        pivot = table[leave][enter]
        table[leave] = [x / pivot for x in table[leave]]
        for i in range(m):
            if i != leave and table[i][enter]:
                factor = table[i][enter]
                table[i] = [x - factor * y for x, y in zip(table[i], table[leave])]
        factor = cost[enter]
        cost = [x - factor * y for x, y in zip(cost, table[leave])]
        base[leave] = enter


def row_exists(
    on: list, strictly_off: list, off: list, positive_theta: bool, span: list | None = None
) -> bool:
    """<w, on> > theta, <w, strictly_off> < theta, <w, off> <= theta for some w, in the span of the
    given basis if there is one.
    """
    if span is not None:
        project = lambda vs: [[dot(v, basis) for basis in span] for v in vs]
        on, strictly_off, off = project(on), project(strictly_off), project(off)
        if not span:
            return False
    weak = [[-x for x in v] for v in off]
    if positive_theta:
        on, strictly_off, weak = (
            [[*v, Q(1)] for v in on],
            [[*v, Q(1)] for v in strictly_off],
            [[*v, Q(-1)] for v in weak],
        )
        weak.append([*[Q(0)] * (len(on[0]) - 1), Q(-1)])
    return feasible(on + [[-x for x in v] for v in strictly_off], weak)


@dataclass
class Exact:
    """A problem in rationals: unit directions w (one a feature), s_d = sqrt(M_d), a partition, and
    each group's eigenvectors with their lambdas.
    """

    w: list
    s: list
    groups: list
    spare: int
    theta: Q
    spectra: list  # per group: (q over the features with s > 0, lambda, in the row space?)

    @classmethod
    def draw(cls, rng: random.Random, most: int = 6) -> Exact:
        n_p, n = rng.randint(1, 4), rng.randint(2, most)
        w = []
        while len(w) < n:
            if w and rng.random() < 0.35:
                v, sign = rng.choice(w), rng.choice((1, -1, -1))
                w.append([sign * x for x in v])
            else:
                v = list(rng.choice(UNIT[n_p]))
                rng.shuffle(v)
                length = round(sum(x * x for x in v) ** 0.5)
                w.append([Q(x * rng.choice((1, -1)), length) for x in v])
        s = [
            Q(rng.choice((1, 1, 1, 2, 3)), rng.choice((1, 1, 2))) if rng.random() < 0.93 else Q(0)
            for _ in range(n)
        ]
        labels = [rng.randrange(rng.randint(1, n)) for _ in range(n)]
        groups = [[d for d in range(n) if labels[d] == label] for label in sorted(set(labels))]
        theta = rng.choice((Q(0), Q(0), Q(1, 4)))
        return cls(
            w,
            s,
            groups,
            rng.choice((0, 1)),
            theta,
            [cls._spectrum(rng, w, s, group) for group in groups],
        )

    @staticmethod
    def _spectrum(rng, w, s, group) -> list:
        live = [d for d in group if s[d]]
        if not live:
            return []
        rows = [[s[d] * w[d][p] for d in live] for p in range(len(w[0]))]
        combine = lambda shares: [
            sum((c * row[j] for c, row in zip(shares, rows)), Q(0)) for j in range(len(live))
        ]
        mixed = [combine([rng.randint(-2, 2) for _ in rows]) for _ in range(2)]
        friendly = [combine([sum((w[d][p] for d in live), Q(0)) for p in range(len(rows))])]
        # a first vector that is often positive
        inside = orthogonalized((friendly if rng.random() < 0.7 else []) + mixed + rows)
        outside = orthogonalized(null_space(inside, len(live)))
        lambdas = [Q(rng.choice((0, 1, 1, 2, 3, 5))) for _ in inside]
        if rng.random() < 0.5:
            lambdas[0] = max(lambdas)
        return [(q, lam, True) for q, lam in zip(inside, lambdas)] + [
            (q, Q(rng.choice((0, 0, 1, 4))), False) for q in outside
        ]

    def problem(self):
        """The same in floats, for the library."""
        from sdl_theory import JumpReLU, Problem, ReLU, pattern

        n = len(self.w)
        as_float = lambda rows: torch.tensor(
            [[float(x) for x in row] for row in rows], dtype=torch.float64
        )
        W_r = torch.zeros(n, n, dtype=torch.float64)
        for group, spectrum in zip(self.groups, self.spectra):
            live = [d for d in group if self.s[d]]
            for j, (q, lam, _) in enumerate(spectrum):
                W_r[j, live] = torch.tensor(
                    [float(lam / dot(q, q)) ** 0.5 * float(x / self.s[d]) for x, d in zip(q, live)],
                    dtype=torch.float64,
                )
        M_d = torch.tensor([float(s * s) for s in self.s], dtype=torch.float64)
        sigma = JumpReLU(float(self.theta)) if self.theta else ReLU()
        return (
            Problem(as_float(self.w).mT, W_r, M_d),
            pattern(self.groups, n, len(self.groups) + self.spare),
            sigma,
        )

    def realizable(self, group: list) -> bool:
        off = [v for d, v in enumerate(self.w) if d not in group]
        return row_exists([self.w[d] for d in group], [], off, self.theta > 0)

    def _space(self, group: list, spectrum: list, lam: Q) -> list:
        """Basis of the rows w whose y lies in the eigenspace of lam."""
        live = [d for d in group if self.s[d]]
        leave = [
            [
                sum((q[j] * self.s[d] * self.w[d][p] for j, d in enumerate(live)), Q(0))
                for p in range(len(self.w[0]))
            ]
            for q, other, inside in spectrum
            if inside and other != lam
        ]
        return null_space(leave, len(self.w[0]))

    def verdict(self) -> set[str]:
        """What `partial_minimum` may say: one word, or two where a saddle lies on walls, which may
        block its way down.
        """
        chosen, lossy = [], set()
        for group, spectrum in zip(self.groups, self.spectra):
            live, on = [d for d in group if self.s[d]], [self.w[d] for d in group]
            off = [v for d, v in enumerate(self.w) if d not in group]
            inside = sorted({lam for _, lam, within in spectrum if within}, reverse=True)
            spaces = (
                [(lam, self._space(group, spectrum, lam)) for lam in inside]
                if live
                else [(Q(0), null_space([], len(self.w[0])))]
            )
            found = next(
                (
                    (lam, span)
                    for lam, span in spaces
                    if row_exists(on, [], off, self.theta > 0, span)
                ),
                None,
            )
            if found is None:
                return {"none"}
            lam, span = found
            loss = sum((one[1] for one in spectrum), Q(0)) - lam
            top, several = (
                not inside or lam == inside[0],
                sum(1 for _, one, within in spectrum if within and one == lam) > 1,
            )
            chosen.append((group, span, loss > 0, top, several))
            lossy |= set(live) if loss > 0 else set()
        if not lossy:
            return {"global"}
        clear = True
        for group, span, _, _, _ in chosen:
            on = [self.w[d] for d in group]
            held, free = (
                [v for d, v in enumerate(self.w) if d not in group and d in lossy],
                [v for d, v in enumerate(self.w) if d not in group and d not in lossy],
            )
            clear &= row_exists(on, held, free, self.theta > 0, span)
        below = [one for one in chosen if one[2] and not one[3]]
        if below:
            strict = all(
                row_exists(
                    [self.w[d] for d in g],
                    [v for d, v in enumerate(self.w) if d not in g],
                    [],
                    self.theta > 0,
                    span,
                )
                for g, span, *_ in below
            )
            return {"saddle"} if strict else {"saddle", "undecided"}
        if self.spare and not self.theta:
            clear &= feasible(
                [[-x for x in self.w[d]] for d in lossy],
                [[-x for x in v] for d, v in enumerate(self.w) if d not in lossy],
            )
        if not clear:
            return {"escapable"}
        return (
            {"degenerate"}
            if any(loss and several for _, _, loss, _, several in chosen)
            else {"trap"}
        )


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
                f"survey says {row.verdict}, {row.realizable}; partial_minimum {said.verdict}; "
                f"exactly {possible}"
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
