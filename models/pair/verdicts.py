"""What a fitted pair's verdict says."""

from __future__ import annotations

from ...verdict import Reason
from .base import Fitted


def reasons(fit: Fitted) -> list[Reason]:
    """What the engine said, and what its draws show."""
    return [*fit.posterior.reasons]
