"""Known factors of variation, and codes, as what disentanglement scores work on.

A factor is ordered (a size, a position, an angle) or categorical (a shape). For mutual information
both factors and codes are cut into bins: one with at most `BINS` distinct values keeps each as a
bin of its own; another gets `BINS` bins that hold equal shares of the rows, equal values in one
bin. Bins depend on ranks alone, so no shift, scale or monotone bending of a latent changes them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import Floats, Ints
from ..errors import InputError, unknown
from ..two_sample import as_columns

BINS = 20
_MIN_ROWS = 50


@dataclass(frozen=True, eq=False)
class Factors:
    """Factors (n, f) with their names, and which of them have no order."""

    values: Floats
    names: tuple[str, ...]
    categorical: tuple[bool, ...]

    @classmethod
    def of(
        cls,
        values: ArrayLike,
        names: Sequence[str] | None = None,
        categorical: Collection[int | str] = (),
    ) -> Factors:
        """Factors, checked.

        Args:
            values: (n, f) numbers; levels of a categorical factor as numbers.
            names: of the factors; "factor 0", "factor 1", ... by default.
            categorical: names or places of those without order.

        Raises:
            InputError: if there are too few rows, a value that is not finite, a factor with one
                value only, or a name that is not there.
        """
        table = as_columns(values)
        if table.ndim != 2 or len(table) < _MIN_ROWS or not np.isfinite(table).all():
            raise InputError(
                f"factors of shape {table.shape} given; expected (n, f) finite numbers, one row a "
                f"row of data, of at least {_MIN_ROWS} rows."
            )
        f = table.shape[1]
        called = tuple(f"factor {j}" for j in range(f)) if names is None else tuple(names)
        if len(called) != f:
            raise InputError(f"{len(called)} names given for {f} factors; give one each.")
        for j, name in enumerate(called):
            if np.ptp(table[:, j]) == 0:
                raise InputError(
                    f"{name!r} has the same value in every row; no latent can follow it. Drop it."
                )
        unordered = {_place(c, called) for c in categorical}
        return cls(table, called, tuple(j in unordered for j in range(f)))

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: Ints) -> Factors:
        """Some rows."""
        return Factors(self.values[rows], self.names, self.categorical)

    def levels(self, j: int) -> Ints:
        """(n,) factor j as whole numbers, 0 for its least value."""
        return np.asarray(np.unique(self.values[:, j], return_inverse=True)[1], np.intp)


def check_codes(codes: ArrayLike, n: int) -> Floats:
    """Codes (n, k) for n rows of factors.

    Raises:
        InputError: if their number of rows is another, or one is not finite.
    """
    z = as_columns(codes)
    if z.ndim != 2 or not np.isfinite(z).all():
        raise InputError(f"codes of shape {z.shape} given; expected (n, k) finite numbers.")
    if len(z) != n:
        raise InputError(f"{len(z)} rows have codes and {n} have factors; give both of each row.")
    return z


def binned(x: Floats, most: int = BINS) -> Ints:
    """(n,) the bin of each value: distinct values, or bins of equal shares where there are more."""
    values, place, counts = np.unique(x, return_inverse=True, return_counts=True)
    if len(values) <= most:
        return np.asarray(place, np.intp)
    # The middle rank of equal values, so that they share a bin.
    middle = np.cumsum(counts) - 0.5 * counts
    return np.asarray(np.floor(most * middle / len(x)), np.intp)[place]


def halves(n: int, seed: int) -> tuple[Ints, Ints]:
    """Rows to learn from, and rows to score on: two halves at random."""
    order = np.random.default_rng([seed, 0xFA]).permutation(n)
    return np.sort(order[: n // 2]), np.sort(order[n // 2 :])


def chance_corrected(predicted: Ints, truth: Ints) -> float:
    """Balanced accuracy, 0 for guessing and 1 for always right; not below 0."""
    shares = [float((predicted[truth == v] == v).mean()) for v in np.unique(truth)]
    chance = 1 / len(shares)
    return max(0.0, (float(np.mean(shares)) - chance) / (1 - chance)) if chance < 1 else 0.0


def explained(predicted: Floats, truth: Floats) -> float:
    """The share of the variance explained, R^2; not below 0."""
    total = float(np.square(truth - truth.mean()).sum())
    return max(0.0, 1 - float(np.square(truth - predicted).sum()) / total) if total else 0.0


def gap(scores: Floats) -> Floats:
    """(f,) the best of each column of (k, f) minus the second best, 0 where there is no second."""
    ordered = np.sort(np.vstack([scores, np.zeros((1, scores.shape[1]))]), axis=0)
    return np.asarray(ordered[-1] - ordered[-2], np.float64)


def _place(factor: int | str, names: tuple[str, ...]) -> int:
    if isinstance(factor, str):
        if factor not in names:
            raise unknown("factor", factor, names)
        return names.index(factor)
    if not 0 <= factor < len(names):
        raise InputError(f"there is no factor {factor}; expected 0 to {len(names) - 1}.")
    return int(factor)
