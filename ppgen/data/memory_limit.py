"""How much may be read at once: sizes are checked before anything is allocated."""

from __future__ import annotations

import os
import re
from pathlib import Path

from ..errors import InputError

_SHARE = 0.8  # of the memory that is free


def memory_budget() -> int:
    """Bytes that may be allocated: 80% of the memory available, where the system reports it."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(_SHARE * int(line.split()[1]) * 1024)
    except (OSError, ValueError, IndexError):
        pass
    try:
        return int(_SHARE * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, OSError, ValueError):
        return 1 << 62


def bytes_of(memory: str | int | None) -> int | None:
    """Bytes of an amount such as "8GB", "500MB", "1.5GiB" or 10**9; None stays None.

    Raises:
        InputError: if it cannot be read as a positive amount.
    """
    if memory is None or (isinstance(memory, int) and memory > 0 and memory is not True):
        return memory
    found = re.fullmatch(r"\s*(\d+\.?\d*)\s*([kmgt]?)(i?)b?\s*", str(memory).lower())
    size = 0
    if isinstance(memory, str) and found:
        number, prefix, binary = found.groups()
        size = int(float(number) * (1024 if binary else 1000) ** " kmgt".index(prefix or " "))
    if not size:
        raise InputError(
            f"memory is {memory!r}; expected a positive amount such as '8GB', '500MB' or a number "
            "of bytes."
        )
    return size


def amount(size: int) -> str:
    """Bytes as text, such as "1.5 GiB"."""
    for power, unit in ((30, "GiB"), (20, "MiB"), (10, "KiB")):
        if size >= 1 << power:
            number = size / (1 << power)
            return f"{number:.3g} {unit}" if number < 100 else f"{number:,.0f} {unit}"
    return f"{size:,} bytes"


def check_memory(what: object, size: int) -> None:
    """Raise InputError if `size` bytes are more than may be allocated."""
    budget = memory_budget()
    if size > budget:
        raise InputError(
            f"{what} takes {size / 1e9:,.1f} GB in memory; {budget / 1e9:,.1f} GB may be used. "
            "Give fewer rows or columns, or use a machine with more memory."
        )
