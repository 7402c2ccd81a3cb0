"""What a row's values are, stretch by stretch: known to both backends."""

from __future__ import annotations

import math
from dataclasses import dataclass

KINDS = (
    "gaussian",
    "bernoulli",
    "continuous_bernoulli",
    "discretised_logistic",
    "categorical",
)
SCALED = ("gaussian", "discretised_logistic")
SMALLEST = -7.0  # log of the least noise, in standard deviations of the data


@dataclass(frozen=True)
class Part:
    """Neighbouring values of one kind: places start ... stop of a row.

    `levels` has the number of levels of each value that is categorical, or one number for all.
    Locations and learnt scales are decoded in multiples of `unit`, the spread of the values, so
    that nets start near them however small it is.
    """

    kind: str
    start: int
    stop: int
    levels: tuple[int, ...] = ()
    unit: float = 1.0

    @property
    def each_levels(self) -> tuple[int, ...]:
        """Levels of each categorical value."""
        width = self.stop - self.start
        return self.levels * width if len(self.levels) == 1 else self.levels

    @property
    def first(self) -> float:
        """The log scale that a fit begins with, of multiples of `unit`."""
        return -1.0 if self.kind == "gaussian" else -2.0

    @property
    def half(self) -> tuple[float, ...]:
        """Half the step between levels on [-1, 1], where there is one."""
        return (1.0 / (self.levels[0] - 1),) if self.kind == "discretised_logistic" else ()

    def stated(self, deviation: float) -> float:
        """Log scale of a stated standard deviation in multiples of `unit`; a logistic of scale s
        has the standard deviation s pi / sqrt(3)."""
        s = deviation * self.unit
        return math.log(s * math.sqrt(3) / math.pi if self.kind == "discretised_logistic" else s)
