"""One vocabulary of verdicts, used by every certificate."""

from __future__ import annotations

from enum import Enum


class Verdict(str, Enum):
    """What a point, a group or a neuron is. See the glossary in README."""

    TRAP = "trap"                          # a true local minimum of Lt: every group's y has a simple top eigenvalue; all of a lossy group strictly below theta elsewhere
    DEGENERATE = "degenerate"              # the top eigenvalue repeats: a flat family of minima
    SADDLE = "saddle"                      # some group's eigenvalue is not the top one
    ESCAPABLE = "escapable"                # groups are top, but a wall or an unused row can be reached: that descent leaves there is not promised
    NONE = "none"                          # no interior partial minimum shows this pattern
    GLOBAL = "global"                      # loss 0
    NOT_STATIONARY = "not_stationary"      # a gradient is not zero
    UNDECIDED = "undecided"                # overlapping groups, or a saddle held by walls: search or Hessian can tell
    MONOSEMANTIC = "monosemantic"          # a neuron that fires for one feature
    POLYSEMANTIC = "polysemantic"          # a neuron that fires for several
    STRICTLY_DEAD = "strictly_dead"        # fires for none, z < theta on every feature with nonzero residual
    ESCAPABLE_DEAD = "escapable_dead"      # fires for none, but sits on a wall of a feature with nonzero residual

    def __str__(self) -> str:
        return self.value


# Tolerances, all of them relative, each with its reason. Machine epsilon is 2e-16 in float64.
STATIONARY = 1e-10            # a gradient below this, of what its terms add up to, is zero: a hundred thousand roundings, and what tests promise
EIGEN_TOLERANCE = 1e-13       # eigenvalues this close, of tr K, are equal: well above eigh's own rounding, and so far below STATIONARY that any
                              # vector between two of them passes for stationary, even at an eigenvalue of 1e-3 tr K (float32: 10 epsilons)
POSITIVE_TOLERANCE = 1e-9     # z is positive when z_min > this * z_max: y has s = sqrt(M_d) in it, which says nothing about signs
ZERO_RESIDUAL = 1e-10         # feature d is reconstructed when ||r_d|| is below this of ||w_r^d|| and the terms of W_D z_d: feature by feature,
                              # so that a large M_d of another does not hide its loss
ZERO_LOSS = ZERO_RESIDUAL**2  # the same of a loss
WALL_TOLERANCE = 1e-9         # z this close to theta, of the row's length, is on the wall: a descent of any sensible step reaches it


def tolerance(least: float, eps: float, epsilons: float = 1000.0) -> float:
    """A tolerance above, raised to what the dtype (of machine epsilon `eps`) can tell: in float32 and below, to so many of its epsilons."""
    return least if eps < 1e-12 else max(least, epsilons * eps)


def verdict_of(groups, falls, leak) -> tuple[Verdict, object]:
    """THE rule (Theorem 3.7, corrected), and what decided it: from groups that fire for several features, each (name, is_top, is_simple, is_lossy).

    falls(name) : can a group below its top eigenvalue move towards the top one? Asked of those alone.  leak() : a wall that a feature of nonzero
    loss, or an unused row, touches, or None; asked last, for it costs most.
    """
    below = [name for name, is_top, _, is_lossy in groups if is_lossy and not is_top]
    for name in below:
        if falls(name):
            return Verdict.SADDLE, name
    if below:
        return Verdict.UNDECIDED, below[-1]
    if (where := leak()) is not None:
        return Verdict.ESCAPABLE, where
    for name, _, is_simple, is_lossy in groups:
        if is_lossy and not is_simple:
            return Verdict.DEGENERATE, name
    return Verdict.TRAP, None
