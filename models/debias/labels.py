"""Labels as numbers of classes, and what is checked of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import column_or_1d

from ...errors import InputError

Indices = NDArray[np.int64]
_SHOWN = 8


@dataclass(frozen=True, eq=False)
class Labels:
    """The labels of rows.

    Attributes:
        classes: (C,) their distinct values, ascending.
        codes: (n,) the number of each row's.
    """

    classes: NDArray[Any]
    codes: Indices

    @classmethod
    def of(cls, y: Any, who: str) -> Labels:
        """Read labels off what was given.

        Raises:
            InputError: if there are none, or they are no classes.
        """
        if y is None:
            raise InputError(
                f"{who} requires y to be passed, but the target y is None. Give one label a row."
            )
        values = vector(y)
        kind = type_of_target(values, input_name="y")
        if kind not in ("binary", "multiclass"):
            raise InputError(
                f"Unknown label type: {kind}; y holds no classes. Give one label a row: text, "
                "truth values or whole numbers; cut a continuous one into bands."
            )
        classes, codes = np.unique(values, return_inverse=True)
        return cls(classes, codes.astype(np.int64))

    def __len__(self) -> int:
        return len(self.codes)

    def check(self, n: int, who: str) -> None:
        """Raise InputError unless there are n labels of two or more classes."""
        check_length("y", len(self), n)
        if len(self.classes) < 2:
            raise InputError(
                f"y has one class only, {self.classes[0]!r}; {who} is a classifier and needs at "
                "least two classes."
            )


def vector(y: Any) -> NDArray[Any]:
    """Labels as a vector; text stays text.

    Raises:
        InputError: if they are no vector, or some are missing.
    """
    if names := np.asarray(y).dtype.names:
        raise InputError(f"y has the fields {', '.join(names)}; give one of them: y[{names[0]!r}].")
    try:
        values: NDArray[Any] = column_or_1d(np.asarray(y), warn=True)
    except ValueError as error:
        raise InputError(f"y is no vector of labels: {error}") from None
    if not len(values):
        raise InputError("y is empty; give one label a row.")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise InputError("Input y contains NaN or infinity; give a label for each row.")
    if values.dtype.kind == "O":
        if any(v is None or v != v for v in values):
            raise InputError("Input y contains NaN or None; give a label for each row.")
        if all(isinstance(v, str) for v in values):
            return np.asarray(values, dtype=str)
        if not all(isinstance(v, int | float | np.number | np.bool_) for v in values):
            raise InputError("y mixes kinds of labels; give text, or whole numbers, alone.")
        values = np.array(values.tolist())
    return values


def known(y: Any, classes: NDArray[Any], n: int) -> Indices:
    """(n,) numbers of the classes of labels.

    Raises:
        InputError: if they are not n, or one is of no class that was fitted.
    """
    values = vector(y)
    check_length("y", len(values), n)
    found = np.array([place(v, classes) for v in values.tolist()], dtype=np.int64)
    if (found < 0).any():
        new = sorted({str(v) for v in values[found < 0].tolist()})[:_SHOWN]
        raise InputError(f"y holds {', '.join(new)}; the fit knows {shown(classes)}.")
    return found


def place(label: Any, classes: NDArray[Any]) -> int:
    """The number of a label's class, or -1."""
    try:
        same = np.flatnonzero(np.asarray(classes == label))
    except TypeError:
        return -1
    return int(same[0]) if same.shape == (1,) else -1


def shown(classes: NDArray[Any]) -> str:
    """The classes in words."""
    words = ", ".join(repr(c) for c in classes[:_SHOWN].tolist())
    return words + (", ..." if len(classes) > _SHOWN else "")


def check_length(what: str, given: int, n: int) -> None:
    """Raise InputError unless n are given."""
    if given != n:
        raise InputError(
            f"{what} has {given} values and X has {n} rows; inconsistent numbers of samples. Give "
            "one a row."
        )
