"""How long a thing takes that will be done again."""

from __future__ import annotations

import time
from collections.abc import Callable


def took(what: Callable[[], object], times: int = 2) -> float:
    """Seconds that something takes: the least of two times, as the first may load and allocate."""
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        what()
        seconds.append(time.perf_counter() - began)
    return min(seconds)
