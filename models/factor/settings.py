"""The settings of factor analysis, and of the engines that draw from its posterior."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal

from ...errors import InputError
from ...settings import Settings, mapping, seed, setting
from ..engine_settings import NUTSSettings, SVISettings, check_engine


@dataclass(kw_only=True)
class _Prior:
    loading_scale: float = setting(
        1.0, "standard deviation of a loading on standardised columns.", above=0
    )


@dataclass(kw_only=True)
class _SVI(SVISettings, _Prior):
    pass


@dataclass(kw_only=True)
class _NUTS(NUTSSettings, _Prior):
    pass


ENGINE_SETTINGS = {"svi": Settings(_SVI), "nuts": Settings(_NUTS)}


@dataclass(eq=False, repr=False)
class FactorSettings:
    """What can be set of factor analysis."""

    n_components: int | Literal["bic"] = setting("bic", 'factors; "bic" chooses how many.', least=0)
    _: KW_ONLY
    noise: Literal["diagonal", "isotropic"] = setting(
        "diagonal",
        'the noise of columns: a variance for each, or the same for all ("isotropic", '
        "probabilistic PCA).",
    )
    standardise: bool = setting(
        True,
        "whether isotropic noise is the same of columns in their standard deviations, so that "
        "units do not matter; otherwise in the units of the data, as in scikit-learn's PCA.",
    )
    rotation: Literal["varimax"] | None = setting(
        None, "of the loadings; None orders factors by how much they say of a row."
    )
    max_components: int | None = setting(
        None, "most factors that are tried; None goes on as far as BIC gains.", least=0
    )
    floor: float = setting(
        1e-6, "least noise variance, as a share of the variance of a column.", above=0, below=1
    )
    tol: float = setting(
        1e-7, "gain of the mean log density a row, in nats, that ends EM (rows with gaps).", least=0
    )
    max_iter: int = setting(1000, "most iterations.", least=1)
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
    check_engine(given, ENGINE_SETTINGS)
    if given.noise == "diagonal" and not given.standardise:
        raise InputError(
            "standardise is False, and noise='diagonal' has a variance for each column, whatever "
            "its units. Leave standardise out, or give noise='isotropic'."
        )
    if given.max_components is not None and given.n_components != "bic":
        raise InputError(
            f"max_components is {given.max_components}, and n_components is {given.n_components}: "
            "nothing is tried. Leave max_components out, or give n_components='bic'."
        )


SETTINGS = {"factor": Settings(FactorSettings, together=check)}
