"""Weighted rows, ready for EM, and what is read off their columns."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ...covariance import correlations
from ...rows import Rows
from ...thinning import thinned
from . import kernel, missing
from .kernel import Moments, Pass
from .parameters import CovarianceType, Floats, Mixture

_SOME = 20_000  # rows that quartiles and the like are taken of
_FLOAT32_ERROR = 1e-3  # relative error of a variance from which single precision is left


class WeightedRows:
    """Weighted rows, ready for EM.

    Args:
        x: (n, d) with NaN in gaps.
        codes: (n, c) with -1 in gaps and -2 for unknown levels.
        n_levels: levels of each categorical column.
        weights: (n,) or None.
        log_det: (n,) what is added to a log density for that in the units of the data, or None.
    """

    def __init__(
        self,
        x: NDArray[Any],
        codes: NDArray[np.int32],
        n_levels: tuple[int, ...],
        weights: Floats | None,
        log_det: Floats | None = None,
    ) -> None:
        self.x = x
        self.log_det = log_det
        self.codes = codes
        self.columns = table_columns(codes, n_levels)
        self.n_levels = n_levels
        self.weights = weights
        self.total = float(len(x)) if weights is None else float(weights.sum())
        self.mean, self.variance, self.gaps = _summary(x, weights)

    def __len__(self) -> int:
        return len(self.x)

    @classmethod
    def of(cls, rows: Rows, n_levels: tuple[int, ...]) -> Self:
        """Rows as a fit is given them, those of weight 0 left out."""
        if rows.weights is not None and (rows.weights == 0).any():
            rows = rows.take(rows.weights > 0)
        data = rows.data
        return cls(data.x, data.codes, n_levels, rows.weights, data.log_det)

    @cached_property
    def quartiles(self) -> Floats:
        """(3, d) quartiles of the columns over at most `_SOME` of the rows."""
        found = np.zeros((3, self.x.shape[1]))
        for j, values in enumerate(self._some):
            if len(values):
                found[:, j] = np.quantile(values, [0.25, 0.5, 0.75])
        return found

    @cached_property
    def centre(self) -> Floats:
        """(d,) medians: what moments are about, as one value far out does not move them."""
        return np.asarray(self.quartiles[1])

    @cached_property
    def spread(self) -> Floats:
        """(d,) interquartile ranges as standard deviations of a normal; the standard deviation
        where half of the values are equal, and 1 where all are."""
        between = (self.quartiles[2] - self.quartiles[0]) / 1.349
        deviation = np.sqrt(np.where(self.variance > 0, self.variance, 1.0))
        return np.where(between > 0, between, deviation)

    @cached_property
    def closest(self) -> Floats:
        """(d,) widths of the narrowest interval that holds a hundredth of the distinct values."""
        found = self.spread.copy()
        for j, values in enumerate(self._some):
            values = np.unique(values)
            m = min(max(4, len(values) // 100), len(values) - 1)
            if m > 0:
                found[j] = (values[m:] - values[:-m]).min()
        return found

    @cached_property
    def rounding(self) -> Floats:
        """(d,) what floating point cannot tell apart, of the values as they are stored."""
        kind = self.x.dtype if self.x.dtype == np.float32 else np.float64
        eps = 4 * float(np.finfo(kind).eps)
        return np.array([eps * np.abs(v).max(initial=0.0) for v in self._some])

    @cached_property
    def _some(self) -> list[Floats]:
        """The values of each column that are there, of at most `_SOME` rows."""
        some = np.linspace(0, len(self) - 1, min(len(self), _SOME)).round().astype(int)
        columns = np.asarray(self.x[some], dtype=np.float64).T
        return [column[~np.isnan(column)] for column in columns]

    @cached_property
    def constant(self) -> float:
        """Mean of `log_det`: what a mean log density lacks for that in the units of the data."""
        return 0.0 if self.log_det is None else float(self.v @ self.log_det) / self.total

    @property
    def v(self) -> Floats:
        return np.ones(len(self.x)) if self.weights is None else self.weights

    def take(self, rows: NDArray[np.intp]) -> WeightedRows:
        weights, log_det = (None if a is None else a[rows] for a in (self.weights, self.log_det))
        return WeightedRows(self.x[rows], self.codes[rows], self.n_levels, weights, log_det)

    def thinned(self, most: int, rng: np.random.Generator) -> WeightedRows:
        """At most `most` of the rows, at random."""
        return self if len(self) <= most else self.take(thinned(len(self), most, rng))

    def filled(self) -> Floats:
        """(n, d) with each gap at its column's mean: good enough to start from."""
        return (
            np.where(np.isnan(self.x), self.mean, self.x)
            if self.gaps
            else np.asarray(self.x, dtype=np.float64)
        )

    def moments(self, covariance_type: CovarianceType, k: int) -> Callable[[Mixture], Moments]:
        """The sums of one pass, as a function of the parameters."""
        if self.gaps:
            x = np.asarray(self.x, dtype=np.float64)
            patterns, v = missing.Patterns.of(x), self.v
            return lambda m: missing.moments(m, x, self.columns, v, patterns, self.centre)
        whole = Pass(self.x, self.columns, self.weights, self.centre, covariance_type, k)

        def sums(mixture: Mixture) -> Moments:
            whitening = mixture.whitening(self.centre)
            # A variance is a difference of squares: its error in single precision is eps (distance
            # / width)^2.
            if (
                np.finfo(np.float32).eps * float(np.square(whitening.b).max(initial=0.0))
                > _FLOAT32_ERROR
            ):
                whole.wide()
            found = whole(whitening)
            if whole.dtype != np.float64 and _thin(found):
                whole.wide()
                found = whole(whitening)
            return found

        return sums

    def score(self, mixture: Mixture) -> tuple[Floats, Floats]:
        """(n, k) responsibilities and (n,) log densities."""
        return score(mixture, self.x, self.codes, self.centre)


