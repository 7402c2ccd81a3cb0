"""Sizes of nets, codes and batches where users leave them open: by rows, values and pictures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...inference.schedule import Schedule
from .values import Values

Shape = tuple[int, ...]


def net_for(shape: Shape) -> str:
    """ "conv" for pictures (C, H, W) of 12 pixels or more on each side and sequences (C, T) of 12
    steps or more, else "mlp"."""
    return "conv" if shape and min(shape[1:]) >= 12 else "mlp"


def layers(net: str) -> str:
    """How such a net is made smaller, for advice."""
    return "fewer channels" if net == "conv" else "a smaller hidden"


def latents_for(values: int) -> int:
    """How many numbers a code of so many values has."""
    return 32 if values >= 256 else max(1, min(values - 1, round(2 * math.sqrt(values))))


def channels_for(shape: Shape) -> tuple[int, ...]:
    """Channels of each halving: as many as leave a picture of about 7 x 7."""
    halvings = max(1, round(math.log2(min(shape[1:]) / 7))) if shape else 1
    return tuple(16 * 2**i for i in range(halvings))


def batch_for(n: int) -> int:
    """Rows a step of n rows."""
    return min(128, max(16, int(2 ** round(math.log2(max(n, 1) / 16)))))


def steps_of(n: int, batch_size: int) -> int:
    """Steps an epoch."""
    return max(1, n // min(batch_size, max(n, 1)))


TIMED = 1_000_000
"""Epochs of a training that a budget ends."""


def epochs_for(wanted: int, steps: int, *, timed: bool) -> int:
    """Epochs of so many steps that come to `wanted` steps; without end where a budget ends them."""
    return TIMED if timed else math.ceil(wanted / steps)


@dataclass(frozen=True)
class Defaults:
    """What families take where the user leaves it open.

    Attributes:
        width: of hidden layers, on many rows of many values.
        mlp, conv: steps on many rows, and the highest learning rate, of perceptrons and of
            convolutions.
        min_delta: improvement over the window of the stopping test worth going on for.
    """

    width: int
    mlp: tuple[int, float]
    conv: tuple[int, float]
    min_delta: float


@dataclass(frozen=True)
class Sizes:
    """Sizes of an encoder and a decoder, and settings of their training."""

    net: str
    latent: tuple[int, ...]
    hidden: tuple[int, ...]
    channels: tuple[int, ...]
    training: Schedule


def sizes_for(
    n: int, values: Values, asked: Mapping[str, Any], defaults: Defaults, *, timed: bool
) -> Sizes:
    """The sizes of nets that encode n rows and decode them.

    Args:
        asked: settings of the estimator; what is not None is taken as given.
        timed: whether a budget ends the fit; without one, `max_epochs` does.
    """
    net = net_for(values.shape) if asked["net"] == "auto" else asked["net"]
    conv, hidden, channels = net == "conv", asked["hidden"], asked["channels"]
    latent = latents_for(values.free) if asked["latent_dim"] is None else asked["latent_dim"]
    width = 64 if n < 1000 else 128 if values.free < 64 else defaults.width
    if hidden is None:
        hidden = (256,) if conv else (width, width)
    batch_size = asked["batch_size"] or batch_for(n)
    steps = steps_of(n, batch_size)
    wanted, learning_rate = defaults.conv if conv else defaults.mlp
    wanted = min(wanted, 3000) if n < 5000 else wanted
    return Sizes(
        net=net,
        latent=_whole(latent if isinstance(latent, Sequence) else (latent,)),
        hidden=() if net == "linear" else _whole(hidden),
        channels=_whole(channels or channels_for(values.shape)) if conv else (),
        training=Schedule(
            batch_size=batch_size,
            learning_rate=asked["learning_rate"] or learning_rate,
            max_epochs=asked["max_epochs"] or epochs_for(wanted, steps, timed=timed),
            evaluate_every=max(1, math.ceil(100 / steps)),
            patience=8,
            min_delta=defaults.min_delta,
        ),
    )


def _whole(sizes: Sequence[int]) -> tuple[int, ...]:
    """Python's own integers, which a saved run can hold."""
    return tuple(int(size) for size in sizes)
