"""What is checked around a variational autoencoder: settings before, latents after."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError, did_you_mean
from ...verdict import Reason
from .parts import SCALED, Part

if TYPE_CHECKING:
    from .estimator import VAE

Floats = NDArray[np.float64]

NETS = ("auto", "mlp", "conv")
PRIORS = ("normal", "flow", "mixture", "vamp")
POSTERIORS = ("normal", "flow")
OBJECTIVES = ("elbo", "iwae", "dreg")
BACKENDS = ("pyro", "numpyro")
NOISES = ("column", "shared", "row")
ACTIVE = 0.01  # nats below which a latent says nothing of a row


def check(vae: VAE) -> None:
    """Raise InputError where a setting is none."""
    from ..nets.mlp import ACTIVATIONS

    choices = (
        ("net", vae.net, NETS),
        ("prior", vae.prior, PRIORS),
        ("posterior", vae.posterior, POSTERIORS),
        ("objective", vae.objective, OBJECTIVES),
        ("backend", vae.backend, BACKENDS),
    )
    for name, value, options in choices:
        if value not in options:
            raise InputError(
                f"{name} is {value!r}; expected one of {', '.join(options)}."
                + did_you_mean(str(value), options)
            )
    if vae.noise not in NOISES and not _positive(vae.noise):
        raise InputError(
            f"noise is {vae.noise!r}; expected one of {', '.join(NOISES)}, or a standard deviation "
            "> 0."
        )
    sizes: dict[str, tuple[Any, int]] = {
        "n_samples": (vae.n_samples, 1),
        "n_importance": (vae.n_importance, 1),
        "components": (vae.components, 1),
        "flow_layers": (vae.flow_layers, 1),
        "batch_size": (vae.batch_size, 1),
        "max_epochs": (vae.max_epochs, 1),
    }
    for name, (size, least) in sizes.items():
        if size is not None and (not _whole(size) or size < least):
            raise InputError(f"{name} is {size!r}; expected None or an integer >= {least}.")
    for name, given, empty in (("hidden", vae.hidden, True), ("channels", vae.channels, False)):
        if given is not None and not _sizes(given, empty):
            raise InputError(f"{name} is {given!r}; expected sizes such as (64, 64).")
    activations = tuple(ACTIVATIONS)
    if vae.activation is not None and vae.activation not in activations:
        raise InputError(
            f"activation is {vae.activation!r}; expected None or one of {', '.join(activations)}."
            + did_you_mean(str(vae.activation), activations)
        )
    if not _number(vae.dropout) or not 0 <= vae.dropout < 1:
        raise InputError(f"dropout is {vae.dropout!r}; expected a share of units, 0 <= share < 1.")
    for name, number in (("beta", vae.beta), ("free_bits", vae.free_bits)):
        if not _number(number) or not 0 <= number < math.inf:
            raise InputError(f"{name} is {number!r}; expected a number >= 0.")
    if vae.learning_rate is not None and not _positive(vae.learning_rate):
        raise InputError(f"learning_rate is {vae.learning_rate!r}; expected a positive number.")
    if not _number(vae.warm_up) or not 0 <= vae.warm_up < math.inf:
        raise InputError(f"warm_up is {vae.warm_up!r}; expected epochs >= 0.")
    if vae.objective != "elbo" and (vae.beta != 1 or vae.free_bits or vae.warm_up):
        raise InputError(
            f"objective {vae.objective!r} weighs whole rows; it has no divergence to bend by beta, "
            'warm_up or free_bits. Take objective="elbo", or leave them out.'
        )
    if vae.backend == "numpyro" and vae.device not in (None, "cpu"):
        raise InputError(
            f'device is {vae.device!r}, and backend "numpyro" trains on the processor. Take '
            'backend="pyro", or leave device out.'
        )
    check_latent(vae.latent_dim)


def check_count(name: str, value: Any, least: int = 1) -> None:
    """Raise InputError unless it is a whole number of so many or more."""
    if not _whole(value) or value < least:
        raise InputError(f"{name} is {value!r}; expected an integer >= {least}.")


def check_latent(latent_dim: Any) -> None:
    """Raise InputError unless it is None, a size, or two sizes."""
    layers = latent_dim if isinstance(latent_dim, Sequence) else (latent_dim,)
    fine = all(_whole(k) and k >= 1 for k in layers) and len(layers) in (1, 2)
    if latent_dim is not None and not fine:
        raise InputError(
            f"latent_dim is {latent_dim!r}; expected a number of latents, or two for two layers, "
            "the one next to the data first, such as (32, 16)."
        )


def check_size(latent: tuple[int, ...], values: int) -> None:
    """Raise InputError if there are more latents than values."""
    if latent[0] > values:
        raise InputError(
            f"latent_dim is {latent[0]}, and a row has {values} values: a code larger than the row "
            f"compresses nothing. Take at most {values}."
        )


def check_used(vae: VAE, net: str, parts: tuple[Part, ...]) -> None:
    """Raise InputError where a setting plays no part in these nets and likelihoods."""
    if vae.channels is not None and net != "conv":
        raise InputError(
            f"channels are those of convolutions, and the net is {net!r}. Leave channels out, or "
            'take net="conv" for images.'
        )
    if vae.noise != "column" and not any(part.kind in SCALED for part in parts):
        kinds = ", ".join(dict.fromkeys(part.kind for part in parts))
        raise InputError(
            f"noise is {vae.noise!r}, and the likelihood has none ({kinds}). Leave noise out."
        )


def collapse(kl: Floats) -> list[Reason]:
    """What the divergences of the latents (k,), means over rows in nats, say."""
    inactive = int((kl < ACTIVE).sum())
    if inactive == len(kl):
        return [
            Reason(
                "warn",
                f"posterior collapse: none of the {len(kl)} latents says anything of a row (each "
                f"below {ACTIVE} nats).",
                "Lower beta, set warm_up (epochs) or free_bits (0.1), make the decoder smaller, or "
                "train longer; if the columns are independent, there is nothing to say.",
            )
        ]
    if inactive:
        what = f"{inactive} of {len(kl)} latents are inactive (below {ACTIVE} nats a row)."
        return [Reason("ok", what)]
    return []


def _whole(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _sizes(given: Any, empty: bool) -> bool:
    if isinstance(given, str) or not hasattr(given, "__len__"):
        return False
    return (empty or len(given) > 0) and all(_whole(size) and size >= 1 for size in given)


def _number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def _positive(value: Any) -> bool:
    return _number(value) and 0 < float(value) < math.inf
