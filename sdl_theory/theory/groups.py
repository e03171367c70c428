"""One neuron on one group: the eigen-problem behind Theorem 3.7, corrected, walls aside.

A stationary point of a group's loss (see `spectrum`) is an eigenvector, its only local minima are
the top ones, and the row fires for all of F exactly when y > 0. Asked of the true loss it is one in
the metric of second moments (`metric`); with an L1 penalty, a trust-region subproblem (`penalty`).
"""

from __future__ import annotations

from collections.abc import Sequence

from ..checks import refuse
from ..problem import Problem, check_problem
from ..signature import checked
from ..truth.moments import Moments
from .group_point import GroupMinimum, solve_group, solve_moments
from .metric import metric
from .patterns import check_group
from .spectrum import spectrum


@checked
def group_minimum(
    problem: Problem,
    group: Sequence[int],
    *,
    moments: Moments | None = None,
    l1: float = 0.0,
) -> GroupMinimum:
    r"""Theorem 3.7 (corrected), arXiv:2512.05534: can one neuron sit still on all of `group`?

    And is that a trap? Encoder walls are not asked.

    .. math:: V^\top K V u = \lambda u, \quad y = V u > 0, \quad
              K = \mathrm{diag}(s) W_r^\top W_r\, \mathrm{diag}(s), \quad s_d = \sqrt{M_d}

    V an orthonormal basis of the row space of W_p[:, F] diag(s). Then

        z_d = y_d / s_d,   w_D = W_r diag(s) y / ||y||^2,   loss = tr K - lambda.

    Repeated eigenvalues (equal within 1e-13 tr K) are clustered and their whole eigenspace is
    searched. At most one distinct eigenvalue has a positive vector.

    `verdict`: trap (simple top), degenerate (repeated top), saddle (not top), global (loss 0) or
    none. A verdict of `trap` here means that the eigenvector allows it; whether a row reaches it
    without firing for others, ask `partial_minimum`.

    moments : C = E[x x^T] and m = E[x] of all n features. Ours: the same of the **true** loss, if
        the group were all that is active. Then C G C z = lambda C z in place of K (see `metric`),
        and loss = tr(G C) - lambda. `none` says that no point has z > 0; one of mixed signs may
        still fire on every sample, where a feature is never active alone.
    l1 : lam >= 0, of the penalty lam E[z] ||w_D||; needs `moments` with m. See `penalty`. Never
        degenerate; `global` where no dictionary does better. Of several saddles the lowest.

    >>> import torch
    >>> from sdl_theory import Problem, group_minimum
    >>> W_p = torch.tensor([[1.0, 0.6], [0.0, 0.8]], dtype=torch.float64)
    >>> minimum = group_minimum(Problem(W_p), [0, 1])  # K = [[1, .6], [.6, 1]]
    >>> minimum.verdict, round(minimum.eigenvalue, 6), round(minimum.loss, 6)
    (<Verdict.TRAP: 'trap'>, 1.6, 0.4)
    >>> group_minimum(Problem(W_p, M_d=torch.tensor([1.0, 0.0])), [0, 1]).verdict.value
    'global'

    Opposed features, a saddle of Lt, are a trap of the true loss if they are often active together;
    a penalty undoes that:

    >>> from sdl_theory import Moments
    >>> W_p = torch.tensor([[1.0, -0.6], [0.0, 0.8]], dtype=torch.float64)
    >>> often = Moments([[0.2, 0.16], [0.16, 0.2]], m=[0.2, 0.2])
    >>> group_minimum(Problem(W_p), [0, 1]).verdict.value
    'saddle'
    >>> for l1 in (0.0, 1.0, 2.0):
    ...     print(group_minimum(Problem(W_p), [0, 1], moments=often, l1=l1).verdict)
    trap
    saddle
    none
    """
    check_problem(problem)
    group = check_group(group, problem.n)
    if not group:
        raise ValueError("group must hold at least one feature")
    _check_moments(problem, moments, l1)
    if moments is None:
        return solve_group(group, spectrum(problem, group))
    return solve_moments(group, metric(problem, group, moments), l1)


def _check_moments(problem: Problem, moments: Moments | None, l1: float) -> None:
    if l1 < 0:
        refuse("l1", "a finite number >= 0", l1)
    if moments is None and l1 > 0:
        raise ValueError(
            f"l1 = {l1:g} needs moments with m = E[x], which Lt does not have: pass "
            f"moments=SparseFeatures(n, S).moments(), with one_at_a_time=True for Lt's own samples"
        )
    if moments is not None and moments.n != problem.n:
        raise ValueError(
            f"moments are of n = {moments.n} features, the problem has n = {problem.n}; "
            f"C must be (n, n) for all of them, whatever the group"
        )
    if moments is not None and moments.m is None and l1 > 0:
        raise ValueError(f"l1 = {l1:g} needs m = E[x]: build Moments(C, m); got Moments(C) alone")
