"""Predictive checks of a pair, before and after a fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...arrays import Array
from ...checks import seed_of
from ...errors import InputError
from ...inference.predictive_checks import DEFAULT, PredictiveCheck, Statistic, check, loo_pit
from .calibrating import Calibrating
from .pointwise import Likelihoods
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


class Checked(Predictive, Likelihoods):
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
        most = None if n_draws is None else min(n_draws, self.shape[1])
        drawn = self.predictive(*data, n_draws=most, random_state=random_state, **named)
        flat = {name: a.reshape(-1, *a.shape[2:]) for name, a in drawn.items()}
        return check("posterior", _data(observed), flat, statistics)

    def loo_pit(self, *data: Any, random_state: Any = 0, **named: Any) -> dict[str, Array]:
        """Where each value lies among predictive draws that have not seen it: P(y_rep_i < y_i | all
        data but y_i), by weighted draws. Uniform, but for the little that rows share, where the
        model is right; a hump in the middle says that it is too wide, both ends that it is too
        narrow.

        Args:
            data, named: of a fit that was loaded, what it was fitted to.
            random_state: seed of the draws, and of ties.

        Returns:
            Observed site -> an array of its shape, NaN where a value is missing.

        Raises:
            InputError: if there are no data, or the values of a site are not observations of their
                own: vectors, or coupled by discrete sites.
        """
        observed = _data(self.target_of(data, named).sites)
        log_p = self.log_likelihood(*data, **named)
        drawn = self.predictive(*data, random_state=random_state, **named)
        ratio = self.stats["lp"] - self.stats["log_q"] if "log_q" in self.stats else None
        rng, found = np.random.default_rng([seed_of(random_state), 0x917]), {}
        for name, y in observed.items():
            if name not in log_p or log_p[name].shape[2:] != y.shape:
                raise InputError(
                    f"the values of {self.sites[name].words} are not observations of their own, "
                    f"of which log_likelihood has {', '.join(log_p)}; a place among predictive "
                    "draws is that of a single number."
                )
            reps, log_p_y = (a.reshape(-1, y.size) for a in (drawn[name], log_p[name]))
            weights = None if ratio is None else ratio.ravel()
            u = loo_pit(y.ravel(), reps, log_p_y, weights, rng)
            found[name] = u.reshape(y.shape)
        return found


def _data(sites: Any) -> dict[str, Array]:
    return {name: np.asarray(sites.data[name]) for name in sites.observed}
