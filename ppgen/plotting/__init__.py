"""Figures in one style: samples against real rows, training curves, the ranking, mixtures.

Every function returns a matplotlib `Figure` and leaves global settings and pyplot alone; matplotlib
is imported when the first one is called.
"""

from .curves import training_curves as training_curves
from .mixture import plot_mixture as plot_mixture
from .ranking import plot_ranking as plot_ranking
from .samples import dependent_pairs as dependent_pairs
from .samples import image_grid as image_grid
from .samples import marginals as marginals
from .samples import pair_panel as pair_panel
from .samples import sample_pairs as sample_pairs
