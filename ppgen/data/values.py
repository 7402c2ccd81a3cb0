"""Values as the two types that columns are stored in: floats with NaN, objects with None."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError


def as_floats(name: str, values: NDArray[Any]) -> NDArray[np.floating[Any]]:
    """Values as floats; a missing one becomes NaN. float32 and float64 come back as they are.

    Raises:
        InputError: if a value is text that is no number.
    """
    if values.dtype in (np.float32, np.float64):
        return values
    if values.dtype.kind in "fiub":
        return values.astype(np.float64)
    out = np.empty(len(values))
    for row, value in enumerate(as_objects(values)):
        try:
            out[row] = math.nan if value is None else float(value)
        except TypeError:
            raise TypeError(
                f"column {name!r} holds a {type(value).__name__} in row {row}; an argument must "
                "be a string or a real number."
            ) from None
        except ValueError:
            raise InputError(
                f"column {name!r} holds the text {value!r} in row {row}; expected numbers. "
                "Correct the value, or say that the column is categorical."
            ) from None
    return out


def as_objects(values: NDArray[Any]) -> NDArray[np.object_]:
    """Values as Python objects; a missing one becomes None."""
    out = np.empty(len(values), dtype=object)
    out[:] = [None if is_missing(v) else _plain(v) for v in values.tolist()]
    return out


def is_missing(value: Any) -> bool:
    """Whether a value is None, NaN or a container's own mark for a missing value."""
    if value is None:
        return True
    if isinstance(value, float):
        return math.isnan(value)
    return type(value).__name__ in ("NAType", "NaTType")


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
