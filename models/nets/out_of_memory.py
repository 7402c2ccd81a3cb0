"""Fewer rows at a time where memory is short."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...errors import FitError
from .batches import slices

T = TypeVar("T")
_BLOCK = 1024  # rows that a net is given at once, but for training


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
def blockwise(net: Callable[[slice], Tensor], n: int, block: int = _BLOCK) -> NDArray[np.float64]:
    """What a net gives of n rows, in double precision; a block at a time, as large as fits."""

    def every(size: int) -> NDArray[Any]:
        return np.concatenate([net(rows).cpu().double().numpy() for rows in slices(n, size)])

    return shrinking(every, block, "the net")[0]


def _out_of_memory(error: Exception) -> bool:
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    said = ("out of memory", "allocate memory", "alloc_failed")
    text = str(error).lower()
    return not isinstance(error, FitError) and any(words in text for words in said)
