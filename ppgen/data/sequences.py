"""Sequences as rows: arrays (n, T) or (n, T, C), or a list of arrays (t,) or (t, C)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .dataset import Dataset
from .schema import Schema

EXPECTED = "expected an array (n, T) or (n, T, channels), or a list of arrays (t,) or (t, channels)"


def sequences(arrays: Any, rate: int | None = None) -> Dataset:
    """Sequences as a `Dataset`, a row each.

    An array (n, T, C) by itself would be taken for images; this says that it holds sequences.
    `sample` then gives an array back if one was given, else a list, in single precision if they
    came so. Recordings may differ in length; models of sequences take those of one length.

    Args:
        arrays: array (n, T) or (n, T, C) of n sequences of T steps, with C channels; or a list of
            arrays (t,) or (t, C), whose lengths may differ.
        rate: steps per second, the same for all; None where there is none.

    Raises:
        InputError: if there are none, one is empty, of another number of dimensions, or holds what
            is no finite number.
    """
    if isinstance(arrays, Dataset):
        if not arrays.schema.sequence:
            raise InputError(f"{arrays!r} given; {EXPECTED}.")
        return arrays
    if rate is not None and not (np.isfinite(rate) and rate == int(rate) > 0):
        raise InputError(f"the rate is {rate!r}; expected a whole number of steps per second.")
    native = arrays if isinstance(arrays, np.ndarray) and arrays.dtype != object else None
    if native is not None and native.ndim not in (2, 3):
        raise InputError(f"an array of shape {native.shape} given; {EXPECTED}.")
    if native is None and not isinstance(arrays, list | tuple | np.ndarray):
        raise InputError(f"{type(arrays).__name__} given; {EXPECTED}.")
    rows = [np.asarray(row) for row in arrays]
    if not rows:
        raise InputError(f"no sequences given; {EXPECTED}.")
    for i, row in enumerate(rows):
        _check(i, row)
    single = all(row.dtype == np.float32 for row in rows)
    return Dataset(
        Schema(sequence=True),
        like=("numpy" if native is not None else "sequences") + (":float32" if single else ""),
        sequences=tuple(row.astype(np.float64) for row in rows),
        rates=() if rate is None else (int(rate),) * len(rows),
        native=native,
    )


def in_container(rows: Any, like: str) -> Any:
    """Sequences (t,) or (t, C) as an array, where they came as one and have one length, else as a
    list."""
    if like.startswith("numpy") and len({row.shape for row in rows}) == 1:
        return np.asarray(rows)
    return list(rows)


def _check(i: int, row: NDArray[Any]) -> None:
    if row.dtype.kind not in "fiub":
        raise InputError(f"sequence {i} holds values of type {row.dtype}; expected numbers.")
    if row.ndim not in (1, 2):
        raise InputError(
            f"sequence {i} has shape {row.shape}; expected (t,) or (t, channels). Reshape it."
        )
    if not row.size:
        raise InputError(f"sequence {i} is empty, of shape {row.shape}. Leave it out.")
    if row.dtype.kind == "f" and not np.isfinite(row).all():
        step = int(np.argmax(~np.isfinite(row).reshape(len(row), -1).all(axis=1)))
        raise InputError(
            f"sequence {i} holds NaN or infinite values, the first at step {step}; expected finite "
            "ones. Fill the gaps, or leave it out."
        )
