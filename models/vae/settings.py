"""The settings of a variational autoencoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ...errors import InputError
from ...settings import Kind, Setting, Settings, choice, flag, integer, number
from ..nets import settings as nets
from ..nets.settings import check_latent, check_nets
from .parts import KINDS, SCALED, Part

BACKENDS = ("pyro", "numpyro")

_LAYERS = Kind(
    "two for two layers, such as (32, 16)",
    lambda value: (
        isinstance(value, Sequence) and len(value) in (1, 2) and all(map(integer(1).accepts, value))
    ),
)


def check(given: Any) -> None:
    """Raise InputError if settings do not go together."""
    if given.objective != "elbo" and (given.beta != 1 or given.free_bits or given.warm_up):
        raise InputError(
            f"objective {given.objective!r} weighs whole rows; it has no divergence to bend by "
            'beta, warm_up or free_bits. Take objective="elbo", or leave them out.'
        )
    if given.backend == "numpyro" and given.device not in (None, "cpu"):
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
    if given.noise != "column" and not any(part.kind in SCALED for part in parts):
        kinds = ", ".join(dict.fromkeys(part.kind for part in parts))
        raise InputError(
            f"noise is {given.noise!r}, and the likelihood has none ({kinds}). Leave noise out."
        )


SETTINGS = {
    "vae": Settings(
        Setting(
            "latent_dim",
            integer(1) | _LAYERS,
            None,
            "latents; of two layers, those next to the data first.",
        ),
        nets.NET,
        nets.HIDDEN,
        nets.CHANNELS,
        Setting(
            "likelihood",
            choice("auto", *KINDS),
            "auto",
            '"auto" goes by the values: of images Bernoulli for 0 and 1, discretised logistic for '
            "levels, Gaussian for real values; of tables by each column's kind.",
        ),
        Setting(
            "noise",
            choice("column", "shared", "row") | number(above=0),
            "column",
            'of Gaussian and discretised logistic values: "column" learns one scale for each, '
            '"shared" one for all, "row" lets the decoder say; a number is a standard deviation in '
            "the units of the data, and is not learnt.",
        ),
        Setting("prior", choice("normal", "flow", "mixture", "vamp"), "normal", "of the latents."),
        Setting("posterior", choice("normal", "flow"), "normal", "of a row's latents."),
        Setting(
            "objective",
            choice("elbo", "iwae", "dreg"),
            "elbo",
            '"iwae" and "dreg" raise the tighter bound of `n_samples` draws.',
        ),
        Setting(
            "n_samples",
            integer(1),
            None,
            'draws a row in training; None is 1 for "elbo", and 8 for "iwae" and "dreg".',
        ),
        Setting("beta", number(least=0), 1.0, 'weight of the divergence, with objective "elbo".'),
        Setting("warm_up", number(least=0), 0.0, "epochs over which beta rises from 0."),
        Setting("free_bits", number(least=0), 0.0, "nats that each latent may hold unpunished."),
        Setting("flow_layers", integer(1), 4, "layers of a flow as prior or posterior."),
        Setting("components", integer(1), 100, "of mixture and VampPrior."),
        replace(
            nets.ACTIVATION, default=None, help='None is "silu" for convolutions and "relu" else.'
        ),
        Setting("dropout", number(least=0, below=1), 0.0, "share of the units of hidden layers."),
        nets.AUGMENT,
        Setting(
            "conditional",
            flag,
            False,
            "whether `fit(X, y)` models p(x | y); else y is ignored, so that a classifier's "
            "pipeline can be given labels.",
        ),
        Setting("n_importance", integer(1), 128, "draws a row of `log_density`."),
        nets.BATCH_SIZE,
        nets.LEARNING_RATE,
        nets.MAX_EPOCHS,
        nets.DEVICE,
        Setting(
            "backend",
            choice(*BACKENDS),
            "pyro",
            '"pyro" (torch) or "numpyro" (JAX; perceptrons on tables).',
        ),
        nets.RANDOM_STATE,
        together=check,
    )
}

# Of `VAE.log_density`.
SCORING = Settings(
    Setting(
        "method",
        choice("iwae", "elbo", "ais"),
        "iwae",
        "importance samples, with k-hat, effective sample size and standard error of each row; "
        '"elbo" their plain mean; "ais" annealed importance sampling from the posterior, for rows '
        "where k-hat is bad: it takes long (see `density_gap` for how tight it is), and as 64 rows "
        "share their random numbers, a row's value depends, within its standard error, on the rows "
        "beside it. It is refused where rounded values are filled in with noise.",
    ),
    Setting(
        "n_samples",
        integer(1),
        None,
        'draws a row; None is `n_importance`. For "ais" the chains, None is 25.',
    ),
    Setting("progress", flag, False, "whether to show a bar on a terminal."),
)
