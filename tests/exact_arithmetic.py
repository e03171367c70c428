"""Linear algebra and feasibility in exact rational arithmetic: no rounding, no tolerance."""

from __future__ import annotations

from fractions import Fraction as Q


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
    """Is there a w with <w, strict> > 0 and <w, weak> >= 0?

    By Motzkin: not iff strict^T a + weak^T b = 0, sum a = 1 has a solution a, b >= 0. Phase one of
    the simplex method with Bland's rule.
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
    """Whether <w, on> > theta, <w, strictly_off> < theta, <w, off> <= theta for some w.

    span : a basis of the space in which w must lie, if there is one.
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
