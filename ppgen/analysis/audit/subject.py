"""The model under audit as the checks see it: rows, draws and log densities, within a time."""

from __future__ import annotations

import math
import time
from functools import cached_property
from typing import Any

import numpy as np

from ...data import Dataset
from ...density import LogDensity
from ...density_estimator import DensityEstimator
from ...errors import InputError
from .coordinates import Coordinates

MOST_DRAWS = 4000
_FEWEST, _ROWS = 200, 64


class Subject:
    """A fitted model, held-out rows where there are any, and a clock.

    Attributes:
        model: the fit.
        rows: rows that it was not fitted to, or None.
        y: of a conditional fit, what to condition on, one a row of `rows`.
        seed: of everything random.
        budget: seconds that all checks may take.
    """

    def __init__(self, model: Any, rows: Dataset | None, y: Any, seed: int, budget: float) -> None:
        self.model: DensityEstimator = model
        self.rows, self.seed, self.budget = rows, seed, budget
        self.y = None if y is None else np.asarray(y)
        self._began = time.perf_counter()

    def left(self) -> float:
        """Seconds left."""
        return self.budget - (time.perf_counter() - self._began)

    def share(self, fraction: float) -> float:
        """So many of the seconds, and no more than are left.

        Raises:
            InputError: if next to none are.
        """
        left = self.left()
        if left < 0.02 * self.budget:
            raise self._out_of_time()
        return min(fraction * self.budget, 0.8 * left)

    @property
    def claims(self) -> str | None:
        """The kind of the model's densities, or None."""
        return self.model.capabilities.density

    def of(self, model: Any) -> Subject:
        """Another model, under the same clock, without rows."""
        other = Subject(model, None, self.y, self.seed, self.budget)
        other._began = self._began
        return other

    def log_density(self, data: Dataset) -> LogDensity:
        """Of rows; for a conditional fit given y, all with the first y."""
        return self.model.log_density(data, self.repeated(len(data)))

    def repeated(self, n: int) -> Any:
        """The first y, n times; None where nothing is conditioned on."""
        return None if self._given is None else np.repeat(self._given, n, axis=0)

    def draw(self, n: int, stream: int) -> Dataset:
        """n rows that the model draws, whole numbers not yet brought within those it saw, which its
        density knows nothing of; streams are independent."""
        seed = int(np.random.SeedSequence([self.seed, stream]).generate_state(1)[0] >> 1)
        return self.model._unbounded(n, None, self._given, seed)

    def rng(self, stream: int) -> np.random.Generator:
        """A generator; streams are independent."""
        return np.random.default_rng([self.seed, stream])

    def affordable(self, seconds: float, most: int) -> int:
        """How many rows can be scored in this time, at most `most`.

        Raises:
            InputError: if too few can for anything to be said.
        """
        n = int(min(most, seconds / self._seconds_a_row))
        if n < min(most, _FEWEST):
            raise self._out_of_time()
        return n

    def _out_of_time(self) -> InputError:
        return InputError(f"there was too little time in a budget of {self.budget:.0f} s.")

    @cached_property
    def some(self) -> Dataset:
        """Some rows to look at one by one: those given, else draws."""
        if self.rows is None:
            return self.draw(_ROWS, 1)
        return self.rows.take(slice(0, _ROWS))

    @cached_property
    def drawn(self) -> Dataset:
        """Draws that tests compare with."""
        return self.draw(MOST_DRAWS, 2)

    @cached_property
    def coordinates(self) -> Coordinates:
        """The columns as lines, circles and levels.

        Raises:
            InputError: for images.
        """
        if self.model.schema_.image_shape is not None:
            size = math.prod(self.model.schema_.image_shape)
            raise InputError(f"images have {size} values a row, too many to integrate over.")
        return Coordinates.of(self.model, self.draw(MOST_DRAWS, 3))

    @cached_property
    def _given(self) -> Any:
        fitted = self.model.context_ is not None
        return self.y[:1] if fitted and self.y is not None else None

    @cached_property
    def _seconds_a_row(self) -> float:
        rows = self.draw(_FEWEST, 4)
        self.log_density(rows)  # whatever is compiled, is
        began = time.perf_counter()
        self.log_density(rows)
        return max((time.perf_counter() - began) / len(rows), 1e-7)
