"""Rows of files that are mapped into memory, taken without filling the memory.

A slice of a mapped file is a view of it. Other rows have to be copied: few of them into memory,
many into a temporary file that is mapped in turn.
"""

from __future__ import annotations

import tempfile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError

COPIED = 256 << 20  # bytes from which rows of a mapped file are copied to a file, not to memory
_BLOCK = 16 << 20  # bytes copied at a time


def is_mapped(array: NDArray[Any]) -> bool:
    """Whether an array is, or is a view of, a file mapped into memory."""
    while isinstance(array, np.ndarray) and not isinstance(array, np.memmap):
        array = array.base  # type: ignore[assignment]
    return isinstance(array, np.memmap)


def take_rows(array: NDArray[Any], numbers: NDArray[np.intp]) -> NDArray[Any]:
    """Rows of an array by number, in their order.

    Those of a mapped file are a view of it where they follow one another. Else, from `COPIED`
    bytes on, they are copied a block at a time to a temporary file (in `tempfile.gettempdir()`),
    which is mapped read-only and goes with the last array that uses it. InputError if the folder
    has no room for them.
    """
    size = len(numbers) * (array[:1].nbytes if len(array) else 0)
    mapped, n = is_mapped(array), len(numbers)
    if mapped and n and np.array_equal(numbers, np.arange(numbers[0], numbers[0] + n)):
        return array[numbers[0] : numbers[0] + n]
    if not mapped or size < COPIED:
        return array[numbers]
    step = max(1, _BLOCK // array[:1].nbytes)
    try:
        with tempfile.TemporaryFile(prefix="ppgen-") as file:
            # Written, not mapped while it is filled: its pages are no memory of this process.
            for start in range(0, len(numbers), step):
                file.write(np.ascontiguousarray(array[numbers[start : start + step]]).data)
            file.flush()
            shape = (len(numbers), *array.shape[1:])
            return np.memmap(file, array.dtype, "r", 0, shape)
    except OSError as error:
        raise InputError(
            f"{len(numbers)} rows of a mapped file, {size / 1e9:,.1f} GB, cannot be copied to the "
            f"temporary folder {tempfile.gettempdir()}: {error.strerror or error}. Set TMPDIR to a "
            "folder with room for them."
        ) from error
