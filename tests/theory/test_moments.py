"""First and second moments: closed forms against enumeration and samples, and what they refuse."""

import math

import pytest
import torch
from strategies import randn
from worlds_for_tests import supports

from sdl_theory import Constant, Moments, ShiftedExponential, SparseFeatures, Uniform

LAWS = [Constant(1.5), Uniform(0.5, 2.0), ShiftedExponential(0.3, 0.7)]


def float64(values):
    return torch.tensor(values, dtype=torch.float64)


def same(moments, C, m, within=1e-14):
    assert torch.allclose(moments.C, C, rtol=within, atol=within)
    assert torch.allclose(moments.m, m, rtol=within, atol=within)


@pytest.mark.parametrize("S", [0.0, 0.7, 0.99])
def test_independent_features_by_enumeration(S):
    n, v = 4, 1.5
    x = supports(n) * v
    p = torch.where(x > 0, float64(1 - S), float64(S)).prod(1)
    features = SparseFeatures(n, S, Constant(v))
    same(features.moments(), (x * p[:, None]).mT @ x, p @ x)
    p = p * ((x > 0).sum(1) == 1)
    alone = features.moments(one_at_a_time=True)
    same(alone, (x * p[:, None]).mT @ x, p @ x)
    assert torch.equal(alone.C.diagonal(), features.M_d)


@pytest.mark.parametrize("law", LAWS)
def test_independent_features_by_sampling(law):
    features, count = SparseFeatures(3, 0.6, law), 200_000
    x = features.sample(count, torch.Generator().manual_seed(0))
    for now, then in (
        (features.moments(), Moments.of_samples(x)),
        (
            features.moments(one_at_a_time=True),
            Moments.of_samples(x * ((x > 0).sum(1) == 1)[:, None]),
        ),
    ):
        spread = 5 * math.sqrt(law.second_moment * 8 / count) * max(1.0, law.second_moment)
        same(now, then.C, then.m, within=spread)


def test_a_stream_is_added_up():
    x = randn(0, 90, 4).relu()
    whole = Moments.of_samples(x)
    same(whole, x.mT @ x / 90, x.mean(0))
    same(Moments.of_samples(part for part in x.split(17)), whole.C, whole.m)
    same(Moments.of_samples([x.float().numpy()]), whole.C, whole.m, within=1e-6)


@pytest.mark.parametrize("law", LAWS)
def test_families_by_enumeration(law):
    """Supports are enumerated; magnitudes are independent of them, with the law's moments."""

    def of(x, p):
        both = (x * p[:, None]).mT @ x * law.mean**2
        return both.diagonal_scatter(p @ x * law.second_moment), p @ x * law.mean

    x = supports(3)
    children = float64([0.3, 0.6])
    p = torch.where(x[:, 1:] > 0, children, 1 - children).prod(1) * 0.4 * x[:, 0]
    same(Moments.hierarchical(0.4, [0.3, 0.6], law), *of(x, p))

    each = float64([0.2, 0.5, 0.1])
    same(Moments.exclusive(each, law), *of(torch.eye(3).double(), each))

    S, r = 0.7, 0.45
    copies = supports(3)  # which features copy the common coin
    P = torch.zeros(len(x)).double()
    for coin, weight in ((1.0, 1 - S), (0.0, S)):
        for copy in copies:
            share = torch.where(copy > 0, float64(math.sqrt(r)), float64(1 - math.sqrt(r))).prod()
            own = torch.where(x > 0, float64(1 - S), float64(S))
            P += weight * share * torch.where(copy > 0, (x == coin).double(), own).prod(1)
    same(Moments.correlated(3, S, r, law), *of(x, P))
    activity = P @ x
    joint = (x * P[:, None]).mT @ x
    correlation = (joint[0, 1] - activity[0] ** 2) / (activity[0] * (1 - activity[0]))
    assert correlation.item() == pytest.approx(r)


