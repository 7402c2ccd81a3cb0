"""The most memory a piece of work held, in a process that does many."""

from __future__ import annotations

import sys
from pathlib import Path

_STATUS, _REFS = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def reset_peak() -> None:
    """Begin anew, where the system can; elsewhere the peak is that of the process so far."""
    try:
        _REFS.write_text("5")
    except OSError:
        return


def peak_bytes() -> int | None:
    """The most resident memory since `reset_peak`, in bytes; None where it cannot be told."""
    try:
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        import resource
    except ImportError:
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
