"""What a variational autoencoder's size and training are, where the user leaves them open: by rows,
values and time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ...inference.schedule import Settings
from ..nets.sizes import batch_for, channels_for, epochs_for, latents_for, net_for, steps_of


@dataclass(frozen=True)
class Plan:
    """Sizes and settings of one fit."""

    net: str
    latent: tuple[int, ...]
    hidden: tuple[int, ...]
    channels: tuple[int, ...]
    settings: Settings


def plan(
    n: int,
    values: int,
    shape: tuple[int, ...],
    *,
    net: str,
    latent_dim: int | Sequence[int] | None,
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
    if net == "auto":
        net = net_for(shape)
    if latent_dim is None:
        latent_dim = latents_for(values)
    if hidden is None:
        width = 64 if n < 1000 else 128 if values < 64 else 300
        hidden = (256,) if net == "conv" else (width, width)
    if channels is None:
        channels = channels_for(shape)
    if batch_size is None:
        batch_size = batch_for(n)
    steps = steps_of(n, batch_size)
    if max_epochs is None:
        wanted = 3000 if n < 5000 else 10_000 if net == "conv" else 20_000
        max_epochs = epochs_for(wanted, steps, timed=timed)
    return Plan(
        net=net,
        latent=_whole(latent_dim if isinstance(latent_dim, Sequence) else (latent_dim,)),
        hidden=_whole(hidden),
        channels=_whole(channels) if net == "conv" else (),
        settings=Settings(
            batch_size=batch_size,
            learning_rate=learning_rate or (2e-3 if net == "conv" else 1e-3),
            max_epochs=max_epochs,
            evaluate_every=max(1, math.ceil(100 / steps)),
            patience=8,
            min_delta=2e-3 * math.sqrt(values),
        ),
    )


def _whole(sizes: Sequence[int]) -> tuple[int, ...]:
    """Python's own integers, which a saved run can hold."""
    return tuple(int(size) for size in sizes)
