"""What every classifier does alike: labels read and checked, classes as numbers, predictions."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_is_fitted, column_or_1d

from ..arrays import Floats
from ..data import Dataset, Encoded
from ..errors import InputError
from ..estimator import Estimator
from ..rows import Rows
from .group_accuracy import GroupAccuracy, group_accuracy

Indices = NDArray[np.int64]
_SHOWN = 8


class Classifier(ClassifierMixin, Estimator):  # type: ignore[misc]
    """An estimator whose rows have labels.

    Attributes:
        classes_: (C,) the labels, ascending.
    """

    classes_: NDArray[Any]

    @abstractmethod
    def _log_probabilities(self, data: Dataset) -> Floats:
        """(n, C) log probabilities of the classes of rows."""

    def predict_log_proba(self, X: Any) -> Floats:
        """(n, C) log probabilities of the classes, in the order of `classes_`."""
        check_is_fitted(self)
        return self._log_probabilities(self._dataset(X, reset=False))

    def predict_proba(self, X: Any) -> Floats:
        """(n, C) probabilities of the classes, in the order of `classes_`."""
        p: Floats = np.exp(self.predict_log_proba(X))
        return np.asarray(p / p.sum(1, keepdims=True))

    def predict(self, X: Any) -> NDArray[Any]:
        """(n,) the likeliest label of each row."""
        chosen = self.predict_log_proba(X).argmax(1)
        return np.asarray(self.classes_[chosen])

    def worst_group(self, X: Any, y: Any, groups: Any) -> GroupAccuracy:
        """The accuracy of each group with its standard error; `.worst` is the worst.

        Args:
            X: rows as in `fit`.
            y: (n,) their labels.
            groups: (n,) values, or (n, m) for groups of rows that agree in all m.

        Raises:
            InputError: if labels or groups are not one a row.
        """
        check_is_fitted(self)
        labels = self.predict(X)
        right = labels == self.classes_[numbers(y, self.classes_, len(labels))]
        return group_accuracy(right, groups)

    def _given(
        self, data: Encoded, y: Any, weights: Floats | None = None, *, held_out: bool = False
    ) -> Rows:
        if held_out and y is None:
            raise InputError("validation has no labels; give validation=(rows, labels).")
        if held_out:
            return Rows(data, weights, labels=self.classes_[numbers(y, self.classes_, len(data))])
        who = type(self).__name__
        if y is None:
            raise InputError(
                f"{who} requires y to be passed, but the target y is None. Give one label a row."
            )
        labels = vector(y)
        kind = type_of_target(labels, input_name="y")
        if kind not in ("binary", "multiclass"):
            raise InputError(
                f"Unknown label type: {kind}; y holds no classes. Give one label a row: text, "
                "truth values or whole numbers; cut a continuous one into bands."
            )
        check_length("y", len(labels), len(data))
        self.classes_ = np.unique(labels)
        if len(self.classes_) < 2:
            raise InputError(
                f"y has one class only, {self.classes_.tolist()[0]!r}; "
                f"{who} is a classifier and needs at least two classes."
            )
        return Rows(data, weights, labels=labels)


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


def numbers(y: Any, classes: NDArray[Any], n: int) -> Indices:
    """(n,) numbers of the classes of labels.

    Raises:
        InputError: if they are not n, or one is of no class that was fitted.
    """
    values = vector(y)
    check_length("y", len(values), n)
    each = np.array([number(v, classes) for v in values.tolist()], dtype=np.int64)
    if (each < 0).any():
        new = sorted({str(v) for v in values[each < 0].tolist()})[:_SHOWN]
        raise InputError(f"y holds {', '.join(new)}; the fit knows {shown(classes)}.")
    return each


def number(label: Any, classes: NDArray[Any]) -> int:
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
