"""A user's data as a pair's model sees it: arrays of its backend."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...errors import InputError

_NUMERIC = "fiub"


def as_backend(value: Any, name: str, backend: str) -> Any:
    """An argument as the model is given it.

    Arrays, frames, columns of frames and lists of numbers become arrays of the backend, of the
    numbers' own type; so do the members of tuples and dicts. Numbers, texts, None and objects of
    other kinds are handed on.

    Raises:
        InputError: if a list is ragged, or a frame or array is empty or holds what is no number.
    """
    if isinstance(value, Mapping):
        return {key: as_backend(one, f"{name}[{key!r}]", backend) for key, one in value.items()}
    if isinstance(value, tuple):
        return tuple(as_backend(one, f"{name}[{i}]", backend) for i, one in enumerate(value))
    array = as_numpy(value, name)
    if array is None:
        return value
    if backend == "pyro":
        import torch

        return torch.as_tensor(np.array(array))
    import jax
    import jax.numpy as jnp

    with jax.enable_x64(True):
        return jnp.asarray(array)


def as_numpy(value: Any, name: str) -> Any:
    """An argument as an array, or None where it is none."""
    if value is None or isinstance(value, str | bytes | bool | int | float) or callable(value):
        return None
    library = type(value).__module__.partition(".")[0]
    if library == "torch":
        value = value.detach().cpu().numpy()
    elif "__array__" not in dir(value) and not isinstance(value, list):
        return None
    try:
        array = np.asarray(value)
    except ValueError:
        raise InputError(
            f"{name} has rows of different lengths; give arrays, padded and with their lengths "
            "beside them, or one argument each."
        ) from None
    if array.ndim and not len(array):
        raise InputError(f"{name} is empty (shape {array.shape}); give data with rows.")
    if array.dtype == object:
        array = _of_objects(value, array, name)
    if array.dtype.kind not in _NUMERIC:
        raise InputError(
            f"{name} holds {array.dtype} values, and a model works on numbers. Encode them as "
            "whole numbers, such as by pandas.factorize, or leave these columns out."
        )
    return array


def _of_objects(value: Any, array: Any, name: str) -> Any:
    """A frame of numeric columns of several types as one array of numbers."""
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError):
        columns = [str(c) for c in getattr(value, "columns", ())]
        where = f" (columns {', '.join(columns)})" if columns else ""
        raise InputError(
            f"{name}{where} holds values that are no numbers. Encode them as whole numbers, such "
            "as by pandas.factorize, or leave them out."
        ) from None
