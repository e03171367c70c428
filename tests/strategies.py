"""Problems drawn by hypothesis, degenerate ones included."""

from __future__ import annotations

import torch
from hypothesis import strategies as st

from sdl_theory import JumpReLU, Problem, ReLU, Weights

KINDS = (
    "sae",
    "transcoder",
    "crosscoder",
    "equal directions",
    "zero weights",
    "orthonormal",
    "superposed",
    "one feature",
)


def randn(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def unit(W: torch.Tensor) -> torch.Tensor:
    return W / W.norm(dim=0)


def make_problem(kind: str, seed: int, n: int, n_p: int) -> Problem:
    """A small problem of one kind; the degenerate kinds are those on which naive code breaks."""
    M_d = randn(seed + 1, n).abs() + 0.1
    W = unit(randn(seed, n_p, n))
    if kind == "transcoder":
        return Problem(W, randn(seed + 2, n_p + 1, n), M_d)
    if kind == "crosscoder":
        return Problem(
            torch.cat([W, unit(randn(seed + 3, 2, n))]),
            randn(seed + 2, n_p, n),
            M_d,
            blocks=[n_p, 2],
        )
    if kind == "equal directions":
        return Problem(W[:, [0, 0, *range(2, n)][:n]], None, M_d)
    if kind == "zero weights":
        return Problem(W, None, M_d * (torch.arange(n) != 1))
    if kind == "orthonormal":
        return Problem(torch.linalg.qr(randn(seed, n, n)).Q)
    if kind == "superposed":
        return Problem(unit(randn(seed, 2, n)), randn(seed + 2, 3, n), M_d)
    if kind == "one feature":
        return Problem(W[:, :1], None, M_d[:1])
    return Problem(W, None, M_d)


@st.composite
def problems(draw, kinds=KINDS, most: int = 5):
    return make_problem(
        draw(st.sampled_from(kinds)),
        draw(st.integers(0, 10**6)),
        draw(st.integers(2, most)),
        draw(st.integers(2, most)),
    )


@st.composite
def points(draw, kinds=KINDS):
    """A problem and arbitrary weights for it."""
    problem, seed, n_q = draw(problems(kinds)), draw(st.integers(0, 10**6)), draw(st.integers(1, 4))
    return problem, Weights(randn(seed, n_q, problem.n_p), randn(seed + 1, problem.n_r, n_q))


thresholds = st.sampled_from([ReLU(), JumpReLU(0.3)])


@st.composite
def groupings(draw, n: int):
    """A random set partition of range(n)."""
    labels = draw(st.lists(st.integers(0, n - 1), min_size=n, max_size=n))
    return [[d for d in range(n) if labels[d] == label] for label in sorted(set(labels))]
