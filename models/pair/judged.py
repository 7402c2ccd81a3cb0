"""The verdict of a fitted pair."""

from __future__ import annotations

from functools import cached_property

from ...verdict import Verdict
from .base import Fitted
from .verdicts import reasons


class Judged(Fitted):
    """A fit that says how far to trust it."""

    @cached_property
    def verdict_(self) -> Verdict:
        """Whether the draws can be trusted, and what to do where not."""
        if self.judged is not None:
            return self.judged
        return Verdict((*reasons(self), *self.notes))
