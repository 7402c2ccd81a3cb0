"""Posterior of a factor model's parameters: the pair of `pyro.py` and `numpyro.py`, by SVI or NUTS.

Both engines work on standardised columns, where the prior is N(0, 1) for the means, N(0, a^2) for
the loadings (`loading_scale`) and LogNormal(log 1/2, 1) for the noise: weakly informative, whatever
the units. They start at the solution by maximum likelihood; draws of chains are turned to its
loadings, as a rotation changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ...arrays import Floats
from ...fitting import Fit
from ...verdict import Reason
from ..bayes import Draws, fit_posterior
from ..gmm.weighted_rows import WeightedRows
from ..problem import Problem
from .factors import Factors
from .prior import Prior
from .rotation import aligned
from .settings import ENGINE_SETTINGS, FactorSettings
from .standardised import Standardised

_LEAST = 1e-3  # noise that chains start from
DRAWS = 200  # of a posterior, that a row's density is averaged over


class Posterior(NamedTuple):
    """Draws of the sites, name -> (chain, draw, ...), their `stats`, (chain, draw) each, warnings,
    and the (d,) centre and spread of the columns, in which the prior is set."""

    draws: Draws
    stats: Draws
    reasons: list[Reason]
    units: tuple[Floats, Floats]


def fit_bayes(rows: WeightedRows, start: Factors, settings: FactorSettings, fit: Fit) -> Posterior:
    """Fit the posterior of the parameters.

    Args:
        rows: gaps are integrated out; weights are powers of the rows in the likelihood.
        start: the model of maximum likelihood.
    """
    options = ENGINE_SETTINGS[settings.engine].values(settings.engine_settings or {})
    data, d = Standardised.of(rows, settings), rows.x.shape[1]
    isotropic = settings.noise == "isotropic"
    own = start.scaled(-data.centre / data.spread, 1 / data.spread)
    psi = np.maximum(own.noise[0], _LEAST)
    sites = {"mu": own.means[0], "psi": psi.mean() if isotropic else psi, "W": own.loadings[0]}
    if not start.n_components:
        del sites["W"]
    spread = np.full(d, float(options.pop("loading_scale")))
    prior = Prior(start.n_components, np.zeros(d), np.ones(d), np.full(d, 0.5), spread, isotropic)
    z = (np.asarray(rows.x, dtype=np.float64) - data.centre) / data.spread
    draws, stats, reasons = fit_posterior(
        Problem("factor", (z, rows.weights), prior, sites, rows.gaps),
        settings.engine, settings.backend, options, fit, offset=-data.offset, align=_turned,
    )  # fmt: skip
    units = np.asarray(data.centre), np.asarray(data.spread)
    return Posterior(_in_units(_turned(draws, sites), data), stats, reasons, units)


def _turned(draws: Draws, start: Problem | Mapping[str, Any]) -> Draws:
    """The draws with their loadings rotated to those of the start."""
    to = start.start if isinstance(start, Problem) else start
    return {**draws, "W": aligned(draws["W"], to["W"])} if "W" in draws else draws


def _in_units(draws: Draws, data: Standardised) -> Draws:
    """The sites where z is replaced by x = centre + spread z; a noise for each column."""
    out = {"mu": data.centre + data.spread * draws["mu"]}
    psi = draws["psi"] if draws["psi"].ndim == 3 else draws["psi"][:, :, None]
    out["psi"] = np.square(data.spread) * psi
    if "W" in draws:
        out["W"] = data.spread[:, None] * draws["W"]
    return out


def of_draws(draws: Mapping[str, Floats], most: int | None = DRAWS) -> Factors:
    """The mean over draws (chain, draw, ...), or over `most` of them evenly spaced."""
    mu, psi = (draws[name].reshape(-1, draws[name].shape[-1]) for name in ("mu", "psi"))
    n, d = mu.shape
    W = draws["W"].reshape(n, d, -1) if "W" in draws else np.zeros((n, d, 0))
    kept = np.arange(n)
    if most is not None and n > most:
        kept = np.linspace(0, n - 1, most).round().astype(int)
    return Factors(np.full(len(kept), 1 / len(kept)), mu[kept], W[kept], psi[kept])
