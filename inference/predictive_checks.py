"""Predictive checks: statistics of data among those of data that a model draws.

    p = P(T(y_rep) > T(y)) + P(T(y_rep) = T(y)) / 2

is the share of replicated data sets whose statistic is above that of the data, ties by halves. Near
0 or 1 the model hardly ever makes data like these in this respect. Where y_rep comes from the
posterior, y was used twice: p is closer to 1/2 than a uniform number, so that extremes say more
than they seem to, and the middle says nothing. Where it comes from the prior, an extreme p says
that the prior and the data are in conflict.

Reference: Gelman, Meng and Stern, "Posterior predictive assessment of model fitness via realized
discrepancies", 1996, https://www.jstor.org/stable/24306036.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import Array, Floats
from ..errors import InputError, did_you_mean
from ..verdict import Reason, Verdict
from .posterior.psis import smooth

EXTREME = 0.005  # of a p-value at either end
DEFAULT = ("mean", "sd", "min", "max", "q25", "median", "q75")
Statistic = Callable[[Array], Any]  # data of one site -> a number

_NAMED: dict[str, Statistic] = {
    "mean": np.mean,
    "sd": np.std,
    "min": np.min,
    "max": np.max,
    "median": np.median,
}


@dataclass(frozen=True)
class Replicated:
    """A statistic of data and of replicated data.

    Attributes:
        observed: T(y).
        replicated: (n,) T(y_rep).
    """

    observed: float
    replicated: Array

    @property
    def p_value(self) -> float:
        """P(T(y_rep) > T(y)) + P(T(y_rep) = T(y)) / 2."""
        above = np.mean(self.replicated > self.observed)
        return float(above + np.mean(self.replicated == self.observed) / 2)

    @property
    def extreme(self) -> bool:
        """Whether nearly all replicates are on one side."""
        return not EXTREME <= self.p_value <= 1 - EXTREME


@dataclass(frozen=True)
class PredictiveCheck:
    """What predictive checks found.

    Attributes:
        source: "prior" or "posterior", which the replicates come from.
        sites: observed site -> name of a statistic -> its values.
    """

    source: Literal["prior", "posterior"]
    sites: Mapping[str, Mapping[str, Replicated]]

    @property
    def p_values(self) -> dict[str, dict[str, float]]:
        """Observed site -> name of a statistic -> p."""
        return {
            site: {name: one.p_value for name, one in each.items()}
            for site, each in self.sites.items()
        }

    @cached_property
    def verdict_(self) -> Verdict:
        """A warning for each site whose data the model hardly ever makes."""
        reasons = []
        for site, each in self.sites.items():
            far = [f"{name} ({_where(one)})" for name, one in each.items() if one.extreme]
            if far:
                what = (
                    f"data of {site!r} are unlike those drawn from the {self.source}: "
                    f"{', '.join(far)}."
                )
                reasons.append(Reason("warn", what, _ADVICE[self.source]))
        return Verdict(tuple(reasons))

    def __str__(self) -> str:
        rows = [("site", "statistic", "data", "replicates (5%, 50%, 95%)", "p")]
        for site, each in self.sites.items():
            for name, one in each.items():
                spread = ", ".join(
                    f"{v:.4g}" for v in np.quantile(one.replicated, [0.05, 0.5, 0.95])
                )
                rows.append((site, name, f"{one.observed:.4g}", spread, f"{one.p_value:.3f}"))
        wide = [max(len(row[i]) for row in rows) for i in range(5)]
        lines = ("  ".join(c.ljust(w) for c, w in zip(r, wide, strict=True)).rstrip() for r in rows)
        return "\n".join(lines)


_ADVICE = {
    "posterior": "Give the model what makes such data: another distribution of the observations, "
    "a covariate, groups.",
    "prior": "Look whether the priors mean what you think, in the units of the data.",
}


def check(
    source: Literal["prior", "posterior"],
    observed: Mapping[str, Any],
    replicated: Mapping[str, Array],
    statistics: Sequence[str | Statistic] | Mapping[str, Statistic] = DEFAULT,
) -> PredictiveCheck:
    """Statistics of data among those of replicates.

    Args:
        observed: site -> its data; NaN where missing, there replicates are left out too.
        replicated: site -> (n, ...) replicates of all of it.
        statistics: "mean", "sd", "min", "max", "median", quantiles such as "q05" and "q97.5";
            functions of a site's data that give a number, named after themselves or by a dict.

    Raises:
        InputError: if a statistic is not known, or gives no number.
    """
    functions = named(statistics)
    sites: dict[str, dict[str, Replicated]] = {}
    for site, values in observed.items():
        data = np.asarray(values, np.float64)
        reps = np.asarray(replicated[site], np.float64)
        if np.isnan(data).any():
            known = ~np.isnan(data)
            data, reps = data[known], reps[:, known]
        sites[site] = {
            name: Replicated(
                _number(name, f, data), np.array([_number(name, f, rep) for rep in reps])
            )
            for name, f in functions.items()
        }
    return PredictiveCheck(source, sites)


def loo_pit(
    observed: ArrayLike,
    replicated: ArrayLike,
    log_p: ArrayLike,
    log_ratio: ArrayLike | None,
    rng: np.random.Generator,
) -> Floats:
    """P(y_rep_i < y_i | all data but y_i) of each value, ties placed at random: close to uniform
    numbers where the model is right.

    Draws of theta are weighted by 1 / p(y_i | theta), smoothed (PSIS).

    Args:
        observed: (n,) y; NaN where missing, of which there is no place: NaN.
        replicated: (S, n) y_rep of each draw.
        log_p: (S, n) log p(y_i | theta).
        log_ratio: (S,) log p(theta, y) / q(theta), of draws from an approximation q.
    """
    y, reps = np.asarray(observed, np.float64), np.asarray(replicated, np.float64)
    below = places(y, reps, rng)
    log_w = -np.asarray(log_p, np.float64)
    if log_ratio is not None:
        log_w = log_w + np.asarray(log_ratio)[:, None]
    log_w = np.where(np.isnan(y), 0.0, log_w)
    return np.array([smooth(w).weights @ place for w, place in zip(log_w.T, below.T, strict=True)])


def places(y: Floats, reps: Floats, rng: np.random.Generator) -> Floats:
    """(S, n) 1 where a replicate is below the value, a uniform number where they are equal, and NaN
    where there is no value: means over replicates are places among them.

    Args:
        y: (n,) values.
        reps: (S, n) replicates of each.
        rng: of ties.
    """
    return np.where(np.isnan(y), np.nan, (reps < y) + rng.random(len(y)) * (reps == y))


def named(statistics: Sequence[str | Statistic] | Mapping[str, Statistic]) -> dict[str, Statistic]:
    """Statistics by name."""
    if isinstance(statistics, Mapping):
        return dict(statistics)
    each = (statistics,) if isinstance(statistics, str) or callable(statistics) else statistics
    return dict(_known(one) if isinstance(one, str) else (_name(one), one) for one in each)


def _known(name: str) -> tuple[str, Statistic]:
    if name in _NAMED:
        return name, _NAMED[name]
    percent = re.fullmatch(r"q(\d{1,2}(?:\.\d+)?)", name)
    if percent is None:
        raise InputError(
            f"statistic {name!r} is not known; expected {', '.join(_NAMED)}, a quantile such as "
            f"'q05', or a function.{did_you_mean(name, _NAMED)}"
        )
    return name, partial(np.quantile, q=float(percent[1]) / 100)


def _name(function: Statistic) -> str:
    return getattr(function, "__name__", type(function).__name__)


def _number(name: str, statistic: Statistic, data: Array) -> float:
    value = np.asarray(statistic(data))
    if value.shape != () or value.dtype.kind not in "fiub":
        raise InputError(
            f"statistic {name!r} gave a value of shape {value.shape} and type {value.dtype} of "
            f"data of shape {data.shape}; expected one number."
        )
    return float(value)


def _where(one: Replicated) -> str:
    low, high = np.quantile(one.replicated, [0.05, 0.95])
    return f"{one.observed:.4g}, replicates {low:.4g} to {high:.4g}, p {one.p_value:.3f}"
