"""`PairFit`: a pair's posterior, and what can be asked of it."""

from __future__ import annotations

from functools import cached_property

from ...verdict import Verdict
from .base import Fitted
from .verdicts import reasons


class PairFit(Fitted):
    """A pair fitted to data.

    Attributes:
        program, method, settings, sites, posterior, target, trace, seconds, seed: see `Fitted`.
    """

    @cached_property
    def verdict_(self) -> Verdict:
        """Whether the draws can be trusted, and what to do where not."""
        return Verdict(tuple(reasons(self)))

    def __repr__(self) -> str:
        return f"PairFit({self.method}, {', '.join(self.sites.latents)}; {self.verdict_.status})"
