"""Rows of torch: tensors, and a `Dataset` of rows."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .memory_limit import check_memory
from .pillow_values import is_picture, upright, values_of


def is_torch_dataset(X: Any) -> bool:
    """Whether X is a `Dataset` of torch; torch is not loaded to find out."""
    module = sys.modules.get("torch.utils.data")
    return module is not None and isinstance(X, module.Dataset | module.DataLoader)


def without_gradient(X: Any) -> Any:
    """The values of a tensor of torch, on the CPU; anything else as it is."""
    module = sys.modules.get("torch")
    return X.detach().cpu() if module is not None and isinstance(X, module.Tensor) else X


def from_torch(X: Any) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """The rows of a torch `Dataset`, and their labels.

    Args:
        X: items are rows, or tuples of a row and its label; tensors, arrays or pictures.

    Returns:
        (n, ...) rows and (n,) or (n, k) labels, None where there are none.

    Raises:
        InputError: if it has no length or no items, or its items are nothing of that or of several
            shapes.
    """
    if isinstance(X, sys.modules["torch.utils.data"].DataLoader):
        raise InputError(
            "a DataLoader given, which makes batches; expected rows. Give its data set: "
            "loader.dataset."
        )
    try:
        n = len(X)
    except TypeError:
        raise InputError(
            f"{type(X).__name__} has no length; expected a Dataset with one. Give its rows as an "
            "array."
        ) from None
    if not n:
        raise InputError("a Dataset with 0 sample(s) given; a minimum of 1 is required.")
    rows: NDArray[Any] | None = None
    labels: list[Any] = []
    for i in range(n):
        item = X[i]
        labelled = isinstance(item, tuple | list) and len(item) > 1
        row = _array(item[0] if isinstance(item, tuple | list) else item, i)
        if rows is None:
            check_memory("the Dataset", n * row.nbytes)
            rows = np.empty((n, *row.shape), row.dtype)
        if row.shape != rows.shape[1:]:
            raise InputError(
                f"item {i} has shape {row.shape}, item 0 {rows.shape[1:]}; expected one shape. "
                "Resize them."
            )
        rows[i] = row
        if labelled:
            labels.append(_array(item[1], i) if not isinstance(item[1], str) else item[1])
    assert rows is not None
    return rows, np.asarray(labels) if len(labels) == n else None


def _array(value: Any, i: int) -> NDArray[Any]:
    if isinstance(value, dict):
        raise InputError(f"item {i} of the Dataset is a dict; expected a row, or (row, label).")
    if is_picture(value):
        value = upright(values_of(value), value)
    array = np.asarray(without_gradient(value))
    if array.dtype == object:
        raise InputError(
            f"item {i} of the Dataset holds {type(value).__name__}; expected a tensor, an array, a "
            "picture, or a pair of one and its label."
        )
    return array
