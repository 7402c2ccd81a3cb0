"""The settings of a mixture, and of the engines that draw from the posterior of its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from functools import partial
from typing import Any, Literal

from numpy.typing import ArrayLike

from ...settings import Settings, array, mapping, seed, setting
from ..engine_settings import NUTSSettings, SVISettings, check_engine
from .parameters import CovarianceType

CONCENTRATIONS = ("alpha", "beta", "eta")


@dataclass(kw_only=True)
class _Prior:
    alpha: float = setting(1.0, "concentration of the weights.", above=0)
    beta: float = setting(1.0, "concentration of the tables.", above=0)
    eta: float = setting(1.0, "concentration of the correlations, 1 for uniform.", above=0)


@dataclass(kw_only=True)
class _SVI(SVISettings, _Prior):
    pass


@dataclass(kw_only=True)
class _NUTS(NUTSSettings, _Prior):
    pass


ENGINE_SETTINGS = {"svi": Settings(_SVI), "nuts": Settings(_NUTS)}


@dataclass(eq=False, repr=False, kw_only=True)
class EMSettings:
    """What can be set of a fit by EM."""

    tol: float = setting(
        1e-4, "gain of the mean log density a row, in nats, that ends EM.", least=0
    )
    reg_covar: float = setting(
        1e-6,
        "correlations within a component are multiplied by 1 - reg_covar^2, and its variances are "
        "at least reg_covar times the square of the narrowest interval that holds a hundredth of "
        "a column's values: both matter only where a covariance is singular.",
        least=0,
    )
    max_iter: int = setting(200, "most iterations of EM.", least=1)


_START = "of a start of your own"
_UNITS = "in the units of the data (of the logarithm of positive columns)."


@dataclass(eq=False, repr=False)
class MixtureSettings(EMSettings):
    """What can be set of a mixture."""

    n_components: int | Literal["bic", "icl"] = setting(
        "bic", 'components; "bic" and "icl" choose how many.', least=1
    )
    _: KW_ONLY
    covariance_type: CovarianceType = setting("full", "of each component.")
    tails: Literal["gaussian", "student"] = setting(
        "gaussian",
        "of each component; Student's t has degrees of freedom of its own for each, and rows far "
        "out move it little.",
    )
    n_init: int = setting(4, "starts that are tried.", least=1)
    init_params: Literal["kmeans", "k-means++", "random_from_data", "random"] = setting(
        "kmeans",
        "what starts are made of: k-means, its seeds, rows at random, or responsibilities at "
        "random.",
    )
    weights_init: ArrayLike | None = setting(None, f"(k,) {_START}.", array)
    means_init: ArrayLike | None = setting(None, f"(k, d) {_START}, {_UNITS}", array)
    precisions_init: ArrayLike | None = setting(
        None, f"{_START}, in scikit-learn's shapes, {_UNITS}", array
    )
    responsibilities_init: ArrayLike | None = setting(
        None,
        f"{_START}: (n, k) responsibilities of the rows, or (n,) labels from 0, -1 for a row that "
        "has none.",
        array,
    )
    warm_start: bool = setting(False, "whether a second `fit` starts where the first ended.")
    max_components: int | None = setting(
        None,
        "most components that are tried; None goes on as far as the criterion gains.",
        least=1,
    )
    split_merge: bool = setting(True, "whether components are split and merged after a start.")
    categorical_prior: float = setting(
        1.0, "pseudo-rows a component, spread evenly over the levels of each table.", least=0
    )
    engine: Literal["em", "svi", "nuts"] = setting(
        "em", '"svi" and "nuts" fit a posterior of the parameters.'
    )
    backend: Literal["numpyro", "pyro"] = setting("numpyro", 'of engine "svi".')
    engine_settings: Mapping[str, Any] | None = setting(
        None,
        'of the engine and its prior, such as {"num_samples": 1000}; see `docs/settings.md`.',
        mapping,
        ENGINE_SETTINGS,
    )
    random_state: Any = setting(None, "seed.", seed)


SETTINGS = {
    "gmm": Settings(MixtureSettings, together=partial(check_engine, engines=ENGINE_SETTINGS))
}
