"""How unlikely a row is beside others: the fraction of reference rows that are less likely, ties
counting half.

A row with gaps is compared with reference rows that have the same gaps, because log densities of
different columns do not compare.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..analysis.outliers import midranks
from ..data import Dataset, as_dataset
from ..data.values import is_gap
from .output import say

if TYPE_CHECKING:
    from ..density_estimator import DensityEstimator

_DRAWS = 10_000
_SCORES = 400_000  # reference rows scored in all, over the patterns of gaps
_IMAGES = 500  # of images, whose scores take long


def fraction_below(
    estimator: DensityEstimator,
    rows: Dataset,
    values: NDArray[np.floating[Any]],
    reference: Dataset | None = None,
) -> NDArray[np.float64]:
    """(n,) fractions of reference rows whose log density is lower than the row's, ties counting
    half.

    Args:
        estimator: the fitted model.
        rows: the rows, under the schema of the fit.
        values: (n,) their log densities.
        reference: rows to compare with; None draws them from the model.
    """
    masks = [is_gap(rows.columns[name]) for name in rows.schema.names]
    gaps = np.array(masks, bool).reshape(-1, len(rows)).T
    patterns, of_row = np.unique(gaps, axis=0, return_inverse=True)
    size = min(_DRAWS, max(500, _SCORES // len(patterns)))
    if rows.images is not None:
        size = _IMAGES
    if reference is None:
        reference = as_dataset(estimator.sample(size), rows.schema)
    if len(reference) > size:
        say(
            f"rows are compared with {size:,} of the {len(reference):,} rows of the reference, "
            "taken at random."
        )
    reference = reference.thinned(size, np.random.default_rng(0))
    below = np.empty(len(rows))
    for number, pattern in enumerate(patterns):
        here = of_row.reshape(-1) == number
        rest = _masked(reference, pattern) if pattern.any() else reference
        scores = np.sort(estimator.score_samples(rest))
        below[here] = midranks(scores, values[here]) / len(scores)
    return below


def surprising(tails: Mapping[str, NDArray[np.float64]]) -> dict[str, Any]:
    """The column with the least tail probability in each of n rows, and that probability.

    Args:
        tails: column -> (n,), NaN where it is not known.
    """
    table = np.column_stack(list(tails.values()))
    least = np.where(np.isnan(table), np.inf, table).argmin(axis=1)
    tail = table[np.arange(len(table)), least]
    names = np.array(list(tails), dtype=object)[least]
    return {"surprising": np.where(np.isnan(tail), None, names), "tail": tail}


def _masked(data: Dataset, pattern: NDArray[np.bool_]) -> Dataset:
    columns = dict(data.columns)
    for name in np.array(data.schema.names, object)[pattern]:
        values = columns[name]
        columns[name] = np.full_like(values, np.nan if values.dtype.kind == "f" else None)
    return replace(data, columns=columns, array=None, native=None)
