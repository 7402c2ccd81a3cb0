"""Weighted rows, ready for EM, and robust statistics of their columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from ...arrays import Ints
from ...covariance import correlations
from ...errors import FitError
from ...quantiles import sorted_quantiles
from ...rows import Rows
from ...thinning import thinned
from . import kernel, missing
from .kernel import Moments, Pass
from .parameters import CovarianceType, Floats, Mixture

_NUMBERS = 1 << 21  # in the largest temporary
_SOME = 20_000  # rows that quartiles and the like are taken of
_FLOAT32_ERROR = 1e-3  # relative error of a variance from which double precision is used
_LEAST, _MOST = 1e-290, 1e290  # variances that leave room for products


class Joint(NamedTuple):
    """Rows under each component: log w_k p_k(x) (n, k), squared distances D (n, k), and how many
    continuous columns each row has, (n,)."""

    log_prob: Floats
    distance: Floats
    size: Floats


class WeightedRows:
    """Weighted rows, ready for EM.

    Args:
        x: (n, d) with NaN in gaps.
        codes: (n, c) with -1 in gaps and -2 for unknown levels.
        n_levels: levels of each categorical column.
        weights: (n,) or None.
        log_det: (n,) added to a log density for that in the units of the data, or None.
        given: (n,) their numbers among the rows that the user gave.
        n_given: how many the user gave.
    """

    def __init__(
        self,
        x: NDArray[Any],
        codes: NDArray[np.int32],
        n_levels: tuple[int, ...],
        weights: Floats | None,
        log_det: Floats | None = None,
        given: Ints | None = None,
        n_given: int | None = None,
    ) -> None:
        self.x = x
        self.given = np.arange(len(x)) if given is None else given
        self.n_given = len(x) if n_given is None else n_given
        self.log_det = log_det
        self.codes = codes
        self.columns = table_columns(codes, n_levels)
        self.n_levels = n_levels
        self.weights = weights
        self.total = float(len(x)) if weights is None else float(weights.sum())
        with np.errstate(over="ignore", invalid="ignore"):  # `check_range` says so
            self.mean, self.gaps = _average(x, weights, lambda values: values)
            self.variance, _ = _average(x, weights, lambda values: (values - self.mean) ** 2)

    def __len__(self) -> int:
        return len(self.x)

    @classmethod
    def of(cls, rows: Rows, n_levels: tuple[int, ...]) -> Self:
        """Rows as a fit is given them, those of weight 0 left out."""
        given, n = np.arange(len(rows)), len(rows)
        if rows.weights is not None and (rows.weights == 0).any():
            given = np.flatnonzero(rows.weights)
            rows = rows.take(given)
        data = rows.data
        return cls(data.x, data.codes, n_levels, rows.weights, data.log_det, given, n)

    @cached_property
    def quartiles(self) -> Floats:
        """(3, d) quartiles of the columns over at most `_SOME` of the rows."""
        quartiles = np.zeros((3, self.x.shape[1]))
        for j, values in enumerate(self._some):
            if len(values):
                quartiles[:, j] = sorted_quantiles(values, np.array([0.25, 0.5, 0.75]))
        return quartiles

    @cached_property
    def centre(self) -> Floats:
        """(d,) medians, about which moments are taken: one value far out does not move them."""
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
        widths = self.spread.copy()
        for j, values in enumerate(self._some):
            values = values[np.diff(values, prepend=-np.inf) > 0]
            m = min(max(4, len(values) // 100), len(values) - 1)
            if m > 0:
                widths[j] = (values[m:] - values[:-m]).min()
        return widths

    @cached_property
    def rounding(self) -> Floats:
        """(d,) differences below the resolution of floating point, as the values are stored."""
        kind = self.x.dtype if self.x.dtype == np.float32 else np.float64
        eps = 4 * float(np.finfo(kind).eps)
        return np.array([eps * max(-v[0], v[-1]) if len(v) else 0.0 for v in self._some])

    @cached_property
    def _some(self) -> list[Floats]:
        """The values of each column without gaps, ascending, of at most `_SOME` rows."""
        some = np.linspace(0, len(self) - 1, min(len(self), _SOME)).round().astype(int)
        columns = np.sort(np.asarray(self.x[some], dtype=np.float64).T, axis=1)  # NaN come last
        return [column[: len(column) - np.isnan(column).sum()] for column in columns]

    @cached_property
    def constant(self) -> float:
        """Mean of `log_det`: added to a mean log density for that in the units of the data."""
        return 0.0 if self.log_det is None else float(self.v @ self.log_det) / self.total

    @cached_property
    def patterns(self) -> missing.Patterns:
        """The patterns of gaps."""
        return missing.Patterns.of(self.x)

    @property
    def v(self) -> Floats:
        return np.ones(len(self.x)) if self.weights is None else self.weights

    def take(self, rows: NDArray[np.intp]) -> WeightedRows:
        weights, log_det = (None if a is None else a[rows] for a in (self.weights, self.log_det))
        x, codes, given = self.x[rows], self.codes[rows], self.given[rows]
        return WeightedRows(x, codes, self.n_levels, weights, log_det, given, self.n_given)

    def thinned(self, most: int, rng: np.random.Generator) -> WeightedRows:
        """At most `most` of the rows, at random."""
        return self if len(self) <= most else self.take(thinned(len(self), most, rng))

    def filled(self) -> Floats:
        """(n, d) with each gap filled with its column's mean: good enough to start from."""
        if not self.gaps:
            return np.asarray(self.x, dtype=np.float64)
        return np.where(np.isnan(self.x), self.mean, self.x)

    def moments(self, covariance_type: CovarianceType, k: int) -> Callable[[Mixture], Moments]:
        """The sums of one pass, as a function of the parameters."""
        if self.gaps:
            x = np.asarray(self.x, dtype=np.float64)
            patterns, v = self.patterns, self.v
            return lambda m: missing.moments(m, x, self.columns, v, patterns, self.centre)
        whole = Pass(self.x, self.columns, self.weights, self.centre, covariance_type, k)

        def sums(mixture: Mixture) -> Moments:
            whitening = mixture.whitening(self.centre)
            # A variance is a difference of squares, with an error of eps (distance / width)^2.
            farthest = float(np.square(whitening.b).max(initial=0.0))
            if np.finfo(np.float32).eps * farthest > _FLOAT32_ERROR:
                whole.wide()
            moments = whole(whitening)
            if whole.dtype != np.float64 and _thin(moments):
                whole.wide()
                moments = whole(whitening)
            return moments

        return sums

    def score(self, mixture: Mixture) -> tuple[Floats, Floats]:
        """(n, k) responsibilities and (n,) log densities."""
        if self.gaps:
            x = np.asarray(self.x, dtype=np.float64)
            return missing.log_prob(mixture, x, self.columns, self.patterns)
        return score(mixture, self.x, self.codes, self.centre)

    def joint(self, mixture: Mixture) -> Joint:
        """The rows under each component, gaps integrated out."""
        k, d = mixture.means.shape
        n = len(self)
        size = (~np.isnan(self.x)).sum(axis=1).astype(np.float64)
        joint, distance = np.empty((n, k)), np.zeros((n, k))
        if self.gaps:
            x = np.asarray(self.x, dtype=np.float64)
            for part in missing.blocks(mixture, x, self.columns, self.patterns):
                joint[part.rows], distance[part.rows] = part.joint, part.distance
            return Joint(joint, distance, size)
        whitening = mixture.whitening(self.centre)
        step = max(64, _NUMBERS // max(1, k * d))
        for start in range(0, n, step):
            at = slice(start, start + step)
            distance[at] = kernel.distances(
                mixture.covariance_type, whitening, self.x[at] - self.centre
            )
            joint[at] = kernel.log_joint(np, whitening, distance[at], self.columns[at])
        return Joint(joint, distance, size)


def _thin(moments: Moments) -> bool:
    """Whether single precision makes the variance in some direction of a component inaccurate."""
    if moments.second.ndim != 3:
        return False
    n = np.maximum(moments.n, np.finfo(np.float64).tiny)
    mean = moments.first / n[:, None]
    covariances = moments.second / n[:, None, None] - mean[:, :, None] * mean[:, None, :]
    least = np.linalg.eigvalsh(correlations(covariances)[0])[:, :1]
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


def _average(
    x: NDArray[Any], weights: Floats | None, of: Callable[[Floats], Floats]
) -> tuple[Floats, bool]:
    """Weighted mean of a function of each column's values, and whether there are gaps."""
    n, total, gaps = np.zeros(x.shape[1]), np.zeros(x.shape[1]), False
    for start in range(0, len(x), 1 << 16):
        rows = slice(start, start + (1 << 16))
        block = x[rows].astype(np.float64)
        missing = np.isnan(block)
        v = (~missing).astype(np.float64) if weights is None else weights[rows, None] * ~missing
        block[missing] = 0.0
        n += v.sum(axis=0)
        total += (v * of(block)).sum(axis=0)
        gaps = gaps or bool(missing.any())
    return total / np.maximum(n, np.finfo(np.float64).tiny), gaps


def check_range(rows: WeightedRows, names: Sequence[str]) -> None:
    """Raise FitError if double precision cannot hold the variance of a column."""
    for name, variance in zip(names, rows.variance, strict=True):
        if not _LEAST < variance < _MOST:
            way = "multiply" if variance < 1 else "divide"
            raise FitError(
                f"the variance of column {name!r} is beyond double precision; {way} its values by "
                "a power of ten."
            )
