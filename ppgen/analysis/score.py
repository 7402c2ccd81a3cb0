"""A score, what real rows reach, and which way is better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..bootstrap import Estimate
from ..plain_json import PlainFields

Better = Literal["low", "high", "control"]


@dataclass(frozen=True)
class Score(PlainFields):
    """A score, its value for real rows, and which way is better.

    Attributes:
        value: of what is judged.
        control: of other real rows in its place: the floor.
        better: "low", "high", or "control": the nearer to the control.
        low, high: the interval of `value` at 95 %, over other rows like these; None where there is
            none.
    """

    value: float
    control: float
    better: Better
    low: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, found: Estimate, control: float, better: Better) -> Score:
        """Of an estimate with its interval."""
        return cls(found.value, control, better, found.low, found.high)
