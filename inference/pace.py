"""The time that a training has: how many steps until the next look at the clock, and when it ends.

The first chunk is one step, whatever that costs; the next have as many as take a fiftieth of the
time, by what a step took last. Training ends where another chunk would not fit before the
evaluation that ends it, whose time is kept in reserve.

What a learner compiles with its first step says nothing of the next: a second one is taken alone to
know, and the schedule begins after the first.
"""

from __future__ import annotations

import time
from collections.abc import Callable

_LOOK = 0.02  # of the time allowed, between two looks at the clock
_MARGIN = 1.2  # times what the last chunk took, that the next may take


class Pace:
    """How a training goes through its time.

    Args:
        deadline: gives the seconds left, or None where there is no limit.
        most: steps of a chunk at most.
        compiled: whether the first step of the learner compiles it.
        spent: seconds that the training took before it was resumed.

    Attributes:
        reserve: seconds that one evaluation takes.
        step: seconds that a step takes; 0 where that is not known.
        first_step, first_evaluation: seconds of the first ones of a learner that compiles them.
    """

    def __init__(
        self, deadline: Callable[[], float | None], most: int, compiled: bool, spent: float
    ) -> None:
        self.deadline, self.most, self.spent = deadline, most, spent
        self.reserve = self.step = self.first_step = self.first_evaluation = 0.0
        self._compiles = compiled
        self._allowed = self._whole()
        self._began = time.perf_counter()

    def _whole(self) -> float | None:
        left = self.deadline()
        return None if left is None else self.spent + left

    def seconds(self) -> float:
        """That the training took, before it was resumed too."""
        return self.spent + time.perf_counter() - self._began

    def now(self) -> float:
        """Seconds by the clock that decides: if there is a deadline, by what is left until it, on
        which processes that train together agree."""
        left = self.deadline()
        return self.seconds() if left is None else -left

    def used(self) -> float:
        """Share of the time; 0 where there is no limit."""
        left = self.deadline()
        if self._allowed is None or left is None:
            return 0.0
        return 1.0 - (left - self.reserve) / max(self._allowed - self.reserve, 1e-9)

    @property
    def compiling(self) -> float:
        """Seconds that went into compiling: by which the first step and the first evaluation took
        longer than others."""
        if self.first_step == 0:
            return 0.0
        of_steps = self.first_step - self.step
        return max(0.0, of_steps) + max(0.0, self.first_evaluation - self.reserve)

    def chunk(self) -> int:
        """Steps until the next look at the clock."""
        if self._allowed is None:
            return self.most
        if self.step == 0:
            return 1
        return int(min(max(1.0, _LOOK * self._allowed / self.step), self.most))

    def evaluated(self, seconds: float) -> None:
        """An evaluation took so long. The first may compile: the least counts."""
        self.first_evaluation = self.first_evaluation or seconds
        self.reserve = seconds if self.reserve == 0 else min(self.reserve, seconds)

    def ended(self, steps: int, seconds: float) -> bool:
        """Whether the time is over, after a chunk of so many steps that took so long."""
        left = self.deadline()
        if left is None:
            return False
        if self._compiles:
            self._compiles, self._allowed, self.first_step = False, self._whole(), seconds
            return left - self.reserve <= 0
        self.step = seconds / steps
        return left - self.reserve <= _MARGIN * seconds  # at 0 nothing takes time