def test_the_ends_of_correlation():
    for S in (0.3, 0.5, 0.8):
        p = 1 - S
        least = -min(p / S, S / p)
        both = Moments.correlated(2, S, least).C[0, 1].item()
        assert both == pytest.approx(max(0.0, 2 * p - 1), abs=1e-15)
        assert Moments.correlated(2, S, 1.0).kappa.item() == pytest.approx(1.0)
        with pytest.raises(ValueError, match="r .n = 2, S"):
            Moments.correlated(2, S, least - 0.01)
    with pytest.raises(ValueError, match="r .n = 3, S"):
        Moments.correlated(3, 0.5, -0.1)


def test_a_view_is_not_kept():
    C = torch.eye(2).double()
    moments = Moments(C)
    C[0, 0] = 5
    assert moments.C[0, 0] == 1 and moments.m is None


@pytest.mark.parametrize(
    "C, m, words",
    [
        ([[1, 0.2], [0.1, 1]], None, r"symmetric; C\[0, 1\] = 0.2 and C\[1, 0\] = 0.1.*C \+ C.T"),
        ([[1, 1.1], [1.1, 1]], None, "positive semidefinite.*Cauchy-Schwarz"),
        ([[1e-6, 1.1e-3], [1.1e-3, 1]], None, "positive semidefinite.*Cauchy-Schwarz"),
        ([[1, 0.9, 0], [0.9, 1, 0.9], [0, 0.9, 1]], None, "least eigenvalue is -0.27"),
        ([[1, -0.1], [-0.1, 1]], None, r"not be negative.*C\[0, 1\] = -0.1.*means"),
        ([[-1.0]], None, r"C\[0, 0\] = -1"),
        ([[1, 0.5]], None, r"square, \(n, n\); got shape \(1, 2\)"),
        ([1.0, 2.0], None, r"matrix of shape \(n, n\)"),
        ([[math.nan]], None, "C must be finite"),
        ([[1.0]], [0.5, 0.5], r"m = E\[x\] must have shape \(n,\) = \(1,\).*\(2,\)"),
        ([[1.0]], [-0.5], r"m\[0\] = -0.5"),
        ([[1.0]], [math.inf], r"m\[0\] = inf"),
        ([[1.0, 0], [0, 0.2]], [0.5, 0.5], r"m_d\^2 <= C_dd.*m\[1\]\^2 = 0.25, C\[1, 1\] = 0.2"),
        ([[1.0, 1], [1, 1]], [0.5, 0.4], "always in proportion"),
    ],
)
def test_what_no_features_have_is_refused(C, m, words):
    with pytest.raises(ValueError, match=words):
        Moments(C, m)


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: Moments.of_samples(-torch.ones(2, 2)), r"x\[0, 0\] = -1.*relu"),
        (lambda: Moments.of_samples(torch.ones(3)), r"x must be a non-empty matrix"),
        (lambda: Moments.of_samples([]), "x must be .*at least one sample"),
        (lambda: Moments.of_samples([torch.ones(1, 2), torch.ones(1, 3)]), "n = 2 columns"),
        (lambda: Moments.of_samples(None), "x must be"),
        (lambda: Moments.of_samples(torch.zeros(1, 10**6)), "x: C, .n, n.*GiB"),
        (lambda: Moments.correlated(10**6, 0.5, 0.5), "n: C, .n, n.*GiB.*one group"),
        (lambda: SparseFeatures(10**6, 0.5).moments(), "n = 1000000 features"),
        (lambda: Moments.hierarchical(0.0, [0.5]), "p = P.parent active"),
        (lambda: Moments.hierarchical(0.5, [0.5, 1.5]), r"children\[1\]"),
        (lambda: Moments.hierarchical(0.5, []), "children must be"),
        (lambda: Moments.exclusive([0.7, 0.7]), "p must sum to 1 at most.*1.4"),
        (lambda: Moments.correlated(2, 1.0, 0.0), "S = P"),
    ],
)
def test_bad_input_of_the_families_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()
