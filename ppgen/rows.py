"""What a fit and a score see of what they were given: encoded rows with what belongs to each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from .data import Encoded


@dataclass(frozen=True, eq=False)
class Target:
    """The rows of the second domain of a translation.

    Attributes:
        data: as the model sees them: as many as there are of the first where the two are paired,
            else any number.
        units: gives a hash of each row's unit, as `Fit.units` does of the first domain.
    """

    data: Encoded
    units: Callable[[], NDArray[np.uint64]]

    def __len__(self) -> int:
        return len(self.data)


@dataclass(frozen=True, eq=False)
class Rows:
    """Encoded rows and what belongs to each of them.

    Attributes:
        data: the n rows as the model sees them.
        weights: (n,) weights, or None where all count alike.
        context: (n, k) the encoded `y` of a conditional fit, or None.
        labels: (n,) the class of each row, for a fit that is supervised, or None.
        seeds: (n,) of what is drawn for each row where scores are estimates, which depend on the
            row alone; else None.
        target: the rows of the second domain of a translation, or None.
    """

    data: Encoded
    weights: NDArray[np.float64] | None = None
    context: NDArray[np.float64] | None = None
    labels: NDArray[Any] | None = None
    seeds: NDArray[np.uint64] | None = None
    target: Target | None = None

    def __len__(self) -> int:
        return len(self.data)

    def take(self, index: Any) -> Self:
        """Some rows, by slice, numbers or mask."""
        parts = {field.name: getattr(self, field.name) for field in fields(self)}
        some = {name: part[index] for name, part in parts.items() if isinstance(part, np.ndarray)}
        return replace(self, data=self.data.take(index), **some)
