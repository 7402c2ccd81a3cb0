"""What is checked around an autoencoder: settings before; errors and codes after."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError, did_you_mean
from ...inference.learner import Outcome
from ...inference.schedule import Settings
from ...verdict import Reason
from ..course import course
from ..nets.sizes import net_for
from .corrupt import NOISES
from .layout import Layout

if TYPE_CHECKING:
    from .estimator import Autoencoder

Floats = NDArray[np.float64]

KINDS = ("auto", "mlp", "linear", "conv")
LOSSES = ("auto", "squared", "cross_entropy")
ACTIVATIONS = ("relu", "silu", "gelu", "tanh", "elu")
_DEAD = 1e-3  # standard deviation, beside the largest of all codes, below which one is dead
_WORSE = 2.0  # times the error of rows trained on, from which a net is said to have learnt by heart


def check(of: Autoencoder) -> None:
    """Raise InputError where a setting is none."""
    choices: list[tuple[str, Any, tuple[str, ...]]] = [
        ("kind", of.kind, KINDS),
        ("loss", of.loss, LOSSES),
        ("activation", of.activation, ACTIVATIONS),
    ]
    if of.noise is not None:
        choices.append(("noise", of.noise, NOISES))
    for name, value, options in choices:
        if value not in options:
            raise InputError(
                f"{name} is {value!r}; expected one of {', '.join(options)}."
                + did_you_mean(str(value), options)
            )
    for name in ("latent_dim", "batch_size", "max_epochs"):
        size = getattr(of, name)
        if size is not None and not _whole(size):
            raise InputError(f"{name} is {size!r}; expected None or an integer >= 1.")
    for name in ("hidden", "channels"):
        sizes = getattr(of, name)
        if sizes is not None and not (np.iterable(sizes) and all(map(_whole, sizes))):
            raise InputError(f"{name} is {sizes!r}; expected sizes such as (64, 64).")
    if of.channels is not None and not len(of.channels):
        raise InputError("channels is empty; expected one for each halving, such as (16, 32).")
    if of.learning_rate is not None and not _between(of.learning_rate, 0, math.inf):
        raise InputError(f"learning_rate is {of.learning_rate!r}; expected a positive number.")
    if of.weight_decay != 0 and not _between(of.weight_decay, 0, math.inf):
        raise InputError(f"weight_decay is {of.weight_decay!r}; expected a number >= 0.")
    share = of.noise is not None and of.noise != "gaussian"
    if not _between(of.noise_level, 0, 1 if share else math.inf):
        what = "a share between 0 and 1" if share else "a positive number"
        raise InputError(f"noise_level is {of.noise_level!r}; expected {what}.")
    if not _between(of.contamination, 0, 0.5) and of.contamination != 0.5:
        raise InputError(
            f"contamination is {of.contamination!r}; expected the share of outliers among the rows "
            "fitted, above 0 and at most 0.5."
        )


def check_layout(of: Autoencoder, layout: Layout) -> None:
    """Raise InputError where the settings do not suit the rows."""
    chosen = net_for(layout.shape) if of.kind == "auto" else of.kind
    if of.kind == "conv" and not layout.shape:
        raise InputError(
            'kind="conv" is for images, (n, height, width) or (n, channels, height, width); a '
            'table was given. Take kind="mlp".'
        )
    if of.kind == "linear" and of.hidden is not None:
        raise InputError('hidden is given, and kind="linear" has no such layer. Leave hidden out.')
    if of.channels is not None and chosen != "conv":
        raise InputError(
            f"channels are those of convolutions, and the net is {chosen!r}. Leave channels out, "
            'or take kind="conv" for images.'
        )
    if of.kind == "conv" and of.hidden is not None and len(of.hidden) != 1:
        raise InputError(
            f"hidden is {of.hidden!r}; a convolutional net has one layer between pictures and "
            "codes, such as (256,). Its depth is that of channels."
        )
    if of.augment is not None and not layout.shape:
        raise InputError("augment changes images; a table was given. Leave augment out.")
    if of.latent_dim is not None and of.latent_dim > layout.free and of.noise is None:
        most = layout.free
        raise InputError(
            f"latent_dim is {of.latent_dim}, and a row is {most} numbers: a code larger than the "
            f"row may copy it and learn nothing. Take at most {most}, or denoise "
            '(noise="masking"), where larger codes make sense.'
        )


def progress(outcome: Outcome, settings: Settings) -> list[Reason]:
    """What the course of the training says; its numbers are shares of the error of the best
    constant row."""
    if outcome.why == "diverged":
        return course(outcome, settings)
    gain, stderr = outcome.improvement, outcome.improvement_stderr
    left = -outcome.best
    if outcome.why == "stopped" or not gain - 2 * stderr > max(0.1 * left, 1e-3):
        return []
    limit = "the budget" if outcome.why == "budget" else "max_epochs"
    return [
        Reason(
            "warn",
            f"not converged: the held-out error still fell by {gain / (gain + left):.0%} in the "
            f"last quarter before {limit} ended.",
            f"Raise {limit.removeprefix('the ')}.",
        )
    ]


def errors(seen: Floats, unseen: Floats | None, constant: float, n: int) -> list[Reason]:
    """What the errors of some rows trained on and of some held out say.

    Args:
        constant: the error of the best constant row.
        n: how many rows were trained on.
    """
    if unseen is None:
        return [
            Reason(
                "warn",
                f"{n} rows are too few to hold any out, so nothing stopped the net.",
                'Give validation rows, or use kind="linear".',
            )
        ]
    a, b = float(seen.mean()), float(unseen.mean())
    if b >= constant:
        return [
            Reason(
                "warn",
                f"the codes say nothing: held-out rows are off by {b:.3g}, and by {constant:.3g} "
                "from one constant row.",
                "Give more rows, a smaller hidden or latent_dim, or train longer; if the columns "
                "are independent, there is nothing to say.",
            )
        ]
    stderr = math.sqrt(seen.var() / len(seen) + unseen.var() / len(unseen))
    if b <= _WORSE * a or b - a <= 3 * stderr or b - a <= 0.01 * constant:
        return []
    return [
        Reason(
            "warn",
            f"overfitting: held-out rows are off by {b:.3g}, rows trained on by {a:.3g}.",
            "Give more rows, a smaller hidden or latent_dim, noise or weight_decay.",
        )
    ]


def dead(codes: Floats) -> list[Reason]:
    """Codes (n, k) that are the same for all rows."""
    spread = codes.std(0)
    idle = np.flatnonzero(spread <= _DEAD * spread.max())
    if not len(idle):
        return []
    some = ", ".join(map(str, idle[:5])) + (", ..." if len(idle) > 5 else "")
    return [
        Reason(
            "warn",
            f"{len(idle)} of {codes.shape[1]} codes are dead, the same for all rows ({some}).",
            f"Lower latent_dim to {max(1, codes.shape[1] - len(idle))}, or, where codes are "
            "missed, learning_rate.",
        )
    ]


def _whole(value: Any) -> bool:
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    return whole and int(value) >= 1


def _between(value: Any, low: float, high: float) -> bool:
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    return bool(number and low < float(value) < high)