def _thin(found: Moments) -> bool:
    """Whether components of these sums, in single precision, are so thin in some direction that the
    precision tells in their variance there."""
    if found.second.ndim != 3:
        return False
    n = np.maximum(found.n, np.finfo(np.float64).tiny)
    mean = found.first / n[:, None]
    spread = found.second / n[:, None, None] - mean[:, :, None] * mean[:, None, :]
    least = np.linalg.eigvalsh(correlations(spread)[0])[:, :1]
    return bool((least * _FLOAT32_ERROR < np.finfo(np.float32).eps).any())


def score(
    mixture: Mixture, x: NDArray[Any], codes: NDArray[np.int32], shift: Floats | None = None
) -> tuple[Floats, Floats]:
    """(n, k) responsibilities and (n,) log densities of rows, gaps integrated out."""
    columns = table_columns(codes, mixture.n_levels)
    if np.isnan(x).any():
        return missing.log_prob(mixture, np.asarray(x, dtype=np.float64), columns)
    shift = mixture.weights @ mixture.means if shift is None else shift
    return kernel.log_prob(x, columns, mixture.whitening(shift), shift, mixture.covariance_type)


def table_columns(codes: NDArray[np.int32], n_levels: tuple[int, ...]) -> NDArray[np.int32]:
    """Level numbers as columns of `Whitening.tables`: a gap is L, an unknown level L + 1."""
    levels = np.asarray(n_levels, dtype=np.int32)
    return np.where(codes == -1, levels, np.where(codes == -2, levels + 1, codes)).astype(np.int32)


def _summary(x: NDArray[Any], weights: Floats | None) -> tuple[Floats, Floats, bool]:
    """Mean and variance of each column over what is there, and whether anything is not; in blocks
    and two passes."""
    d = x.shape[1]
    n, first, second = np.zeros(d), np.zeros(d), np.zeros(d)
    gaps = False
    for about_mean in (False, True):
        mean = first / np.maximum(n, np.finfo(np.float64).tiny)
        for start in range(0, len(x), 1 << 16):
            rows = slice(start, start + (1 << 16))
            block = x[rows].astype(np.float64)
            lack = np.isnan(block)
            v = (~lack).astype(np.float64) if weights is None else weights[rows, None] * ~lack
            block[lack] = 0.0
            with np.errstate(over="ignore", invalid="ignore"):  # `check_range` says so
                if about_mean:
                    second += (v * (block - mean) ** 2).sum(axis=0)
                else:
                    gaps = gaps or bool(lack.any())
                    n += v.sum(axis=0)
                    first += (v * block).sum(axis=0)
    n = np.maximum(n, np.finfo(np.float64).tiny)
    return first / n, second / n, gaps
