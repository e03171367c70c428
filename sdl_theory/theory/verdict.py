"""The words in which every certificate judges, and the one rule of traps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from typing import NamedTuple


class Verdict(str, Enum):
    """What a point, a group or a neuron is. See the glossary in lesson 00.

    A point or a group:

    TRAP : a true local minimum of Lt: every group's y has a simple top eigenvalue, all of a lossy
        group strictly below theta elsewhere.
    DEGENERATE : the top eigenvalue repeats: a flat family of minima.
    SADDLE : some group's eigenvalue is not the top one.
    ESCAPABLE : groups are top, but a wall or an unused row can be reached: that descent leaves
        there is not promised.
    NONE : no interior partial minimum shows this pattern.
    GLOBAL : loss 0.
    NOT_STATIONARY : a gradient is not zero.
    UNDECIDED : a saddle held by walls, or overlapping groups that are flat to second order (of a
        trained model, which is no stationary point: any that overlap).

    A neuron:

    MONOSEMANTIC : fires for one feature.
    POLYSEMANTIC : fires for several.
    STRICTLY_DEAD : fires for none, z < theta on every feature with nonzero residual.
    ESCAPABLE_DEAD : fires for none, but sits on a wall of a feature with nonzero residual.
    """

    TRAP = "trap"
    DEGENERATE = "degenerate"
    SADDLE = "saddle"
    ESCAPABLE = "escapable"
    NONE = "none"
    GLOBAL = "global"
    NOT_STATIONARY = "not_stationary"
    UNDECIDED = "undecided"
    MONOSEMANTIC = "monosemantic"
    POLYSEMANTIC = "polysemantic"
    STRICTLY_DEAD = "strictly_dead"
    ESCAPABLE_DEAD = "escapable_dead"

    def __str__(self) -> str:
        return self.value


class Shared(NamedTuple):
    """A neuron that fires for several features of M_d > 0, as the rule sees it."""

    name: int
    is_top: bool  # its y lies in the eigenspace of its group's top eigenvalue
    is_simple: bool  # which does not repeat
    is_lossy: bool  # and its group has nonzero loss


def verdict_of(
    shared: Sequence[Shared], falls: Callable[[int], bool], leaks: Callable[[], bool]
) -> tuple[Verdict, int | None]:
    """THE rule (Theorem 3.7, corrected): the verdict of a stationary point whose loss is not zero.

    And the neuron that decided it, if one did. (Loss zero is global.)

    falls(name) : can a neuron below its top eigenvalue move towards the top one? Asked of
        those alone.
    leaks() : does a feature of nonzero loss touch the wall of another row, or of an unused one?
        Asked last, for it costs most.
    """
    below = [one.name for one in shared if one.is_lossy and not one.is_top]
    for name in below:
        if falls(name):
            return Verdict.SADDLE, name
    if below:
        return Verdict.UNDECIDED, below[-1]
    if leaks():
        return Verdict.ESCAPABLE, None
    for one in shared:
        if one.is_lossy and not one.is_simple:
            return Verdict.DEGENERATE, one.name
    return Verdict.TRAP, None
