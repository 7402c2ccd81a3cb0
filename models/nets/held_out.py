"""Which rows of a fit its nets are trained on, and which are held out to stop them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...arrays import Array, Floats, Hashes, Mask
from ...data import Encoded
from ...fitting import Fit
from ...rows import Rows
from ...thinning import thinned

Indices = NDArray[np.int64]

_FEW = 20  # rows below which none are held out


def held_out(units: Hashes, rng: np.random.Generator) -> Mask:
    """Which rows are held out: a tenth (a fifth of few rows, none of very few).

    Rows of a unit go together: they are taken in random order as long as the rows wanted are not
    exceeded; if the first alone exceeds them, the smallest is taken, unless it is more than half.

    Args:
        units: (n,) a number or hash of each row's unit (`data.units`).
    """
    n = len(units)
    if n < _FEW:
        return np.zeros(n, dtype=bool)
    _, unit, sizes = np.unique(units, return_inverse=True, return_counts=True)
    wanted = min(max(n // 10, min(n // 5, 100)), 10_000)
    place = rng.permutation(len(sizes))  # of each unit in the order
    order = np.argsort(place)
    chosen = (np.cumsum(sizes[order]) <= wanted)[place]
    if not chosen.any() and 2 * sizes.min() <= n:
        chosen[np.argmin(sizes)] = True
    held: Mask = chosen[unit]
    return held


@dataclass(frozen=True, eq=False)
class Subset:
    """Some of the rows of a fit, by number: of a file that is mapped into memory nothing is copied.

    Attributes:
        x: (n, D) all stored rows.
        numbers: (m,) of the rows meant.
        log_det: (n,) of all rows, see `Encoded`.
        context: (n, c) of all rows, or None.
        weights: (n,) of all rows, with mean 1 over those that the subset began with, or None.
        labels: (n,) numbers of the classes of all rows, or None.
        hashes: gives (n,) hashes of the units that all rows belong to.
    """

    x: Array
    numbers: Indices
    log_det: Floats
    context: Floats | None
    weights: Floats | None
    labels: Indices | None
    hashes: Callable[[], Hashes]

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def shares(self) -> Floats | None:
        """(m,) weights of the rows meant, with the mean 1."""
        if self.weights is None:
            return None
        weights = self.weights[self.numbers]
        return np.asarray(weights / weights.mean())

    @property
    def classes(self) -> Indices:
        """(m,) numbers of the classes of the rows meant."""
        assert self.labels is not None
        return self.labels[self.numbers]

    def values(self) -> tuple[Array, Floats | None]:
        """The stored rows meant (m, D), and their context."""
        context = None if self.context is None else self.context[self.numbers]
        return self.x[self.numbers], context

    def units(self) -> Hashes:
        """(m,) hashes of the units of the rows meant."""
        return self.hashes()[self.numbers]

    def only(self, numbers: Indices) -> Subset:
        """Other rows of the same fit; weights keep the mean that they have."""
        return replace(self, numbers=numbers)

    def thinned(self, most: int, rng: np.random.Generator) -> Subset:
        """At most so many of the rows, drawn at random, in order."""
        return self.only(self.numbers[thinned(len(self), most, rng)])


class Split:
    """Rows to train on, and held-out rows: those the caller gave for validation, or some of the
    fit's. Rows of weight 0 are neither.

    Args:
        hold: whether rows are held out where the caller gave none.

    Attributes:
        numbers: of the rows trained on.
        held: numbers of the rows held out of those of the fit.
    """

    def __init__(self, rows: Rows, fit: Fit, *, hold: bool = True) -> None:
        self.rows, self.fit = rows, fit
        n = len(rows)
        kept = np.ones(n, dtype=bool) if rows.weights is None else rows.weights > 0
        held = np.zeros(n, dtype=bool)
        if hold and fit.validation is None:
            held = held_out(fit.units(), fit.rng()) & kept
            if rows.labels is not None:  # of each class, some rows are to be trained on
                for c in np.unique(rows.labels):
                    if not (kept & ~held & (rows.labels == c)).any():
                        held &= rows.labels != c
            fit.held_out = held
        self.numbers = np.flatnonzero(kept & ~held)
        self.held = np.flatnonzero(held)

    def subsets(self, stored: Callable[[Encoded], Array]) -> tuple[Subset, Subset | None]:
        """The rows trained on and those held out, None where there are none.

        Args:
            stored: gives rows as one array (n, D).
        """
        rows, validation = self.rows, self.fit.validation
        x = stored(rows.data)
        seen = _subset(rows, x, self.numbers, self.fit.units)
        if validation is not None:
            x = stored(validation.data)
            every = np.arange(len(validation))
            return seen, _subset(validation, x, every, self.fit.validation_units)
        return seen, _subset(rows, x, self.held, self.fit.units) if len(self.held) else None


def _subset(rows: Rows, x: Array, numbers: Indices, hashes: Callable[[], Hashes]) -> Subset:
    weights = rows.weights
    if weights is not None:
        weights = weights / weights[numbers].mean()
    return Subset(x, numbers, rows.data.log_det, rows.context, weights, rows.labels, hashes)
