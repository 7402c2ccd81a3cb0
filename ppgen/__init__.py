"""ppgen: a suite of generative models.

    data = ppgen.read("measurements.csv")
    gmm = ppgen.GaussianMixture(n_components=8, random_state=0).fit(data.train)
    gmm.score_samples(data.test)

The names below are resolved when they are first used, so that `import ppgen` loads neither torch
nor jax, SciPy, scikit-learn or matplotlib.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from .lazy import lazily
from .models.registry import MODELS
from .version import __version__ as __version__

if TYPE_CHECKING:
    from .analysis.audit import Audit as Audit
    from .analysis.audit import audit as audit
    from .analysis.codes import codes_by as codes_by
    from .analysis.completeness import completeness as completeness
    from .analysis.continuity import continuity as continuity
    from .analysis.crossval import cross_validate as cross_validate
    from .analysis.disentangle import disentanglement as disentanglement
    from .analysis.latent_map import latent_map as latent_map
    from .analysis.latent_map import manifold as manifold
    from .analysis.latents import arithmetic as arithmetic
    from .analysis.latents import interpolate as interpolate
    from .analysis.latents import traverse as traverse
    from .analysis.loo import loo as loo
    from .analysis.modes import ModeCounts as ModeCounts
    from .analysis.modes import mode_counts as mode_counts
    from .analysis.outliers import Outliers as Outliers
    from .analysis.outliers import outliers as outliers
    from .analysis.quality import sample_quality as sample_quality
    from .analysis.reconstruction import reconstruction_error as reconstruction_error
    from .data.augment import Augment as Augment
    from .data.column import Column as Column
    from .data.dataset import Dataset as Dataset
    from .data.dataset import as_dataset as as_dataset
    from .data.readers import read as read
    from .data.schema import Schema as Schema
    from .data.sequences import sequences as sequences
    from .data.sprites import sprites as sprites
    from .datatree import to_datatree as to_datatree
    from .density import LogDensity as LogDensity
    from .errors import FitError as FitError
    from .errors import InputError as InputError
    from .models.autoencoder import Autoencoder as Autoencoder
    from .models.baseline import Gaussian as Gaussian
    from .models.baseline import IndependentColumns as IndependentColumns
    from .models.baseline import KernelDensity as KernelDensity
    from .models.bayesnet import BayesianNetwork as BayesianNetwork
    from .models.bayesnet import Distribution as Distribution
    from .models.bayesnet import FactorGraph as FactorGraph
    from .models.bayesnet import Likelihood as Likelihood
    from .models.bayesnet import read_network as read_network
    from .models.debias import DebiasingVAE as DebiasingVAE
    from .models.diffusion import Diffusion as Diffusion
    from .models.factor import FactorAnalysis as FactorAnalysis
    from .models.flow import NormalizingFlow as NormalizingFlow
    from .models.gan import GAN as GAN
    from .models.gan import ProgressiveGAN as ProgressiveGAN
    from .models.gmm import GaussianMixture as GaussianMixture
    from .models.pair import Pair as Pair
    from .models.pair import PairFit as PairFit
    from .models.registry import load as load
    from .models.translation import CycleGAN as CycleGAN
    from .models.translation import PairedTranslation as PairedTranslation
    from .models.vae import VAE as VAE
    from .study import StudyResult as StudyResult
    from .study import compare as compare
    from .study import run_study as run_study
    from .verdict import Verdict as Verdict

# Public name -> the module it stands in.
_HOME = {
    "Audit": "analysis.audit",
    "Augment": "data.augment",
    "Column": "data.column",
    "Dataset": "data.dataset",
    "Distribution": "models.bayesnet",
    "FactorGraph": "models.bayesnet",
    "FitError": "errors",
    "InputError": "errors",
    "Likelihood": "models.bayesnet",
    "LogDensity": "density",
    "ModeCounts": "analysis.modes",
    "Outliers": "analysis.outliers",
    "Pair": "models.pair",
    "PairFit": "models.pair",
    "Schema": "data.schema",
    "StudyResult": "study",
    "Verdict": "verdict",
    "arithmetic": "analysis.latents",
    "codes_by": "analysis.codes",
    "as_dataset": "data.dataset",
    "audit": "analysis.audit",
    "compare": "study",
    "completeness": "analysis.completeness",
    "continuity": "analysis.continuity",
    "cross_validate": "analysis.crossval",
    "disentanglement": "analysis.disentangle",
    "interpolate": "analysis.latents",
    "latent_map": "analysis.latent_map",
    "load": "models.registry",
    "loo": "analysis.loo",
    "manifold": "analysis.latent_map",
    "mode_counts": "analysis.modes",
    "outliers": "analysis.outliers",
    "read": "data.readers",
    "read_network": "models.bayesnet",
    "reconstruction_error": "analysis.reconstruction",
    "run_study": "study",
    "sample_quality": "analysis.quality",
    "sequences": "data.sequences",
    "sprites": "data.sprites",
    "to_datatree": "datatree",
    "traverse": "analysis.latents",
}
_HOME |= {entry.class_name: f"models.{entry.family}" for entry in MODELS.values()}

_MODULES = ("analysis", "plotting")

__all__ = ["__version__", *_HOME]


_resolved = lazily(__name__, **_HOME)


def __getattr__(name: str) -> object:
    return import_module(f"{__name__}.{name}") if name in _MODULES else _resolved(name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
