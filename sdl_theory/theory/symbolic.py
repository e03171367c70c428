"""Theorem 3.7 letter by letter, with sympy: Example 3.5's setting, and two features on one neuron.

Everything here is exact: results are sympy expressions, and a claim is `sympy.simplify(...) == 0`,
not a small float.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from numbers import Real

import sympy as sp

from ..checks import refuse
from .symbolic_pair import PairInLetters as PairInLetters
from .symbolic_pair import pair_in_letters as pair_in_letters


@dataclass(frozen=True)
class PrintedRecipe:
    """The printed recipe in letters: two orthonormal features on one neuron w_E = (a, b), a, b > 0.

    m_1, m_2 : their weights M_d.
    w_D, grad_D, grad_E : column vectors (2, 1), in a, b, m_1, m_2.
    loss : scalar, in the same.
    """

    a: sp.Symbol
    b: sp.Symbol
    m_1: sp.Symbol
    m_2: sp.Symbol
    w_D: sp.Matrix
    loss: sp.Expr
    grad_D: sp.Matrix
    grad_E: sp.Matrix

    @property
    def equal_weights(self) -> sp.Matrix:
        """grad_E at m_1 = m_2: identically zero, which is why Example 3.5 passes."""
        return sp.simplify(self.grad_E.subs(self.m_2, self.m_1))


def example_3_5() -> PrintedRecipe:
    """Example 3.5's setting, arXiv:2512.05534, in letters: W_p = W_r = I_2, group {1, 2}.

    Any realizing encoder, least-squares decoder. grad_D = 0 always. grad_E is a multiple of
    (m_1 - m_2): the recipe passes there because the directions are orthonormal *and* the M_d are
    equal. At m = (1, 2), a = b = 1: ||grad_E|| = 4 sqrt(2) / 9.
    """
    a, b, m_1, m_2 = sp.symbols("a b m_1 m_2", positive=True)
    W, M = sp.eye(2), sp.diag(m_1, m_2)
    loss, d, e = _pair_loss(W, M)
    here = {e[0]: a, e[1]: b}
    z = sp.Matrix([[a, b]])  # preactivations, both on
    w_D = sp.simplify(W * M * z.T / (z * M * z.T)[0])
    here |= {d[0]: w_D[0], d[1]: w_D[1]}
    at = lambda expressions: sp.simplify(
        sp.Matrix([sp.diff(loss, v) for v in expressions]).subs(here)
    )
    return PrintedRecipe(
        a=a,
        b=b,
        m_1=m_1,
        m_2=m_2,
        w_D=w_D,
        loss=sp.factor(sp.simplify(loss.subs(here))),
        grad_D=at(d),
        grad_E=sp.factor(at(e)),
    )


def _pair_loss(W: sp.Matrix, M: sp.Matrix) -> tuple[sp.Expr, list[sp.Symbol], list[sp.Symbol]]:
    """Lt of one neuron that fires for both columns of W = W_p = W_r, in letters d and e."""
    d, e = list(sp.symbols("d_1 d_2", real=True)), list(sp.symbols("e_1 e_2", real=True))
    R = W - sp.Matrix(d) * (sp.Matrix([e]) * W)
    return (R * M * R.T).trace(), d, e


@dataclass(frozen=True)
class StationaryPoint:
    """One eigenvector of K.

    y : up to scale.
    loss : tr K - eigenvalue.
    curvature : along the way out: second derivative of the loss, with w_D refitted, as y of unit
        norm turns towards the other eigenvector: 2 (eigenvalue - the other).
    """

    y: sp.Matrix
    eigenvalue: sp.Expr
    loss: sp.Expr
    curvature: sp.Expr


@dataclass(frozen=True)
class TwoFeatures:
    """Two unit features at cosine rho, weights m_1, m_2, one neuron.

    points : K's two stationary points, top first.
    """

    rho: sp.Symbol
    m_1: sp.Symbol
    m_2: sp.Symbol
    K: sp.Matrix
    points: tuple[StationaryPoint, StationaryPoint]

    def at(self, rho, m_1, m_2) -> TwoFeaturesAt:
        """The exact verdict at numbers (rationals stay exact).

        rho in (-1, 1), m_1, m_2 > 0; ValueError otherwise.
        """
        rho, m_1, m_2 = (
            _rational(name, value) for name, value in (("rho", rho), ("m_1", m_1), ("m_2", m_2))
        )
        if not (-1 < rho < 1 and m_1 > 0 and m_2 > 0):
            raise ValueError(
                f"two_features().at needs -1 < rho < 1 and m_1, m_2 > 0; "
                f"got rho={rho}, m_1={m_1}, m_2={m_2}"
            )
        numbers = dict(rho=rho, m_1=m_1, m_2=m_2)
        # K is diagonal: a positive eigenvector only when the whole plane is one eigenspace
        if rho == 0 and m_1 == m_2:
            return TwoFeaturesAt("degenerate", loss=m_1, y=sp.Matrix([1, 1]), **numbers)
        if rho == 0:
            return TwoFeaturesAt("none", loss=None, y=None, **numbers)
        K = self.K.subs({self.rho: rho, self.m_1: m_1, self.m_2: m_2})
        root = sp.sqrt((m_1 - m_2) ** 2 + 4 * rho**2 * m_1 * m_2)
        eigenvalue = sp.simplify((m_1 + m_2 + (root if rho > 0 else -root)) / 2)
        y = sp.simplify(sp.Matrix([abs(K[0, 1]), abs(eigenvalue - K[0, 0])]))
        verdict = "trap" if rho > 0 else "saddle"
        loss = sp.simplify(K.trace() - eigenvalue)
        return TwoFeaturesAt(verdict, loss=loss, y=y, **numbers)


def _rational(name: str, value) -> sp.Rational:
    """A finite number, or its text ("3/5"), as an exact rational; or a ValueError.

    Floats as the decimals they print.
    """
    given = value
    try:
        if hasattr(value, "item") and not value.ndim:  # NumPy's scalars, 0-D tensors
            value = value.item()
        if isinstance(value, str):
            value = Fraction(value)
        number = isinstance(value, (Real, sp.Expr)) and not isinstance(value, bool)
        if number and math.isfinite(value):
            if isinstance(value, Fraction):
                value = sp.Rational(value.numerator, value.denominator)
            return sp.nsimplify(value, rational=True)
    except (ValueError, TypeError, OverflowError, ZeroDivisionError, RuntimeError, AttributeError):
        pass
    refuse(name, "a finite number, such as sympy.Rational(3, 5) or '3/5'", given)


@dataclass(frozen=True)
class TwoFeaturesAt:
    """The exact verdict, loss and y (both None: there is no partial minimum) at given numbers."""

    verdict: str
    loss: sp.Expr | None
    y: sp.Matrix | None
    rho: sp.Expr
    m_1: sp.Expr
    m_2: sp.Expr

    def hessian_inertia(self) -> tuple[int, int, int]:
        """Exact signs (negative, zero, positive) of the joint 4x4 Hessian of Lt at this point.

        w_E of the scale that y has. None-points: ValueError.
        """
        if self.y is None:
            raise ValueError(
                f"no partial minimum at rho={self.rho}, m_1={self.m_1}, m_2={self.m_2}: "
                f"y would need a zero entry"
            )
        W = sp.Matrix([[1, self.rho], [0, sp.sqrt(1 - self.rho**2)]])
        M = sp.diag(self.m_1, self.m_2)
        loss, d, e = _pair_loss(W, M)
        z = sp.Matrix([self.y[0] / sp.sqrt(self.m_1), self.y[1] / sp.sqrt(self.m_2)])
        w_E = W.T.inv() * z
        w_D = W * M * z / (z.T * M * z)[0]
        here = dict(zip([*d, *e], [*w_D, *w_E]))
        gradient = [sp.diff(loss, v).subs(here) for v in here]
        assert all(sp.simplify(g) == 0 for g in gradient), "the point is not stationary"
        H = sp.hessian(loss, list(here)).subs(here)
        lam = sp.Symbol("lambda")
        characteristic = (H - lam * sp.eye(4)).det(method="berkowitz").expand().as_poly(lam)
        coefficients = [sp.simplify(c) for c in characteristic.all_coeffs()]
        signs = [int(sp.sign(sp.N(c, 50))) if c != 0 else 0 for c in coefficients]
        zeros = len(signs) - 1 - max(i for i, s in enumerate(signs) if s)
        changes = lambda seq: sum(x * y < 0 for x, y in zip(seq, seq[1:]))
        nonzero = [s for s in signs if s]
        # Descartes: exact for a symmetric matrix, whose eigenvalues are all real
        positive = changes(nonzero)
        return 4 - zeros - positive, zeros, positive


def two_features() -> TwoFeatures:
    r"""Theorem 3.7 (corrected) for two features in letters: cosine rho, weights m_1, m_2.

    .. math:: \lambda_\pm = \tfrac12 \big( m_1 + m_2
                  \pm \sqrt{(m_1 - m_2)^2 + 4 \rho^2 m_1 m_2} \big), \quad
              \text{loss} = \lambda_\mp

    rho > 0: the positive eigenvector is the top one, a trap. rho < 0: it is the bottom one, a
    saddle. rho = 0: none unless m_1 = m_2, and then the minimum is degenerate.
    """
    rho = sp.Symbol("rho", real=True, nonzero=True)
    m_1, m_2 = sp.symbols("m_1 m_2", positive=True)
    off = rho * sp.sqrt(m_1 * m_2)
    K = sp.Matrix([[m_1, off], [off, m_2]])
    root = sp.sqrt((m_1 - m_2) ** 2 + 4 * rho**2 * m_1 * m_2)
    above, below = (m_1 + m_2 + root) / 2, (m_1 + m_2 - root) / 2
    top, bottom = (
        StationaryPoint(
            y=sp.Matrix([off, value - m_1]),
            eigenvalue=value,
            loss=other,
            curvature=sp.simplify(2 * (value - other)),
        )
        for value, other in ((above, below), (below, above))
    )
    return TwoFeatures(rho=rho, m_1=m_1, m_2=m_2, K=K, points=(top, bottom))
