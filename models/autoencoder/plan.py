"""What an autoencoder's size and training are, where the user leaves them open: by rows, values and
time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ...inference.schedule import Settings
from ..nets.sizes import batch_for, channels_for, epochs_for, latents_for, net_for, steps_of


@dataclass(frozen=True)
class Plan:
    """Sizes and settings of one fit."""

    kind: str
    latent: int
    hidden: tuple[int, ...]
    channels: tuple[int, ...]
    settings: Settings


def plan(
    n: int,
    values: int,
    shape: tuple[int, ...],
    *,
    kind: str,
    latent_dim: int | None,
    hidden: Sequence[int] | None,
    channels: Sequence[int] | None,
    batch_size: int | None,
    learning_rate: float | None,
    max_epochs: int | None,
    timed: bool,
) -> Plan:
    """The plan for n rows of so many values; what is not None is taken as given.

    Args:
        shape: (C, H, W) of images, else ().
        timed: whether a budget ends the fit; without one, `max_epochs` does.
    """
    if kind == "auto":
        kind = net_for(shape)
    if latent_dim is None:
        latent_dim = latents_for(values)
    if hidden is None:
        width = 64 if n < 1000 else 128 if values < 64 else 256
        hidden = (256,) if kind == "conv" else (width, width)
    if channels is None:
        channels = channels_for(shape)
    if batch_size is None:
        batch_size = batch_for(n)
    steps = steps_of(n, batch_size)
    if max_epochs is None:
        wanted = 3000 if n < 5000 else 5000 if kind == "conv" else 10_000
        max_epochs = epochs_for(wanted, steps, timed=timed)
    return Plan(
        kind=kind,
        latent=int(latent_dim),
        hidden=() if kind == "linear" else tuple(hidden),
        channels=tuple(channels) if kind == "conv" else (),
        settings=Settings(
            batch_size=batch_size,
            learning_rate=learning_rate or 2e-3,
            max_epochs=max_epochs,
            evaluate_every=max(1, math.ceil(100 / steps)),
            patience=8,
            min_delta=1e-4,  # of the error of the best constant row
        ),
    )
