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

    rho, kappa, shrink : as in `pair_law`; t = sqrt((1 + rho) / 2), of which rho = 2 t^2 - 1.
    objective : in w_D = (along, across) and activities z = (z_1, z_2) of unit x_d; along and
        across are coordinates of the plane of the targets (t, +- sqrt(1 - t^2)).
    activation : z_1 = z_2 at the point, where w_D = (1, 0): it fires iff this is positive.
    gradient : there, (4, 1): zero.
    kept : Hessian on what treats both features alike, (along, z_1 + z_2): its determinant is 0, by
        the scaling of w_D against z, its trace positive.
    parting : Hessian on what parts them, (across, z_1 - z_2).
    determinant : of `parting`, whose trace is positive: 8 (1 - kappa)(1 + kappa) ... is not it; see
        `margin`.
    margin : rho + kappa - shrink t. determinant = 8 (1 - kappa) margin: its sign is the law.
    """

    rho: sp.Expr
    t: sp.Symbol
    kappa: sp.Symbol
    shrink: sp.Symbol
    objective: sp.Expr
    activation: sp.Expr
    gradient: sp.Matrix
    kept: sp.Matrix
    parting: sp.Matrix
    determinant: sp.Expr
    margin: sp.Expr
