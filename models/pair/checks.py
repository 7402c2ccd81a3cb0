"""Predictive checks of a pair, before and after a fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...arrays import Array
from ...inference.predictive_checks import DEFAULT, PredictiveCheck, Statistic, check
from .calibrating import Calibrating
from .predictive import Predictive, prior_draws

Statistics = Sequence[str | Statistic] | Mapping[str, Statistic]


class Checking(Calibrating):
    """A pair whose prior can be checked, and its engines."""

    def check_prior(
        self,
        *data: Any,
        n: int = 500,
        statistics: Statistics = DEFAULT,
        random_state: Any = 0,
        **named: Any,
    ) -> PredictiveCheck:
        """Statistics of the data among those of n data sets drawn from the prior.

        Args:
            data, named: what the model is called with, what it observes too.
            statistics: "mean", "sd", "min", "max", "median", quantiles such as "q05", and functions
                of a site's data that give a number.
            random_state: seed of the draws.

        Raises:
            InputError: if a site is improper, or a statistic is not known.
        """
        observed = self.target(*data, **named).sites
        drawn = prior_draws(self, data, named, n, random_state)
        return check("prior", _data(observed), drawn, statistics)


class Checked(Predictive):
    """A fit whose predictions can be checked."""

    def check_predictive(
        self,
        *data: Any,
        statistics: Statistics = DEFAULT,
        n_draws: int | None = None,
        random_state: Any = 0,
        **named: Any,
    ) -> PredictiveCheck:
        """Statistics of the data among those of data drawn from the posterior.

        Args:
            data, named: what the model is called with, what it observes too; nothing stands for the
                data that were fitted.
            statistics: as for `Pair.check_prior`.
            n_draws: of each chain, at most; None takes all.
            random_state: seed of the draws.

        Raises:
            InputError: if there are no data, or a statistic is not known.
        """
        observed = self.target_of(data, named).sites
        drawn = self.predictive(*data, n_draws=n_draws, random_state=random_state, **named)
        flat = {name: a.reshape(-1, *a.shape[2:]) for name, a in drawn.items()}
        return check("posterior", _data(observed), flat, statistics)


def _data(sites: Any) -> dict[str, Array]:
    return {name: np.asarray(sites.data[name]) for name in sites.observed}
