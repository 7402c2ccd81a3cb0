"""What every search for a start of EM shares: how many rows and iterations a try is worth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np

from .em import Regularisation, steps
from .parameters import Mixture
from .settings import MixtureSettings
from .weighted_rows import WeightedRows

SAMPLE = 20_000  # rows that starts are tried on
SHORT_ROWS, SHORT_ITER = 5_000, 15
LONG_ITER = 200


class Run(NamedTuple):
    """Where EM came to: its mixture, the mean log density just before, and whether it had
    converged."""

    mixture: Mixture
    objective: float
    converged: bool


@dataclass(frozen=True)
class Search:
    """How starts are looked for."""

    settings: MixtureSettings
    regularisation: Regularisation
    deadline: Callable[[], float | None]

    @classmethod
    def of(
        cls, settings: MixtureSettings, rows: WeightedRows, deadline: Callable[[], float | None]
    ) -> Self:
        regularisation = Regularisation.of(rows, settings.reg_covar, settings.categorical_prior)
        return cls(settings, regularisation, deadline)

    def run(self, rows: WeightedRows, start: Mixture, max_iter: int, least: float = -np.inf) -> Run:
        """EM from a start; given up where it would end below `least`, if each iteration to come
        gained as much as the last."""
        ended = Run(start, float("-inf"), False)
        for iteration in steps(
            rows, start, self.regularisation, max_iter=max_iter, tol=self.settings.tol,
            deadline=self.deadline,
        ):  # fmt: skip
            ended = Run(iteration.state, iteration.objective, iteration.converged)
            if iteration.objective + (max_iter - iteration.number) * iteration.change < least:
                break
        return ended

    def out_of_time(self) -> bool:
        return self.deadline() == 0.0
