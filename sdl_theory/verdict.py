"""One vocabulary of verdicts, used by every certificate."""

from __future__ import annotations

from enum import Enum


class Verdict(str, Enum):
    """What a point, a group or a neuron is. See the glossary in README."""

    TRAP = "trap"                          # every group's y has a simple top eigenvalue; all of a lossy group strictly below theta elsewhere
    DEGENERATE = "degenerate"              # the top eigenvalue repeats: a flat family of minima
    SADDLE = "saddle"                      # some group's eigenvalue is not the top one
    ESCAPABLE = "escapable"                # groups are top, but a wall or an unused row can be reached
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


EIGEN_TOLERANCE = 1e-9        # eigenvalues this close, relative to the largest, are equal
POSITIVE_TOLERANCE = 1e-9     # a vector is positive when y_min > this * y_max
ZERO_LOSS = 1e-20             # a loss is zero below this * sum_d M_d ||w_r^d||^2: errors below 1e-10
