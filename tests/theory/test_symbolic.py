"""Letter by letter: the symbols agree with the numbers."""

import math
from fractions import Fraction

import numpy as np
import pytest
import sympy as sp
import torch

from sdl_theory import Problem, certify, gradients, group_minimum, pattern, printed_recipe
from sdl_theory.theory.counterexamples import from_gram
from sdl_theory.theory.symbolic import example_3_5, two_features


def test_example_3_5():
    e = example_3_5()
    assert e.grad_D == sp.zeros(2, 1) and e.equal_weights == sp.zeros(2, 1)
    # <w_E, grad_E> = 0 is all the printed proof shows
    assert sp.simplify(e.grad_E[0] * e.a + e.grad_E[1] * e.b) == 0
    assert (
        sp.simplify(e.grad_E.subs({e.a: 1, e.b: 1, e.m_1: 1, e.m_2: 2}).norm() - 4 * sp.sqrt(2) / 9)
        == 0
    )
    numbers = {e.a: 2, e.b: 3, e.m_1: sp.Rational(1, 2), e.m_2: 5}
    problem = Problem(
        torch.eye(2, dtype=torch.float64), M_d=torch.tensor([0.5, 5.0], dtype=torch.float64)
    )
    weights = printed_recipe(
        problem, pattern([[0, 1]], 2, 1), torch.tensor([[2.0, 3.0]], dtype=torch.float64)
    )
    assert [float(v) for v in e.grad_E.subs(numbers)] == pytest.approx(
        gradients(problem, weights).W_E[0].tolist()
    )
    assert float(e.loss.subs(numbers)) == pytest.approx(certify(problem, weights).loss)


def test_two_features_in_letters():
    t = two_features()
    for point in t.points:
        assert sp.simplify(t.K * point.y - point.eigenvalue * point.y) == sp.zeros(2, 1)
        assert sp.simplify(point.loss - t.K.trace() + point.eigenvalue) == 0
    top, bottom = t.points
    assert top.curvature.is_positive and bottom.curvature.is_negative


@pytest.mark.parametrize(
    "rho, m_1, m_2, inertia",
    [
        (sp.Rational(3, 5), 1, 1, (0, 1, 3)),
        (sp.Rational(-1, 3), 1, 2, (1, 1, 2)),
        (0, 1, 1, (0, 2, 2)),
        (0, 1, 2, None),
    ],
)
def test_exact_verdicts_are_the_numerical_ones(rho, m_1, m_2, inertia):
    exact = two_features().at(rho, m_1, m_2)
    number = group_minimum(
        Problem(
            from_gram([[1, float(rho)], [float(rho), 1]]),
            M_d=torch.tensor([m_1, m_2], dtype=torch.float64),
        ),
        [0, 1],
    )
    assert exact.verdict == number.verdict
    assert exact.loss is None or float(exact.loss) == pytest.approx(number.loss)
    if inertia is None:
        with pytest.raises(ValueError, match="no partial minimum"):
            exact.hessian_inertia()
    else:
        y = torch.tensor([float(v) for v in exact.y], dtype=torch.float64)
        assert torch.allclose(y / y.norm(), number.y) and exact.hessian_inertia() == inertia


def test_bad_input_is_named():
    for bad in ((1, 1, 1), (0.5, 0, 1), (0.5, 1, -1)):
        with pytest.raises(ValueError, match="needs -1 < rho < 1"):
            two_features().at(*bad)


def test_numbers_of_any_kind_are_exact_and_what_is_none_is_named():
    here = two_features().at(sp.Rational(3, 5), 1, 2)
    for rho in (
        "3/5",
        0.6,
        "0.6",
        Fraction(3, 5),
        np.float64(0.6),
        torch.tensor(0.6, dtype=torch.float64),
    ):
        assert two_features().at(rho, "1", np.int64(2)) == here
    for bad in (
        None,
        math.nan,
        math.inf,
        "x",
        "1/0",
        True,
        [],
        1j,
        sp.Symbol("x"),
        sp.I,
        sp.oo,
        torch.ones(2),
        torch.empty((), device="meta"),
        object(),
        "nan",
    ):
        for place, name in enumerate(("rho", "m_1", "m_2")):
            with pytest.raises(ValueError, match=f"{name} must be a finite number"):
                two_features().at(
                    *[bad if i == place else good for i, good in enumerate((0.5, 1, 2))]
                )
