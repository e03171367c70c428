"""Parameters to rows: pure functions over `sdl_theory`, without altair or ipywidgets.

They return columns of float32, ready for a chart. Every picture has one table; the column `kind`
says which layer a row belongs to, `value` is what colours it.
"""

from .absorption import absorption_rows, family, ladder_rows
from .common import VERDICTS, pair_problem, table
from .descent import dead_rows, descend
from .exact import exact_rows
from .features import gram_rows, linear_rows
from .gain import gain_rows
from .lattice import lattice_rows, verdict_rows
from .losses import gap_rows
from .minima import pair_landscape, pair_rows, share_rows, three_rows, three_worlds
from .pairs import machine_rows
from .recovery import encoder_rows, history_rows, race_rows
from .regions import region_rows
from .solutions import solution_rows
from .sparsity import sparsity_rows
from .start import start_rows
from .together import together_rows
from .training import Race
from .traps import absorbed_rows, chosen_rows, load_traps, merged_rows
