"""Integer problems whose answers are known exactly, without the library's own code.

Directions are rational unit vectors, many of them opposite, equal or dependent. Each group's

    K = sum_j lambda_j q_j q_j^T / |q_j|^2

is made from rational orthogonal vectors q_j and rational lambda_j, repeated and zero ones among
them, so its eigenvectors are known and not computed.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from fractions import Fraction as Q

import torch

from tests.exact_arithmetic import dot, feasible, null_space, orthogonalized, row_exists

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


@dataclass(frozen=True)
class Settled:
    """One group at its stationary point.

    span : basis of its rows.
    live : its features of nonzero weight.
    lossy, top, several : whether it leaves a loss, lies at its top eigenvalue, and whether that is
        repeated.
    """

    group: list
    span: list
    live: list
    lossy: bool
    top: bool
    several: bool


@dataclass
class Exact:
    """A problem in rationals, with eigenvectors that are known.

    w, s : unit directions, one a feature, and s_d = sqrt(M_d).
    groups, spectra : a partition, and each group's eigenvectors with their lambdas.
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

    def _settled(self, group: list, spectrum: list) -> Settled | None:
        """Where the group's neuron may sit still; None if nowhere.

        At the largest eigenvalue that an encoder row allows.
        """
        live, on = [d for d in group if self.s[d]], [self.w[d] for d in group]
        off = [v for d, v in enumerate(self.w) if d not in group]
        inside = sorted({lam for _, lam, within in spectrum if within}, reverse=True)
        spaces = [(lam, self._space(group, spectrum, lam)) for lam in inside]
        if not live:
            spaces = [(Q(0), null_space([], len(self.w[0])))]
        for lam, span in spaces:
            if row_exists(on, [], off, self.theta > 0, span):
                alike = sum(1 for _, one, within in spectrum if within and one == lam)
                return Settled(
                    group=group,
                    span=span,
                    live=live,
                    lossy=sum((one[1] for one in spectrum), Q(0)) > lam,
                    top=not inside or lam == inside[0],
                    several=alike > 1,
                )
        return None

    def _clear_of(self, one: Settled, strictly: set) -> bool:
        """Can the group's row sit where it is with z < theta on `strictly` outside it?

        And with z <= theta on the rest.
        """
        outside = [d for d in range(len(self.w)) if d not in one.group]
        on = [self.w[d] for d in one.group]
        held = [self.w[d] for d in outside if d in strictly]
        free = [self.w[d] for d in outside if d not in strictly]
        return row_exists(on, held, free, self.theta > 0, one.span)

    def verdict(self) -> set[str]:
        """What `partial_minimum` may say: one word, or two.

        Two where a saddle lies on walls, which may block its way down.
        """
        chosen = []
        for group, spectrum in zip(self.groups, self.spectra):
            one = self._settled(group, spectrum)
            if one is None:
                return {"none"}
            chosen.append(one)
        lossy = {d for one in chosen if one.lossy for d in one.live}
        if not lossy:
            return {"global"}
        everything = set(range(len(self.w)))
        below = [one for one in chosen if one.lossy and not one.top]
        if below:
            strict = all(self._clear_of(one, everything) for one in below)
            return {"saddle"} if strict else {"saddle", "undecided"}
        clear = all(self._clear_of(one, lossy) for one in chosen)
        if clear and self.spare and not self.theta:  # the unused row must be dead, strictly
            minus = [[-x for x in v] for v in self.w]
            others = [minus[d] for d in everything - lossy]
            clear = feasible([minus[d] for d in lossy], others)
        if not clear:
            return {"escapable"}
        several = any(one.lossy and one.several for one in chosen)
        return {"degenerate"} if several else {"trap"}
