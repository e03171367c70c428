"""Sliders over the theory. Each explorer has public `.controls` and `.chart`, a line that says what is now true, and code to copy."""

from .absorption import absorption_explorer, dead_explorer
from .base import Explorer
from .losses import gap_explorer, solution_explorer
from .minima import pair_explorer, three_explorer
