"""Values as the two types that columns are kept in: floats with NaN, text with None."""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterable
from decimal import Decimal
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, KindError
from . import times

LARGEST = 2**53  # the whole number up to which floats hold all
COMPLEX = (
    "Complex data not supported: give real numbers, such as the real and the imaginary part as "
    "columns of their own."
)


class Settled(NamedTuple):
    """A column as it is kept.

    Attributes:
        values: (n,) floats, NaN where missing, or text (objects, None where missing).
        truth: whether they are truth values, then 0.0 and 1.0.
        form: of times and durations, kept as seconds, how they were written (see `times`).
        beyond: whether whole numbers beyond 2^53 are among them.
        zones: whether they are times of several zones.
    """

    values: NDArray[Any]
    truth: bool = False
    form: str | None = None
    beyond: bool = False
    zones: bool = False


def settle(name: str, values: NDArray[Any]) -> Settled:
    """A column as floats or text. float32 and float64 come back without a copy.

    Raises:
        InputError: for complex numbers.
        TypeError: for what is neither number, text nor time.
    """
    kind = values.dtype.kind
    if kind in "fiub":
        beyond = kind in "iu" and _is_beyond(values)
        return Settled(floats(values), kind == "b", beyond=beyond)
    if kind in "mM":
        return Settled(times.of_numpy(values), form="")
    objects = as_objects(values)
    types = set(map(type, objects)) - {type(None)}
    if types and all(issubclass(t, datetime.date | datetime.timedelta) for t in types):
        if (found := times.of_objects(objects)) is not None:
            return Settled(found[0], form=found[1], zones=found[2])
        raise InputError(
            f"column {name!r} holds both times and durations; expected one of them. Correct it."
        )
    if any(issubclass(t, complex) for t in types):
        raise InputError(COMPLEX)
    strange = [t for t in types if not issubclass(t, str | bytes | Real | Decimal)]
    if any(issubclass(t, datetime.time) for t in types):
        raise InputError(times.OF_DAY.format(repr(name)))
    if any(t.__name__ == "Period" for t in types):
        raise InputError(
            f"column {name!r} holds periods of pandas; expected dates. Convert them to when they "
            "begin: column.dt.to_timestamp()."
        )
    if strange:
        row = next(i for i, v in enumerate(objects) if type(v) in strange)
        what = type(objects[row]).__name__
        raise KindError(
            f"column {name!r}, row {row} (counted from 0): argument must be a string or a real "
            f"number, not {what!r}. Leave the column out, or make columns of what it holds."
        )
    if all(issubclass(t, Real | Decimal) for t in types):
        numbers = [math.nan if v is None else float(v) for v in objects]
        whole = types <= {int} and any(v is not None and abs(v) > LARGEST for v in objects)
        return Settled(np.array(numbers, np.float64), types == {bool}, beyond=whole)
    if types != {str}:
        texts = (v.decode() if isinstance(v, bytes) else v for v in objects)
        objects[:] = [None if v is None else str(v) for v in texts]
    return Settled(objects)


def _is_beyond(values: NDArray[Any]) -> bool:
    if values.dtype.itemsize < 8 or not values.size:
        return False
    return max(-int(values.min()), int(values.max())) > LARGEST


def floats(values: NDArray[Any]) -> NDArray[np.floating[Any]]:
    """Numbers in single precision if they are so stored, else in double; without a copy if so."""
    return values if values.dtype in (np.float32, np.float64) else values.astype(np.float64)


def as_objects(values: NDArray[Any]) -> NDArray[Any]:
    """Values as Python objects in a new array; a missing one becomes None."""
    out = np.empty(len(values), dtype=object)
    listed = values.tolist()
    if set(map(type, listed)) <= {str, type(None)}:
        out[:] = listed
    else:
        out[:] = [
            None if is_missing(v) else _item(v) if isinstance(v, np.generic) else v for v in listed
        ]
    return out


def _item(value: np.generic) -> Any:
    if isinstance(value, np.datetime64 | np.timedelta64):
        return value.astype(f"{value.dtype.kind}8[us]").item()
    return value.item()


def is_missing(value: Any) -> bool:
    """Whether a value is None, NaN or a library's own mark for a missing value."""
    if value is None:
        return True
    if isinstance(value, float | Decimal | np.datetime64 | np.timedelta64):
        return bool(value != value)
    return type(value).__name__ in ("NAType", "NaTType", "MaskedConstant")


def is_gap(values: NDArray[Any]) -> NDArray[np.bool_]:
    """(n,) whether each value of a settled column is missing."""
    if values.dtype == object:
        nothing: Any = None
        return np.asarray(values == nothing, dtype=np.bool_)
    return np.asarray(np.isnan(values))


def to_numbers(name: str, values: NDArray[Any]) -> NDArray[np.floating[Any]]:
    """A settled column as floats; InputError names the first row whose text is no number."""
    if values.dtype != object:
        return values
    out = np.empty(len(values))
    for row, value in enumerate(values):
        try:
            out[row] = np.nan if value is None else float(value)
        except ValueError:
            raise InputError(
                f"column {name!r} holds the text {value!r} in row {row} (counted from 0); "
                "expected numbers. Correct the value, or say that the column is categorical."
            ) from None
    return out


def in_double(
    values: NDArray[np.floating[Any]], marks: Iterable[float], dtype: str
) -> NDArray[np.float64]:
    """Numbers in double precision; those that are one of the marks in single precision are it.
    `dtype` is how the column was stored when it was fitted."""
    if values.dtype != np.float32 and dtype.lower() != "float32":
        return values.astype(np.float64, copy=False)
    out = values.astype(np.float64)
    with np.errstate(over="ignore"):
        for mark in marks:
            out[values.astype(np.float32) == np.float32(mark)] = mark
    return out


def check_finite(name: str, values: NDArray[np.floating[Any]]) -> None:
    """Raise InputError naming the first row that holds an infinite value."""
    infinite = np.isinf(values)
    if infinite.any():
        raise InputError(
            f"column {name!r} holds infinity in row {int(np.argmax(infinite))} (counted from 0); "
            "expected finite numbers. Drop the row, or mark the value as missing."
        )
