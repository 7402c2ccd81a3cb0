"""The log joint of a fitted pair at values of its sites."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...density import LogDensity
from ...errors import InputError, did_you_mean
from ...inference.posterior.sites import Site
from .base import Fitted


class Densities(Fitted):
    """Log densities under the model."""

    def log_prob(self, values: Mapping[str, Any], *data: Any, **named: Any) -> LogDensity:
        """The log joint density of the data and of n values of the latent sites, in their supports,
        with discrete sites summed out: the log posterior density but for a constant, which is
        minus `log_evidence_`.

        Args:
            values: latent site -> (n, ...), or (...) for one value.
            data, named: what the model is called with; nothing stands for the data fitted.

        Raises:
            InputError: if a site's values are missing, of another shape or not numbers, the model
                has params, or there are no data.
        """
        for name in self.sites.of("param"):
            raise InputError(
                f"site {name!r} is a param, optimised with the guide, and log_prob is of models "
                "that draw what they do not know. Draw it from a prior by sample."
            )
        target = self.target_of(data, named)
        latents = self.sites.latents
        for name in values:
            if name not in latents:
                raise InputError(
                    f"the model has no latent site {name!r}; it has {', '.join(latents)}."
                    + did_you_mean(name, latents)
                )
        each = {}
        for name, site in latents.items():
            if name not in values:
                raise InputError(f"values of {site.words} are missing; give all latent sites.")
            each[name] = _rows(site, values[name])
        counts = {len(rows) for rows in each.values()}
        if len(counts) != 1:
            raise InputError(
                "the sites have different numbers of values: "
                + ", ".join(f"{name} {len(rows)}" for name, rows in each.items())
                + ". Give as many of each."
            )
        log_p = np.asarray(target.log_density(each), np.float64)
        if (bad := np.flatnonzero(np.isnan(log_p))).size:
            raise InputError(
                f"the log joint of value {bad[0]} is not a number: is it in the supports of "
                f"{', '.join(site.words for site in latents.values())}?"
            )
        summed = " with discrete sites summed out" if self.sites.discrete else ""
        return LogDensity(
            log_p,
            "exact",
            f"log joint density of data and latent sites{summed}, unnormalised as a posterior",
        )


def _rows(site: Site, value: Any) -> Any:
    """(n, ...) values of a site."""
    array = np.asarray(value, np.float64)
    if array.shape == site.shape:
        return array[None]
    if array.shape[1:] == site.shape and array.ndim > len(site.shape):
        return array
    raise InputError(
        f"{site.words} was given values of shape {array.shape}; expected {('n', *site.shape)}, or "
        f"{site.shape} for one."
    )
