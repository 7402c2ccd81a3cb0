"""What is checked around a debiasing variational autoencoder: settings before; accuracy, draws and
latents after."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError, did_you_mean
from ...verdict import Reason
from ..autoencoder.layout import Layout
from .resampling import COMBINE

if TYPE_CHECKING:
    from .estimator import DebiasingVAE

NETS = ("auto", "mlp", "conv")
ACTIVATIONS = ("relu", "silu", "gelu", "tanh", "elu")
SHARES = ("data", "equal")
_GAP = 0.1  # of the accuracy, from which a net is said to have learnt by heart
_ACTIVE = 0.01  # nats from which on a latent says something of a row
_FEW = 0.05  # effective share of the rows below which resampling rests on few of them


def check(of: DebiasingVAE) -> None:
    """Raise InputError where a setting is none."""
    choices: list[tuple[str, Any, tuple[str, ...]]] = [
        ("net", of.net, NETS),
        ("activation", of.activation, ACTIVATIONS),
        ("combine", of.combine, COMBINE),
        ("class_shares", of.class_shares, SHARES),
    ]
    for name, value, options in choices:
        if value not in options:
            raise InputError(
                f"{name} is {value!r}; expected one of {', '.join(options)}."
                + did_you_mean(str(value), options)
            )
    for name in ("latent_dim", "batch_size", "max_epochs"):
        size = getattr(of, name)
        if size is not None and not _whole(size, 1):
            raise InputError(f"{name} is {size!r}; expected None or an integer >= 1.")
    if not _whole(of.bins, 2):
        raise InputError(f"bins is {of.bins!r}; expected an integer >= 2.")
    for name in ("hidden", "channels"):
        sizes = getattr(of, name)
        fine = sizes is None or (np.iterable(sizes) and all(_whole(s, 1) for s in sizes))
        if not fine or (sizes is not None and name == "channels" and not len(sizes)):
            raise InputError(f"{name} is {sizes!r}; expected sizes such as (64, 64).")
    if not _number(of.alpha) or of.alpha <= 0:
        raise InputError(
            f"alpha is {of.alpha!r}; expected a number above 0, usually below 1: a small one draws "
            "rare rows often, a large one draws all alike. resample=False does not resample."
        )
    if of.learning_rate is not None and not (_number(of.learning_rate) and of.learning_rate > 0):
        raise InputError(f"learning_rate is {of.learning_rate!r}; expected a positive number.")
    for name in ("smoothing", "reconstruction_weight", "weight_decay", "dropout", "kl_weight"):
        number = getattr(of, name)
        if number is None and name == "kl_weight":
            continue
        if not _number(number) or number < 0 or (name == "dropout" and number >= 1):
            what = "a share from 0 to below 1" if name == "dropout" else "a number >= 0"
            raise InputError(f"{name} is {number!r}; expected {what}.")


def check_layout(of: DebiasingVAE, layout: Layout, net: str) -> None:
    """Raise InputError where the settings do not suit the rows, for which `net` was chosen."""
    if of.net == "conv" and not layout.shape:
        raise InputError(
            'net="conv" is for images, (n, height, width) or (n, channels, height, width); a table '
            'was given. Take net="mlp".'
        )
    if of.channels is not None and net != "conv":
        raise InputError(
            f"channels are those of convolutions, and the net is {net!r}. Leave channels out, or "
            'take net="conv" for images.'
        )
    if net == "conv" and of.hidden is not None and len(of.hidden) != 1:
        raise InputError(
            f"hidden is {of.hidden!r}; a convolutional net has one layer between pictures and "
            'codes, such as (256,). Its depth is that of channels. Or take net="mlp".'
        )
    if of.augment is not None and not layout.shape:
        raise InputError("augment changes images; a table was given. Leave augment out.")
    if of.latent_dim is not None and of.latent_dim > layout.free:
        raise InputError(
            f"latent_dim is {of.latent_dim}, and a row is {layout.free} numbers: a code larger "
            f"than the row compresses nothing. Take at most {layout.free}."
        )


def overfitting(seen: NDArray[np.bool_], unseen: NDArray[np.bool_] | None, n: int) -> list[Reason]:
    """What the accuracies say, of rows trained on and of rows held out.

    Args:
        seen, unseen: whether each row was classified right.
        n: how many rows were trained on.
    """
    if unseen is None:
        return [
            Reason(
                "warn",
                f"{n} rows are too few to hold any out, so nothing says how the classifier does on "
                "others.",
                "Give validation rows with their labels.",
            )
        ]
    a, b = float(seen.mean()), float(unseen.mean())
    stderr = math.sqrt(
        max(a * (1 - a), 0.25 / len(seen)) / len(seen)
        + max(b * (1 - b), 0.25 / len(unseen)) / len(unseen)
    )
    what = f"accuracy {b:.3f} on held-out rows, {a:.3f} on rows trained on"
    if a - b <= _GAP or a - b <= 3 * stderr:
        return [Reason("ok", what + ".")]
    return [
        Reason(
            "warn",
            f"overfitting: {what}.",
            "Give more rows, augment (images), dropout, weight_decay, or a smaller hidden.",
        )
    ]


def rests_on(share: float, alpha: float) -> list[Reason]:
    """What the draws of the last epoch say, which rest on this share of the rows."""
    if share >= _FEW:
        return []
    return [
        Reason(
            "warn",
            f"resampling rests on {share:.1%} of the rows: they are learnt by heart.",
            f"Raise alpha ({alpha:g}), lower latent_dim, or give more rows.",
        )
    ]


def collapsed(kl: NDArray[np.float64]) -> list[Reason]:
    """What the nats (k,) of the latents say."""
    if (kl >= _ACTIVE).any():
        return []
    return [
        Reason(
            "warn",
            f"posterior collapse: none of the {len(kl)} latents says anything of a row, so all "
            "rows are drawn alike.",
            "Lower kl_weight, raise reconstruction_weight, or train longer.",
        )
    ]


def _whole(value: Any, least: int) -> bool:
    plain = isinstance(value, int | np.integer) and not isinstance(value, bool)
    return plain and value >= least


def _number(value: Any) -> bool:
    plain = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    return plain and math.isfinite(float(value))
