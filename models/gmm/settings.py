"""The settings of a mixture, and of the engines that draw from the posterior of its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal

from numpy.typing import ArrayLike

from ...errors import InputError
from ...settings import Settings, array, mapping, seed, setting
from .parameters import CovarianceType

CONCENTRATIONS = ("alpha", "beta", "eta")


@dataclass(kw_only=True)
class _Prior:
    alpha: float = setting(1.0, "concentration of the weights.", above=0)
    beta: float = setting(1.0, "concentration of the tables.", above=0)
    eta: float = setting(1.0, "concentration of the correlations, 1 for uniform.", above=0)


@dataclass(kw_only=True)
class _SVI(_Prior):
    num_steps: int = setting(1000, "steps.", least=1)
    batch_size: int = setting(256, "rows a step.", least=1)
    learning_rate: float = setting(0.02, "the highest.", above=0)
    num_draws: int = setting(500, "draws from the guide that was fitted.", least=1)


@dataclass(kw_only=True)
class _NUTS(_Prior):
    num_warmup: int = setting(500, "draws a chain to adapt with.", least=1)
    num_samples: int = setting(500, "draws a chain to keep.", least=1)
    num_chains: int = setting(4, "chains.", least=1)
    target_accept: float = setting(0.8, "share of proposals to accept.", above=0, below=1)
    max_tree_depth: int = setting(10, "doublings of a path at most.", least=1)
    chain_method: Literal["sequential", "vectorized"] = setting(
        "sequential", "one chain after the other within a block of draws, or all at once."
    )


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
    n_init: int = setting(4, "starts that are tried.", least=1)
    init_params: Literal["k-means++", "random"] = setting(
        "k-means++", "the rows that starts are made of; k-means++ is refined by k-means."
    )
    weights_init: ArrayLike | None = setting(None, f"(k,) {_START}.", array)
    means_init: ArrayLike | None = setting(None, f"(k, d) {_START}, {_UNITS}", array)
    precisions_init: ArrayLike | None = setting(
        None, f"{_START}, in scikit-learn's shapes, {_UNITS}", array
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


def check(given: Any) -> None:
    """Raise InputError if settings do not go together."""
    if given.engine == "nuts" and given.backend != "numpyro":
        raise InputError("engine 'nuts' runs on NumPyro; give backend='numpyro', or engine='svi'.")
    if given.engine == "em":
        if given.engine_settings:
            raise InputError(
                'engine_settings are given, and engine="em" has none. Leave engine_settings out, '
                'or take engine="svi" or "nuts".'
            )
        return
    engine = ENGINE_SETTINGS[given.engine]
    engine.check_names(f"engine {given.engine!r}", given.engine_settings or {})
    engine.check(given.engine_settings or {})


SETTINGS = {"gmm": Settings(MixtureSettings, together=check)}
