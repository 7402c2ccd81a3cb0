"""Sizes of nets, codes and batches where users leave them open: by rows, values and pictures."""

from __future__ import annotations

import math

Shape = tuple[int, ...]


def net_for(shape: Shape) -> str:
    """ "conv" for pictures (C, H, W) of 12 pixels or more on each side, else "mlp"."""
    return "conv" if shape and min(shape[1:]) >= 12 else "mlp"


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


def epochs_for(wanted: int, steps: int, *, timed: bool) -> int:
    """Epochs of so many steps that come to `wanted` steps; without end where a budget ends them."""
    return 1_000_000 if timed else math.ceil(wanted / steps)
