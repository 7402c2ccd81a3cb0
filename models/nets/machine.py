"""What the machine has: the device asked for, and how many rows fit in its memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch

from ...errors import FitError, InputError

T = TypeVar("T")


def device_of(device: str | None) -> torch.device:
    """The device asked for; None is the processor.

    Raises:
        InputError: if it is unknown or not there.
    """
    try:
        found = torch.device(device or "cpu")
    except RuntimeError:
        raise InputError(
            f'device is {device!r}; expected "cpu", "cuda" or "cuda:0" and the like.'
        ) from None
    if found.type == "cpu":
        return found
    if found.type != "cuda":
        raise InputError(f'device is {device!r}; expected "cpu" or "cuda".')
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if (found.index or 0) >= count:
        have = f"has {count} of them" if count else "has none that torch can use"
        raise InputError(
            f"device is {device!r}, and this machine {have}. Leave device out to compute on the "
            "processor, or install a torch built for the GPU's driver."
        )
    return torch.device("cuda", found.index or 0)


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


def _out_of_memory(error: Exception) -> bool:
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    said = ("out of memory", "allocate memory", "alloc_failed")
    text = str(error).lower()
    return not isinstance(error, FitError) and any(words in text for words in said)
