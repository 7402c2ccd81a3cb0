"""How long a thing takes that will be done again."""

from __future__ import annotations

import time
from collections.abc import Callable


def took(what: Callable[[], object]) -> float:
    """Seconds that something takes: the less of two times, as the first may load and allocate."""
    times = []
    for _ in range(2):
        began = time.perf_counter()
        what()
        times.append(time.perf_counter() - began)
    return min(times)
