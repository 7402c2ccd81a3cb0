"""The memory a piece of work takes, in a process that does many."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

_STATUS, _REFS = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class Peak:
    """The most memory held since this was made, beyond what the process held then.

    Libraries that the work is the first to load count as its own. Where the system cannot begin a
    new peak, it is the most the process ever held beyond what it held when this was made.
    """

    def __init__(self) -> None:
        with suppress(OSError):
            _REFS.write_text("5")
        self._before = _memory("VmRSS")

    def bytes(self) -> int | None:
        """In bytes; None where the system does not report it."""
        peak = _memory("VmHWM")
        return None if peak is None or self._before is None else max(0, peak - self._before)


def _memory(field: str) -> int | None:
    """What the process holds (VmRSS) or held at most (VmHWM); where the system does not part these,
    the latter."""
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return _ever()
    sizes = [line.split()[1] for line in lines if line.startswith(field + ":")]
    return int(sizes[0]) * 1024 if sizes else None


def _ever() -> int | None:
    try:
        import resource
    except ImportError:
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
