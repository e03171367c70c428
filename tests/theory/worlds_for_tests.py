"""Small worlds of features, atom by atom: the oracle of moments and penalties.

A world is a list of samples x with their probabilities. Its loss is a sum over them, its gradients
and Hessians are autograd's: nothing here is from the library but `Problem` and `Moments`.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
from hypothesis import strategies as st
from strategies import randn, unit

from sdl_theory import Moments, Problem

LAWS = ("independent", "correlated", "hierarchical", "exclusive", "equal", "few")
SHAPES = (
    "sae",
    "transcoder",
    "dependent",
    "dependent transcoder",
    "positive",
    "scalar",
    "parallel",
)


@dataclass(frozen=True)
class World:
    problem: Problem
    x: torch.Tensor  # (atoms, n) >= 0
    p: torch.Tensor  # (atoms,)

    @property
    def moments(self) -> Moments:
        return Moments((self.x * self.p[:, None]).mT @ self.x, self.p @ self.x)

    def objective(self, w_E, w_D, l1=0.0):
        """E||W_r x - w_D relu(w_E.W_p x)||^2 + l1 E[relu] ||w_D||, one neuron."""
        z = torch.relu(self.x @ self.problem.W_p.mT @ w_E)
        left = self.x @ self.problem.W_r.mT - z[:, None] * w_D
        return self.p @ left.square().sum(1) + l1 * (self.p @ z) * w_D.norm()

    @property
    def scale(self) -> float:
        return float(self.p @ (self.x @ self.problem.W_r.mT).square().sum(1))

    def at(self, minimum):
        """(w_E, w_D) of a GroupMinimum, of the group of all features."""
        F = minimum.features
        w_E = torch.linalg.lstsq(self.problem.W_p[:, F].mT, minimum.z, driver="gelsd").solution
        return w_E, minimum.w_D

    def rows(self) -> torch.Tensor:
        """Orthonormal basis of the rows w_E that some sample sees."""
        U, sizes, _ = torch.linalg.svd(self.problem.W_p @ (self.x * self.p.sqrt()[:, None]).mT)
        return U[:, : int((sizes > 1e-7 * sizes[0]).sum())]

    def slope(self, w_E, w_D, l1=0.0) -> float:
        """Length of the gradient, relative to the loss of no neuron."""
        w_E, w_D = (w.clone().requires_grad_() for w in (w_E, w_D))
        parts = torch.autograd.grad(self.objective(w_E, w_D, l1), (w_E, w_D))
        return float(torch.cat(parts).norm()) / self.scale

    def least_curvature(self, w_E, w_D, l1=0.0) -> float:
        """Least eigenvalue of the Hessian off the scaling (t w_E, w_D / t), relative."""
        E = self.rows()
        c = E.mT @ w_E
        # equal lengths, so that the scales of the two do not decide the number
        t = (w_D.norm() / c.norm()).sqrt() if w_D.any() else torch.ones(())
        here = torch.cat([c * t, w_D / t])

        def loss(v):
            return self.objective(E @ v[: len(c)], v[len(c) :], l1)

        H = torch.autograd.functional.hessian(loss, here)
        scaling = torch.cat([c * t, -w_D / t])
        Q = torch.linalg.qr(torch.cat([scaling[:, None], torch.eye(len(here)).double()], 1)).Q[
            :, 1:
        ]
        return float(torch.linalg.eigvalsh(Q.mT @ H @ Q)[0]) / self.scale


def supports(n: int) -> torch.Tensor:
    return torch.tensor(list(itertools.product([0.0, 1.0], repeat=n)), dtype=torch.float64)


def law(kind: str, seed: int, n: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Samples and their probabilities; every feature is alive, magnitudes differ."""
    uniform = torch.rand(
        2 * n + 2**n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )
    size, p, w = 0.3 + 2 * uniform[:n], 0.02 + 0.6 * uniform[n : 2 * n], uniform[2 * n :]
    x = supports(n)
    if kind == "equal":
        size, p = torch.ones(n).double(), p[:1].expand(n)
    if kind in ("independent", "equal"):
        P = torch.where(x > 0, p, 1 - p).prod(1)
    elif kind == "hierarchical":  # a child implies feature 0
        P = torch.where(x > 0, p, 1 - p).prod(1) * ((x[:, 0] > 0) | (x.sum(1) == 0))
    elif kind == "exclusive":
        P = w * (x.sum(1) == 1)
    elif kind == "few":  # few kinds of samples: C may be singular
        kept = torch.cat(
            [
                torch.ones(1, n).double(),
                x[
                    1
                    + torch.randperm(2**n - 1, generator=torch.Generator().manual_seed(seed + 1))[
                        : max(1, n // 2)
                    ]
                ],
            ]
        )
        return kept * size, torch.full((len(kept),), 0.9 / len(kept)).double()
    else:
        P = w**3
    return x * size, P / P.sum()


def shape(kind: str, seed: int, n: int) -> Problem:
    W = unit(randn(seed, n + 1, n) + 0.7 * randn(seed + 5, n + 1, 1))
    if kind == "transcoder":
        return Problem(unit(randn(seed + 1, n, n)), randn(seed + 2, n, n))
    if kind == "dependent":
        return Problem(unit(W[: max(2, n - 1)]))
    if kind == "dependent transcoder":
        return Problem(unit(W[: max(2, n - 1)]), randn(seed + 2, n + 2, n))
    if kind == "positive":
        return Problem(unit(randn(seed, n + 1, n).abs()))
    if kind == "positive dependent":
        return Problem(unit(randn(seed, max(2, n - 1), n).abs()))
    if kind == "scalar":
        return Problem(W, randn(seed + 2, 1, n))
    if kind == "parallel":
        return Problem(W, W[:, :1] * (0.5 + randn(seed + 3, n).abs()))
    return Problem(W)


def make(law_kind: str, shape_kind: str, seed: int, n: int) -> World:
    return World(shape(shape_kind, seed, n), *law(law_kind, seed, n))


@st.composite
def worlds(draw, laws=LAWS, shapes=SHAPES, most: int = 5):
    return make(
        draw(st.sampled_from(laws)),
        draw(st.sampled_from(shapes)),
        draw(st.integers(0, 10**6)),
        draw(st.integers(2, most)),
    )
