"""Rows to pictures: pure functions of their data, without torch or ipywidgets.

Each chart function takes `data`, inline rows or a named data set for a live view, so that the
static picture and the slider are one chart.
"""

from .absorption import absorption_chart, ladder_chart
from .descent import dead_chart
from .exact import exact_chart
from .features import gram_chart, linear_chart
from .gain import gain_chart
from .landscape import pair_chart
from .lattice import lattice_chart, verdict_bars
from .losses import gap_chart
from .minima import share_chart, three_chart
from .pairs import machine_chart
from .regions import region_chart
from .solutions import solution_chart
from .sparsity import sparsity_chart
from .start import start_chart
from .style import inline, live, styled
from .survey import relu_chart, survey_chart
from .together import together_chart
from .training import encoder_chart, history_chart, race_chart
from .traps import absorbed_chart, chosen_chart, merged_chart, prevalence_chart
