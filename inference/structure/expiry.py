"""What ends a search before its end: its time, or the user."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass


@dataclass(frozen=True)
class Expiry:
    """Asked by a search whether it is to end with the best so far.

    Attributes:
        left: gives the seconds left, or None where there is no limit; 0 once `heeding` has met an
            interrupt.
        heeding: within it an interrupt ends what is done, and the search goes on with what there
            is. By default interrupts are raised.
    """

    left: Callable[[], float | None] = lambda: None
    heeding: Callable[[], AbstractContextManager[None]] = nullcontext

    def __call__(self) -> bool:
        return self.left() == 0.0


NEVER = Expiry()
