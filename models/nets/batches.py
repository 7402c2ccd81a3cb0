"""Rows handed to a net a batch at a time, fewer where memory is short; only what a batch needs is
made floats."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from ...arrays import Array, Floats
from ...data.mapped import is_mapped
from ...errors import FitError

T = TypeVar("T")

_KINDS = "biuf"
_BLOCK = 1024  # rows that a net is given at once, but for training


class Batches:
    """Rows with what goes with each, taken by number.

    A file that is mapped into memory stays one and is read a batch at a time; other arrays are
    moved to the device once, in the type they are stored in, floats in single precision.

    Args:
        x: (n, D) rows.
        context: (n, c), or None.
        weights: (n,), or None.
        device: where batches are wanted.
        rows: numbers or mask of the rows that are meant, which are then counted from 0; None for
            all. Of a mapped file nothing is copied for it.
    """

    def __init__(
        self,
        x: Array,
        context: Array | None = None,
        weights: Array | None = None,
        device: torch.device | str = "cpu",
        rows: Array | None = None,
    ) -> None:
        self.device = torch.device(device)
        if rows is not None:
            rows = np.flatnonzero(rows) if rows.dtype == bool else rows
        self.x: Any
        self._rows: Array | None = None  # of a mapped file
        if is_mapped(x):
            self.x, self._rows = x, rows
        else:
            self.x = self.source(x if rows is None else x[rows])
        some = slice(None) if rows is None else rows
        self.context = None if context is None else self._floats(context[some])
        self.weights = None if weights is None else self._floats(weights[some])

    def source(self, x: Array) -> Any:
        """Rows as they are kept: the mapped file, or a tensor on the device."""
        return x if is_mapped(x) else torch.from_numpy(_storable(x)).to(self.device)

    def __len__(self) -> int:
        return len(self.x if self._rows is None else self._rows)

    def take(self, rows: Any) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Rows as floats, context, weights.

        Args:
            rows: a tensor of numbers, or a slice.
        """
        if isinstance(rows, Tensor):
            rows = rows.to(self.device)
        if isinstance(self.x, Tensor):
            # Whole rows are copied: a fifth of the time that indexing takes.
            x = self.x.index_select(0, rows) if isinstance(rows, Tensor) else self.x[rows]
        else:
            at = rows.cpu().numpy() if isinstance(rows, Tensor) else rows
            at = at if self._rows is None else self._rows[at]
            x = torch.from_numpy(_storable(self.x[at])).to(self.device)
        return (
            x.to(torch.get_default_dtype()),
            None if self.context is None else self.context[rows],
            None if self.weights is None else self.weights[rows],
        )

    def _floats(self, values: Array) -> Tensor:
        return torch.as_tensor(values, dtype=torch.get_default_dtype(), device=self.device)


def _storable(x: Array) -> Array:
    """A writeable array that torch takes and can index; a copy only where it must be one."""
    if x.dtype.kind not in _KINDS:
        raise TypeError(f"rows of type {x.dtype} are no numbers.")
    dtype: Any = x.dtype.newbyteorder("=")
    if x.dtype.kind == "f":
        dtype = np.float32
    elif x.dtype.kind == "u" and x.dtype.itemsize > 1:
        dtype = np.int32 if x.dtype.itemsize == 2 else np.int64  # not all torch does takes these
    own = np.ascontiguousarray(x, dtype=dtype)
    return own if own.flags.writeable else own.copy()


def slices(n: int, size: int) -> Iterator[slice]:
    """Stretches of n rows, at least one even where there are none."""
    return (slice(start, min(start + size, n)) for start in range(0, max(n, 1), size))


def floats(x: Array, dtype: torch.dtype = torch.float32) -> Tensor:
    """Stored rows as a tensor in single or double precision; a copy only where it must be one."""
    own = np.ascontiguousarray(x, dtype=np.float64 if dtype == torch.float64 else np.float32)
    return torch.from_numpy(own if own.flags.writeable else own.copy())


def shrinking(work: Callable[[int], T], batch_size: int, what: str) -> tuple[T, int]:
    """`work(batch_size)`; out of memory, half as many rows are tried, down to one.

    Returns:
        The result, and the batch size that fits.

    Raises:
        FitError: if not even one row fits.
    """
    size = batch_size
    while True:
        try:
            return work(size), size
        except (MemoryError, RuntimeError) as error:
            if not _out_of_memory(error):
                raise
            if size == 1:
                raise FitError(
                    f"{what} is out of memory with a batch of one row. Make the nets smaller "
                    "(hidden, channels), or the images."
                ) from None
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        size //= 2


@torch.no_grad()
def blockwise(net: Callable[[slice], Tensor], n: int, block: int = _BLOCK) -> Floats:
    """What a net gives of n rows, in double precision; a block at a time, as large as fits."""

    def every(size: int) -> Array:
        return np.concatenate([net(rows).cpu().double().numpy() for rows in slices(n, size)])

    return shrinking(every, block, "the net")[0]


def _out_of_memory(error: Exception) -> bool:
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    said = ("out of memory", "allocate memory", "alloc_failed")
    text = str(error).lower()
    return not isinstance(error, FitError) and any(words in text for words in said)
