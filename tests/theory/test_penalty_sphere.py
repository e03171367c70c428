"""Stationary points of a quadratic on the sphere: all of them, by an eigenproblem and by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdl_theory.theory.sphere import stationary_on_sphere, tangent_curvature


def eigenvalue_roots(alpha, b):
    """Every real nu with (A - nu I)^2 y = b b^T y: Gander, Golub and von Matt 1989, in order."""
    A, one = np.diag(alpha), np.eye(len(alpha))
    nu = np.linalg.eigvals(np.block([[A, -np.outer(b, b)], [-one, A]]))
    return np.sort(nu.real[np.abs(nu.imag) < 1e-7])


def residual(alpha, b, solution):
    return np.abs((alpha - solution.nu) * solution.u - b).max()


@given(st.integers(0, 10**6), st.integers(1, 5), st.sampled_from([0.03, 0.3, 1.0, 5.0]))
def test_all_roots_are_found(seed, r, size):
    rng = np.random.default_rng(seed)
    alpha = np.sort(rng.uniform(0.1, 3, r) + np.arange(r))[::-1]
    b = size * rng.standard_normal(r)
    found = stationary_on_sphere(alpha, b)
    nu = np.sort([solution.nu for solution in found])
    expected = eigenvalue_roots(alpha, b)
    # where two roots meet the oracle may call them complex
    if len(nu) == len(expected):
        assert np.allclose(nu, expected, atol=1e-6)
    else:
        gaps = np.diff(nu) if len(nu) > len(expected) else np.diff(expected)
        assert gaps.min() < 1e-3
    for solution in found:
        assert residual(alpha, b, solution) < 1e-12 * (1 + size) * (1 + alpha[0])
        assert abs(np.linalg.norm(solution.u) - 1) < 1e-14


@given(st.integers(0, 10**6), st.integers(2, 40))
def test_there_are_two_ends_and_pairs_between(seed, r):
    """Above all poles and below all one root each; between neighbours none or two."""
    rng = np.random.default_rng(seed)
    alpha = np.sort(rng.uniform(0, 4, r))[::-1]
    b = rng.standard_normal(r) * 10.0 ** rng.uniform(-6, 0, r)
    nu = np.array([solution.nu for solution in stationary_on_sphere(alpha, b)])
    counts = np.histogram(nu, np.concatenate([[-np.inf], alpha[::-1], [np.inf]]))[0]
    assert counts[0] == counts[-1] == 1 and set(counts[1:-1]) <= {0, 2}


@given(st.integers(0, 10**6), st.floats(-12, -2))
def test_near_the_hard_case_roots_hug_their_pole(seed, exponent):
    """b_2 tiny: nu = alpha_2 -+ b_2 / u_2, and u_2 is right all the same."""
    rng = np.random.default_rng(seed)
    alpha = np.array([3.0, 2.0, 1.0])
    b = np.array([0.4, 10.0**exponent, 0.2]) * rng.choice([-1, 1], 3)
    close = [s for s in stationary_on_sphere(alpha, b) if abs(s.nu - 2) < 1.01 * abs(b[1]) / 0.5]
    assert len(close) == 2
    for solution in close:
        others = solution.u[[0, 2]]
        assert np.allclose(others, b[[0, 2]] / (alpha[[0, 2]] - 2), atol=2 * abs(b[1]))
        # b_2 = (alpha_2 - nu) u_2, where alpha_2 - nu has lost its digits
        assert abs(solution.u[1]) == pytest.approx(np.sqrt(1 - others @ others), rel=1e-12)


@given(st.integers(0, 10**6), st.lists(st.integers(1, 3), min_size=1, max_size=3))
def test_repeated_eigenvalues_are_one_pole(seed, copies):
    """Within an eigenspace u has the direction of b; as many roots as if it were one dimension."""
    rng = np.random.default_rng(seed)
    alpha = np.repeat(np.arange(len(copies), 0, -1.0), copies)
    b = 0.3 * rng.standard_normal(len(alpha))
    found = stationary_on_sphere(alpha, b)
    one = [np.linalg.norm(b[alpha == value]) for value in np.unique(alpha)[::-1]]
    assert np.allclose(
        np.sort([solution.nu for solution in found]),
        np.sort([s.nu for s in stationary_on_sphere(np.unique(alpha)[::-1], np.array(one))]),
    )
    for solution in found:
        assert residual(alpha, b, solution) < 1e-12


def test_the_hard_case_by_hand():
    """A = diag(3, 2, 2), b = (.6, 0, 0): nu = 2, u_1 = .6, and .8 in any direction of the plane."""
    alpha, b = np.array([3.0, 2.0, 2.0]), np.array([0.6, 0.0, 0.0])
    found = stationary_on_sphere(alpha, b)
    hard = [s for s in found if s.free is not None]
    assert len(hard) == 1 and hard[0].nu == 2 and hard[0].length == pytest.approx(0.8)
    assert np.allclose(hard[0].u, [0.6, 0, 0]) and np.allclose(hard[0].free[0], 0)
    assert sorted(s.nu for s in found if s.free is None) == pytest.approx([2.4, 3.6])
    # and where the others are too long already, none
    long = stationary_on_sphere(alpha, 2 * b)
    assert all(s.free is None for s in long) and len(long) == 2


@given(st.integers(0, 10**6), st.integers(2, 6), st.sampled_from([0.05, 0.5]))
def test_the_sign_on_the_tangent_space_is_the_slope_of_the_secular_function(seed, r, size):
    """A local maximizer that is not global: alpha_2 < nu < alpha_1, phi' > 0; one at most."""
    rng = np.random.default_rng(seed)
    alpha = np.sort(rng.uniform(0.1, 3, r) + np.arange(r))[::-1]
    b = size * rng.standard_normal(r)
    maxima = 0
    for s in stationary_on_sphere(alpha, b):
        if s.nu > alpha[0]:
            continue
        slope = np.sum(b**2 / (alpha - s.nu) ** 3)
        if abs(slope) > 1e-6 and s.nu > 0:
            is_maximum = tangent_curvature(alpha, s.nu, s.u) < 0
            assert is_maximum == (s.nu > alpha[1] and slope > 0)
            maxima += is_maximum
    assert maxima <= 1
