"""What is seen of a descent out of traps: when each left, through which wall, and where it ends."""

from __future__ import annotations

import torch

from ...checks import Tensor
from ...theory.certify import certify
from ...theory.polish import polish
from ...theory.verdict import Verdict
from .many import Traps

FELL, ZERO = 0.01, 1e-6  # shares of a trap's loss: it left where Lt fell by so much; none is left
NEWTON = 20  # steps, from where a descent has come to
ENDS = (
    "zero loss",
    "a lower trap",
    "lower, on a wall",
    "lower, not at rest",
    "as before",
    "higher",
    "diverged",
)


class Looks:
    """On the way: when each trap left, when a code first crossed a wall, if a dead row fired."""

    def __init__(self, start: Tensor):
        self.start = start
        self.left = torch.full_like(start, -1, dtype=torch.long)
        self.crossed = self.left.clone()
        self.woke = torch.zeros_like(start, dtype=torch.bool)

    def __call__(self, t: int, now: Traps) -> None:
        over = ((now.z > 0) != now.P).any(2).any(1)
        self.crossed[over & (self.crossed < 0)] = t
        self.woke |= (now.z > 0)[:, ~now.P.any(1)].any(2).any(1)
        fell = now.loss < (1 - FELL) * self.start
        self.left[fell & (self.left < 0)] = t


def end_of(traps: Traps, i: int, start: float) -> str:
    """What a descent of Lt alone, without decay or penalty, has come to: one of ENDS.

    On a wall: at rest, or stopped, with a code at zero, as decay leaves codes that do not matter.
    """
    if not (torch.isfinite(traps.W_E[i]).all() and torch.isfinite(traps.W_D[i]).all()):
        return ENDS[6]
    problem, weights = traps.one(i)
    end = polish(problem, weights, steps=NEWTON)
    loss = end.losses[-1]
    if loss <= ZERO * start:
        return ENDS[0]
    if loss >= (1 - FELL) * start:
        return ENDS[4 if loss <= (1 + FELL) * start else 5]
    verdict = certify(problem, end.weights).verdict
    if verdict is Verdict.TRAP:
        return ENDS[1]
    stopped = end.reason.startswith("at a wall")
    return ENDS[2 if verdict is Verdict.ESCAPABLE or stopped else 3]


class Watched:
    """Traps that decay is to open: the loss, and the code that is at 0 first, on their way."""

    def __init__(self, traps: Traps, every: int):
        self.start, self.every, seen = traps.loss, every, traps.seen @ traps.W_p
        share = torch.where(traps.open, seen / (seen - traps.z), -torch.inf)  # left of the rest
        self.at = share.flatten(1).argmax(1)[:, None]
        self.kept: dict[str, list] = dict(
            trap_loss=_rounded(traps.loss), seen=_rounded(self._of(seen)), t=[], z=[], loss=[]
        )

    def _of(self, values: Tensor) -> Tensor:
        return values.flatten(1).gather(1, self.at)[:, 0]

    def __call__(self, t: int, now: Traps) -> None:
        if t % self.every == 0:
            self.kept["t"].append(t)
            self.kept["z"].append(_rounded(self._of(now.z)))
            self.kept["loss"].append(_rounded(now.loss / self.start))


def _rounded(values: Tensor) -> list[float]:
    return [round(value, 5) for value in values.tolist()]
