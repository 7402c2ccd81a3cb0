"""Ends of programs: by Ctrl-C, which they heed wherever the tests run, and killed."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def heeded() -> Iterator[None]:
    """What is started in the block heeds SIGINT, as it would in a terminal: what a shell runs in
    the background ignores it, and so does all that is started from there."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class Killed(BaseException):
    """What ends a fit as a kill would: nothing heeds it."""
