"""Two features on one neuron, one law: interference, sparsity and penalty in one inequality.

Ours. The same letter by letter is `symbolic_pair.pair_in_letters`, in numbers `group_minimum`.
"""

from __future__ import annotations

import math

from ..checks import check_number
from ..signature import checked
from ..tolerances import EIGEN_TOLERANCE
from .verdict import Verdict


@checked
def pair_law(rho: float, kappa: float, shrink: float = 0.0) -> Verdict:
    r"""Is one neuron on two features a trap of the true loss, with an L1 penalty? Closed form.

    Unit targets, independent w_p, equal moments E[x_1^2] = E[x_2^2] = a, E[x_1] = E[x_2] = m:

    .. math:: \text{it fires iff } \mathrm{shrink} < (1 + \kappa) \sqrt{(1 + \rho) / 2}, \quad
              \text{a trap iff } \mathrm{shrink} \sqrt{(1 + \rho) / 2} < \rho + \kappa

    rho : cosine of w_r^1 and w_r^2, in [-1, 1].
    kappa : E[x_1 x_2] / a in [0, 1], the cosine of their activations; (1-S) m_1^2 / v for
        independent features with E[x | active] = m_1, E[x^2 | active] = v; 0 for Lt.
    shrink : (lam / 2) m / a >= 0, lam the penalty's weight.

    `verdict`: none (it does not fire, or at rho = -1 has w_D = 0), trap, saddle; degenerate at
    shrink = 0, rho = -kappa (within 1e-13): a flat family; global at rho = 1 or kappa = 1 where no
    dictionary does better: without a penalty, or with one at kappa = 1, or at rho = 1, kappa = 0.

    Without a penalty, a trap iff rho + kappa > 0. For siblings of cosine .6, and for features of
    cosine -.05 at two sparsities (magnitude 1: kappa = 1 - S):

    >>> from sdl_theory import pair_law
    >>> [pair_law(0.6, 0.0, shrink).value for shrink in (0.0, 0.6, 0.8, 1.0)]
    ['trap', 'trap', 'saddle', 'none']
    >>> [pair_law(-0.05, 1 - S).value for S in (0.99, 0.9)]
    ['saddle', 'trap']
    """
    rho = check_number("rho", rho, at_least=-1, at_most=1)
    kappa = check_number("kappa", kappa, at_least=0, at_most=1)
    shrink = check_number("shrink = (lam / 2) m / a", shrink, at_least=0)
    shared = math.sqrt((1 + rho) / 2)  # cosine of either target with w_D
    if not shrink < (1 + kappa) * shared:
        return Verdict.NONE
    one_ray = kappa == 1 or rho == 1 and kappa == 0
    if one_ray or rho == 1 and shrink == 0:
        return Verdict.GLOBAL
    if shrink == 0 and abs(rho + kappa) <= EIGEN_TOLERANCE:
        return Verdict.DEGENERATE
    return Verdict.TRAP if shrink * shared < rho + kappa else Verdict.SADDLE
