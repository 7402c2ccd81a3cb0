"""What a fit of a mixture cannot be: of values whose squares are no numbers, or of parameters that
are none; and which columns it is of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...data import Codec
from ...errors import FitError
from ...verdict import Reason
from .parameters import Mixture
from .weighted_rows import WeightedRows

_LEAST, _MOST = 1e-290, 1e290  # variances that leave room for products


def check_range(rows: WeightedRows, names: Sequence[str]) -> None:
    """Raise FitError for columns whose variances double precision cannot hold."""
    for name, variance in zip(names, rows.variance, strict=True):
        if not _LEAST < variance < _MOST:
            way = "multiply" if variance < 1 else "divide"
            raise FitError(
                f"the variance of column {name!r} is beyond double precision; {way} its values by "
                "a power of ten."
            )


def findings(mixture: Mixture) -> list[Reason]:
    """Warnings of parameters that are not numbers, and of columns of which none varies."""
    found = []
    parts = (mixture.weights, mixture.means, mixture.covariances, *mixture.probs)
    if not all(np.isfinite(part).all() for part in parts):
        what = "the fit ended with parameters that are not finite."
        found.append(Reason("failed", what, "Rescale the columns, or use fewer components."))
    if not mixture.means.shape[1] and not mixture.probs:
        what = "all columns are constant: each row has probability 1, and nothing is learnt."
        found.append(Reason("warn", what, "Give columns that vary."))
    return found


def layout(codec: Codec) -> tuple[Any, ...]:
    """The columns that a mixture is of: names and kinds, and of discrete ones the levels."""
    continuous = ((w.column.name, w.column.kind) for w in codec.warps)
    return (*continuous, *((c.name, tuple(c.levels)) for c in codec.discrete))
