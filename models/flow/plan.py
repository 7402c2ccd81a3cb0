"""What a flow's size and training are, where the user leaves them open: by rows, columns and time.

Found by trials on tables of 150 to 200,000 rows (`benchmarks/flow_vs_zuko.py` has the largest): on
few rows small nets with dropout, stopped early; on many rows, in the time given, narrow
autoregressive spline layers with LU maps between them, fine bins, and a high learning rate that
falls to 0 at the end.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ...inference.gradient import Settings


@dataclass(frozen=True)
class Plan:
    """Sizes and settings of one fit."""

    n_transforms: int
    hidden: tuple[int, ...]
    bins: int
    dropout: float
    weight_decay: float
    settings: Settings


def plan(
    n: int,
    d: int,
    *,
    n_transforms: int | None,
    hidden: Sequence[int] | None,
    bins: int | None,
    batch_size: int | None,
    learning_rate: float | None,
    max_epochs: int | None,
    timed: bool,
) -> Plan:
    """The plan for n rows of d columns; what is not None is taken as given.

    Args:
        timed: whether a budget ends the fit; without one, `max_epochs` does.
    """
    few = n < 5000
    if batch_size is None:
        batch_size = min(512, max(32, 2 ** round(math.log2(max(n, 1) / 16))))
    steps = max(1, n // min(batch_size, max(n, 1)))
    if max_epochs is None:
        wanted = 2000 if few else 4000 if n < 50_000 else 8000
        max_epochs = 1_000_000 if timed else math.ceil(wanted / steps)
    width = 32 if n < 1000 else 64 if n < 500_000 and d <= 16 else 128
    return Plan(
        n_transforms=n_transforms or (3 if few else 5),
        hidden=tuple(hidden) if hidden is not None else (width, width),
        bins=bins or (8 if n < 20_000 else 16),
        dropout=0.1 if few else 0.0,
        weight_decay=1e-2 if few else 1e-4,
        settings=Settings(
            batch_size=batch_size,
            learning_rate=learning_rate or (2e-3 if few else 5e-3),
            max_epochs=max_epochs,
            evaluate_every=math.ceil(25 / steps),
            patience=8,
            min_delta=2e-3,
        ),
    )
