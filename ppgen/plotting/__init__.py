"""Figures in one style: samples against real rows, training curves, the ranking, mixtures, latents,
networks, posteriors.

Every function returns a matplotlib `Figure` and leaves global settings and pyplot alone; matplotlib
is imported when the first one is called.
"""

from .audit import plot_audit as plot_audit
from .curves import training_curves as training_curves
from .graph import draw_graph as draw_graph
from .graph import plot_network as plot_network
from .images import image_grid as image_grid
from .images import image_pixels as image_pixels
from .images import image_rows as image_rows
from .khat import khat_histogram as khat_histogram
from .latent_images import interpolation_strip as interpolation_strip
from .latent_images import kl_bars as kl_bars
from .latent_images import latent_manifold as latent_manifold
from .latent_images import latent_map_plot as latent_map_plot
from .latent_images import reconstruction_strip as reconstruction_strip
from .latent_images import traversal_grid as traversal_grid
from .latent_images import traversal_lines as traversal_lines
from .mixture import plot_mixture as plot_mixture
from .posterior import plot_calibration as plot_calibration
from .posterior import plot_energy as plot_energy
from .posterior import plot_khat as plot_khat
from .posterior import plot_loo_pit as plot_loo_pit
from .posterior import plot_posterior as plot_posterior
from .posterior import plot_ppc_pit as plot_ppc_pit
from .posterior import plot_rank as plot_rank
from .ranking import plot_ranking as plot_ranking
from .samples import dependent_pairs as dependent_pairs
from .samples import marginals as marginals
from .samples import pair_panel as pair_panel
from .samples import sample_pairs as sample_pairs
