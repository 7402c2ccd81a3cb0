"""Figures in one style: samples against real rows, training curves, rankings, scores, outliers,
mixtures, latents, networks, posteriors.

What `ppgen.analysis` and `ppgen.Pair` return is drawn as it is:

| result | of | drawn by |
|---|---|---|
| `Comparison`, `QualityRanking` | `compare`, `cross_validate`, `rank_samples` | `plot_ranking` |
| `Score`, name -> `Score` | `reconstruction_error`, `sample_quality` | `plot_scores` |
| `Completeness`, `Continuity` | `completeness`, `continuity` | `plot_scores` |
| `Disentanglement` | `disentanglement` | `plot_disentanglement` |
| `Traversal` | `traverse` | `traversal_grid` of images, `traversal_lines` of tables |
| `Decoded`, a path | `interpolate` | `interpolation_strip` of images, `traversal_lines` of tables |
| `Decoded`, a plane | `manifold` | `latent_manifold` |
| `Decoded`, rows | `arithmetic` | `image_grid` |
| `LatentMap`, label -> codes | `latent_map`, `codes_by` | `latent_map_plot` |
| `ModeCounts` | `mode_counts` | `plot_modes` |
| `Outliers` | `outliers` | `plot_outliers` |
| `Audit` | `audit` | `plot_audit` |
| `LeaveOneOut` | `loo`, `PairFit.loo` | `plot_khat` |
| `LogDensity` with k-hat | `log_density` | `khat_histogram` |
| `Bound` | `VAE.bound` | `kl_bars` |
| `EdgeStrengths` | `edge_strengths` | `plot_network(model, strengths=...)` |
| `Calibration` | `Pair.calibrate` | `plot_calibration` |
| `PredictiveCheck` | `check_prior`, `check_predictive` | `plot_check` |
| site -> places | `PairFit.loo_pit` | `plot_loo_pit` |
| a posterior, or its DataTree | `fit` | `plot_rank`, `plot_prior_posterior`, ... |

Every function returns a matplotlib `Figure` and leaves global settings and pyplot alone; matplotlib
is imported when the first one is called.
"""

from .audit import plot_audit as plot_audit
from .curves import training_curves as training_curves
from .disentanglement import plot_disentanglement as plot_disentanglement
from .films import film_strip as film_strip
from .films import quality_curves as quality_curves
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
from .modes import plot_modes as plot_modes
from .outliers import plot_outliers as plot_outliers
from .places import plot_calibration as plot_calibration
from .places import plot_loo_pit as plot_loo_pit
from .places import plot_ppc_pit as plot_ppc_pit
from .posterior import plot_energy as plot_energy
from .posterior import plot_khat as plot_khat
from .posterior import plot_posterior as plot_posterior
from .posterior import plot_prior_posterior as plot_prior_posterior
from .posterior import plot_rank as plot_rank
from .predictive_checks import plot_check as plot_check
from .ranking import plot_ranking as plot_ranking
from .samples import dependent_pairs as dependent_pairs
from .samples import marginals as marginals
from .samples import pair_panel as pair_panel
from .samples import sample_pairs as sample_pairs
from .scores import plot_scores as plot_scores
