"""What a flow's size and training are, where the user leaves them open: by rows, columns and time.

Found by trials on tables of 150 to 200,000 rows (`benchmarks/flow_vs_zuko.py` has the largest): on
few rows small nets with dropout, stopped early; on many rows, in the time given, narrow
autoregressive spline layers with LU maps between them, fine bins, and a high learning rate that
falls to 0 at the end.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...inference.schedule import Schedule
from ..nets.sizes import epochs_for, steps_of


@dataclass(frozen=True)
class Sizes:
    """Sizes of the net and settings of its training."""

    n_transforms: int
    hidden: tuple[int, ...]
    bins: int
    dropout: float
    weight_decay: float
    training: Schedule


def sizes_for(n: int, d: int, asked: Mapping[str, Any], *, timed: bool) -> Sizes:
    """Sizes for n rows of d columns. What is not None in the settings `asked` is taken as given;
    `timed` says that a budget ends the fit, not `max_epochs`."""
    few = n < 5000
    batch_size = asked["batch_size"] or min(512, max(32, 2 ** round(math.log2(max(n, 1) / 16))))
    steps = steps_of(n, batch_size)
    wanted = 2000 if few else 4000 if n < 50_000 else 8000
    width = 32 if n < 1000 else 64 if n < 500_000 and d <= 16 else 128
    return Sizes(
        n_transforms=asked["n_transforms"] or (3 if few else 5),
        hidden=(width, width) if asked["hidden"] is None else tuple(asked["hidden"]),
        bins=asked["bins"] or (8 if n < 20_000 else 16),
        dropout=0.1 if few else 0.0,
        weight_decay=1e-2 if few else 1e-4,
        training=Schedule(
            batch_size=batch_size,
            learning_rate=asked["learning_rate"] or (2e-3 if few else 5e-3),
            max_epochs=asked["max_epochs"] or epochs_for(wanted, steps, timed=timed),
            evaluate_every=math.ceil(25 / steps),
            patience=8,
            min_delta=2e-3,
        ),
    )
