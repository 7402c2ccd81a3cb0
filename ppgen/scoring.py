"""How a fit scores rows: block by block, averaged over cells, in the units of the data."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from .cell_average import cell_average
from .conditioning import given
from .data import Dataset, Encoded
from .density import LogDensity

if TYPE_CHECKING:
    from .density_estimator import DensityEstimator

Floats = NDArray[np.float64]

CELL_DRAWS = 8  # a power of two, see `data.dequantise`
_BLOCK = 1 << 18  # rows encoded at a time
_LEAST = -1e37  # of a log density


def score_rows(estimator: DensityEstimator, data: Dataset, y: Any) -> LogDensity:
    """The log density of rows, with what it claims."""
    values, stderr = map(np.concatenate, zip(*_blocks(estimator, data, y), strict=True))
    warn_unseen(estimator, data, values)
    noisy = estimator.codec_.dequantised
    summed = estimator.context_ if y is None else None
    estimated = summed is not None and not summed.exact
    method = estimator._method() + (f", {CELL_DRAWS} draws a cell" if noisy else "")
    return LogDensity(
        values=values,
        kind="lower_bound" if noisy else "estimate" if estimated else "exact",
        method=method + (f", {summed.words}" if summed is not None else ""),
        measure=estimator.codec_.measure,
        dequantised=noisy,
        gap=("dequantisation",) if noisy else (),
        stderr=stderr if noisy or estimated else None,
    )


def _blocks(estimator: DensityEstimator, data: Dataset, y: Any) -> Iterator[tuple[Floats, Floats]]:
    context = given(estimator, y, len(data))
    fitted, step = estimator.context_, _BLOCK
    if fitted is not None and context is None:  # a number for each row and value of y
        step = max(1, _BLOCK // len(fitted.table()[0]))
    for start in range(0, len(data), step):
        rows = slice(start, start + step)
        block = data if len(data) <= step else data.take(rows)
        yield _block(estimator, block, None if context is None else context[rows])


def _block(
    estimator: DensityEstimator, data: Dataset, context: Floats | None
) -> tuple[Floats, Floats]:
    draws = CELL_DRAWS if estimator.codec_.dequantised else 1
    if estimator.context_ is not None and context is None:
        return _summed(estimator, data, draws)

    def log_prob(draw: int) -> Floats:
        encoded = estimator._encode(data, draw=draw, draws=draws)
        return _log_prob(estimator, encoded, context) + encoded.log_det

    return cell_average(log_prob, draws)


def beyond(estimator: DensityEstimator, data: Encoded) -> NDArray[np.bool_]:
    """(n,) which encoded rows are further out than the arithmetic of the family reaches."""
    far = np.abs(np.asarray(data.x, dtype=np.float64)) > estimator.capabilities.reach
    return np.asarray(far.any(axis=1))


def _log_prob(estimator: DensityEstimator, data: Encoded, context: Floats | None) -> Floats:
    """(n,) log densities of encoded rows. Rows so far out that the arithmetic of the family ends
    stand aside, lest they upset the others: theirs is -inf, as is any that single precision does
    not hold, whatever the precision that a family computes in."""
    far = beyond(estimator, data)
    if not far.any():
        values = estimator._log_prob(data, context)
    else:
        near = np.flatnonzero(~far)
        values = np.full(len(data), -np.inf)
        if len(near):
            some = None if context is None else context[near]
            values[near] = estimator._log_prob(data.take(near), some)
    return np.where(values < _LEAST, -np.inf, values)


def _summed(estimator: DensityEstimator, data: Dataset, draws: int) -> tuple[Floats, Floats]:
    """A conditional fit asked without y is the mixture over it: p(x) = sum_y p(y) p(x | y)."""
    fitted = estimator.context_
    assert fitted is not None
    rows, log_shares = fitted.table()
    sums = np.full((len(rows), len(data)), -np.inf)  # over the draws, of p(x | y)

    def log_prob(draw: int) -> Floats:
        encoded = estimator._encode(data, draw=draw, draws=draws)
        given_each = (np.tile(row, (len(data), 1)) for row in rows)
        logs = np.stack([_log_prob(estimator, encoded, each) for each in given_each])
        logs += encoded.log_det
        np.logaddexp(sums, logs, out=sums)
        return np.asarray(logsumexp(logs + log_shares[:, None], axis=0))

    values, stderr = cell_average(log_prob, draws)
    return values, np.hypot(stderr, fitted.stderr(sums - math.log(draws), values))


def warn_unseen(estimator: DensityEstimator, data: Dataset, values: Floats) -> None:
    """Name the levels that the fit never saw, where rows have probability zero."""
    if not np.isneginf(values).any():
        return
    for column, seen in estimator.codec_.unseen(data).items():
        warnings.warn(
            f"column {column!r} holds {', '.join(map(repr, seen[:3]))}, which the fit never saw: "
            "such rows have probability 0, a log density of -inf.",
            UserWarning,
            stacklevel=4,
        )
