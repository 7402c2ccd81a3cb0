"""How a fit scores rows: block by block, averaged over cells, in the units of the data."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from .cells import cell_average
from .context import given
from .data import Dataset, Encoded
from .density import LogDensity

if TYPE_CHECKING:
    from .density_estimator import DensityEstimator

Floats = NDArray[np.float64]

CELL_DRAWS = 8  # a power of two, see `data.dequantise`
_BLOCK = 1 << 18  # rows encoded at a time


def score_rows(estimator: DensityEstimator, data: Dataset, y: Any) -> LogDensity:
    """The log density of rows, with what it claims."""
    values, stderr = map(np.concatenate, zip(*_blocks(estimator, data, y), strict=True))
    warn_unseen(estimator, data, values)
    noisy = estimator.codec_.dequantised
    return LogDensity(
        values=values,
        kind="lower_bound" if noisy else "exact",
        method=estimator._method() + (f", {CELL_DRAWS} draws a cell" if noisy else ""),
        measure=estimator.codec_.measure,
        dequantised=noisy,
        gap=("dequantisation",) if noisy else (),
        stderr=stderr if noisy else None,
    )


def _blocks(estimator: DensityEstimator, data: Dataset, y: Any) -> Iterator[tuple[Floats, Floats]]:
    context = given(estimator, y, len(data))
    for start in range(0, len(data), _BLOCK):
        rows = slice(start, start + _BLOCK)
        block = data if len(data) <= _BLOCK else data.take(rows)
        yield _block(estimator, block, None if context is None else context[rows])


def _block(
    estimator: DensityEstimator, data: Dataset, context: Floats | None
) -> tuple[Floats, Floats]:
    draws = CELL_DRAWS if estimator.codec_.dequantised else 1

    def log_prob(draw: int) -> Floats:
        encoded = estimator._encode(data, draw=draw, draws=draws)
        return _log_prob(estimator, encoded, context) + encoded.log_det

    return cell_average(log_prob, draws)


def _log_prob(estimator: DensityEstimator, data: Encoded, context: Floats | None) -> Floats:
    if estimator.context_ is None or context is not None:
        return estimator._log_prob(data, context)
    # A conditional fit asked without y is the mixture over it: p(x) = sum_y p(y) p(x | y).
    rows, log_shares = estimator.context_.table()
    terms = [
        estimator._log_prob(data, np.tile(row, (len(data), 1))) + share
        for row, share in zip(rows, log_shares, strict=True)
    ]
    return np.asarray(logsumexp(terms, axis=0))


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
