"""`pair_law` letter by letter, with sympy: the penalised true loss of two features on one neuron.

Ours. Nothing is asserted: the objective is written down, its gradient and Hessian are sympy's, and
the law is read off a determinant.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp


@dataclass(frozen=True)
class PairInLetters:
    """The symmetric point of two unit targets with equal moments, in units of E[x_d^2] = 1.

    kappa, shrink, rho : as in `pair_law`; rho = 2 t^2 - 1, t = sqrt((1 + rho) / 2).
    objective : of w_D = (along, across) and z = (z_1, z_2), free for independent w_p; the targets
        are (t, +- sqrt(1 - t^2)).
    activation : z_1 = z_2 at the point, where w_D = (1, 0): it fires iff this is positive.
    gradient : there, (4, 1).
    alike : Hessian on (along, z_1 + z_2), which treat both features alike: of determinant 0, for
        w_D may be scaled against z, and positive trace.
    parting : Hessian on (across, z_1 - z_2), which part them; both its diagonal entries are
        positive where it fires, so that its determinant decides.
    margin : rho + kappa - shrink t, a factor of that determinant, whose other ones are positive.
    """

    rho: sp.Expr
    t: sp.Symbol
    kappa: sp.Symbol
    shrink: sp.Symbol
    objective: sp.Expr
    activation: sp.Expr
    gradient: sp.Matrix
    alike: sp.Matrix
    parting: sp.Matrix
    margin: sp.Expr


def pair_in_letters() -> PairInLetters:
    r"""The pair law, derived: the sign of a 2x2 determinant of the Hessian.

    .. math:: \det = 8 (1 - \kappa) (\rho + \kappa - \mathrm{shrink} \sqrt{(1 + \rho) / 2})

    >>> from sdl_theory.theory.symbolic_pair import pair_in_letters
    >>> pair = pair_in_letters()
    >>> pair.gradient.T
    Matrix([[0, 0, 0, 0]])
    >>> pair.parting.det().equals(8 * (1 - pair.kappa) * pair.margin)
    True
    """
    t, kappa, shrink = sp.symbols("t kappa shrink", positive=True)
    along, across, z_1, z_2 = sp.symbols("along across z_1 z_2", real=True)
    height = sp.sqrt(1 - t**2)
    W, C = sp.Matrix([[t, t], [height, -height]]), sp.Matrix([[1, kappa], [kappa, 1]])
    w_D, z = sp.Matrix([along, across]), sp.Matrix([z_1, z_2])
    R = W - w_D * z.T
    # lam m = 2 shrink, in units of a
    objective = (R * C * R.T).trace() + 2 * shrink * sp.sqrt(along**2 + across**2) * (z_1 + z_2)
    variables, activation = [along, across, z_1, z_2], t - shrink / (1 + kappa)
    here = {along: 1, across: 0, z_1: activation, z_2: activation}
    gradient = sp.Matrix([objective.diff(v) for v in variables]).subs(here)
    half = 1 / sp.sqrt(2)
    turn = sp.Matrix([[1, 0, 0, 0], [0, 0, half, half], [0, 1, 0, 0], [0, 0, half, -half]])
    H = sp.simplify(turn * sp.hessian(objective, variables).subs(here) * turn.T)
    assert H[:2, 2:] == sp.zeros(2, 2), "what parts two equal features does not mix with the rest"
    return PairInLetters(
        rho=2 * t**2 - 1,
        t=t,
        kappa=kappa,
        shrink=shrink,
        objective=objective,
        activation=activation,
        gradient=sp.simplify(gradient),
        alike=H[:2, :2],
        parting=H[2:, 2:],
        margin=2 * t**2 - 1 + kappa - shrink * t,
    )
