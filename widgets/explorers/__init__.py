"""Sliders over the theory.

Each explorer has public `.controls` and `.chart`, a line that says what is now true, and code to
copy.
"""

from .absorption import absorption_explorer, dead_explorer
from .base import Explorer
from .exact import exact_explorer
from .features import linear_explorer
from .language import sleep_explorer
from .losses import gap_explorer, solution_explorer
from .minima import lattice_explorer, lattice_picture, pair_explorer, three_explorer
from .pairs import machine_explorer
from .real import mean_explorer
from .regions import region_explorer
from .sparsity import sparsity_explorer
from .start import start_explorer
from .thresholds import threshold_explorer
from .together import together_explorer
from .training import training_explorer
from .ways import ways_explorer
