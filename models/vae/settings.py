"""The settings of a variational autoencoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal

from ...errors import InputError
from ...settings import Kind, Settings, choice, integer, setting
from ..nets.settings import NET, Activation, Net, NetSettings, check_latent, check_nets
from .parts import KINDS, SCALED, Part

_LAYERS = Kind(
    "two for two layers, such as (32, 16)",
    lambda value: (
        isinstance(value, Sequence) and len(value) in (1, 2) and all(map(integer(1).accepts, value))
    ),
)


@dataclass(eq=False, repr=False)
class VAESettings(NetSettings):
    """What can be set of a variational autoencoder."""

    latent_dim: int | Sequence[int] | None = setting(
        None, "latents; of two layers, those next to the data first.", integer(1) | _LAYERS
    )
    _: KW_ONLY
    net: Net = setting("auto", NET)
    likelihood: str = setting(
        "auto",
        '"auto" goes by the values: of images Bernoulli for 0 and 1, discretised logistic for '
        "levels, Gaussian for real values; of tables by each column's kind.",
        choice("auto", *KINDS),
    )
    noise: Literal["auto", "full", "column", "shared", "row"] | float = setting(
        "auto",
        'of Gaussian and discretised logistic values: "column" learns one scale for each, '
        '"shared" one for all, "row" lets the decoder say; "full" is correlated, by the covariance '
        "of a table's rows without gaps, and learns a scale for each direction, with heavy "
        'tails, beta rising to 1 over the first steps; "auto" is "full" '
        'of a table whose held-out rows it makes likelier than "column", tried in a fit of 10 s or '
        '1000 steps with backend "pyro" and the plain bound, else "column"; a number is a standard '
        "deviation in the units of the data, and is not learnt.",
        above=0,
    )
    prior: Literal["normal", "flow", "mixture", "vamp"] = setting("normal", "of the latents.")
    posterior: Literal["normal", "flow"] = setting("normal", "of a row's latents.")
    objective: Literal["elbo", "iwae", "dreg"] = setting(
        "elbo", '"iwae" and "dreg" raise the tighter bound of `n_samples` draws.'
    )
    n_samples: int | None = setting(
        None,
        'draws a row in training; None is 1 for "elbo", and 8 for "iwae" and "dreg".',
        least=1,
    )
    beta: float = setting(1.0, 'weight of the divergence, with objective "elbo".', least=0)
    warm_up: float = setting(0.0, "epochs over which beta rises from 0.", least=0)
    free_bits: float = setting(0.0, "nats that each latent may hold unpunished.", least=0)
    flow_layers: int = setting(4, "layers of a flow as prior or posterior.", least=1)
    components: int = setting(100, "of mixture and VampPrior.", least=1)
    activation: Activation | None = setting(
        None, 'of the hidden layers; None is "silu" for convolutions and "relu" else.'
    )
    dropout: float = setting(0.0, "share of the units of hidden layers.", least=0, below=1)
    conditional: bool = setting(
        False,
        "whether `fit(X, y)` models p(x | y); else y is ignored, so that a classifier's pipeline "
        "can be given labels.",
    )
    n_importance: int = setting(128, "draws a row of `log_density`.", least=1)
    backend: Literal["pyro", "numpyro"] = setting(
        "pyro", '"pyro" (torch) or "numpyro" (JAX; perceptrons on tables).'
    )


def drawn_in_training(given: Any) -> int:
    """Draws a row in training."""
    return int(given.n_samples or (1 if given.objective == "elbo" else 8))


def check(given: Any) -> None:
    """Raise InputError if settings do not go together."""
    if given.objective != "elbo" and (given.beta != 1 or given.free_bits or given.warm_up):
        raise InputError(
            f"objective {given.objective!r} weighs whole rows; it has no divergence to bend by "
            'beta, warm_up or free_bits. Take objective="elbo", or leave them out.'
        )
    if given.backend == "numpyro" and given.device not in ("auto", "cpu"):
        raise InputError(
            f'device is {given.device!r}, and backend "numpyro" trains on the processor. Take '
            'backend="pyro", or leave device out.'
        )


def check_rows(
    given: Any, net: str, latent: int, shape: tuple[int, ...], parts: tuple[Part, ...]
) -> None:
    """Raise InputError if settings do not suit the rows.

    Args:
        given: the settings.
        net, latent: what was chosen for these rows.
        shape: (C, H, W) of images, else ().
        parts: what the values of a row are.
    """
    check_nets(given, f'net="{given.net}"', net, shape)
    check_latent(latent, parts[-1].stop)
    if given.noise == "full" and shape:
        raise InputError(
            'noise is "full", which is for tables; images were given. Take noise="column".'
        )
    if given.noise not in ("auto", "column") and not any(part.kind in SCALED for part in parts):
        kinds = ", ".join(dict.fromkeys(part.kind for part in parts))
        raise InputError(
            f"noise is {given.noise!r}, and the likelihood has none ({kinds}). Leave noise out."
        )


@dataclass(kw_only=True)
class _Scoring:
    """What `VAE.log_density` may be told."""

    method: Literal["iwae", "elbo", "ais"] = setting(
        "iwae",
        '"iwae": importance samples, with k-hat, effective sample size and standard error of each '
        'row; "elbo": their plain mean; "ais": annealed importance sampling from the posterior, '
        "for rows where k-hat is bad: it takes long (see `density_gap` for how tight it is), and "
        "as 64 rows share their random numbers, a row's value depends, within its standard error, "
        "on the rows beside it. It is refused where rounded values are filled in with noise.",
    )
    n_samples: int | None = setting(
        None, 'draws a row; None is `n_importance`. For "ais" the chains, None is 25.', least=1
    )
    progress: bool = setting(False, "whether to show a bar on a terminal.")


@dataclass(kw_only=True)
class _Imputing:
    """What `VAE.impute` may be told."""

    n_samples: int = setting(128, "draws a row that what is expected is the mean over.", least=1)


SCORING, IMPUTING = Settings(_Scoring), Settings(_Imputing)
SETTINGS = {
    "vae": Settings(
        VAESettings, together=check, options={"log_density": SCORING, "impute": IMPUTING}
    )
}
