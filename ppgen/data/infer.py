"""Reading the kinds of columns off their values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .schema import Column, Schema

_FEW_LEVELS = 10  # whole numbers with up to as many values are ordinal
_ENOUGH_ROWS = 50  # ... if there are at least as many rows
_TIED_SHARE = 0.05  # repeats beyond which a real column counts as tied
_MOST_SORTED = 200_000
_MOST_LEVELS = 100
_GRID_TOLERANCE = 1e-6  # of a step


def infer_schema(columns: Mapping[str, NDArray[Any]], *, array: bool) -> Schema:
    """The schema of columns (floats with NaN, or objects with None).

    Args:
        columns: name -> (n,) values.
        array: whether they came as one numeric array, whose columns are real whatever their values are, as in
            scikit-learn.

    Raises:
        InputError: if a value is infinite.
    """
    found = []
    for name, values in columns.items():
        numeric = values.dtype.kind == "f"
        found.append(_numeric(name, values, array) if numeric else _text(name, values))
    return Schema(tuple(found))


def _text(name: str, values: NDArray[Any]) -> Column:
    gaps = np.array([v is None for v in values])
    levels = {v for v in values if v is not None}
    if not levels:
        return Column(name, "empty", missing=True)
    ordered = tuple(sorted(levels, key=lambda v: (str(type(v)), v)))
    if len(ordered) == 1:
        return Column(name, "constant", bool(gaps.any()), levels=ordered)
    kind = "binary" if len(ordered) == 2 else "categorical"
    return Column(name, kind, bool(gaps.any()), levels=ordered)  # type: ignore[arg-type]


def _numeric(name: str, values: NDArray[np.floating[Any]], array: bool) -> Column:
    infinite = np.isinf(values)
    if infinite.any():
        raise InputError(
            f"column {name!r} holds infinity in row {int(np.argmax(infinite))}; expected finite numbers. "
            "Drop the row or mark the value as missing."
        )
    gaps = np.isnan(values)
    missing = bool(gaps.any())
    if gaps.all():
        return Column(name, "empty", missing=True)
    seen = values[~gaps] if missing else values
    # Sorting millions of values to find ties is work that a thinned column answers as well.
    thinned = seen[:: -(-len(seen) // _MOST_SORTED)]
    distinct = np.unique(thinned)
    if len(distinct) <= _MOST_LEVELS and len(thinned) < len(seen):
        thinned, distinct = seen, np.unique(seen)
    if len(distinct) == 1:
        return Column(name, "constant", missing, levels=(float(distinct[0]),))
    whole = bool(np.all(distinct == np.round(distinct)))
    levels = tuple(float(v) for v in distinct)
    if not array:
        if len(distinct) == 2:
            return Column(name, "binary", missing, levels=levels)
        if whole and len(distinct) <= _FEW_LEVELS and len(seen) >= _ENOUGH_ROWS:
            return Column(name, "ordinal", missing, levels=levels)
        if whole and distinct[0] in (0, 1) and len(distinct) > _FEW_LEVELS:
            return Column(name, "count", missing)
    width, note = rounding(thinned, distinct)
    return Column(name, "real", missing, width=width, note=note)


def rounding(
    values: NDArray[np.floating[Any]], distinct: NDArray[np.floating[Any]]
) -> tuple[float | None, str]:
    """The step of the grid that tied values lie on, or None, with a note on ties that have no grid."""
    if len(distinct) >= (1 - _TIED_SHARE) * len(values):
        return None, ""
    numbers = distinct.astype(np.float64)
    steps = np.diff(numbers)
    step = _nice(float(steps.min()))
    # The grid runs through zero for decimal rounding, through the smallest value for any other.
    for origin in (0.0, float(numbers[0])):
        for candidate in (step, float(steps.min())):
            cells = (numbers - origin) / candidate
            precision = np.abs(numbers).max() * np.finfo(distinct.dtype).eps / candidate
            if np.all(np.abs(cells - np.round(cells)) <= max(_GRID_TOLERANCE, 4 * precision)):
                if precision > 0.01:
                    break
                return candidate, ""
    places, counts = np.unique(values, return_counts=True)
    top = int(np.argmax(counts))
    share = counts[top] / len(values)
    return None, f"tied without a grid ({places[top]:g} makes up {share:.0%} of it)"


def _nice(step: float) -> float:
    """The nearest number of three digits, which is what people round to."""
    digits = 10.0 ** (np.floor(np.log10(step)) - 2)
    return float(f"{np.round(step / digits) * digits:.12g}")
