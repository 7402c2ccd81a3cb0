"""Log likelihoods of a fitted pair's single observations, and leaving each of them out."""

from __future__ import annotations

import math
from importlib import import_module
from typing import Any

import numpy as np
from scipy.special import logsumexp

from ...arrays import Array, Floats
from ...errors import InputError, unknown
from ...inference.enumerated import Enumerated
from ...inference.leave_one_out import (
    LeaveOneOut,
    psis_loo,
    relative_efficiency,
    summed_up,
)
from ...inference.pointwise import Given, Pointwise, pointwise
from ...inference.posterior.target import Target
from .base import Fitted
from .engines import engine


class Likelihoods(Fitted):
    """Log likelihoods of observations, discrete sites summed out."""

    _read: tuple[Target, Enumerated] | None = None

    def log_likelihood(self, *data: Any, given: Given = "others", **named: Any) -> dict[str, Array]:
        """Log p(y_i | theta) of each observation under each draw, discrete sites summed out.

        What an observation is, the plates say: see `inference.pointwise`. Observed sites that a
        discrete site couples within a row (or a sequence in a plate) are one variable, "joint".
        Where discrete sites couple observations across rows, or along a single sequence, the values
        are conditional.

        Args:
            data, named: what the model is called with; nothing stands for the data fitted.
            given: what observations that are not independent are conditional on: all "others",
                which is what leave-one-out wants, or those "previous", which add up to the log
                likelihood.

        Returns:
            Observed site, or "joint" -> (chain, draw, ...), in nats.

        Raises:
            InputError: if there are no data, or summing takes more memory than there is.
        """
        return self._pointwise(self.target_of(data, named), given).values

    def loo(self, *data: Any, var_name: str | None = None, **named: Any) -> LeaveOneOut:
        """Leave-one-out log densities of the observations, without refitting (PSIS).

        Observed sites in the same plates are left out together, a row of them at a time. Draws from
        an approximation whose density is known are weighted by what they lack (`arviz_stats.loo` of
        the DataTree takes them as exact; `arviz_stats.loo_approximate_posterior` does not), and
        what the model scales counts as often in the posterior. `ppgen.compare` compares fits by
        `loo().density`.

        Args:
            data, named: of a fit that was loaded, what it was fitted to.
            var_name: one variable of `log_likelihood`, where there are several; by default all.

        Raises:
            InputError: if there are no data; if the variables are of different plates and none is
                named, or they are scaled differently; if all draws are one point.
        """
        if all(np.ptp(a, axis=(0, 1)).max(initial=0) == 0 for a in self.draws.values()):
            raise InputError(
                f"all draws by method {self.method!r} are one point, which says nothing of the "
                "posterior without an observation. Take another guide, or another method."
            )
        target = self.target_of(data, named)
        found = self._pointwise(target, "others")
        names, log_p, about = _observations(found, var_name)
        shape, draws = log_p.shape[2:], math.prod(self.shape)
        log_p = log_p.reshape(draws, -1)
        log_ratio, r_eff = None, 1.0
        if "log_q" in self.stats:
            log_ratio = (self.stats["lp"] - self.stats["log_q"]).reshape(-1)
            about += ", weighted as draws of an approximation"
        elif engine(self.method).approximate:
            about += ", draws of an approximation taken as they are"
        else:
            r_eff = relative_efficiency(self.draws)
        sites = [site for name in names for site in found.sites[name]]
        weights = _weights(sites, self._enumerated(target), shape)
        values, khat = psis_loo(log_p, weights, log_ratio, r_eff)
        w = np.zeros(len(log_p)) if log_ratio is None else log_ratio
        whole = logsumexp(log_p + w[:, None], axis=0) - logsumexp(w)
        return summed_up(values, khat, whole, weights, draws, about)

    def _pointwise(self, target: Target, given: Given) -> Pointwise:
        """Values as (chain, draw, ...)."""
        found = pointwise(self._enumerated(target), self._flat_draws(), given)
        values = {n: v.reshape(*self.shape, *v.shape[1:]) for n, v in found.values.items()}
        return Pointwise(values, found.plates, found.sites, found.conditional)

    def _enumerated(self, target: Target) -> Enumerated:
        """The model as tables over its discrete states; read once for the same data."""
        if self._read is None or self._read[0] is not target:
            module = import_module(f"...inference.enumerated_{target.backend}", __package__)
            read: Enumerated = module.read(
                target.model, target.args, target.kwargs, self._flat_draws()
            )
            self._read = target, read
        return self._read[1]

    def _told_by_states(self, target: Target) -> bool:
        """Whether the prior of a continuous site depends on a discrete one."""
        discrete = bool(target.sites.discrete)
        return discrete and any(group.latents for group in self._enumerated(target).groups)

    def _flat_draws(self) -> dict[str, Array]:
        """(chain * draw, ...) values of the latent sites, and of params."""
        n = math.prod(self.shape)
        draws = {name: value.reshape(n, *value.shape[2:]) for name, value in self.draws.items()}
        for name in self.sites.of("param"):
            value = np.asarray(self.posterior.guide[name])
            draws[name] = np.broadcast_to(value, (n, *value.shape))
        return draws


def _observations(found: Pointwise, var_name: str | None) -> tuple[list[str], Floats, str]:
    """The variables, (chain, draw, ...) log densities of what is left out at a time, and what it
    is, in words."""
    values = found.values
    if var_name is not None and var_name not in values:
        raise unknown("log likelihood", var_name, values)
    names = list(values) if var_name is None else [var_name]
    told = " given the other observations" * any(name in found.conditional for name in names)
    several = [values[name] for name in names]
    if len(names) == 1:
        return names, several[0], told
    if len({(found.plates[name], value.shape) for name, value in values.items()}) > 1:
        shapes = ", ".join(f"{name} {value.shape[2:]}" for name, value in values.items())
        raise InputError(
            f"the observed sites are not of the same rows ({shapes}), so that leaving one out "
            "means different things; name one of them by var_name."
        )
    if told or several[0].ndim == 2:
        parts = [value.reshape(*value.shape[:2], -1) for value in several]
        return names, np.concatenate(parts, axis=-1), told
    return names, np.sum(several, axis=0), f", {', '.join(names)} of a row left out together"


def _weights(sites: list[str], model: Enumerated, shape: tuple[int, ...]) -> Floats:
    """(n,) how often the model counts each observation.

    Args:
        sites: that the observations are of.
        model: as tables.
        shape: of the observations.
    """
    scaled = [site for site in sites if site in model.weights]
    each = [model.weights.get(site, np.ones(())) for site in sites]
    if not scaled:
        return np.ones(math.prod(shape))
    same = all(np.array_equal(w, each[0]) for w in each)
    if model.support or not same or each[0].ndim > len(shape):
        raise InputError(
            f"site {scaled[0]!r} is scaled in the model; leave-one-out of what is scaled needs a "
            "model without discrete sites, and one scale of all that is observed of a row. Leave "
            "the scale out, or give rows as often as they count."
        )
    return np.array(np.broadcast_to(each[0], shape), np.float64).reshape(-1)
