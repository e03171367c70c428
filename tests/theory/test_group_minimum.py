"""One neuron on one group: its eigen-problem, and how often random groups have a positive y."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import problems, randn, unit

from sdl_theory import Problem, Verdict, group_minimum


@given(problems(kinds=("sae", "transcoder", "orthonormal", "zero weights")))
def test_group_minimum_is_its_eigenproblem(problem):
    group = list(range(problem.n))
    m = group_minimum(problem, group)
    F = m.features
    s = problem.M_d[F].sqrt()
    K = s[:, None] * (problem.W_r[:, F].mT @ problem.W_r[:, F]) * s
    V = torch.linalg.svd(problem.W_p[:, F] * s, full_matrices=False).Vh
    V = V[torch.linalg.svdvals(problem.W_p[:, F] * s) > 1e-9].mT
    values = torch.linalg.eigvalsh(V.mT @ K @ V)
    if m.exists and F:
        y = m.y
        assert y.min() > 0 and abs(y.norm() - 1) < 1e-12
        assert (V @ (V.mT @ K @ y) - m.eigenvalue * y).norm() < 1e-9 * (1 + values.max())
        assert (y - V @ (V.mT @ y)).norm() < 1e-9
        assert m.is_top == (values.max() - m.eigenvalue < 1e-8 * (1 + values.max()))
        assert m.loss == pytest.approx(
            K.trace().item() - m.eigenvalue, abs=1e-9 * (1 + values.max().item())
        )


@given(st.integers(0, 10**6), st.integers(2, 7))
def test_perron_frobenius(seed, size):
    """All cosines of w_r positive: exactly one positive y, and it is the top one: a trap."""
    W_r = randn(seed, size + 2, size).abs()
    m = group_minimum(
        Problem(unit(randn(seed + 1, size, size)), W_r, randn(seed + 2, size).abs() + 0.1),
        range(size),
    )
    assert m.exists and m.is_top and m.verdict is Verdict.TRAP


def test_repeated_eigenvalues_are_searched_whole():
    for n in (2, 3, 5):
        m = group_minimum(Problem(torch.linalg.qr(randn(n, n, n)).Q), range(n))
        assert m.exists
        assert m.multiplicity == n
        assert m.verdict is Verdict.DEGENERATE
        assert m.loss == pytest.approx(n - 1)


@pytest.mark.parametrize("size, share", [(2, 1.0), (3, 0.75), (5, 0.3125)])
def test_share_of_random_groups(size, share):
    """Sign-symmetric random directions: how often a positive eigenvector, how often a top one.

    With probability size * 2^(1 - size), and 2^(1 - size).
    """
    draws, exists, top = 1500, 0, 0
    for seed in range(draws):
        m = group_minimum(
            Problem(unit(randn(seed, 30, size)), M_d=randn(seed + draws, size).abs() + 0.2),
            range(size),
        )
        exists, top = exists + m.exists, top + (m.exists and m.is_top)
    spread = 3.5 * math.sqrt(draws)
    assert abs(exists - draws * share) <= spread * math.sqrt(share * (1 - share)) + 1e-9
    assert abs(top - draws * 2.0 ** (1 - size)) <= spread * 0.5
